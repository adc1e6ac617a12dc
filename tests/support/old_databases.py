"""Databases of every earlier schema, on SQLite and on Postgres."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import Boolean, DateTime, Engine, MetaData, Table, insert, text
from sqlalchemy.dialects.postgresql import JSONB

from tier1_engine.store import database, schema

FIXTURES = Path(__file__).parents[1] / "migration" / "fixtures"


def revision_of(old: Path) -> str:
    """The schema revision of an old database; a folder may name a variant of it, too."""
    return old.parent.name.partition("-")[0]


def sqlite_of(old: Path, folder: Path) -> Path:
    """The database in its original state."""
    path = folder / "tier1.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / old).with_suffix(".sql").read_text())
    path.chmod(0o600)
    return path


def on_postgres(path: Path, url: str, revision: str) -> Engine:
    """The rows of a SQLite database in a Postgres of the same revision."""
    server = database.connect(url)
    config = schema.alembic_config()
    with server.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    metadata = MetaData()
    metadata.reflect(server)
    with closing(sqlite3.connect(path)) as source, server.begin() as connection:
        source.row_factory = sqlite3.Row
        for table in metadata.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(table.delete())
                for row in source.execute(f'SELECT * FROM "{table.name}"'):  # noqa: S608 - one of tier1's tables
                    connection.execute(insert(table), in_postgres(table, row))
        connection.execute(text("SELECT setval(pg_get_serial_sequence('events', 'id'), max(id)) FROM events"))
    return server


def in_postgres(table: Table, row: sqlite3.Row) -> dict[str, Any]:
    """A row with its values as Postgres keeps them."""
    values: dict[str, Any] = {}
    for column in table.columns:
        value = row[column.name]
        match column.type:
            case Boolean() if value is not None:
                value = bool(value)
            case DateTime() if value is not None:
                value = datetime.fromisoformat(value)
            case JSONB() if value is not None:
                value = json.loads(value)
        if value is not None:
            values[column.name] = value
    return values
