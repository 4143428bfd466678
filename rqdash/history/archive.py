"""The history's own database, made when the first sample is to be kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Table, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.orm import Session

from rqdash.errors import StoreError
from rqdash.history.tables import Base, MarkRow
from rqdash.store import Store, connect

FILE = "history.db"
PAGE_BYTES = 16384
"""Samples are some KB each: of pages of 4 KB a good part would stay empty."""
FORMAT = 1
OTHER = "The history was kept by another version of rqdash. Install that version, or delete the history (docs/history.md)."
ADVISORY_LOCK = 0x7271646869
"""Any number of ours: PostgreSQL's lock for "rqdash is making the history's tables"."""

Upsert = SqliteInsert | PostgresInsert


class Archive:
    """Reads and writes the history beside a store: its file of SQLite, or the same PostgreSQL. Nothing is made before prepare()."""

    def __init__(self, store: Store) -> None:
        self._beside = store
        self._lock = threading.Lock()
        self._own: Store | None = None
        self._is_there = False

    def prepare(self) -> None:
        """Makes the database and its tables unless they are there. Raises StoreError when another version kept it."""
        if self.is_there():
            return
        # Two processes would both find no table.
        with self._beside.locked(), self._store().write() as session:
            connection = session.connection()
            if not self._store().is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": ADVISORY_LOCK})
            Base.metadata.create_all(connection)
            session.execute(self.insert(MarkRow).values(name="format", value=FORMAT).on_conflict_do_nothing())
            _check(session)
            self._is_there = True

    def is_there(self) -> bool:
        """Whether anything was ever kept. Raises StoreError when the database cannot be used, or another version kept it."""
        if self._is_there:
            return True
        if self._beside.is_sqlite and not (self._beside.data_dir / FILE).exists():
            return False
        with self._store().read() as session:
            if not inspect(session.connection()).has_table(MarkRow.__tablename__):
                return False
            _check(session)
        self._is_there = True
        return True

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._store().read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._store().write() as session:
            yield session

    def insert(self, row: type[Base]) -> Any:  # SQLAlchemy has no type that both dialects' inserts share
        """An INSERT that may say what to do when the row exists."""
        table = row.__table__
        assert isinstance(table, Table)  # noqa: S101  what a mapped class has
        return sqlite.insert(table) if self._store().is_sqlite else postgresql.insert(table)

    def close(self) -> None:
        with self._lock:
            own, self._own = self._own, None
        if own is not None and own is not self._beside:
            own.close()

    def _store(self) -> Store:
        with self._lock:
            if self._own is None:
                beside = self._beside
                is_file = beside.is_sqlite
                self._own = connect("", data_dir=beside.data_dir, file=FILE, page_bytes=PAGE_BYTES) if is_file else beside
            return self._own


def marks(session: Session) -> Mapping[str, int]:
    """The numbers of the history as a whole, by name."""
    return {row.name: row.value for row in session.query(MarkRow)}


def _check(session: Session) -> None:
    if marks(session).get("format", FORMAT) != FORMAT:
        raise StoreError(OTHER)
