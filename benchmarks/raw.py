"""The throughput of the database itself: two commits a step with its plain driver, and nothing around them.

The first commit inserts the intent, the second writes the result, as any durable step must at least. The
table is in the same database, or in a file beside it, and is dropped at the end.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL

BUSY_SECONDS = 60.0
COLUMNS = "id TEXT PRIMARY KEY, workflow INTEGER, step INTEGER, state TEXT, request TEXT, result TEXT"
REQUEST = '{"before": "nothing-0123456789abcdef0123-1-0"}'

Workflow = Callable[[int], None]


def seconds(url: URL, *, workflows: int, steps: int, threads: int) -> float:
    """How long the same number of steps takes, `threads` workflows at a time."""
    if url.get_backend_name() == "sqlite":
        return _on_sqlite(Path(f"{url.database}.raw-{secrets.token_hex(4)}"), workflows, steps, threads)
    return _on_postgres(url, workflows, steps, threads)


def _timed(workflow: Workflow, workflows: int, threads: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(workflow, range(workflows)))
    return time.perf_counter() - began


def connect(path: Path) -> sqlite3.Connection:
    """A connection that is as durable as the engine's."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _on_sqlite(path: Path, workflows: int, steps: int, threads: int) -> float:
    def workflow(number: int) -> None:
        with closing(connect(path)) as connection:
            for step in range(steps):
                id = f"{number}-{step}"
                connection.execute("BEGIN IMMEDIATE")
                intent = (id, number, step, "running", REQUEST)
                connection.execute("INSERT INTO raw VALUES (?, ?, ?, ?, ?, NULL)", intent)
                connection.execute("COMMIT")
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE raw SET state = 'done', result = ? WHERE id = ?", (id, id))
                connection.execute("COMMIT")

    try:
        # A connection stays open meanwhile: closing the last one would write the log back each time.
        with closing(connect(path)) as kept:
            kept.execute(f"CREATE TABLE raw ({COLUMNS})")
            return _timed(workflow, workflows, threads)
    finally:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _on_postgres(url: URL, workflows: int, steps: int, threads: int) -> float:
    import psycopg
    from psycopg import sql

    table = sql.Identifier(f"tier1_raw_{secrets.token_hex(4)}")
    insert = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, NULL)").format(table)
    update = sql.SQL("UPDATE {} SET state = 'done', result = %s WHERE id = %s").format(table)
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def workflow(number: int) -> None:
        with psycopg.connect(address) as connection:
            for step in range(steps):
                id = f"{number}-{step}"
                connection.execute(insert, (id, number, step, "running", REQUEST))
                connection.commit()
                connection.execute(update, (id, id))
                connection.commit()

    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(COLUMNS)))
        try:
            return _timed(workflow, workflows, threads)
        finally:
            owner.execute(sql.SQL("DROP TABLE {}").format(table))
