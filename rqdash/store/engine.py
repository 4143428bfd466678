"""The way into the dashboard's own database: reading and writing transactions, on SQLite or PostgreSQL."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, Executable, Row, bindparam, create_engine, event, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from rqdash.errors import StoreError
from rqdash.store.memory import Memory
from rqdash.store.tables import CounterRow

FILE = "rqdash.db"
LOCK = "store.lock"
BUSY_TIMEOUT_S = 5
PAGE_BYTES = 4096
CONNECTIONS = 8
MORE_CONNECTIONS = 24
"""More than one thread of a serving process needs one at a time is rare; the rest wait up to BUSY_TIMEOUT_S."""
UNDEFINED_TABLE = "42P01"
COUNTER = select(CounterRow.value).where(CounterRow.name == bindparam("name"))
UNUSABLE = "The dashboard's own database did not answer in time or cannot be written. Check its disk or its server, then try again."


class Store:
    """The dashboard's own database. Threads may share it, and a forked child may go on using it; it connects when first used."""

    def __init__(self, engine: Engine, *, data_dir: Path) -> None:
        self.engine = engine
        self.data_dir = data_dir
        self._writing = engine.execution_options(rqdash_writes=True)
        self._memory = Memory(self._apart) if self.is_sqlite else None

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads, seeing one moment of the data on SQLite. Raises StoreError when the database is not usable."""
        with _translated(), Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes, committed at the end unless an exception leaves it.

        On SQLite one writer at a time from its first statement on: what it reads stays true until it commits, and it waits at most
        BUSY_TIMEOUT_S for its turn. Raises StoreError when the database is not usable.
        """
        with _translated(), Session(self._writing) as session, session.begin():
            yield session

    def counter(self, name: str) -> int:
        """The number of that name, 0 when there is none; for what every request asks several times, see row."""
        row = self.row(COUNTER, {"name": name})
        return int(row[0]) if row else 0

    def row(self, statement: Executable, values: Mapping[str, Hashable]) -> Row[Any] | None:
        """The row that a statement finds, None when there is none; without a session: 0.1 ms, for what every request asks.

        On SQLite some 10 µs when it was asked before and nobody has committed anything since.
        """
        if self._memory is None:
            return self._found(statement, values)
        try:
            return self._memory.get((statement, *values.items()), lambda: self._found(statement, values))
        except sqlite3.Error as error:
            raise _unusable(error) from None

    def _found(self, statement: Executable, values: Mapping[str, Hashable]) -> Row[Any] | None:
        with _translated(), self.engine.connect() as connection:
            return connection.execute(statement, values).one_or_none()

    def _apart(self) -> sqlite3.Connection:
        """A connection that the pool never gives to anybody."""
        with _translated():
            connection = self.engine.raw_connection()
        connection.detach()
        return cast(sqlite3.Connection, connection.dbapi_connection)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone among the processes of this host, by a lock on a file in the data directory."""
        with (self.data_dir / LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
        self.engine.dispose()


def connect(url: str, *, data_dir: Path, file: str = FILE, page_bytes: int = PAGE_BYTES) -> Store:
    """A store whose tables nobody has looked at; open_store is what a program wants. Makes the data directory, 0700.

    file is SQLite's when url is "", page_bytes the size of its pages if it is made now. Raises StoreError when the directory or the URL
    is not usable; it never repeats the URL, which may hold a password.
    """
    _make_directory(data_dir)
    address = _address(url, file=data_dir / file)
    try:
        engine = create_engine(
            address, hide_parameters=True, pool_size=CONNECTIONS, max_overflow=MORE_CONNECTIONS, pool_timeout=BUSY_TIMEOUT_S
        )
    except (ImportError, NoSuchModuleError):
        raise StoreError("The driver of this database is not installed. Install it: pip install 'rqdash[postgres]'.") from None
    if address.get_backend_name() == "sqlite":
        _make_file(Path(str(address.database)))
        _speak_sqlite(engine, page_bytes)
    _survive_forks(engine)
    return Store(engine, data_dir=data_dir)


def _address(url: str, *, file: Path) -> URL:
    if not url:
        return URL.create("sqlite", database=str(file))
    try:
        # postgres:// is how hosting platforms write it; psycopg 3 is the driver of rqdash[postgres].
        address = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
    except (ArgumentError, ValueError):
        raise StoreError("RQDASH_DATABASE_URL cannot be read; give postgresql://user:password@host/database.") from None
    if address.drivername == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    is_file = address.drivername == "sqlite" and address.database not in (None, "", ":memory:")
    if not is_file and address.drivername != "postgresql+psycopg":
        raise StoreError("RQDASH_DATABASE_URL names no database rqdash can use: PostgreSQL, or SQLite in a file.")
    return address


def _make_directory(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("The data directory cannot be made. Give RQDASH_DATA_DIR a directory that this user may write.") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise StoreError("The data directory cannot be written by this user. Give RQDASH_DATA_DIR another, or change its owner.")


def _make_file(path: Path) -> None:
    """An empty file is an empty SQLite database; made here so that nobody else may read it.

    One that is there is not opened: closing it again would end the locks that SQLite holds on it for this process, and another process
    would take away the log that its connections write to (sqlite.org/howtocorrupt.html, 2.2).
    """
    if path.is_file() and os.access(path, os.R_OK | os.W_OK):
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreError("The database's file cannot be made or written. Check the owner of the data directory and of the file.") from error


def _speak_sqlite(engine: Engine, page_bytes: int) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: object, _record: object) -> None:
        # The driver would begin transactions by itself, deferred; such a one fails at its first write when another process has
        # written meanwhile, whatever the busy timeout. So rqdash begins them, and those that write are IMMEDIATE.
        connection.isolation_level = None  # type: ignore[attr-defined]  # a sqlite3.Connection
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
        # Only before anything else is written to a new file, which the write-ahead log's mode is.
        cursor.execute(f"PRAGMA page_size = {page_bytes}")
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("rqdash_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _survive_forks(engine: Engine) -> None:
    """A connection belongs to the process that made it: a forked child makes its own and leaves its parent's alone."""

    @event.listens_for(engine, "connect")
    def remember(_connection: object, record: object) -> None:
        record.info["pid"] = os.getpid()  # type: ignore[attr-defined]  # a pool's ConnectionPoolEntry

    @event.listens_for(engine, "checkout")
    def check(_connection: object, record: object, proxy: object) -> None:
        if record.info["pid"] != os.getpid():  # type: ignore[attr-defined]
            record.dbapi_connection = proxy.dbapi_connection = None  # type: ignore[attr-defined]
            raise DisconnectionError("made by another process")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        if isinstance(error, IntegrityError | ProgrammingError | DataError) and not _lacks_table(error):
            # These say that a statement is wrong, or that a row exists already, which callers want to know.
            raise
        # from None: a driver's text names the server and the user.
        raise _unusable(error) from None


def _unusable(error: Exception) -> StoreError:
    return StoreError(UNUSABLE, code="store_busy" if "locked" in str(error) else None)


def _lacks_table(error: DatabaseError) -> bool:
    """Whether PostgreSQL misses a table: somebody took it away, which SQLite calls an operational error."""
    return getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE
