"""A search takes no job for what may not be seen, leaves none out without a word, and knows a function from data alone."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rq.utils import get_call_string

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model import redaction
from rqdash.model.failed_search import taker
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry
from rqdash.model.search import canonical, search
from rqdash.model.search_terms import Pattern, Term
from rqdash.operations.planning import UNDATED
from rqdash.queries.failures import newest
from rqdash.queries.jobs import jobs
from rqdash.queries.scan import Scan, scan
from tests.conftest import backend_of
from tests.operating import asked, eventful, opened, outcomes, planned, run, started
from tests.site import site
from tests.stored import NOW, NOW_S, Stored, ago, packed, packed_call
from tests.test_queries_rights import NO_SCRIPTS
from tests.test_redaction import SHAPES, kept

USERS = ("", "plain")
DEFAULT = redaction.of(Profile("live"))
A, B = "hunter2", "9xkq~w1"
"""Two hidden values of the same length, which no search may tell apart."""


@pytest.fixture(params=USERS)
def either(request: pytest.FixtureRequest, redis_client: redis.Redis, server: Server) -> Iterator[Backend]:
    """A backend that may run scripts, and one that may not."""
    redis_client.execute_command("ACL", "SETUSER", "plain", "reset", "on", "nopass", *NO_SCRIPTS.split())
    backend = backend_of(server, **({"username": request.param} if request.param else {}))
    yield backend
    backend.close()


def one(backend: Backend, text: str, **options: object) -> Scan:
    return scan(backend, search(text), now=NOW, **options)  # type: ignore[arg-type]


def ids(found: Scan) -> set[str]:
    return {match.job_id for match in found.matches}


def put(stored: Stored, job_id: str, secret: str, *, description: str | None = None) -> None:
    """A job with a secret under a hidden name in every way that programs have of keeping one."""
    arguments = [kept(secret, "password", shape) for shape in SHAPES]
    keywords = {"db_password": secret, "user": "mira"}
    for shape, argument in zip(SHAPES, arguments, strict=True):
        told = get_call_string("app.login", (argument,), {"user": "mira"}, max_length=75)
        stored.waiting(f"{job_id}-{shape}", data=packed_call("app.login", argument, user="mira"), description=description or told)
    told = get_call_string("app.login", (), keywords, max_length=75)
    stored.waiting(f"{job_id}-keyword", data=packed_call("app.login", **keywords), description=description or told)


# When a job failed.


def abandoned(stored: Stored, job_id: str, **fields: object) -> None:
    """A job as RQ leaves it when it finds that its worker is gone: its end is not said, its result says when that was found."""
    stored.queue("mail")
    stored.entry("failed", job_id, NOW_S + 1000)
    stored.client.xadd(stored.keys.results(job_id), {"type": 2}, id=f"{(NOW_S - 60) * 1000}-0")
    stored.job(job_id, status="failed", **{"started_at": ago(300), "ended_at": "", **fields})


def test_jobs_that_rq_failed_itself_are_found_by_when_it_did(redis_client: redis.Redis, either: Backend) -> None:
    stored = Stored(redis_client)
    abandoned(stored, "lost")
    abandoned(stored, "made long ago")
    redis_client.delete(stored.keys.results("made long ago"))

    found = {text: ids(one(either, text)) for text in ("age:<2m", "age:>5m", "age:>30s age:<90s")}
    as_of = [ids(one(either, "", as_of=NOW - timedelta(seconds=seconds))) for seconds in (30, 90, 900)]

    assert found == {"age:<2m": {"lost"}, "age:>5m": {"made long ago"}, "age:>30s age:<90s": {"lost"}}
    assert as_of == [{"lost", "made long ago"}, {"made long ago"}, set()]


def test_entries_whose_job_is_gone_are_in_time_and_those_of_unknown_moments_are_counted(redis_client: redis.Redis, either: Backend) -> None:
    stored = Stored(redis_client)
    stored.entry("failed", "gone", NOW_S)
    abandoned(stored, "unknown", created_at="")
    redis_client.delete(stored.keys.results("unknown"))
    stored.failed("later", ended_s_ago=-60)

    found = [one(either, text, as_of=NOW) for text in ("", "-id:unknown", "id:unknown")]

    assert [(ids(part), part.undated) for part in found] == [({"gone"}, 1), ({"gone"}, 0), (set(), 1)]
    assert one(either, "").undated == 0


def test_the_list_of_failures_knows_the_age_of_jobs_that_rq_failed_itself(redis_client: redis.Redis, backend: Backend) -> None:
    abandoned(Stored(redis_client), "lost")

    found = [newest(backend, now=NOW, takes=taker(search(text), now=NOW, profile=backend.profile)) for text in ("age:<2m", "age:>2m")]

    assert [[failed.job.id for failed in part.jobs] for part in found] == [["lost"], []]


# What may not be seen.


@pytest.fixture(scope="module")
def twins(_shared_server: Server) -> Iterator[tuple[Backend, ...]]:
    """Backends with and without scripts over jobs that differ in a hidden value alone."""
    with _shared_server.client() as client:
        client.flushall()
        stored = Stored(client)
        put(stored, "a", A)
        put(stored, "b", B)
        for name, secret in (("a", A), ("b", B)):
            call = f"sync(('password', '{secret}'), ['--token', '{secret}'], secret='{secret}')"
            stored.waiting(f"{name}-custom", data=packed("app.login"), description=call)
            stored.waiting(f"{name}-large", data=packed("app.login", random.Random(1).randbytes(9000)), description=f"token={secret}")
        client.execute_command("ACL", "SETUSER", "plain", "reset", "on", "nopass", *NO_SCRIPTS.split())
        backends = backend_of(_shared_server), backend_of(_shared_server, username="plain")
        yield backends
        for backend in backends:
            backend.close()
        client.execute_command("ACL", "DELUSER", "plain")


def slices(text: str) -> st.SearchStrategy[str]:
    return st.builds(lambda start, length: text[start : start + length], st.integers(0, len(text) - 1), st.integers(1, len(text)))


PARTS = st.one_of(slices(A), slices(B), slices("app.login('password': 'hidden by the rule *password*', user='mira')"), st.just(""))
PATTERNS = st.lists(PARTS, min_size=1, max_size=4).map(tuple).filter(any).map(Pattern)
TERMS = st.builds(Term, st.sampled_from(["desc", ""]), st.lists(PATTERNS, min_size=1, max_size=2).map(tuple), st.just(()), st.booleans())


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(term=TERMS)
def test_no_word_and_no_glob_tells_one_hidden_value_from_another(twins: tuple[Backend, ...], term: Term) -> None:
    text = canonical((term, Term("id", (Pattern(("a-", "")), Pattern(("b-", ""))))))

    found = [ids(one(backend, text)) for backend in twins]

    assert found[0] == found[1]
    assert all({name[2:] for name in part if name[0] == "a"} == {name[2:] for name in part if name[0] == "b"} for part in found)


@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=slices(A).filter(lambda part: len(part) > 2))
def test_no_part_of_a_hidden_value_finds_its_job(twins: tuple[Backend, ...], part: str) -> None:
    for backend in twins:
        assert [ids(one(backend, f'{field}"{part}"')) for field in ("desc:", "")] == [set(), set()]


def test_what_rows_show_beside_a_hidden_value_is_found(twins: tuple[Backend, ...]) -> None:
    for backend in twins:
        assert {"a-keyword", "a-dict", "a-dataclass"} <= ids(one(backend, "desc:mira"))
        assert {"a-custom", "b-custom"} == ids(one(backend, "desc:sync"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("f(('password', 'x'), 2)", "f(('password',<hidden by the rule *password*>), 2)"),
        ('["api_key", 12]', '["api_key",<hidden by the rule *api_key*>]'),
        ("run(['--token', 'x', '-v'])", "run(['--token',<hidden by the rule *token*>, '-v'])"),
        ("[('the secret of all', <T a, b>), 1]", "[('the secret of all',<hidden by the rule *secret*>"),
        ("(b'token', b'x')", "(b'token',<hidden by the rule *token*>"),
        ("f('password', n='x')", "f('password', n='x')"),
        ("reset the password, then 'x'", "reset the password, then 'x'"),
    ],
)
def test_a_text_loses_the_other_half_of_a_pair(text: str, told: str) -> None:
    assert DEFAULT.text(text) == told


def test_an_operation_takes_them_and_says_what_it_leaves_out(tmp_path: Path, redis_client: redis.Redis, server: Server) -> None:
    stored = Stored(redis_client)
    stored.entry("failed", "gone", NOW_S)
    for job_id in ("lost", "unknown"):
        abandoned(stored, job_id, created_at="")
    redis_client.delete(stored.keys.results("unknown"))
    operations = opened(tmp_path, {"live": eventful(server)})

    done = run(operations, started(operations, asked("delete", as_of=NOW)))

    assert (outcomes(done), done.parts[0].matched, done.parts[0].excluded) == ({"done": 1, "gone": 1}, 2, ((UNDATED, 1),))
    assert redis_client.zrange("rq:failed:mail", 0, -1) == [b"unknown"]


def test_an_operation_says_what_its_search_cannot_tell(tmp_path: Path, redis_client: redis.Redis, server: Server) -> None:
    Stored(redis_client).failed("job-1")
    closed = eventful(server)
    operations = opened(tmp_path, {"live": closed.relabelled(replace(closed.profile, arguments="hidden"))})

    (part,) = planned(operations, asked("delete", search="-nothing", as_of=NOW)).parts

    assert (part.matched, [warning for warning in part.warnings if "take no job there" in warning] != []) == (0, True)


@pytest.mark.parametrize("policy", ["described", "hidden"])
def test_words_for_descriptions_take_nothing_where_those_may_not_be_seen(redis_client: redis.Redis, either: Backend, policy: str) -> None:
    stored = Stored(redis_client)
    stored.waiting("job-1", description="app.login('mira')")
    stored.failed("job-2")
    closed = either.relabelled(replace(either.profile, arguments=policy))

    found = {text: one(closed, text) for text in ("desc:mira", "-desc:mira", "-mira", "mira", "-mira status:failed", "job-1", "customer")}

    assert {text: ids(part) for text, part in found.items() if part.matches} == {"job-1": {"job-1"}, "customer": {"job-2"}}
    assert all(part.note.startswith("The policy of live hides its jobs' descriptions") for part in found.values())
    assert one(closed, "status:queued").note == one(either, "-mira").note == ""


def test_a_page_says_what_a_search_cannot_tell(tmp_path: Path, redis_client: redis.Redis, backend: Backend) -> None:
    stored = Stored(redis_client)
    stored.waiting("job-1")
    stored.failed("job-2")
    closed = backend.relabelled(replace(backend.profile, arguments="hidden"))
    browser = site(tmp_path / "data", {"live": closed}).sign_in("admin")

    paths = ("/jobs?q=-nothing", "/failures?q=-desc:nothing", "/b/live/queue?name=mail&registry=failed&q=-nothing")
    pages = [browser.get(path).get_data(as_text=True) for path in paths]

    assert ["take no job there" in page for page in pages] == [True] * 3
    assert [name for page in pages for name in ("job-1", "job-2") if f"id={name}" in page] == []


# The function.


def test_the_function_of_a_large_job_is_what_its_data_says_in_every_list(
    request: pytest.FixtureRequest, redis_client: redis.Redis, either: Backend
) -> None:
    stored, noise = Stored(redis_client), random.Random(1).randbytes
    stored.queue("mail")
    for number, size in enumerate((9_000, 100_000)):
        stored.failed(f"large-{number}")
        redis_client.hset(
            stored.keys.job(f"large-{number}"), mapping={"data": packed("app.send", noise(size)), "description": "app.other(1)"}
        )

    rows = jobs(either, "mail", Registry.FAILED, offset=0, size=10, now=NOW).rows
    found = {
        text: {failed.job.id for failed in newest(either, now=NOW, takes=taker(search(text), now=NOW, profile=either.profile)).jobs}
        for text in ("fn:app.send", "fn:app.other")
    }

    # Without scripts nothing tells how large data begins.
    known = "" if request.node.callspec.params["either"] else "app.send"
    assert [row.function for row in rows] == [known] * 2
    assert found == {"fn:app.send": {"large-0", "large-1"} if known else set(), "fn:app.other": set()}


def test_heads_of_very_much_data_are_not_read(redis_client: redis.Redis, backend: Backend) -> None:
    stored, noise = Stored(redis_client), random.Random(1).randbytes(1_000_000)
    for number in range(4):
        stored.waiting(f"huge-{number}", data=packed("app.send", noise))

    rows = jobs(backend, "mail", Registry.QUEUED, offset=0, size=10, now=NOW).rows

    assert [row.function for row in rows] == ["app.send", "app.send", "", ""]


# Words.


def test_a_queue_that_no_backend_has_is_said_so(tmp_path: Path, redis_client: redis.Redis, backend: Backend) -> None:
    Stored(redis_client).queue("idle")
    browser = site(tmp_path / "data", {"live": backend}).sign_in("viewer")

    missing, idle = (browser.get(f"/jobs?q=queue:{name}").get_data(as_text=True) for name in ("Idle", "idle"))

    assert "No backend that answered has the queue Idle" in missing
    assert "Nothing matches" in idle
    assert "No backend that answered" not in idle


@pytest.mark.parametrize(
    ("text", "marked", "after"),
    [
        ("queue:mail colour:red status:failed", "colour:red", " status:failed"),
        ('nope:"two words",x fn:a', 'nope:"two words",x', " fn:a"),
        (r'"a\q b" fn:a', r'\q b"', " fn:a"),
        ("fn: mail", "␣", " mail"),
        ('desc:"open fn:a', '"open fn:a', ""),
    ],
)
def test_the_mark_of_a_mistake_ends_with_its_term(tmp_path: Path, backend: Backend, text: str, marked: str, after: str) -> None:
    browser = site(tmp_path / "data", {"live": backend}).sign_in("viewer")

    page = browser.get("/jobs", query_string={"q": text}).get_data(as_text=True)

    found = re.search(r'<b class="is-failed">(.*?)</b>(.*?)</code>', page)
    assert found is not None
    assert tuple(part.replace("&#34;", '"') for part in found.groups()) == (marked, after)
