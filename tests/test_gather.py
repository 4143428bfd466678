"""Several backends asked side by side: none spoils the others, and one budget covers all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from rqdash.backends.backend import Backend
from rqdash.backends.breaker import OPENS_AFTER, Breaker
from rqdash.backends.gather import Gatherer
from rqdash.demo.servers import Server, free_port
from rqdash.errors import NotFound, Slow, Unreachable
from rqdash.model.profile import Profile
from tests.conftest import backend_of


@pytest.fixture
def gatherer() -> Iterator[Gatherer]:
    made = Gatherer(deadline_s=1.0)
    yield made
    made.stop()


@pytest.fixture
def down() -> Iterator[Backend]:
    made = backend_of(Server(directory=None, port=free_port()), name="down")  # type: ignore[arg-type]
    yield made
    made.close()


def ping(backend: Backend) -> object:
    return backend.read(("PING",))[0]


def test_a_backend_that_refuses_does_not_spoil_the_others(gatherer: Gatherer, backend: Backend, down: Backend) -> None:
    replies = gatherer.gather((down, backend), ping, key="ping")

    assert [(reply.name, reply.is_ok) for reply in replies] == [("down", False), ("live", True)]
    assert replies[0].problem is not None
    assert replies[0].problem.code == "refused"
    assert replies[0].problem.since is not None


def test_a_backend_that_hangs_is_slow_at_the_deadline_and_the_others_are_whole(backend: Backend, start: Callable[..., Server]) -> None:
    frozen = start()
    frozen.pause()
    gatherer = Gatherer(deadline_s=0.3)

    replies = gatherer.gather((backend_of(frozen, name="frozen"), backend), ping, key="ping")

    assert [reply.problem.code if reply.problem else "ok" for reply in replies] == ["slow", "ok"]
    frozen.resume()
    gatherer.stop()


def test_a_third_call_to_a_hung_backend_answers_slow_without_a_thread(gatherer: Gatherer, backend: Backend) -> None:
    release = threading.Event()
    entered = threading.Semaphore(0)

    def hang(_: Backend) -> bool:
        entered.release()
        return release.wait(10)

    callers = [threading.Thread(target=gatherer.gather, args=((backend,), hang), kwargs={"key": f"hang {n}"}) for n in range(2)]
    for caller in callers:
        caller.start()
    entered.acquire()
    entered.acquire()

    (reply,) = gatherer.gather((backend,), ping, key="ping")

    assert reply.problem is not None
    assert reply.problem.code == "slow"
    release.set()
    for caller in callers:
        caller.join()


def test_the_last_good_value_comes_back_stale_when_the_backend_goes_down(gatherer: Gatherer, start: Callable[..., Server]) -> None:
    server = start()
    backend = backend_of(server)
    (good,) = gatherer.gather((backend,), ping, key="ping")
    server.stop()

    (stale,) = gatherer.gather((backend,), ping, key="ping")

    assert stale.is_stale
    assert (stale.value, stale.as_of) == (good.value, good.as_of)


def test_a_poll_shares_a_fresh_value_and_a_navigation_reads_anew(gatherer: Gatherer, backend: Backend) -> None:
    numbers = iter(range(10))
    calls: list[int] = []

    def count(_: Backend) -> int:
        calls.append(next(numbers))
        return calls[-1]

    gatherer.gather((backend,), count, key="count")
    (polled,) = gatherer.gather((backend,), count, key="count", max_age_s=60)
    (navigated,) = gatherer.gather((backend,), count, key="count")

    assert (polled.value, navigated.value) == (0, 1)


def test_polls_under_way_at_once_are_one_call(gatherer: Gatherer, backend: Backend) -> None:
    release = threading.Event()
    entered = threading.Event()
    calls: list[int] = []
    answers: list[object] = []

    def slow(_: Backend) -> int:
        calls.append(1)
        entered.set()
        release.wait(10)
        return len(calls)

    def poll() -> None:
        answers.append(gatherer.gather((backend,), slow, key="slow", max_age_s=1)[0].value)

    first = threading.Thread(target=poll)
    first.start()
    entered.wait(10)
    second = threading.Thread(target=poll)
    second.start()
    release.set()
    first.join()
    second.join()

    assert (answers, len(calls)) == ([1, 1], 1)


def test_an_open_breaker_answers_at_once_and_says_when_it_tries_again(gatherer: Gatherer, down: Backend) -> None:
    for _ in range(OPENS_AFTER):
        gatherer.gather((down,), ping, key="ping")

    (reply,) = gatherer.gather((down,), ping, key="ping")

    assert reply.problem is not None
    assert reply.problem.retry_at is not None
    with pytest.raises(Unreachable) as raised:
        gatherer.one(down, ping, key="ping")
    assert raised.value.retry_after_s is not None


def test_no_poll_waits_for_the_probe_of_a_backend_that_is_down(gatherer: Gatherer, backend: Backend) -> None:
    release, entered = threading.Event(), threading.Event()
    breaker = gatherer._line(backend).breaker
    for _ in range(OPENS_AFTER):
        breaker.failed()
    breaker._retry_at = 0.0

    def hang(_: Backend) -> bool:
        entered.set()
        return release.wait(10)

    probing, *others = (gatherer.gather((backend,), hang, key="hang", max_age_s=1)[0] for _ in range(3))

    assert entered.wait(10)
    assert not release.is_set()
    assert all(reply.problem is not None and reply.problem.retry_at is not None for reply in (probing, *others))
    release.set()


def test_the_breaker_lets_one_probe_through_and_closes_when_it_succeeds() -> None:
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0], jitter=lambda: 0.5)
    for _ in range(OPENS_AFTER):
        breaker.failed()
    now[0] = 1.5

    probe, other = breaker.admit(), breaker.admit()
    breaker.succeeded()

    assert probe is None
    assert other is not None
    assert breaker.admit() is None


def test_the_breaker_pauses_longer_each_time_up_to_its_bound() -> None:
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0], jitter=lambda: 0.5)
    pauses = []
    for _ in range(OPENS_AFTER + 8):
        breaker.failed()
        pauses.append(breaker.admit())

    waits = [pause for pause in pauses if pause is not None]

    assert waits == sorted(waits)
    assert waits[-1] == 15.0


def test_one_raises_what_the_query_raises(gatherer: Gatherer, backend: Backend) -> None:
    def missing(_: Backend) -> None:
        raise NotFound("There is no such job.")

    with pytest.raises(NotFound):
        gatherer.one(backend, missing, key="missing")


def test_one_raises_slow_at_the_deadline(backend: Backend) -> None:
    release = threading.Event()
    gatherer = Gatherer(deadline_s=0.1)

    with pytest.raises(Slow):
        gatherer.one(backend, lambda _: release.wait(10), key="hang")

    release.set()
    gatherer.stop()


def test_a_bug_in_a_query_is_a_reply_that_says_so(gatherer: Gatherer, backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    (reply,) = gatherer.gather((backend,), lambda _: {}["secret"], key="bug")

    assert reply.problem is not None
    assert reply.problem.code == "error"
    assert "secret" not in reply.problem.message
    assert "a query failed" in caplog.text


def test_a_new_version_of_an_endpoint_starts_with_no_value_and_no_problem(gatherer: Gatherer, backend: Backend) -> None:
    gatherer.gather((backend,), ping, key="ping")
    newer = Backend(Profile(name="live", id="live", version=2, endpoint_version=2), reader=backend.reader, writer=backend.writer)

    assert gatherer.last(backend, "ping") is not None
    assert gatherer.last(newer, "ping") is None
