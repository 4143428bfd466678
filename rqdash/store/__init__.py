"""The dashboard's own database: engine, tables, migrations."""

from rqdash.store.engine import Store, connect
from rqdash.store.schema import head, open_store, revision, upgrade

__all__ = ["Store", "connect", "head", "open_store", "revision", "upgrade"]
