"""What Alembic runs for every command: the migrations, on the connection that rqdash.store.schema hands over."""

from __future__ import annotations

from alembic import context

from rqdash.store.tables import Base

# SQLite alters a table only by copying it, and its DDL is transactional once the driver's own BEGIN is off (rqdash/store/engine.py).
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
