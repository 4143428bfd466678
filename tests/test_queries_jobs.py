"""The rows of every registry: their order, what they say, and what spoils none of the others."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import NotFound
from rqdash.model import names
from rqdash.model.job import JobList, JobRow
from rqdash.model.registry import Registry
from rqdash.queries.jobs import MOST_ROWS, find, jobs
from rqdash.queries.pages import WINDOW
from tests.conftest import backend_of
from tests.stored import EXECUTION, NOW, NOW_S, Stored, ago, packed, variety

NO_SCRIPTS = ("~rq:*", "+@read", "+@connection", "-@scripting", "-@write")


@pytest.fixture
def stored(redis_client: redis.Redis) -> Stored:
    return Stored(redis_client)


@pytest.fixture
def without_scripts(redis_client: redis.Redis, server: Server) -> Iterator[Backend]:
    redis_client.execute_command("ACL", "SETUSER", "plain", "reset", "on", "nopass", *NO_SCRIPTS)
    backend = backend_of(server, username="plain")
    yield backend
    backend.close()
    redis_client.execute_command("ACL", "DELUSER", "plain")


def page(backend: Backend, registry: Registry, *, offset: int = 0, size: int = 50) -> JobList:
    return jobs(backend, "mail", registry, offset=offset, size=size, now=NOW)


def ids(found: JobList) -> list[str]:
    return [row.id for row in found.rows]


def row_of(backend: Backend, job_id: str, registry: Registry = Registry.QUEUED) -> JobRow:
    return next(row for row in page(backend, registry).rows if row.id == job_id)


def test_waiting_jobs_are_listed_next_first_page_by_page(stored: Stored, backend: Backend) -> None:
    for number in range(7):
        stored.waiting(f"job-{number}")

    first, second = page(backend, Registry.QUEUED, size=5), page(backend, Registry.QUEUED, offset=5, size=5)

    assert ids(first) == [f"job-{number}" for number in range(5)]
    assert (ids(second), second.total, first.has_next, second.has_next) == (["job-5", "job-6"], 7, True, False)


def test_a_row_says_what_would_run_and_since_when(stored: Stored, backend: Backend) -> None:
    stored.waiting("job", number_of_retries=1, retries_left=2)

    row = row_of(backend, "job")

    assert (row.function, row.arguments, row.description) == ("app.tasks.send", "7", "app.tasks.send(7)")
    assert (row.status, row.timeout_s, row.attempt, row.attempts) == ("queued", 180, 2, 4)
    assert row.enqueued_at is not None
    assert (NOW - row.enqueued_at).total_seconds() == 599
    assert (row.started_at, row.ended_at, row.registry) == (None, None, Registry.QUEUED)


def test_a_description_of_the_users_own_is_no_arguments(stored: Stored, backend: Backend) -> None:
    stored.waiting("job", description="the monthly report")

    row = row_of(backend, "job")

    assert (row.function, row.arguments, row.description) == ("app.tasks.send", "", "the monthly report")


def test_data_too_large_for_a_list_is_named_by_its_beginning_and_never_by_its_description(stored: Stored, backend: Backend) -> None:
    stored.waiting("job", data=packed("app.tasks.load", random.Random(1).randbytes(20_000)), description="app.tasks.load('…')")
    stored.waiting("unreadable", data=b"x" * 20_000, description="app.tasks.load('…')")

    row, unreadable = row_of(backend, "job"), row_of(backend, "unreadable")

    assert (row.function, row.arguments) == ("app.tasks.load", "'…'")
    assert (unreadable.function, unreadable.arguments, unreadable.description) == ("", "", "app.tasks.load('…')")


def test_ghosts_and_garbled_jobs_spoil_no_other_row(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = page(backend, Registry.QUEUED)

    rows = {row.id: row for row in found.rows}
    assert found.total == len(rows) == 9
    assert [rows[name].exists for name in ("waiting-0", "ghost", "wrong-type", "zombie-job")] == [True, False, False, True]
    assert (rows["garbled"].status, rows["garbled"].created_at, rows["garbled"].timeout_s) == ("\ufffd", None, 3600)
    assert (rows["garbled"].attempt, rows["garbled"].function) == (None, "")


def test_started_rows_name_execution_and_worker_in_old_and_new_form(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = page(backend, Registry.STARTED)

    new, old = row_of(backend, "running-1", Registry.STARTED), row_of(backend, "running-2", Registry.STARTED)
    assert (new.execution_id, new.worker, new.is_expired) == (EXECUTION, "busy-1", False)
    assert (old.execution_id, old.is_expired) == ("", False)
    assert (found.total, found.expired, ids(found)[-1]) == (2, 1, "abandoned")
    assert found.rows[-1].is_expired


def test_an_id_of_an_old_version_with_a_colon_is_kept_whole(stored: Stored, backend: Backend) -> None:
    stored.entry("started", stored.job("a:b:not-hex", status="started"), NOW_S + 5)

    assert ids(page(backend, Registry.STARTED)) == ["a:b:not-hex"]
    assert page(backend, Registry.STARTED).rows[0].exists


def test_scheduled_jobs_are_listed_by_due_time(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = page(backend, Registry.SCHEDULED)

    assert ids(found) == ["due", "later"]
    assert [round((row.due_at - NOW).total_seconds()) for row in found.rows if row.due_at] == [-60, 60]
    assert [row.is_expired for row in found.rows] == [False, False]


def test_failed_jobs_are_listed_newest_end_first_whatever_their_expiry(stored: Stored, backend: Backend) -> None:
    stored.failed("oldest", ended_s_ago=90, score=NOW_S + 10_000)
    stored.failed("newest", ended_s_ago=10, score=NOW_S + 1)
    stored.failed("forever", ended_s_ago=50, score=-1)
    stored.failed("also-forever", ended_s_ago=40, score=float("inf"))
    stored.failed("lapsed", ended_s_ago=5, score=NOW_S)

    found = page(backend, Registry.FAILED)

    assert ids(found) == ["newest", "also-forever", "forever", "oldest", "lapsed"]
    assert [row.is_expired for row in found.rows] == [False, False, False, False, True]
    assert [row.expires_at is None for row in found.rows] == [False, True, True, False, False]
    assert (found.total, found.expired, found.scanned, found.ordered) == (4, 1, 5, "newest end first")


def test_a_failed_row_names_its_error_from_the_result_or_the_old_field(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    new, old = row_of(backend, "failed-0", Registry.FAILED), row_of(backend, "failed-old", Registry.FAILED)

    assert (new.error_type, new.error_message) == ("ValueError", "no such customer")
    assert (old.error_type, old.error_message) == ("ValueError", "no such customer")


def test_an_error_too_large_for_a_list_is_unknown_with_its_size(stored: Stored, backend: Backend) -> None:
    stored.failed("job")
    stored.client.xadd("rq:results:job", {"type": 2, "exc_string": b"x" * 100_000})

    row = row_of(backend, "job", Registry.FAILED)

    assert (row.error_type, row.error_message) == ("", "unknown, 98 KB")


@pytest.mark.parametrize(
    "score", [lambda number: NOW_S + 5000 - number, lambda number: -1, lambda number: -1 if number % 3 else NOW_S + 1 + number]
)
def test_paging_a_registry_larger_than_a_window_shows_each_entry_once(stored: Stored, backend: Backend, score: object) -> None:
    total = 2 * WINDOW + 30
    assert callable(score)
    for number in range(total):
        stored.entry("failed", f"job-{number}", score(number))
    for number in range(70):
        stored.entry("failed", f"expired-{number}", number + 1)

    pages = [page(backend, Registry.FAILED, offset=offset, size=70) for offset in range(0, total + 70, 70)]

    seen = [row for found in pages for row in found.rows]
    assert len(seen) == len({row.id for row in seen}) == total + 70
    assert [row.is_expired for row in seen] == [False] * total + [True] * 70
    assert [found.has_next for found in pages] == [True] * (len(pages) - 1) + [False]
    assert all(found.scanned <= WINDOW and found.total == total for found in pages)


@pytest.mark.parametrize(("odd", "scanned"), [((), 70), (range(0, 400, 9), WINDOW // 70 * 70)])
def test_a_window_is_ordered_as_a_whole_only_where_its_deadlines_do_not_tell(
    stored: Stored, backend: Backend, without_scripts: Backend, odd: Collection[int], scanned: int
) -> None:
    for number in range(WINDOW):
        # Those that ended within one second have the same deadline, and RQ orders them by their ids.
        ended_s_ago = number // 3 + (number * 7 % 3) / 10
        stored.failed(f"job-{number:03}", ended_s_ago=ended_s_ago, score=NOW_S + (9_000 - number if number in odd else 5_000 - number // 3))

    found = [page(asked, Registry.FAILED, offset=140, size=70) for asked in (backend, without_scripts)]

    moments = [row.ended_at for row in found[0].rows]
    assert moments == sorted(filter(None, moments), reverse=True)
    assert found[0] == found[1]
    assert found[0].scanned == scanned


def test_canceled_jobs_are_listed_newest_first(stored: Stored, backend: Backend) -> None:
    for number in range(3):
        stored.entry("canceled", stored.job(f"job-{number}", status="canceled"), NOW_S + number)

    assert ids(page(backend, Registry.CANCELED)) == ["job-2", "job-1", "job-0"]


@pytest.mark.parametrize(
    ("registry", "job_id"), [(Registry.DEFERRED, "child"), (Registry.READY, "ready-1"), (Registry.INTERMEDIATE, "popped")]
)
def test_the_rarer_registries_are_read_too(redis_client: redis.Redis, backend: Backend, registry: Registry, job_id: str) -> None:
    variety(redis_client)

    found = page(backend, registry)

    assert (ids(found), found.total, found.rows[0].exists) == ([job_id], 1, True)
    assert (found.rows[0].due_at, found.rows[0].expires_at) == (None, None)


def test_a_page_is_at_most_200_rows_and_starts_at_a_page(stored: Stored, backend: Backend) -> None:
    for number in range(MOST_ROWS + 20):
        stored.waiting(f"job-{number}")

    assert len(page(backend, Registry.QUEUED, size=5000).rows) == MOST_ROWS
    assert page(backend, Registry.QUEUED, offset=13, size=10).offset == 10
    assert page(backend, Registry.QUEUED, offset=-5, size=0).rows[0].id == "job-0"


def test_a_long_id_is_found_by_its_digest(stored: Stored, backend: Backend) -> None:
    long_id = "j" * 3000
    stored.waiting("other")
    stored.waiting(long_id)

    assert find(backend, "mail", Registry.QUEUED, names.ref(long_id)) == long_id
    assert find(backend, "mail", Registry.QUEUED, "other") == "other"
    with pytest.raises(NotFound):
        find(backend, "mail", Registry.FAILED, names.ref(long_id))


def test_what_a_row_shows_of_a_job_is_bounded(stored: Stored, backend: Backend) -> None:
    stored.waiting("job", description="d" * 1_000_000, data=packed("app.tasks.send", "x" * 50), created_at=ago(1) + "x" * 1000)

    row = row_of(backend, "job")

    assert (len(row.description), row.created_at) == (2048, None)
