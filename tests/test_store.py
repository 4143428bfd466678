"""The store: made once under a lock, refused when its tables are older, newer or not ours, safe with several processes and forks."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text

from rqdash.errors import StoreError
from rqdash.store import Store, connect, head, open_store, revision, upgrade
from rqdash.store.counters import following
from rqdash.store.tables import AuditRow, Base, CounterRow, SettingRow

ADD_ONES = """
import sys
from pathlib import Path
from rqdash.store import open_store
from rqdash.store.counters import following
store = open_store(sys.argv[2], data_dir=Path(sys.argv[1]))
for _ in range(100):
    with store.write() as session:
        following(session, "ones")
"""


ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def run_together(code: str, *arguments: str, count: int) -> list[subprocess.CompletedProcess[str]]:
    def run(_: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_a_store_is_made_where_there_is_none(tmp_path: Path) -> None:
    store = open_store("", data_dir=tmp_path / "new" / "with a space %")

    assert revision(store) == head()


def test_nobody_else_may_read_what_is_made(tmp_path: Path) -> None:
    open_store("", data_dir=tmp_path / "data")

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "rqdash.db").stat().st_mode & 0o777 == 0o600


def test_a_store_that_is_there_is_opened_again(store: Store, reopened: Callable[[], Store]) -> None:
    with store.write() as session:
        session.add(SettingRow(name="kept", value="yes"))

    again = reopened()

    with again.read() as session:
        assert session.get_one(SettingRow, "kept").value == "yes"


def test_the_migrations_make_the_tables_of_the_models(store: Store) -> None:
    with store.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})

        assert compare_metadata(context, Base.metadata) == []


def test_a_store_older_than_the_code_is_refused_and_the_remedy_named(
    store: Store, reopened: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rqdash.store.schema.head", lambda: "a later one")

    with pytest.raises(StoreError, match="rqdash db upgrade"):
        reopened()


def test_a_store_newer_than_the_code_is_refused(store: Store, reopened: Callable[[], Store]) -> None:
    with store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError, match="newer rqdash"):
        reopened()


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    theirs = sqlite3.connect(tmp_path / "theirs.db")
    theirs.execute("CREATE TABLE theirs (a)")
    theirs.close()

    with pytest.raises(StoreError, match="not rqdash's"):
        open_store(f"sqlite:///{tmp_path}/theirs.db", data_dir=tmp_path)


def test_upgrade_brings_an_empty_database_up_to_date_and_twice_changes_nothing(empty_store: Store) -> None:
    steps = [upgrade(empty_store), upgrade(empty_store)]

    assert steps == [("", head()), (head(), head())]


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rqdash.store.schema.head", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        upgrade(empty_store)

    with empty_store.read() as session:
        assert inspect(session.connection()).get_table_names() == []


@pytest.mark.parametrize("url", ["mysql://u:hunter22@h/x", "sqlite://", "nonsense hunter22", "postgresql://u:hunter22@h:port/x"])
def test_a_url_that_cannot_be_used_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised:
        connect(url, data_dir=tmp_path)

    assert "hunter22" not in str(raised.value)


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="RQDASH_DATA_DIR"):
        open_store("", data_dir=tmp_path / "file")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rqdash.db").write_text("not a database, but long enough to be looked at as one" * 100)

    with pytest.raises(StoreError):
        open_store("", data_dir=tmp_path)


@ON_SQLITE
def test_sqlite_is_set_up_for_several_processes(store: Store) -> None:
    with store.read() as session:
        found = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}


def test_what_an_exception_leaves_is_not_written(store: Store) -> None:
    def write_half() -> None:
        with store.write() as session:
            session.add(SettingRow(name="half", value="done"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()

    with store.read() as session:
        assert session.get(SettingRow, "half") is None


@ON_SQLITE
def test_a_reader_sees_one_moment_while_another_writes(store: Store) -> None:
    with store.read() as reader:
        before = reader.scalar(select(CounterRow.value))
        with store.write() as writer:
            following(writer, "ones")
        after = reader.scalar(select(CounterRow.value))

    assert (before, after) == (None, None)
    assert store.counter("ones") == 1


def test_processes_that_start_and_write_at_once_lose_nothing(database_url: str, reopened: Callable[[], Store], tmp_path: Path) -> None:
    done = run_together(ADD_ONES, str(tmp_path), database_url, count=3)

    assert [(process.returncode, process.stderr) for process in done] == [(0, "")] * 3
    assert reopened().counter("ones") == 300


def test_threads_that_write_at_once_lose_nothing(store: Store) -> None:
    def add(_: int) -> None:
        with store.write() as session:
            following(session, "ones")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(200)))

    assert store.counter("ones") == 200


def test_a_forked_child_opens_a_connection_of_its_own(store: Store) -> None:
    with store.write() as session:
        following(session, "ones")
        mine = session.connection().connection.dbapi_connection

    child = os.fork()
    if child == 0:
        with store.write() as session:
            is_own = session.connection().connection.dbapi_connection is not mine
            following(session, "ones")
        os._exit(0 if is_own else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert store.counter("ones") == 2


def test_a_database_that_stays_locked_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rqdash.store.engine.BUSY_TIMEOUT_S", 0.05)
    store = open_store("", data_dir=tmp_path)
    other = sqlite3.connect(tmp_path / "rqdash.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError) as raised, store.write() as session:
        following(session, "ones")
    other.close()

    assert raised.value.code == "store_busy"
    assert raised.value.__cause__ is None


def test_times_come_back_aware_and_in_utc(store: Store) -> None:
    local = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2)))

    with store.write() as session:
        session.add(
            AuditRow(began_at=local, kind="", name="", address="", verb="", backend="", queue="", status="", values={}, outcomes={})
        )

    with store.read() as session:
        found = session.scalars(select(AuditRow)).one().began_at
    assert found == local
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_not_stored(store: Store) -> None:
    naive = datetime(2026, 1, 2)  # noqa: DTZ001

    with pytest.raises(Exception, match="without a zone"), store.write() as session:
        session.execute(select(AuditRow).where(AuditRow.began_at == naive))


def test_names_that_are_no_utf8_can_be_stored_in_json(store: Store) -> None:
    odd = "queue \udcff\x00"

    with store.write() as session:
        row = AuditRow(
            began_at=datetime.now(UTC),
            kind="",
            name="",
            address="",
            verb="",
            backend="",
            queue="",
            status="",
            values={"q": odd},
            outcomes={},
        )
        session.add(row)

    with store.read() as session:
        assert session.scalars(select(AuditRow)).one().values == {"q": odd}
