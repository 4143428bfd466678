"""The throttle: limits per account and per address that all processes share, pauses that grow, a table that stays small."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from rqdash.access import throttle as module
from rqdash.access.throttle import ACCOUNT_FAILURES, ADDRESS_FAILURES, Throttle
from rqdash.errors import Throttled
from rqdash.store import Store
from rqdash.store.tables import ThrottleRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOME = "192.0.2.1"
GUESS = """
import sys
from datetime import datetime
from pathlib import Path
from rqdash.access.throttle import Throttle
from rqdash.errors import Throttled
from rqdash.store import open_store
throttle = Throttle(open_store("", data_dir=Path(sys.argv[1])))
admitted = 0
for _ in range(20):
    try:
        throttle.attempt("mira", "192.0.2.1", now=datetime.fromisoformat(sys.argv[2]))
        admitted += 1
    except Throttled:
        pass
print(admitted)
"""


@pytest.fixture
def throttle(store: Store) -> Throttle:
    return Throttle(store)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def fail_often(throttle: Throttle, times: int, *, account: str = "mira", address: str = HOME) -> None:
    for _ in range(times):
        throttle.fail(account, address, now=NOW)


def test_a_few_failures_are_let_pass(throttle: Throttle) -> None:
    fail_often(throttle, ACCOUNT_FAILURES - 1)

    throttle.check("mira", HOME, now=NOW)


def test_an_account_waits_wherever_the_next_attempt_comes_from(throttle: Throttle) -> None:
    fail_often(throttle, ACCOUNT_FAILURES)

    with pytest.raises(Throttled) as raised:
        throttle.check(" MIRA ", "198.51.100.2", now=later(10))

    assert raised.value.retry_after_s == 20
    assert "20 s" in raised.value.message


def test_an_address_waits_whatever_account_it_tries_next(throttle: Throttle) -> None:
    for number in range(ADDRESS_FAILURES):
        throttle.fail(f"user{number}", HOME, now=NOW)

    with pytest.raises(Throttled):
        throttle.check("another", HOME, now=NOW)
    throttle.check("another", "198.51.100.2", now=NOW)


@pytest.mark.parametrize(("one", "other"), [("2001:db8::1", "2001:db8::ffff:1"), ("192.0.2.1", "::ffff:192.0.2.1")])
def test_addresses_of_one_host_count_as_one(throttle: Throttle, one: str, other: str) -> None:
    for number in range(ADDRESS_FAILURES):
        throttle.fail(f"user{number}", one, now=NOW)

    with pytest.raises(Throttled):
        throttle.check("another", other, now=NOW)


def test_the_pause_doubles_up_to_its_longest(throttle: Throttle) -> None:
    pauses, moment = [], NOW
    fail_often(throttle, ACCOUNT_FAILURES - 1)
    for _ in range(7):
        throttle.fail("mira", HOME, now=moment)
        with pytest.raises(Throttled) as raised:
            throttle.check("mira", HOME, now=moment)
        pauses.append(raised.value.retry_after_s)
        moment += timedelta(seconds=raised.value.retry_after_s)

    assert pauses == [30, 60, 120, 240, 480, 900, 900]


def test_failures_are_forgotten_after_a_quiet_quarter_of_an_hour(throttle: Throttle) -> None:
    fail_often(throttle, ACCOUNT_FAILURES)

    throttle.fail("mira", HOME, now=later(30 + 901))

    throttle.check("mira", HOME, now=later(30 + 901))


def test_a_success_clears_the_account(throttle: Throttle) -> None:
    fail_often(throttle, ACCOUNT_FAILURES - 1)
    throttle.attempt("mira", HOME, now=NOW)

    throttle.clear("mira", HOME)

    fail_often(throttle, ACCOUNT_FAILURES - 1)
    throttle.check("mira", HOME, now=NOW)


def test_one_good_account_does_not_wipe_the_record_of_an_address(throttle: Throttle) -> None:
    for number in range(ADDRESS_FAILURES - 1):
        throttle.fail(f"user{number}", HOME, now=NOW)
    for _ in range(5):
        throttle.attempt("mine", HOME, now=NOW)
        throttle.clear("mine", HOME)

    throttle.fail("victim", HOME, now=NOW)

    with pytest.raises(Throttled):
        throttle.check("anyone", HOME, now=NOW)


def test_guesses_side_by_side_do_not_slip_through(throttle: Throttle) -> None:
    def guess(_: int) -> bool:
        try:
            throttle.attempt("mira", HOME, now=NOW)
        except Throttled:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(guess, range(40)))

    assert admitted.count(True) == ACCOUNT_FAILURES


def test_processes_share_one_count(store: Store, tmp_path: Path) -> None:
    def guess(_: int) -> int:
        command = [sys.executable, "-c", GUESS, str(tmp_path), NOW.isoformat()]
        return int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)

    with ThreadPoolExecutor(2) as pool:
        admitted = list(pool.map(guess, range(2)))

    assert sum(admitted) == ACCOUNT_FAILURES


def test_a_flood_of_names_leaves_a_bounded_table(throttle: Throttle, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 20)

    for number in range(60):
        throttle.fail(f"user{number}\udcff" * 100, f"192.0.2.{number}", now=later(number))

    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(ThrottleRow)) == 20


def test_what_is_forgotten_is_dropped(throttle: Throttle, store: Store) -> None:
    fail_often(throttle, 3)

    throttle.fail("anna", "198.51.100.2", now=later(3600))

    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(ThrottleRow)) == 2
