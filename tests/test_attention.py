"""What needs attention: each item from the facts that make it and from no others, ranked the same whatever the order."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rqdash.model import attention
from rqdash.model.attention import Pace
from rqdash.model.profile import Profile
from rqdash.model.queue import BackendSummary, QueueSummary, ServerFacts
from rqdash.model.reply import Problem, Reply
from rqdash.model.trouble import CronFacts, Item, Kind, QueueTrouble, Troubles
from rqdash.queries.server import skew_s
from tests.stored import HOSTILE, NOW

ORDERS = Profile("orders")
WELL = QueueSummary("orders", "mail", queued=3, started=2, scheduled=1, failed=9, workers=2, has_scheduler=True, oldest_enqueued_at=NOW)
SERVER = ServerFacts("Redis", "8.2", "master", "noeviction", used_memory_bytes=50, maxmemory_bytes=100, clock_skew_s=0)
BACKEND = BackendSummary("orders", NOW, (WELL,), queues_total=1, workers=2, workers_total=2, server=SERVER)
NO_CRON = CronFacts()


def ago(**delta: float) -> datetime:
    return NOW - timedelta(**delta)


def of(
    backend: BackendSummary = BACKEND,
    *,
    profile: Profile = ORDERS,
    lost: tuple[str, ...] = (),
    cron: CronFacts = NO_CRON,
    **queue: object,
) -> tuple[Item, ...]:
    """The items of a backend with one queue; queue are fields of its summary or of its facts."""
    facts = {name: value for name, value in queue.items() if name in QueueTrouble.__dataclass_fields__}
    counts = {name: value for name, value in queue.items() if name not in facts}
    backend = replace(backend, queues=(replace(WELL, **counts),))  # type: ignore[arg-type]
    return attention.items(profile, backend, troubles=Troubles((QueueTrouble("mail", **facts),), lost, cron))  # type: ignore[arg-type]


def kinds(items: tuple[Item, ...]) -> list[Kind]:
    return [item.kind for item in items]


def server(**facts: object) -> BackendSummary:
    return replace(BACKEND, server=replace(SERVER, **facts))  # type: ignore[arg-type]


def test_a_backend_that_is_well_needs_nothing() -> None:
    assert of() == ()
    assert attention.needs([Reply(ORDERS, BACKEND)]) == ()


def test_what_is_unknown_is_no_alarm() -> None:
    assert of(replace(BACKEND, server=ServerFacts())) == ()
    assert of(failed_10min=None, failed_1h=None, oldest_enqueued_at=None) == ()
    assert of(replace(BACKEND, workers=1, workers_total=1001), workers=0, intermediate=1) == ()


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        (Kind.UNATTENDED, of(workers=0)),
        (Kind.LATE, of(oldest_enqueued_at=ago(seconds=301))),
        (Kind.FAILING, of(failed_10min=5, failed_1h=5)),
        (Kind.LOST, of(replace(BACKEND, workers=1, workers_lost=1), lost=("w-7",))),
        (Kind.GONE, of(gone=1, gone_worker="w-7")),
        (Kind.ABANDONED, of(expired_started=2, abandoned_at=ago(seconds=9))),
        (Kind.STUCK, of(intermediate=2, stuck=1)),
        (Kind.UNSCHEDULED, of(has_scheduler=False)),
        (Kind.CRON_DOUBLED, of(cron=CronFacts(2, ("nightly",)))),
        (Kind.CRON_DEAD, of(cron=CronFacts(last_beat_at=ago(minutes=3)))),
        (Kind.SUSPENDED, of(replace(BACKEND, is_suspended=True))),
        (Kind.CLOCK, of(server(clock_skew_s=-5))),
        (Kind.EVICTION, of(server(maxmemory_policy="allkeys-lru"))),
        (Kind.MEMORY, of(server(used_memory_bytes=90))),
        (Kind.REPLICA, of(server(role="replica"))),
    ],
)
def test_each_fact_makes_its_own_item_and_no_other(kind: Kind, items: tuple[Item, ...]) -> None:
    assert kinds(items) == [kind]
    assert items[0].backend == "orders"
    assert items[0].text.endswith(".")


@pytest.mark.parametrize(
    "items",
    [
        of(workers=0, queued=0, oldest_enqueued_at=None),
        of(oldest_enqueued_at=ago(seconds=300)),
        of(oldest_enqueued_at=ago(days=3), profile=replace(ORDERS, oldest_warn_s=0)),
        of(failed_10min=4, failed_1h=4),
        of(failed_10min=10, failed_1h=60),
        of(failed_10min=50, failed_1h=50, profile=replace(ORDERS, failures_warn_per_hour=50)),
        of(intermediate=2, stuck=0),
        of(has_scheduler=False, scheduled=0),
        of(cron=CronFacts(last_enqueued_at=ago(days=8))),
        of(server(clock_skew_s=4)),
        of(server(clock_skew_s=600), profile=replace(ORDERS, clock_skew_warn_s=0.0)),
        of(server(used_memory_bytes=89)),
        of(server(used_memory_bytes=10**9, maxmemory_bytes=0)),
    ],
)
def test_just_below_what_matters_is_quiet(items: tuple[Item, ...]) -> None:
    assert items == ()


def test_a_queue_nobody_listens_to_is_not_also_called_late() -> None:
    assert kinds(of(workers=0, oldest_enqueued_at=ago(hours=2))) == [Kind.UNATTENDED]


def test_jobs_that_wait_for_suspended_workers_are_in_their_item() -> None:
    suspended = replace(BACKEND, is_suspended=True, suspended_until=NOW + timedelta(minutes=5))

    (item,) = of(suspended, oldest_enqueued_at=ago(hours=2))

    assert (item.kind, item.subject, item.count, item.until) == (Kind.SUSPENDED, "All 2 workers", 3, suspended.suspended_until)


def test_a_job_between_the_list_and_no_worker_is_stuck() -> None:
    assert kinds(of(workers=0, queued=0, oldest_enqueued_at=None, intermediate=1)) == [Kind.STUCK]


def test_a_limit_of_failures_speaks_for_the_hour_whether_they_rise_or_not() -> None:
    limited = replace(ORDERS, failures_warn_per_hour=50)

    (item,) = of(failed_10min=0, failed_1h=51, profile=limited)

    assert item.text == "51 jobs failed in 1 h, more than 50."


def test_history_says_more_than_a_reading_does_of_whether_failures_rise() -> None:
    reading = of(failed_10min=9, failed_1h=9, workers=0)
    reply = Reply(ORDERS, replace(BACKEND, attention=reading))

    usual = attention.needs([reply], paces={"orders": (Pace("mail", 9, 8.0),)})
    (failing, unattended) = attention.needs([reply], paces={"orders": (Pace("mail", 412, 6.2),)})

    assert kinds(usual) == [Kind.UNATTENDED]
    assert (failing.kind, failing.text, unattended.kind) == (Kind.FAILING, "412 jobs failed in 1 h, usually 6.", Kind.UNATTENDED)


@pytest.mark.parametrize(
    ("code", "kind"), [("unreachable", Kind.DOWN), ("denied", Kind.DOWN), ("switching", Kind.SWITCHING), ("no_master", Kind.SWITCHING)]
)
def test_a_backend_without_an_answer_is_one_item_whatever_was_known_of_it(code: str, kind: Kind) -> None:
    stale = replace(BACKEND, attention=of(workers=0))
    problem = Problem(code, "orders does not answer.", since=ago(minutes=2), retry_at=NOW)

    (item,) = attention.needs([Reply(ORDERS, stale, problem)])

    assert (item.kind, item.code, item.since, item.until) == (kind, code, ago(minutes=2), NOW)


def test_what_sentinel_says_of_a_backend_that_answers_is_an_item_too() -> None:
    switching, degraded = (Reply(ORDERS, BACKEND, caution=Problem(code, "So it is.")) for code in ("switching", "degraded"))

    assert kinds(attention.needs([degraded, switching])) == [Kind.SWITCHING, Kind.SENTINEL]


@pytest.mark.parametrize("seed", range(20))
def test_the_ranking_is_the_same_whatever_the_order_and_loses_nothing(seed: int) -> None:
    chance = random.Random(seed)
    found = [
        Item(
            chance.choice(("orders", "mail")),
            chance.choice(list(Kind)),
            name := chance.choice(HOSTILE),
            "So it is.",
            count=chance.randint(0, 3),
            queue=chance.choice((name, None)),
            since=chance.choice((None, ago(seconds=chance.randint(0, 3)))),
        )
        for _ in range(60)
    ]
    shuffled = chance.sample(found, len(found))

    ranked = attention.ranked(shuffled)

    assert sorted(map(repr, ranked)) == sorted(map(repr, found))
    assert [repr(item) for item in ranked if found.count(item) == 1] == [
        repr(item) for item in attention.ranked(found) if found.count(item) == 1
    ]
    assert kinds(ranked) == sorted(kinds(ranked), key=list(Kind).index)


@pytest.mark.parametrize("seed", range(20))
def test_a_higher_threshold_never_makes_more_items(seed: int) -> None:
    chance = random.Random(seed)
    waited, failures, skew = chance.randint(1, 900), chance.randint(0, 200), chance.randint(0, 60)
    low, high = sorted((chance.randint(1, 100), chance.randint(1, 100)))

    def found(limit: int) -> int:
        profile = replace(ORDERS, oldest_warn_s=limit, failures_warn_per_hour=limit, clock_skew_warn_s=float(limit))
        backend = server(clock_skew_s=skew)
        return len(of(backend, profile=profile, oldest_enqueued_at=ago(seconds=waited), failed_10min=failures // 6, failed_1h=failures))

    assert found(low) >= found(high)


@pytest.mark.parametrize(
    ("told_s", "skew"), [(100.0, 0), (100.2, 0), (100.4, 0), (99.5, 0), (110.6, 10), (90.0, -10), (100.9, 0), (98.9, -1)]
)
def test_the_time_an_answer_takes_is_no_skew(told_s: float, skew: int) -> None:
    assert skew_s({"server_time_usec": int(told_s * 1_000_000)}, sent_s=100.0, answered_s=100.4) == skew


def test_a_server_that_does_not_tell_its_time_has_no_skew() -> None:
    assert skew_s({}, sent_s=1.0, answered_s=2.0) is None
    assert skew_s(ValueError(), sent_s=1.0, answered_s=2.0) is None
