"""The migrations lead to the schema that the models describe, on SQLite and on Postgres."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from tier1_engine.store import database, schema
from tier1_engine.store.store import Store
from tier1_engine.store.tables import SCHEMA_REVISION, Base


def normalised(sql: str) -> str:
    return re.sub(r"\s+", " ", sql).strip()


def of_sqlite(connection: Connection) -> dict[str, str]:
    """Return every table with its constraints and every index with its condition, as SQLite stores them."""
    rows = connection.execute(
        text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    )
    return {row.name: _clauses(row.sql) for row in rows}


def _clauses(sql: str) -> str:
    """The parts of a CREATE statement, in an order that does not depend on its author."""
    head, _, rest = normalised(sql).partition("(")
    body, _, options = rest.rpartition(")")
    parts = re.split(r", (?=CONSTRAINT |PRIMARY KEY|FOREIGN KEY|[a-z_]+ [A-Z])", body)
    return f"{head}({sorted(normalised(part) for part in parts)}){options}"


def of_postgres(connection: Connection) -> dict[str, str]:
    """The same, from the catalogue."""
    constraints = connection.execute(
        text(
            "SELECT conrelid::regclass || '.' || conname AS name, pg_get_constraintdef(oid) AS sql "
            "FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
            "AND conrelid::regclass::text <> 'alembic_version'"
        )
    )
    found = {row.name: row.sql for row in constraints}
    indexes = connection.execute(
        text("SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE schemaname = 'public'")
    )
    return found | {row.name: row.sql for row in indexes if not row.name.startswith("alembic")}


def described(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return (of_sqlite if engine.dialect.name == "sqlite" else of_postgres)(connection)


@pytest.fixture
def migrated(any_database_url: str) -> Any:
    engine = database.connect(any_database_url)
    yield engine
    engine.dispose()


def test_migrations_and_models_agree_on_every_table_and_column(migrated: Engine) -> None:
    """Alembic compares names, types, nullability, foreign keys and indexes."""
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize(
    "kind", [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]
)
def test_migrations_and_models_agree_on_constraints_and_partial_indexes(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """Alembic compares neither: a database made from the models alone has the same ones."""
    direct = database.connect(request.getfixturevalue(f"empty_{kind}_url"))
    with direct.begin() as connection:
        Base.metadata.create_all(connection)
    wanted = described(direct)
    direct.dispose()
    migrated = database.connect(_migrated_url(kind, request))
    found = described(migrated)
    migrated.dispose()
    assert found == wanted
    assert any("state" in sql and "destroyed" in sql and "INDEX" in sql for sql in found.values())


def _migrated_url(kind: str, request: pytest.FixtureRequest) -> str:
    if kind == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{request.getfixturevalue('sqlite_template')}"


def test_the_program_knows_the_newest_migration() -> None:
    """There is one head, without branches."""
    scripts = ScriptDirectory.from_config(schema.alembic_config())
    assert scripts.get_heads() == [SCHEMA_REVISION]


def test_every_table_of_the_models_exists(migrated: Engine) -> None:
    """There are no others, except alembic's own."""
    assert set(inspect(migrated).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_migrations_run_only_through_the_program() -> None:
    """Alembic's own command line would open the database without tier1's connection settings."""
    from alembic import command

    with pytest.raises(RuntimeError, match="tier1 db upgrade"):
        command.upgrade(schema.alembic_config(), "head")


def test_a_database_of_the_first_release_keeps_its_data(tmp_path: Path) -> None:
    """It is upgraded in place at the next start, after a copy was made next to it."""
    from alembic import command

    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = database.connect(url)
    with engine.connect() as connection, connection.begin():
        config = schema.alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        at = "2026-01-01T00:00:00.000000+00:00"
        texts = {"id": "d1", "name": "old", "blueprint": "b", "region": "us-east-1", "account_id": "1"}
        texts |= {"profile": "", "endpoint": "", "state": "pending", "goal": "active"}
        texts |= {"on_recoverable": "stop", "created_at": at, "updated_at": at}
        texts |= dict.fromkeys(("spec", "tags", "output_templates", "outputs"), "{}")
        texts |= dict.fromkeys(("warnings", "retain"), "[]")
        numbers = ("blueprint_version", "max_attempts", "rollback_enabled", "revision", "lease_term")
        values = {**texts, **dict.fromkeys((*numbers, "delete_seconds"), 1)}
        marks = ", ".join("?" * len(values))
        insert = f"INSERT INTO deployments ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 - our words
        connection.exec_driver_sql(insert, tuple(values.values()))
    engine.dispose()
    store = Store.open(url)
    found = store.load("d1").deployment
    store.close()
    assert (found.name, found.keep_until, found.swept_by, found.tags_as_deployed) == ("old", None, None, None)
    assert [path for path in tmp_path.iterdir() if path.name.startswith("old.db.0001.")]
