"""Every route of the product, in one tuple: what create_app binds and the contract tests quantify over."""

from __future__ import annotations

from rqdash.web import connection_edit, connections, health, job, jobs_actions, overview, queue, queues, sign_in, workers

ROUTES = (
    *overview.ROUTES,
    *queues.ROUTES,
    *queue.ROUTES,
    *job.ROUTES,
    *workers.ROUTES,
    *jobs_actions.ROUTES,
    *connections.ROUTES,
    *connection_edit.ROUTES,
    *sign_in.ROUTES,
    *health.ROUTES,
)
