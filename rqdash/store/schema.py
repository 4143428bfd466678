"""Which tables the database has, and bringing them up to what this code needs."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from rqdash.errors import StoreError
from rqdash.store.engine import Store, connect

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x7271646173
"""Any number of ours: PostgreSQL's lock for "rqdash is changing the tables"."""
OLDER = "The database was made by an older rqdash. Stop rqdash, back the database up, and run: rqdash db upgrade"
NEWER = "The database was made by a newer rqdash than this one. Install that version or a later one."
FOREIGN = "The database holds tables, but they are not rqdash's. Give RQDASH_DATABASE_URL a database of its own."


def open_store(url: str, *, data_dir: Path) -> Store:
    """The dashboard's own database, made if there is none yet; url "" means SQLite in data_dir.

    Raises StoreError when it cannot be used, is newer than this code, or older: then `rqdash db upgrade` is named.
    """
    store = connect(url, data_dir=data_dir)
    try:
        with store.locked():
            _ensure(store)
    finally:
        # The next user connects by himself: this process may be about to fork.
        store.close()
    return store


def upgrade(store: Store) -> tuple[str, str]:
    """Brings the tables up to date; gives the revision before ("" for none) and after. Raises StoreError when they are newer."""
    with store.write() as session:
        connection = session.connection()
        if not store.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": ADVISORY_LOCK})
        before = _checked(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return before, head()


def revision(store: Store) -> str:
    """The revision the database's tables are at, "" when it has none."""
    with store.read() as session:
        return _revision(session.connection())


def head() -> str:
    """The revision this code needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _ensure(store: Store) -> None:
    with store.read() as session:
        found = _checked(session.connection())
    if not found:
        upgrade(store)
    elif found != head():
        raise StoreError(OLDER)


def _checked(connection: Connection) -> str:
    """The revision, "" for an empty database. Raises StoreError when the tables are not ours or newer than this code."""
    found = _revision(connection)
    if not found and inspect(connection).get_table_names():
        raise StoreError(FOREIGN)
    if found and found not in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}:
        raise StoreError(NEWER)
    return found


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


def _config() -> Config:
    config = Config()
    # The value goes through configparser, where % is special, and a path may hold one.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
