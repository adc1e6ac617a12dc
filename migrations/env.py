"""How alembic reaches our schema: with the connection that `database.upgrade` gives it.

The connection is already in a transaction that holds the lock, so a migration is applied whole or
not at all, on SQLite as on Postgres.
"""

from __future__ import annotations

from alembic import context

from tier1_engine.store.tables import Base


def run() -> None:
    """Run the migrations that alembic was asked for."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("Run migrations through `tier1 db upgrade`, which opens the database safely.")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=False,  # the transaction is the caller's
    )
    context.run_migrations()


run()
