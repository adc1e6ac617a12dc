"""The database schema, which only migrations create and upgrade.

Owns when a schema may change: a private SQLite file at first use, after a backup copy and with no live
driver; a shared Postgres only when an operator runs `tier1 db upgrade`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, text

from tier1_engine.errors import ConfigurationError, DrivenByAnother, SchemaError
from tier1_engine.store.database import BUSY_SECONDS, describe, translated
from tier1_engine.store.tables import SCHEMA_REVISION

if TYPE_CHECKING:
    from alembic.config import Config


UPGRADE_SECONDS = 60.0
"""How long a process waits for another one that creates or upgrades the schema."""


def revision(engine: Engine) -> str | None:
    """Return the schema revision of the database; None if it is empty."""
    with translated(engine), engine.connect().execution_options(reads_only=True) as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    value: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return value


def ensure_schema(engine: Engine) -> None:
    """Upgrade a private SQLite file to `SCHEMA_REVISION`; check that a Postgres has it.

    Raises:
        SchemaError: the schema is newer, or an older one on Postgres.
        DrivenByAnother: an older SQLite file has a live driver.
    """
    found = revision(engine)
    if found == SCHEMA_REVISION:
        return
    if found is not None and not _is_known_revision(found):
        raise SchemaError(
            f"{describe(engine)} has schema {found}, which is newer than this tier1 supports "
            f"({SCHEMA_REVISION}): install a newer tier1."
        )
    if engine.dialect.name != "sqlite":
        state = "has no schema yet" if found is None else f"has the older schema {found}"
        raise SchemaError(f"{describe(engine)} {state}: run `tier1 db upgrade`.")
    upgrade(engine)


def upgrade(engine: Engine) -> str:
    """Upgrade the schema to `SCHEMA_REVISION` in one transaction; return the previous revision.

    A second process that starts at the same time waits, and then finds nothing to do.
    """
    from alembic import command

    found = revision(engine)
    if found == SCHEMA_REVISION:
        return found
    if found is not None and not _is_known_revision(found):
        ensure_schema(engine)
    if engine.dialect.name == "sqlite" and found is not None:
        _refuse_while_driven(engine)
        _copy_beside(engine, found)
    with translated(engine), engine.connect() as connection, _patient(connection), connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7391301)"))
        if _revision(connection) != SCHEMA_REVISION:
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, SCHEMA_REVISION)
    return found or ""


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """Let SQLite wait as long as another process may take to upgrade the schema."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout = {UPGRADE_SECONDS * 1000:.0f}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")


def alembic_config() -> Config:
    """Return Alembic's configuration for the migrations in the checkout or in the wheel."""
    from alembic.config import Config

    package = Path(__file__).parent.parent
    scripts = next(
        (place for place in (package / "_migrations", package.parent / "migrations") if place.is_dir()), None
    )
    if scripts is None:
        raise ConfigurationError("The migrations are missing from this installation: reinstall tier1.")
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return config


def _is_known_revision(found: str) -> bool:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config())
    return any(script.revision == found for script in scripts.walk_revisions())


def _refuse_while_driven(engine: Engine) -> None:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    query = text("SELECT id FROM deployments WHERE lease_expires_at > :now")
    with translated(engine), engine.connect().execution_options(reads_only=True) as connection:
        driven = connection.execute(query, {"now": now}).scalars().all()
    if driven:
        raise DrivenByAnother(
            f"{describe(engine)} cannot be upgraded while an older tier1 is running {', '.join(driven)}: "
            "wait for it to finish."
        )


def _copy_beside(engine: Engine, found: str) -> Path:
    path = Path(engine.url.database or "")
    copy = path.with_name(f"{path.name}.{found}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    os.close(os.open(copy, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    return copy
