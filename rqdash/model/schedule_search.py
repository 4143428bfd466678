"""Which scheduled jobs and cron jobs a search takes."""

from __future__ import annotations

from collections.abc import Callable

from rqdash.model.cron import CronJob
from rqdash.model.job import JobRow
from rqdash.model.search import Search
from rqdash.model.search_terms import Term

FIELDS = ("backend", "queue", "fn", "id", "desc", "")
"""The fields of a search that scheduled jobs have; "" is a bare word."""
Takes = Callable[[JobRow], bool]


def taker(search: Search) -> Takes | None:
    """The test of a search on a job; None when it takes every one. Backends and queues are judged before a job is read."""
    terms = search.of("fn", "id", "desc", "")
    return (lambda job: all(term.is_negated != _has(term, job) for term in terms)) if terms else None


def takes_cron(search: Search, job: CronJob) -> bool:
    """Whether a search takes a cron job. It has no id; its description is its name with what it calls."""
    return (
        search.on_backend(job.backend)
        and search.on_queue(job.queue)
        and all(term.is_negated != _has_cron(term, job) for term in search.of("fn", "id", "desc", ""))
    )


def _has(term: Term, job: JobRow) -> bool:
    if term.field == "fn":
        return job.function != "" and term.is_all_of(job.function)
    if term.field == "id":
        return term.is_all_of(job.id)
    return term.is_part_of(job.description) or (term.field == "" and term.is_part_of(job.id))


def _has_cron(term: Term, job: CronJob) -> bool:
    if term.field == "fn":
        return job.function != "" and term.is_all_of(job.function)
    return term.field != "id" and any(map(term.is_part_of, (job.name, job.function, job.arguments)))
