"""The audit log: one row an action, written before it, completed after it whatever happens, and one INFO line."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from rqdash.access.actor import Actor, command_line, of
from rqdash.access.audit import Audit
from rqdash.errors import StoreError, UnknownResult
from rqdash.model.caller import Caller, Role
from rqdash.model.outcome import Verdict
from rqdash.store import Store

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def audit(store: Store) -> Audit:
    return Audit(store, clock=lambda: NOW)


@pytest.fixture
def actor(audit: Audit) -> Actor:
    return of(Caller("account", "mira", Role.OPERATOR, ("*",), "192.0.2.1"), audit)


def test_an_action_is_one_row_with_who_where_what_and_how_many(actor: Actor, audit: Audit) -> None:
    with actor.recording("requeue", backend="orders", queue="mail", values={"jobs": 3}) as record:
        record.finish({Verdict.DONE: 2, Verdict.GONE: 1})

    (entry,) = audit.entries()
    assert (entry.kind, entry.name, entry.address) == ("account", "mira", "192.0.2.1")
    assert (entry.verb, entry.backend, entry.queue, entry.values) == ("requeue", "orders", "mail", {"jobs": 3})
    assert (entry.status, entry.outcomes, entry.began_at, entry.ended_at) == ("done", {"done": 2, "gone": 1}, NOW, NOW)


def test_the_row_is_there_before_the_action(actor: Actor, audit: Audit) -> None:
    with actor.recording("empty", backend="orders", queue="mail"):
        during = audit.entries()

    assert [(entry.status, entry.ended_at) for entry in during] == [("begun", None)]


def test_an_error_of_ours_is_the_status_and_goes_on(actor: Actor, audit: Audit) -> None:
    error = UnknownResult("A write timed out.", backend="orders")

    def delete() -> None:
        with actor.recording("delete", backend="orders") as record:
            record.finish({"done": 200})
            raise error

    with pytest.raises(UnknownResult) as raised:
        delete()

    (entry,) = audit.entries()
    assert raised.value is error
    assert (entry.status, entry.outcomes) == ("unknown_result", {"done": 200})


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_any_other_error_is_recorded_as_one_and_goes_on(actor: Actor, audit: Audit, error: type[BaseException]) -> None:
    with pytest.raises(error), actor.recording("delete", backend="orders"):
        raise error

    assert [entry.status for entry in audit.entries()] == ["error"]


def test_one_info_line_says_the_same(actor: Actor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), actor.recording("cancel", backend="orders", queue="mail", values={"jobs": 1}) as record:
        record.finish({"done": 1})

    (line,) = caplog.records
    facts = line.__dict__
    assert (line.levelname, facts["actor"], facts["verb"], facts["backend"], facts["queue"]) == ("INFO", "mira", "cancel", "orders", "mail")
    assert (facts["status"], facts["outcomes"], facts["facts"]) == ("done", {"done": 1}, {"jobs": 1})


def test_nothing_is_done_when_the_log_cannot_be_written(actor: Actor, store: Store) -> None:
    done = []
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit")

    with pytest.raises(StoreError), actor.recording("delete", backend="orders"):
        done.append("deleted")

    assert done == []


def test_an_action_that_has_happened_answers_although_its_row_cannot_be_completed(
    actor: Actor, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with actor.recording("delete", backend="orders") as record:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE audit")
        record.finish({"done": 1})

    assert [line.levelname for line in caplog.records if line.levelname == "ERROR"] == ["ERROR"]


def test_names_of_any_bytes_and_length_are_recorded_as_text(actor: Actor, audit: Audit) -> None:
    with actor.recording("empty", backend="orders", queue="a\udcff\x00<b>", values={"target": "x" * 5000}):
        pass

    (entry,) = audit.entries()
    assert entry.queue == "a\\udcff\\x00<b>"
    assert len(str(entry.values["target"])) == 1001


def test_entries_come_newest_first_in_pages(audit: Audit) -> None:
    actor = command_line("root", audit)
    for number in range(5):
        with actor.recording("requeue", backend="orders", values={"number": number}):
            pass

    first = audit.entries(2)
    second = audit.entries(2, before=first[-1].id)

    assert [entry.values["number"] for entry in (*first, *second)] == [4, 3, 2, 1]


def test_a_page_of_entries_is_bounded(audit: Audit) -> None:
    actor = command_line("root", audit)
    for _ in range(3):
        with actor.recording("requeue"):
            pass

    assert len(audit.entries(0)) == 1
    assert len(audit.entries(10**6)) == 3
