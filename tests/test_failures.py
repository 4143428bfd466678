"""The newest failures of a backend over all its queues, against a plain reading of every job; and their groups."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.failed import Failed, FailedJob, Place, joined, place_of, together
from rqdash.model.failed_search import taker
from rqdash.model.fingerprint import fingerprint
from rqdash.model.search import search
from rqdash.queries.failed_choice import Part, Range, Sizes, batches, chosen, cut
from rqdash.queries.failed_window import looked
from rqdash.queries.failures import groups, newest
from rqdash.queries.scan import scan
from tests.commands import written
from tests.conftest import backend_of
from tests.round_trips import counted_backend, spent
from tests.stored import HOSTILE, NOW, NOW_S, TRACE, Stored, ago, iso

T = TypeVar("T")
YEAR_S = 31_536_000
LONG_US = 25_000
"""A script of ours takes at most 5 ms of the server, which make bench judges; while tests run side by side others take the processor away,
so this is what tells a script without bounds."""
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


def fail(stored: Stored, job_id: str, *, queue: str = "mail", **options: Any) -> None:
    """A failed job on a queue that RQ lists."""
    stored.queue(queue)
    stored.failed(job_id, queue=queue, **options)


def many(stored: Stored, plan: list[tuple[str, float, float]], *, trace: bool = False) -> None:
    """Failures in few round trips: (queue, ended this many seconds ago, score)."""
    keys = stored.keys
    for start in range(0, len(plan), 2_000):
        with stored.client.pipeline(transaction=False) as pipeline:
            for number, (queue, ended_s_ago, score) in enumerate(plan[start : start + 2_000], start):
                pipeline.sadd(keys.queues, keys.queue(queue))
                pipeline.zadd(keys.registry("failed", queue), {f"job-{number}": score})
                fields = {"status": "failed", "origin": queue, "ended_at": ago(ended_s_ago)}
                pipeline.hset(keys.job(f"job-{number}"), mapping=fields | ({"exc_info": TRACE} if trace else {}))
            pipeline.execute()


def least_slow(stored: Stored, query: Callable[[], T]) -> tuple[T, int]:
    """What a query returns, and how many of its calls of scripts took long in each of some runs, for others take the processor away."""
    stored.client.config_set("slowlog-log-slower-than", LONG_US)
    always: set[bytes] | None = None
    for _ in range(8):
        stored.client.slowlog_reset()
        found = query()
        slow = {entry["command"] for entry in stored.client.slowlog_get(1_000) if entry["command"].startswith(b"EVALSHA")}
        always = slow if always is None else always & slow
        if not always:
            break
    return found, len(always or ())


def ids(found: Failed) -> list[str]:
    return [failed.job.id for failed in found.jobs]


def everything(backend: Backend, **options: object) -> list[str]:
    """The ids of all pages of one backend."""
    pages, after = [], None
    while True:
        found = newest(backend, now=NOW, after=after, **options)  # type: ignore[arg-type]
        jobs, after = together([found], size=1_000)
        pages += [job.job.id for job in jobs]
        if after is None:
            return pages


def test_failures_of_all_queues_are_listed_by_their_end_whatever_their_time_to_live(stored: Stored, backend: Backend) -> None:
    rnd = random.Random(7)
    ends = list(range(300))
    rnd.shuffle(ends)
    plan = [(f"q{rnd.randrange(9)}", float(end), rnd.choice((-1, float("inf"), NOW_S + rnd.randrange(1, YEAR_S)))) for end in ends]
    many(stored, plan)

    found = newest(backend, now=NOW, size=200)

    expected = sorted(range(300), key=lambda number: plan[number][1])
    assert ids(found) == [f"job-{number}" for number in expected[:200]]
    assert everything(backend, size=37) == [f"job-{number}" for number in expected]
    assert (found.window.total, found.window.kept, found.window.looked, found.window.is_whole) == (300, 300, 300, True)


def test_expired_entries_are_counted_and_left_out(stored: Stored, backend: Backend) -> None:
    fail(stored, "lives", ended_s_ago=50)
    fail(stored, "forever", score=-1, ended_s_ago=60)
    fail(stored, "expired", score=NOW_S - 1, ended_s_ago=1)

    found = newest(backend, now=NOW)

    assert ids(found) == ["lives", "forever"]
    assert (found.window.total, found.window.expired) == (2, 1)


def test_jobs_without_an_end_are_placed_by_their_result_and_ghosts_come_last(stored: Stored, backend: Backend) -> None:
    fail(stored, "ended", ended_s_ago=100)
    fail(stored, "abandoned")
    stored.client.hset(stored.keys.job("abandoned"), "ended_at", "")
    stored.client.delete(stored.keys.results("abandoned"))
    moment_ms = (NOW_S - 50) * 1000
    stored.client.xadd(stored.keys.results("abandoned"), {"type": 2}, id=f"{moment_ms}-0")
    stored.entry("failed", "ghost", NOW_S + 9)
    fail(stored, "garbled")
    stored.client.hset(stored.keys.job("garbled"), "ended_at", "x" * 50_000)

    found = newest(backend, now=NOW)

    assert ids(found)[:2] == ["abandoned", "ended"]
    assert set(ids(found)[2:]) == {"ghost", "garbled"}
    by_id = {failed.job.id: failed for failed in found.jobs}
    assert by_id["abandoned"].at == datetime.fromtimestamp(NOW_S - 50, UTC)
    assert (by_id["ghost"].job.exists, by_id["ghost"].at) == (False, None)


def test_a_row_has_its_error_with_the_frames_of_the_application(stored: Stored, backend: Backend) -> None:
    fail(stored, "job", queue="mail")

    (failed,) = newest(backend, now=NOW).jobs

    assert (failed.job.function, failed.job.error_type, failed.job.error_message) == ("app.tasks.send", "ValueError", "no such customer")
    assert failed.failure is not None
    assert [frame.function for frame in failed.failure.frames] == ["send"]
    assert failed.failure.text == ""
    assert len(failed.group) == 12


def test_errors_that_are_missing_or_too_large_are_said_and_in_no_group(stored: Stored, backend: Backend) -> None:
    fail(stored, "silent", ended_s_ago=1)
    stored.client.delete(stored.keys.results("silent"))
    fail(stored, "large", ended_s_ago=2)
    stored.client.delete(stored.keys.results("large"))
    stored.client.hset(stored.keys.job("large"), "exc_info", b"x" * 200_000)

    silent, large = newest(backend, now=NOW).jobs

    assert (silent.failure, silent.job.error_message, silent.group) == (None, "", "")
    assert (large.failure, large.job.error_message, large.group) == (None, "unknown, 195 KB", "")
    assert {group.fingerprint.key for group in groups(backend, now=NOW).groups} == {""}
    assert len(groups(backend, now=NOW).groups) == 2


def test_hostile_names_are_listed_once_each_and_nothing_is_written(stored: Stored, backend: Backend) -> None:
    for number, name in enumerate(HOSTILE):
        fail(stored, f"id of {name}", queue=name, ended_s_ago=number)
    stored.client.sadd(stored.keys.queues, "somebody:else")
    stored.queue("wrong")
    stored.client.set(stored.keys.registry("failed", "wrong"), "no set")
    stored.client.config_resetstat()

    found = newest(backend, now=NOW)

    assert [(failed.job.queue, failed.job.id) for failed in found.jobs] == [(name, f"id of {name}") for name in HOSTILE]
    assert groups(backend, now=NOW).scanned == len(HOSTILE)
    assert written(stored.client) == set()


def test_without_scripts_the_same_is_read(stored: Stored, backend: Backend, without_scripts: Backend) -> None:
    rnd = random.Random(5)
    many(stored, [(f"q{rnd.randrange(4)}", float(n), rnd.choice((-1, NOW_S + n, NOW_S - 5))) for n in range(200)], trace=True)
    stored.entry("failed", "ghost", NOW_S + 9, queue="q1")
    fail(stored, "abandoned", queue="q2")
    stored.client.hset(stored.keys.job("abandoned"), "ended_at", "")
    stored.client.config_resetstat()

    by_script, by_pipeline = newest(backend, now=NOW, window=60), newest(without_scripts, now=NOW, window=60)

    assert by_pipeline == by_script
    assert groups(without_scripts, now=NOW) == groups(backend, now=NOW)
    assert written(stored.client) == set()


def test_of_20000_failures_with_any_times_to_live_the_newest_1000_are_exact_and_no_script_takes_long(
    stored: Stored, backend: Backend
) -> None:
    rnd = random.Random(11)
    plan = [(f"q{rnd.randrange(40)}", rnd.random() * 86_400, rnd.choice((-1, NOW_S + rnd.randrange(1, YEAR_S)))) for _ in range(20_000)]
    many(stored, plan)

    found, slow = least_slow(stored, lambda: looked(backend, now=NOW, window=1_000))

    expected = sorted(range(20_000), key=lambda number: plan[number][1])[:1_000]
    assert [entry.member.decode() for entry in found.entries] == [f"job-{number}" for number in expected]
    assert (found.window.total, found.window.kept) == (20_000, 1_000)
    assert slow == 0


def test_where_all_jobs_live_equally_long_few_are_looked_at(stored: Stored, server: Server) -> None:
    rnd = random.Random(3)
    times = [(rnd.choice(("hot", "hot", "hot", *(f"q{n}" for n in range(20)))), rnd.random() * 86_400) for _ in range(6_000)]
    many(stored, [(queue, end, int(NOW_S - end) + YEAR_S) for queue, end in times])
    backend, tally = counted_backend(server)
    looked(backend, now=NOW, window=1)

    found, sent = spent(tally, lambda: looked(backend, now=NOW, window=500))

    expected = sorted(range(6_000), key=lambda number: times[number][1])[:500]
    assert [entry.member.decode() for entry in found.entries] == [f"job-{number}" for number in expected]
    assert found.window.looked < 4_500
    assert sent.round_trips <= 5


def test_large_errors_hold_the_server_no_longer_than_small_ones(stored: Stored, backend: Backend) -> None:
    rnd = random.Random(1)
    for number in range(60):
        noise = "".join(rnd.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=70_000))
        fail(stored, f"job-{number}", ended_s_ago=number, trace=TRACE.replace("no such", noise))

    found, slow = least_slow(stored, lambda: newest(backend, now=NOW, size=200))

    assert len(found.jobs) == 60
    assert all(failed.failure and len(failed.job.error_message) == 500 for failed in found.jobs)
    assert len({failed.group for failed in found.jobs}) == 1
    assert slow == 0


def test_a_longer_list_says_what_it_kept_and_a_larger_window_keeps_more(stored: Stored, backend: Backend) -> None:
    many(stored, [("mail", float(n), NOW_S + YEAR_S - n) for n in range(1_500)])

    first, second = newest(backend, now=NOW), newest(backend, now=NOW, window=5_000)

    assert (first.window.total, first.window.kept, first.window.is_whole) == (1_500, 1_000, False)
    assert (second.window.total, second.window.kept, second.window.is_whole) == (1_500, 1_500, True)


def test_failures_that_are_alike_are_one_group_with_counts_functions_and_times(stored: Stored, backend: Backend) -> None:
    for number in range(6):
        fail(stored, f"a{number}", queue=f"q{number % 2}", ended_s_ago=10 + number, trace=TRACE.replace("customer", f"customer {number}"))
    fail(stored, "b", ended_s_ago=5, trace=TRACE.replace("ValueError", "KeyError"))

    found = groups(backend, now=NOW)

    first, second = found.groups
    assert (first.count, first.fingerprint.message, first.fingerprint.frame) == (6, "no such customer <n>", "app.tasks.send")
    assert (first.backends, first.functions) == ((("live", 6),), (("app.tasks.send", 6),))
    assert (first.last_at, first.first_at) == (NOW - timedelta(seconds=10), NOW - timedelta(seconds=15))
    assert (first.sample.job.id, first.sample.group) == ("a0", first.fingerprint.key)
    assert (second.count, second.fingerprint.type) == (1, "KeyError")
    assert first.sample.failure is not None
    assert fingerprint(first.sample.failure).key == first.fingerprint.key


def test_a_group_that_takes_too_long_says_how_many_it_read(stored: Stored, backend: Backend) -> None:
    many(stored, [("mail", float(n), NOW_S + YEAR_S - n) for n in range(400)])

    found = groups(backend, now=NOW, budget_s=0)

    assert found.scanned == 50
    assert [group.count for group in found.groups] == [50]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error:value", ["a"]),
        ("msg:CUSTOMER", ["a", "b"]),
        ("-error:ValueError", ["b", "stopped", "c"]),
        ("fn:app.tasks.*", ["a", "b", "stopped"]),
        ("queue:mail,high id:a,c", ["a", "c"]),
        ("status:failed", ["a", "b", "stopped", "c"]),
        ("status:stopped", ["stopped"]),
        ("status:queued", []),
        ("age:<15s", ["a"]),
        ("run:<=5s", ["a", "b", "stopped", "c"]),
        ("desc:send(7)", ["a", "b", "stopped"]),
        ("tasks.send keyerror", ["b"]),
        ("error:builtins.Value", []),
        ("worker:w1", []),
    ],
)
def test_a_search_narrows_the_window(stored: Stored, backend: Backend, text: str, expected: list[str]) -> None:
    fail(stored, "a", ended_s_ago=10)
    fail(stored, "b", ended_s_ago=20, trace=TRACE.replace("ValueError", "KeyError"))
    fail(stored, "stopped", queue="high", ended_s_ago=30, trace="Job stopped by user, work-horse terminated.")
    stored.client.hset(stored.keys.job("stopped"), "status", "stopped")
    fail(stored, "c", queue="high", ended_s_ago=40, trace="Job was stuck in intermediate queue.")
    stored.client.hdel(stored.keys.job("c"), "data", "description")

    found = newest(backend, now=NOW, takes=taker(search(text), now=NOW, profile=backend.profile))

    assert ids(found) == expected


def test_a_search_for_a_group_finds_exactly_its_failures(stored: Stored, backend: Backend) -> None:
    for number in range(3):
        fail(stored, f"a{number}", ended_s_ago=number, trace=TRACE.replace("customer", f"customer {number}"))
    fail(stored, "b", trace=TRACE.replace("ValueError", "KeyError"))
    group = groups(backend, now=NOW).groups[0]

    found = newest(backend, now=NOW, takes=taker(search(f"group:{group.fingerprint.key}"), now=NOW, profile=backend.profile))

    assert ids(found) == ["a0", "a1", "a2"]


def test_a_search_of_all_jobs_finds_the_same_group_as_the_list(stored: Stored, backend: Backend) -> None:
    traces = (TRACE, TRACE.replace("tasks.py", "mail.py"), "Job stopped by user, work-horse terminated.", f"{TRACE}{'x' * 300_000}")
    for number in range(40):
        fail(stored, f"job-{number}", ended_s_ago=number, trace=traces[number % 4].replace("customer", f"customer {number}"))

    found = groups(backend, now=NOW).groups

    members = {
        group.fingerprint.key: {
            match.job_id for match in scan(backend, search(f"status:failed group:{group.fingerprint.key}"), now=NOW).matches
        }
        for group in found
    }
    listed = newest(backend, now=NOW).jobs
    assert members == {key: {failed.job.id for failed in listed if failed.group == key} for key in members}
    assert sum(map(len, members.values())) == 40


def test_pages_of_several_backends_are_one_list_without_gaps_or_doubles(stored: Stored, backend: Backend, server: Server) -> None:
    rnd = random.Random(2)
    other = Stored(stored.client, type(stored.keys)("other"))
    far = backend_of(server, name="far", prefix="other")
    ends = [float(rnd.randrange(40)) for _ in range(240)]
    many(stored, [("mail", end, -1) for end in ends[:200]])
    many(other, [("mail", end, NOW_S + 9) for end in ends[200:]])

    pages: list[FailedJob] = []
    after: Place | None = None
    while True:
        jobs, after = together([newest(one, now=NOW, size=17, after=after) for one in (backend, far)], size=17)
        pages += jobs
        if after is None:
            break
        after = place_of(str(after))
        assert after is not None
    far.close()

    assert [failed.job.ended_at for failed in pages] == [NOW - timedelta(seconds=end) for end in sorted(ends)]
    assert len({(failed.job.backend, failed.job.id) for failed in pages}) == 240


def test_narrowed_pages_of_several_backends_lose_nothing_when_time_runs_out(stored: Stored, backend: Backend, server: Server) -> None:
    other = Stored(stored.client, type(stored.keys)("other"))
    far = backend_of(server, name="far", prefix="other")
    many(stored, [("mail" if n % 3 else "high", float(n), -1) for n in range(300)])
    many(other, [("high", float(n) + 0.5, -1) for n in range(0, 300, 7)])
    takes = taker(search("queue:high"), now=NOW, profile=backend.profile)

    pages: list[float] = []
    after: Place | None = None
    while True:
        parts = [newest(one, now=NOW, size=10, after=after, takes=takes, budget_s=0) for one in (backend, far)]
        jobs, after = together(parts, size=10)
        pages += [(NOW - failed.job.ended_at).total_seconds() for failed in jobs if failed.job.ended_at]
        if after is None:
            break
    far.close()

    assert pages == sorted([float(n) for n in range(0, 300, 3)] + [n + 0.5 for n in range(0, 300, 7)])


def test_groups_of_several_backends_are_joined_by_their_fingerprint(stored: Stored, backend: Backend, server: Server) -> None:
    other = Stored(stored.client, type(stored.keys)("other"))
    far = backend_of(server, name="far", prefix="other")
    for number in range(3):
        fail(stored, f"a{number}", ended_s_ago=10 + number)
    fail(other, "b", ended_s_ago=5)

    (group,) = joined([groups(backend, now=NOW), groups(far, now=NOW)])
    far.close()

    assert (group.count, group.backends) == (4, (("live", 3), ("far", 1)))
    assert (group.sample.job.id, group.sample.job.backend) == ("b", "far")
    assert (group.first_at, group.last_at) == (NOW - timedelta(seconds=12), NOW - timedelta(seconds=5))


@pytest.mark.parametrize("text", ["", "x", "1.2", "none.", f"{'9' * 30}.{'a' * 16}", "1.aaaaaaaaaaaaaaaZ", "1.aaaaaaaaaaaaaaaa\n"])
def test_what_is_no_place_is_none(text: str) -> None:
    assert place_of(text) is None


def test_a_place_reads_back_as_itself() -> None:
    for place in (Place(None, "a" * 16), Place(-5, "0123456789abcdef"), Place(1_790_000_000_000_000, "f" * 16)):
        assert place_of(str(place)) == place


def test_where_to_look_holds_every_live_entry_once() -> None:
    at = datetime.fromisoformat(iso(NOW))
    sizes = [Sizes("a", 1_000, 100, 50, tuple(at - timedelta(minutes=n) for n in range(6))), Sizes("b", 40, 40, 0), Sizes("c", 0, 0, 0)]

    parts = chosen(sizes, most=60)

    assert sum(part.range.size for part in parts) == 990
    assert parts[0].range == Range("b", True, 0, 14) or parts[0].range == Range("a", True, 0, 14)
    taken, left = cut(parts, size=100)
    assert sum(part.range.size for part in taken) == 100
    assert sum(part.range.size for part in (*taken, *left)) == 990
    assert [sum(part.size for part in batch) for batch in batches([part.range for part in parts], size=400)] == [400, 400, 190]


def test_a_part_is_cut_at_the_room_there_is() -> None:
    taken, left = cut([Part(1.0, Range("a", False, 0, 9)), Part(0.5, Range("b", False, 0, 9))], size=10)

    assert (taken, left) == ([Part(1.0, Range("a", False, 0, 9))], [Part(0.5, Range("b", False, 0, 9))])
