"""A queue's counts and one page of one of its registries, read together."""

from __future__ import annotations

from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model.job import JobList
from rqdash.model.queue import QueueSummary
from rqdash.model.registry import Registry
from rqdash.queries import jobs, pages, queue
from rqdash.queries.reading import read_either


def queue_page(backend: Backend, name: str, registry: Registry, *, offset: int, size: int, now: datetime) -> tuple[QueueSummary, JobList]:
    """queue.summary_of and jobs.jobs of one moment, in one round trip; where scripts are denied in as many as both take.

    Raises NotFound as summary_of.
    """
    return read_either(
        backend,
        lambda: _by_script(backend, name, registry, offset=offset, size=size, now=now),
        otherwise=lambda: (queue.summary_of(backend, name, now=now), jobs.jobs(backend, name, registry, offset=offset, size=size, now=now)),
    )


def _by_script(backend: Backend, name: str, registry: Registry, *, offset: int, size: int, now: datetime) -> tuple[QueueSummary, JobList]:
    wanted = jobs.wanted(name, registry, offset=offset, size=size, now=now)
    first, *parts = backend.read(queue.call(backend, name, now=now), *jobs.calls(backend, wanted))
    summary = queue.summary(backend, name, queue.read_of(first), now=now)
    return summary, jobs.listed(backend, wanted, pages.joined([pages.page(part) for part in parts]), now=now)
