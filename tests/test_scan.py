"""A scan finds exactly what matches, in bounded stretches, whatever else happens to the lists meanwhile, and writes nothing."""

from __future__ import annotations

import json
import pickle
import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.seed import Size, fill
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.failure import failure
from rqdash.model.fingerprint import fingerprint
from rqdash.model.registry import Registry
from rqdash.model.search import Search, canonical, search
from rqdash.model.search_terms import Pattern, Span, Term
from rqdash.queries.scan import Match, Scan, rows, scan
from tests.commands import written
from tests.conftest import backend_of
from tests.searched import Known, expected, known
from tests.stored import EXECUTION, HOSTILE, NOW, NOW_S, TRACE, Stored, ago, packed, variety
from tests.test_queries_rights import NO_SCRIPTS, READER

KEYS = tuple[str, Registry, str]
LONG_US = 25_000
"""A script of ours takes at most 5 ms of the server, which make bench judges; while tests run side by side others take the processor away,
so this is what tells a script without bounds."""
TIMEOUT = TRACE.replace("ValueError: no such customer", "requests.exceptions.ReadTimeout: Read timed out. (USER-42)")


def seeded(client: redis.Redis) -> Stored:
    """Something of everything, with functions, workers, moments and errors that differ."""
    stored = variety(client)
    for number in range(12):
        function = f"app.tasks.step_{number % 3}"
        fields = {"data": packed(function, number), "description": f"{function}({number}, user-{number}) GRÖSSE"}
        stored.waiting(f"w-{number}", queue=("high", "low")[number % 2], enqueued_at=ago(number * 600), **fields)
        stored.failed(f"f-{number}", queue="high", ended_s_ago=number * 600, trace=TIMEOUT if number % 2 else TRACE)
        client.hset(stored.keys.job(f"f-{number}"), mapping={"worker_name": f"w{number % 4}", **fields})
        member = f"f-{number}:{EXECUTION}"
        stored.entry("started", member, NOW_S + number, queue="low")
    client.hset(stored.keys.job("f-3"), "status", "stopped")
    stored.entry("canceled", "w-1", NOW_S - 100, queue="low")
    return stored


def every(backend: Backend, wanted: Search, **options: object) -> tuple[list[KEYS], int]:
    """What all calls of a scan find, one after the other, and how many calls that took."""
    found: list[KEYS] = []
    cursor, calls = "", 0
    while True:
        part = scan(backend, wanted, now=NOW, cursor=cursor, **{"entries": 10**6, "budget_s": 60.0, **options})  # type: ignore[arg-type]
        found += [key(match) for match in part.matches]
        cursor, calls = part.cursor, calls + 1
        if not cursor:
            assert part.scanned == part.total
            return found, calls


def key(match: Match) -> KEYS:
    return match.queue, match.registry, match.job_id


def one(backend: Backend, text: str, **options: object) -> Scan:
    return scan(backend, search(text), now=NOW, **options)  # type: ignore[arg-type]


def ids(found: Scan) -> list[str]:
    return [match.job_id for match in found.matches]


class Odd:
    """The seeded data as it is read with scripts, without, and in plain Python; no dataclass, for those are printed whole."""

    def __init__(self, scripted: Backend, plain: Backend, entries: list[Known]) -> None:
        self.scripted, self.plain, self.entries = scripted, plain, entries


@pytest.fixture(scope="module")
def odd(_shared_server: Server) -> Iterator[Odd]:
    with _shared_server.client() as client:
        client.flushall()
        stored = seeded(client)
        client.execute_command("ACL", "SETUSER", "plain", "reset", "on", "nopass", *NO_SCRIPTS.split())
        backends = backend_of(_shared_server), backend_of(_shared_server, username="plain")
        yield Odd(*backends, known(client, stored.keys))
        for live in backends:
            live.close()
        client.execute_command("ACL", "DELUSER", "plain")


def patterns(*words: str) -> st.SearchStrategy[tuple[Pattern, ...]]:
    """One or two of the words, whole or with a glob somewhere in them."""

    def globbed(word: str, at: int) -> Pattern:
        return Pattern((word[:at], word[at + 1 :])) if at < len(word) else Pattern((word,))

    return st.lists(st.builds(globbed, st.sampled_from(words), st.integers(0, 12)), min_size=1, max_size=2).map(tuple)


TERMS = st.one_of(
    st.builds(Term, st.just("queue"), patterns("mail", "high", "low", *HOSTILE), st.just(()), st.booleans()),
    st.builds(
        Term, st.just("status"), patterns("failed", "queued", "started", "canceled", "stopped", "scheduled"), st.just(()), st.booleans()
    ),
    st.builds(Term, st.just("fn"), patterns("app.tasks.send", "app.tasks.step_1", "app.tasks.step_2"), st.just(()), st.booleans()),
    st.builds(
        Term,
        st.sampled_from(["desc", ""]),
        patterns("SEND(7", "grösse", "user-1", "<script>", "job of"),
        st.just(()),
        st.booleans(),
    ),
    st.builds(
        Term, st.sampled_from(["error", "msg", ""]), patterns("timeout", "ValueError", "customer", "user-42"), st.just(()), st.booleans()
    ),
    st.builds(Term, st.just("id"), patterns("w-1", "f-3", "failed-0", "running-1", "ghost", *HOSTILE[:5]), st.just(()), st.booleans()),
    st.builds(Term, st.just("worker"), patterns("w1", "busy-1"), st.just(()), st.booleans()),
    st.builds(
        Term, st.sampled_from(["age", "run"]), st.just(()), st.sampled_from([(Span("<", "1h"),), (Span(">=", "5s"),)]), st.booleans()
    ),
)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TERMS, max_size=3).map(tuple), st.sampled_from([None, NOW, NOW - timedelta(hours=1)]))
def test_any_search_finds_exactly_what_matches_with_scripts_and_without(odd: Odd, terms: tuple[Term, ...], as_of: datetime | None) -> None:
    wanted = search(canonical(terms))

    by_script, _ = every(odd.scripted, wanted, as_of=as_of)
    by_pipeline, _ = every(odd.plain, wanted, as_of=as_of)

    assert set(by_script) == expected(wanted, reachable(wanted, odd.entries), now=NOW, as_of=as_of)
    assert by_pipeline == by_script
    assert len(by_script) == len(set(by_script))


def reachable(wanted: Search, entries: list[Known]) -> list[Known]:
    """What whole ids alone find: jobs that are gone but for their entry, and those in lists, are not looked for by id."""
    if wanted.whole_ids is None:
        return entries
    return [
        entry
        for entry in entries
        if entry.registry is not Registry.INTERMEDIATE
        and (entry.fields.get("origin") == entry.queue or (wanted.queues is not None and entry.queue in wanted.queues))
        and (entry.registry not in (Registry.QUEUED, Registry.STARTED) or entry.fields.get("status") == entry.registry.value)
    ]


@pytest.mark.parametrize("text", ["", "status:failed", "7", "-queue:mail", "fn:app.tasks.step_*"])
@pytest.mark.parametrize("limits", [{"most": 1}, {"most": 7}, {"entries": 5}, {"budget_s": 0.0}])
def test_a_scan_in_parts_finds_what_one_in_a_piece_finds(odd: Odd, text: str, limits: dict[str, int]) -> None:
    wanted = search(text)
    whole, _ = every(odd.scripted, wanted)

    parts, calls = every(odd.scripted, wanted, **limits)
    plain, _ = every(odd.plain, wanted, **limits)

    assert parts == whole
    assert plain == whole
    assert calls > 1 or "budget_s" in limits


def test_a_scan_says_what_it_covered_and_goes_on(redis_client: redis.Redis, backend: Backend) -> None:
    stored = Stored(redis_client)
    for number in range(30):
        stored.waiting(f"job-{number:02}", description="even" if number % 2 == 0 else "odd")

    first = one(backend, "desc:even", most=5)
    second = one(backend, "desc:even", most=5, cursor=first.cursor)
    rest = one(backend, "desc:even", cursor=second.cursor)

    assert ids(first) == ["job-28", "job-26", "job-24", "job-22", "job-20"]
    assert (first.scanned, first.total, first.is_whole) == (10, 30, False)
    assert (second.scanned, second.total) == (20, 30)
    assert (rest.scanned, rest.total, rest.cursor, rest.queues) == (30, 30, "", ("mail",))
    assert len(rest.matches) == 5


def test_newest_first_is_the_tail_of_a_list_and_the_highest_score(redis_client: redis.Redis, backend: Backend) -> None:
    stored = Stored(redis_client)
    for number in range(3):
        stored.waiting(f"waiting-{number}")
        stored.failed(f"failed-{number}", score=NOW_S + number)
        stored.entry("scheduled", f"due-{number}", NOW_S + number)
    stored.failed("failed-forever", score=-1)

    found = ids(one(backend, "status:queued,failed,scheduled"))

    assert found == [
        *("failed-2", "failed-1", "failed-0", "failed-forever"),
        *("waiting-2", "waiting-1", "waiting-0"),
        *("due-0", "due-1", "due-2"),
    ]


@pytest.mark.parametrize("username", ["", "plain"])
@pytest.mark.parametrize("seed", range(6))
def test_no_job_is_missed_while_lists_change_at_both_ends(redis_client: redis.Redis, server: Server, seed: int, username: str) -> None:
    """Workers pop, producers push at both ends, and found jobs are taken away, as an operation would, between the calls of a scan."""
    redis_client.execute_command("ACL", "SETUSER", "plain", "reset", "on", "nopass", *NO_SCRIPTS.split())
    stored, chance = Stored(redis_client), random.Random(seed)
    stored.queue("mail")
    redis_client.rpush("rq:queue:mail", *(f"job-{number}" for number in range(400)))
    redis_client.zadd("rq:failed:mail", {f"lost-{number}": number // 7 for number in range(400)})
    backend = backend_of(server, **({"username": username} if username else {}))
    there = {*redis_client.lrange("rq:queue:mail", 0, -1), *redis_client.zrange("rq:failed:mail", 0, -1)}
    found, cursor = set(), "begin"

    while cursor:
        part = one(backend, "", most=chance.randrange(1, 60), cursor="" if cursor == "begin" else cursor)
        found |= {match.job_id.encode() for match in part.matches}
        cursor = part.cursor
        gone = change(redis_client, [match.job_id for match in part.matches], chance)
        there -= gone - found
    backend.close()

    assert there <= found


def change(client: redis.Redis, seen: list[str], chance: random.Random) -> set[bytes]:
    """What happens between two calls; the ids of the jobs that are gone."""
    gone: set[bytes] = set()
    for _ in range(chance.randrange(4)):
        popped = client.lpop("rq:queue:mail", chance.randrange(1, 20)) or []
        gone |= set(popped)
        client.rpush("rq:queue:mail", *(f"new-{chance.random()}" for _ in range(chance.randrange(1, 30))))
        client.zadd("rq:failed:mail", {f"fresh-{chance.random()}": chance.randrange(-1, 80)})
    if chance.random() < 0.3:
        client.lpush("rq:queue:mail", f"first-{chance.random()}")
    for job_id in seen if chance.random() < 0.5 else seen[-1:]:
        client.lrem("rq:queue:mail", 0, job_id)
        client.zrem("rq:failed:mail", job_id)
        gone.add(job_id.encode())
    return gone


def test_whole_ids_are_looked_up_and_nothing_is_scanned(redis_client: redis.Redis, backend: Backend) -> None:
    stored = seeded(redis_client)
    stored.failed("no-hash", queue="mail")
    redis_client.delete(stored.keys.job("no-hash"))

    found = one(backend, "id:failed-0,waiting-3,running-1,canceled-1,nobody,no-hash")
    named = one(backend, "id:no-hash queue:mail")

    assert {key(match) for match in found.matches} == {
        ("mail", Registry.FAILED, "failed-0"),
        ("mail", Registry.QUEUED, "waiting-3"),
        ("mail", Registry.STARTED, "running-1"),
        ("mail", Registry.CANCELED, "canceled-1"),
    }
    assert (found.scanned, found.total, found.cursor) == (6, 6, "")
    assert ids(named) == ["no-hash"]
    assert ids(one(backend, "id:failed-0 status:queued")) == []


def test_a_bare_word_that_is_an_id_is_found_at_once_and_not_told_again(redis_client: redis.Redis, backend: Backend) -> None:
    stored = Stored(redis_client)
    for number in range(300):
        stored.waiting(f"job-{number}")

    first = one(backend, "job-0", entries=64)
    every_part, _ = every(backend, search("job-0"), entries=64)

    assert ids(first) == ["job-0"]
    assert [job_id for _, _, job_id in every_part] == ["job-0"]


class Mailer:
    """What a job's method is of."""

    def __init__(self, padding: bytes = b"") -> None:
        self.padding = padding


def test_the_function_is_what_data_says_and_never_the_description(redis_client: redis.Redis, backend: Backend) -> None:
    stored, noise = Stored(redis_client), random.Random(1).randbytes
    method = pickle.dumps(("send", Mailer(noise(20_000)), (), {}))
    stored.waiting("plain", data=packed("app.send"), description="app.other(1)")
    stored.waiting("large", data=packed("app.send", noise(200_000)))
    stored.waiting("not packed", data=pickle.dumps(("app.send", None, (), {}), protocol=2))
    stored.waiting("json", data=zlib.compress(json.dumps(["app.send", None, [], {}]).encode()))
    stored.waiting("method", data=zlib.compress(method))
    stored.waiting("huge", data=packed("app.send", noise(1_100_000)))
    stored.waiting("none", data=None, description="app.send()")

    found = {text: sorted(ids(one(backend, text))) for text in ("fn:app.send", "fn:*.Mailer.send", "-fn:*", "fn:app.other")}

    assert found == {
        "fn:app.send": ["json", "large", "not packed", "plain"],
        "fn:*.Mailer.send": ["method"],
        "-fn:*": ["huge", "none"],
        "fn:app.other": [],
    }


def test_errors_are_found_by_type_module_message_and_group(redis_client: redis.Redis, backend: Backend) -> None:
    stored = seeded(redis_client)
    stored.failed("too-large", queue="high", trace="x" * 3 + "".join(map(str, range(200_000))))
    group = fingerprint(failure(TIMEOUT)).key

    timeouts = {f"f-{number}" for number in range(1, 12, 2)}

    for text in (
        "error:readtimeout",
        "error:requests.exceptions.ReadTimeout",
        'msg:"timed out"',
        f"group:{group}",
        "status:failed user-42",
    ):
        assert set(ids(one(backend, f"queue:high status:failed {text}"))) == timeouts
    assert "too-large" in ids(one(backend, "queue:high status:failed -error:* -msg:*"))


def test_what_a_profile_hides_is_not_found_by_searching_for_it(redis_client: redis.Redis, backend: Backend) -> None:
    Stored(redis_client).waiting("job-1", description="app.login('mira', password='hunter2')")
    hidden = Backend(replace(backend.profile, arguments="hidden"), reader=backend.reader, writer=backend.writer)

    found = {text: (ids(one(backend, text)), ids(one(hidden, text))) for text in ("desc:mira", "hunter2", "desc:hunter2", "-desc:hunter2")}

    assert found == {
        "desc:mira": (["job-1"], []),
        "hunter2": ([], []),
        "desc:hunter2": ([], []),
        "-desc:hunter2": (["job-1"], []),
    }


def test_as_of_leaves_out_what_came_later_and_what_came_at_an_unknown_moment(redis_client: redis.Redis, backend: Backend) -> None:
    stored = Stored(redis_client)
    stored.waiting("before", enqueued_at=ago(1))
    stored.waiting("after", enqueued_at=ago(-1))
    stored.waiting("unknown", enqueued_at="")
    stored.failed("failed-before", ended_s_ago=1)
    stored.failed("failed-after", ended_s_ago=-1)
    stored.entry("canceled", stored.job("canceled-after"), NOW_S + 1)

    assert set(ids(one(backend, "", as_of=NOW))) == {"before", "failed-before"}


def test_only_what_the_search_names_is_counted_and_read(redis_client: redis.Redis, backend: Backend) -> None:
    seeded(redis_client)

    assert one(backend, "queue:mail status:failed").total == redis_client.zcard("rq:failed:mail")
    assert one(backend, "queue:high status:queued").total == redis_client.llen("rq:queue:high")
    assert one(backend, "backend:other").total == 0
    assert one(backend, "status:rate_limited").total == 0
    assert one(backend, "queue:nobody").matches == ()


def test_a_cursor_that_does_not_fit_is_refused(redis_client: redis.Redis, backend: Backend) -> None:
    seeded(redis_client)
    cursor = one(backend, "", most=1).cursor

    for text, bad in (("fn:other", cursor), ("", cursor[:-5]), ("", "nonsense"), ("", "é"), ("", "x" * 9_000)):
        with pytest.raises(Invalid, match="Search again from the start"):
            one(backend, text, cursor=bad)


def test_ids_too_long_for_an_address_are_passed_over_as_places_to_go_on(redis_client: redis.Redis, backend: Backend) -> None:
    stored = Stored(redis_client)
    stored.queue("mail")
    for number in range(5):
        stored.failed(f"{number}" + "x" * 5_000, score=NOW_S + number)
    stored.failed("short", score=NOW_S - 1)
    stored.failed("last", score=NOW_S - 2)

    first = one(backend, "status:failed", most=1)

    assert len(first.cursor) < 300
    assert [len(job_id) for job_id in ids(first)] == [5_001] * 5 + [5]
    assert ids(one(backend, "status:failed", cursor=first.cursor)) == ["last"]


@pytest.mark.parametrize("rules", [READER, NO_SCRIPTS])
def test_a_search_writes_nothing(redis_client: redis.Redis, server: Server, rules: str) -> None:
    seeded(redis_client)
    redis_client.execute_command("ACL", "SETUSER", "reader", "reset", "on", "nopass", *rules.split())
    backend = backend_of(server, username="reader")
    redis_client.config_resetstat()

    for text in ("fn:app.* error:ValueError user age:>1s run:<1h worker:w1", "id:failed-0,waiting-1"):
        found = one(backend, text)
        rows(backend, found.matches, now=NOW)
    backend.close()

    assert written(redis_client) == set()


def test_rows_are_those_of_a_list_with_the_errors_of_failed_jobs(odd: Odd) -> None:
    found = one(odd.scripted, "queue:mail").matches

    by_script, by_pipeline = rows(odd.scripted, found, now=NOW), rows(odd.plain, found, now=NOW)

    told = {(row.registry, row.id): row for row in by_script}
    assert [(row.queue, row.registry, row.id) for row in by_script] == [key(match) for match in found]
    assert by_script == by_pipeline
    assert told[Registry.FAILED, "failed-0"].error_type == "ValueError"
    assert told[Registry.FAILED, "failed-long-ago"].is_expired
    assert told[Registry.SCHEDULED, "later"].due_at == NOW + timedelta(seconds=60)
    assert not told[Registry.QUEUED, "ghost"].exists
    assert rows(odd.scripted, (), now=NOW) == ()


def test_no_script_of_a_scan_holds_the_server_for_long(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, size=Size(queues=5, queued=12_000, failed=8_000, finished=0, workers=2), now=NOW)
    slow = redis_client.config_get("slowlog-log-slower-than")["slowlog-log-slower-than"]
    redis_client.config_set("slowlog-log-slower-than", LONG_US)

    held = [text for text in ("desc:nothing", "fn:nothing", "error:nothing", "nothing") if not is_quick(redis_client, backend, text)]
    redis_client.config_set("slowlog-log-slower-than", slow)

    assert held == []


def is_quick(client: redis.Redis, backend: Backend, text: str) -> bool:
    """Whether each stretch of a scan leaves the slow log empty.

    Other processes of the machine may take the server's turn in the middle of a script, which is told as slow then: so a stretch has
    several tries, of which one must be quick.
    """
    cursor, is_over = "", False
    while not is_over:
        parts = (logged(client, backend, text, cursor) for _ in range(30))
        part = next((found for found, count in parts if count == 0), None)
        if part is None:
            return False
        cursor, is_over = part.cursor, part.is_whole
    return True


def logged(client: redis.Redis, backend: Backend, text: str, cursor: str) -> tuple[Scan, int]:
    """One stretch, and how many scripts of it are in the slow log."""
    client.slowlog_reset()
    found = one(backend, text, cursor=cursor, entries=600, budget_s=60)
    return found, sum(b"EVALSHA" in entry["command"] for entry in client.slowlog_get(128))
