"""The database schema, which only migrations create and upgrade.

Owns when a schema may change: a private SQLite file at first use, after a backup copy and with no live
driver; a shared Postgres only when an operator runs `tier1 db upgrade`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, text

from tier1_engine.errors import ConfigurationError, DatabaseUnavailable, DrivenByAnother, SchemaError
from tier1_engine.store.database import BUSY_SECONDS, describe, translated
from tier1_engine.store.tables import SCHEMA_REVISION

if TYPE_CHECKING:
    from alembic.config import Config


UPGRADE_SECONDS = 60.0
"""How long a process waits for another one that creates or upgrades the schema."""
MIGRATION_SECONDS = 3600.0
"""How long one statement of an upgrade may take on a large Postgres."""


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
    _refuse_newer(engine, found)
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
    with translated(engine), engine.connect() as connection, _patient(connection), connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7391301)"))
        before = _revision(connection)  # another process may have upgraded it since
        if before == SCHEMA_REVISION:
            return before
        _refuse_newer(engine, before)
        if engine.dialect.name == "sqlite" and before is not None:
            _refuse_while_driven(connection)
            _copy_beside(engine, before)
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, SCHEMA_REVISION)
    return before or ""


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """Wait as long as another process may take to upgrade the schema, or one statement of it on Postgres."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        usual, driver.silence_seconds = driver.silence_seconds, MIGRATION_SECONDS
        try:
            yield
        finally:
            driver.silence_seconds = usual
        return
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


def _refuse_newer(engine: Engine, found: str | None) -> None:
    """Refuse a schema of which no migration is known here."""
    from alembic.script import ScriptDirectory

    if found is None:
        return
    scripts = ScriptDirectory.from_config(alembic_config())
    if all(script.revision != found for script in scripts.walk_revisions()):
        raise SchemaError(
            f"{describe(engine)} has schema {found}, which is newer than this tier1 supports "
            f"({SCHEMA_REVISION}): install a newer tier1."
        )


def _refuse_while_driven(connection: Connection) -> None:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    query = text("SELECT id FROM deployments WHERE lease_expires_at > :now")
    if driven := connection.execute(query, {"now": now}).scalars().all():
        raise DrivenByAnother(
            f"{describe(connection.engine)} cannot be upgraded while an older tier1 is running "
            f"{', '.join(driven)}: wait for it to finish."
        )


def _copy_beside(engine: Engine, found: str) -> Path:
    """Copy the file, whose writers wait for this process, without what it writes itself."""
    path = Path(engine.url.database or "")
    copy = path.with_name(f"{path.name}.{found}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    try:
        os.close(os.open(copy, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    except OSError as error:
        raise DatabaseUnavailable(
            f"{describe(engine)} cannot be copied to {copy} before its upgrade ({error.strerror}): "
            "fix that, then run the command again."
        ) from error
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy
