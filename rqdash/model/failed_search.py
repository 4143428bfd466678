"""Which failed jobs a search takes, judged by what a list shows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from rqdash.model import unseen
from rqdash.model.failed import FailedJob
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry
from rqdash.model.search import Search
from rqdash.model.search_terms import Term

Takes = Callable[[FailedJob], bool]


def taker(search: Search, *, now: datetime, profile: Profile) -> Takes | None:
    """The test of a search of one backend's; None when it takes every failed job. Search.on_backend is asked before one is read."""
    if unseen.takes_nothing(search, profile):
        return lambda _failed: False
    tests = tuple(_tests(search, now))
    return (lambda failed: all(test(failed) for test in tests)) if tests else None


def _tests(search: Search, now: datetime) -> Iterator[Takes]:
    if search.of("status"):
        yield lambda failed: search.takes(Registry.FAILED, is_stopped=failed.job.status == "stopped")
    if search.of("queue"):
        yield lambda failed: search.on_queue(failed.job.queue)
    for term in search.of("fn", "id", "worker", "group"):
        yield _signed(term, _whole(term))
    for term in search.of("desc", "error", "msg", ""):
        yield _signed(term, _part(term))
    for term in search.of("age", "run"):
        yield _signed(term, _span(term, now))


def _signed(term: Term, test: Takes) -> Takes:
    return (lambda failed: not test(failed)) if term.is_negated else test


def _whole(term: Term) -> Takes:
    texts: dict[str, Callable[[FailedJob], str]] = {
        "fn": lambda failed: failed.job.function,
        "id": lambda failed: failed.job.id,
        "worker": lambda failed: failed.job.worker,
        "group": lambda failed: failed.group,
    }
    text = texts[term.field]
    return lambda failed: text(failed) != "" and term.is_all_of(text(failed))


def _part(term: Term) -> Takes:
    is_in = term.finder()
    if term.field == "desc":
        return lambda failed: is_in(failed.job.description)
    if term.field == "msg":
        return lambda failed: is_in(failed.job.error_message)
    if term.field == "error":
        is_dotted = any("." in part for pattern in term.patterns for part in pattern.parts)
        return lambda failed: is_in(failed.job.error_type) or (is_dotted and is_in(_path(failed)))
    return lambda failed: any(
        is_in(text) for text in (failed.job.id, failed.job.description, failed.job.error_type, failed.job.error_message)
    )


def _path(failed: FailedJob) -> str:
    """The type with the module it is defined in."""
    return f"{failed.failure.module}.{failed.failure.type}" if failed.failure else ""


def _span(term: Term, now: datetime) -> Takes:
    if term.field == "run":
        return lambda failed: term.takes(failed.job.ran_s)
    return lambda failed: term.takes((now - at).total_seconds() if (at := failed.at or failed.job.created_at) else None)
