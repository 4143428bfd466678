"""Every route of the product, in one tuple: what create_app binds and the contract tests quantify over."""

from __future__ import annotations

from rqdash.web import (
    connection,
    connection_edit,
    connections,
    health,
    imports,
    job,
    jobs_actions,
    overview,
    queue,
    queues,
    revisions,
    sign_in,
    usage,
    workers,
)

ROUTES = (
    *overview.ROUTES,
    *queues.ROUTES,
    *queue.ROUTES,
    *job.ROUTES,
    *workers.ROUTES,
    *jobs_actions.ROUTES,
    *connections.ROUTES,
    *connection.ROUTES,
    *connection_edit.ROUTES,
    *revisions.ROUTES,
    *usage.ROUTES,
    *imports.ROUTES,
    *sign_in.ROUTES,
    *health.ROUTES,
)
