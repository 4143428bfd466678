"""The audit log as it is searched, kept and forgotten, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from rqdash.access.actor import Actor
from rqdash.access.audit import Audit
from rqdash.access.finding import Wanted
from rqdash.access.keeper import LEASE, Keeper
from rqdash.store import Store
from rqdash.store.leases import Leases
from rqdash.store.tables import AuditRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NEVER = threading.Event()
FILTERS: tuple[tuple[Wanted, list[int]], ...] = (
    (Wanted(), [5, 4, 3, 2, 1]),
    (Wanted(who="Mira"), [3, 1]),
    (Wanted(who="m*"), [3, 1]),
    (Wanted(who="mir"), []),
    (Wanted(verb="*operation"), [3]),
    (Wanted(backend="orders"), [3, 1]),
    (Wanted(backend="eu"), [3]),
    (Wanted(backend="stage"), [5, 3]),
    (Wanted(backend="orders*"), [3, 2, 1]),
    (Wanted(queue="Ärger_100%"), [2]),
    (Wanted(queue="ärger_100"), []),
    (Wanted(queue="a\x00b"), [5]),
    (Wanted(status="done"), [3, 1]),
    (Wanted(status="begun"), [5]),
    (Wanted(status="failed"), [4, 2]),
    (Wanted(status="read_only"), [2]),
    (Wanted(text="full ☃"), [2]),
    (Wanted(text="NIA"), [4]),
    (Wanted(text="192.0.2.2"), [3]),
    (Wanted(text="Ärger"), [2]),
    (Wanted(text="%"), [2]),
    (Wanted(text="'; DROP TABLE audit; --"), []),
    (Wanted(text="\udcff\x00"), []),
    (Wanted(since=NOW - timedelta(hours=1)), [5, 4]),
    (Wanted(until=NOW - timedelta(hours=3)), [1]),
    (Wanted(who="mira", status="done", text="operation"), [3]),
)


@dataclass(slots=True)
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def audit(store: Store, clock: Clock) -> Audit:
    return Audit(store, keep=timedelta(days=30), clock=clock)


@pytest.fixture
def log(audit: Audit, clock: Clock) -> Audit:
    """Five actions, an hour apart, the last one now: by their numbers from 1."""
    rows = (
        ("mira", "requeue", "orders", "mail", {"jobs": 3}, {"done": 3}, "done"),
        ("Ben", "empty", "orders-2", "Ärger_100%", {"why": "full ☃"}, {}, "read_only"),
        ("mira", "start operation", "orders, stage to eu", "", {"operation": "5f0c"}, {"done": 1}, "done"),
        ("ci", "add account", "", "", {"name": "nia"}, {}, "name_taken"),
        ("ci", "delete", "stage", "a\x00b", {}, {}, ""),
    )
    for number, (name, verb, backend, queue, values, outcomes, status) in enumerate(rows):
        clock.now = NOW - timedelta(hours=4 - number)
        entry = audit.begin(("account", name, f"192.0.2.{number}"), verb, backend=backend, queue=queue, values=values)
        if status:
            audit.finish(entry, outcomes=outcomes, status=status)
    return audit


def test_a_filter_finds_what_it_says_in_any_database(log: Audit) -> None:
    numbers = {entry.id: 5 - place for place, entry in enumerate(log.entries())}

    listed = {str(wanted): [numbers[entry.id] for entry in log.entries(wanted=wanted)] for wanted, _ in FILTERS}
    exported = {str(wanted): [numbers[entry.id] for entry in log.every(wanted)] for wanted, _ in FILTERS}

    assert listed == {str(wanted): found for wanted, found in FILTERS}
    assert exported == listed


def test_pages_of_a_filter_go_on_after_the_last_one_seen(log: Audit) -> None:
    first = log.entries(1, wanted=Wanted(who="mira"))

    second = log.entries(1, before=first[0].id, wanted=Wanted(who="mira"))

    assert [entry.verb for entry in (*first, *second)] == ["start operation", "requeue"]


def test_a_filter_looks_at_so_many_rows_at_a_time_and_says_where_it_goes_on(log: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rqdash.access.audit.LOOKED_AT", 2)
    monkeypatch.setattr("rqdash.access.audit.SLACK", 0)
    ids = [entry.id for entry in log.entries()]

    newest = log.found(10, before=None, wanted=Wanted(who="ben"))
    older = log.found(10, before=newest.older, wanted=Wanted(who="ben"))
    last = log.found(10, before=older.older, wanted=Wanted(who="ben"))
    full = log.found(1, before=None, wanted=Wanted(who="ci"))
    late = log.found(10, before=None, wanted=Wanted(until=NOW - timedelta(hours=3)))
    soon = log.found(10, before=None, wanted=Wanted(since=NOW, who="ben"))

    assert [([entry.id for entry in part.entries], part.older, part.is_cut) for part in (newest, older, last)] == [
        ([], ids[1], True),
        ([ids[3]], ids[3], True),
        ([], None, False),
    ]
    assert (full.older, full.is_cut) == (ids[0], False)
    assert [entry.id for entry in late.entries] == [ids[4]]
    assert (soon.older, soon.is_cut) == (None, False)


def test_an_empty_log_has_an_end(audit: Audit) -> None:
    parts = [audit.found(10, before=None, wanted=wanted) for wanted in (Wanted(), Wanted(who="ben", since=NOW, until=NOW))]

    assert [(part.entries, part.older, part.is_cut) for part in parts] == [((), None, False)] * 2


def test_everything_is_read_a_part_at_a_time(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rqdash.access.audit.EXPORTED_AT_ONCE", 2)
    ids = [audit.begin(("account", "mira", ""), "requeue", backend="", queue="", values={}) for _ in range(5)]

    reading = audit.every(Wanted())
    first = next(reading)
    audit.begin(("account", "late", ""), "requeue", backend="", queue="", values={})

    assert [first.id, *(entry.id for entry in reading)] == ids[::-1]


@pytest.fixture
def keeper(store: Store, audit: Audit) -> Keeper:
    return Keeper(audit, Leases(store))


@pytest.fixture
def old(audit: Audit, clock: Clock) -> None:
    """Rows of every tenth day of the last hundred."""
    for days in range(100, -1, -10):
        clock.now = NOW - timedelta(days=days)
        audit.begin(("account", "mira", ""), "requeue", backend="", queue="", values={"days": days})


@pytest.mark.usefixtures("old")
def test_what_is_older_than_is_kept_is_forgotten_and_the_log_says_so(audit: Audit, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rqdash.access.audit.FORGOTTEN_AT_ONCE", 3)
    monkeypatch.setattr("rqdash.access.keeper.FORGOTTEN_AT_ONCE", 3)

    keeper.turn(NEVER)

    told, *left = audit.entries()
    assert [entry.values["days"] for entry in left] == [0, 10, 20, 30]
    assert (told.kind, told.name, told.verb, told.outcomes) == ("runner", "activity", "forget activity", {"removed": 7})


@pytest.mark.usefixtures("old")
def test_nothing_is_forgotten_and_nothing_said_until_a_day_has_gathered(audit: Audit, keeper: Keeper, clock: Clock, store: Store) -> None:
    keeper.turn(NEVER)
    clock.now = NOW + timedelta(hours=23)

    keeper.turn(NEVER)

    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditRow)) == 5


@pytest.mark.usefixtures("old")
def test_only_the_holder_of_the_lease_forgets(audit: Audit, keeper: Keeper, store: Store) -> None:
    Leases(store).take(LEASE, "another host", for_s=60)

    keeper.turn(NEVER)

    assert len(audit.entries(200)) == 11


@pytest.mark.usefixtures("old")
def test_an_action_that_goes_on_is_recorded_although_its_row_is_forgotten(audit: Audit, keeper: Keeper, clock: Clock) -> None:
    clock.now = NOW - timedelta(days=50)
    with Actor("account", "mira", "", audit).recording("delete"):
        clock.now = NOW
        keeper.turn(NEVER)

    assert audit.entries(1)[0].verb == "forget activity"
