"""Postgres databases that tests reuse: creating and dropping one costs more than most tests.

Owns the reset of a database to its new state. Only rows are reset. A database whose schema, settings or
permissions were changed is not reused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

WAIT_MILLISECONDS = 5000
"""The time limit for connections that a test left open to end."""

Seeds = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class _New:
    """A database as it was made: its shape, and the rows that it had."""

    shape: list[tuple[Any, ...]]
    seeds: Seeds


class PostgresPool:
    """The databases of one process of tests.

    Args:
        make: creates another with the schema, and returns its URL; the caller drops it.
    """

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._free: list[str] = []
        self._new: dict[str, _New] = {}

    @contextmanager
    def taken(self) -> Iterator[str]:
        """One that is as if it were new, for as long as the block lasts."""
        url = self._free.pop() if self._free else self._made()
        yield url
        if _renewed(url, self._new[url]):
            self._free.append(url)

    def _made(self) -> str:
        import psycopg
        from psycopg.sql import SQL, Identifier

        url = self._make()
        with psycopg.connect(url) as connection:
            rows = {
                table: connection.execute(SQL("SELECT * FROM {}").format(Identifier(table))).fetchall()
                for table in _tables(connection)
            }
            self._new[url] = _New(_shape(connection), rows)
        return url


def _renewed(url: str, new: _New) -> bool:
    """Put it back to its first rows; whether that is all that it needed."""
    import psycopg
    from psycopg.sql import SQL, Identifier, Placeholder

    with psycopg.connect(url) as connection:
        connection.execute(_END_OTHERS, (WAIT_MILLISECONDS,))
        if _shape(connection) != new.shape:
            return False
        connection.execute("SET LOCAL session_replication_role = replica")  # no foreign key minds the order
        for table, rows in new.seeds.items():
            connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
            for row in rows:
                values = SQL(", ").join(Placeholder() * len(row))
                connection.execute(SQL("INSERT INTO {} VALUES ({})").format(Identifier(table), values), row)
        connection.execute(_RESTART_SEQUENCES)
    return True


def _tables(connection: Any) -> list[str]:
    return [name for (name,) in connection.execute(_TABLES).fetchall()]


def _shape(connection: Any) -> list[tuple[Any, ...]]:
    """All of a database but its rows, as far as a test could change it."""
    found: list[tuple[Any, ...]] = connection.execute(_SHAPE).fetchall()
    return found


_TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_END_OTHERS = """
    SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_RESTART_SEQUENCES = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'public'
"""
_SHAPE = """
    SELECT 'relation', c.relname::text, c.relkind::text, c.relacl::text, c.relowner::text, t.columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN LATERAL (
        SELECT string_agg(
            concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity, a.attacl,
                      pg_get_expr(d.adbin, d.adrelid)),
            ', ' ORDER BY a.attnum
        ) AS columns
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0
    ) t ON true
    WHERE n.nspname = 'public'
    UNION ALL
    SELECT 'constraint', conname::text, contype::text, pg_get_constraintdef(oid), conrelid::text, null
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', indexname::text, tablename::text, indexdef, null, null
    FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'trigger', tgname::text, tgrelid::text, tgenabled::text, pg_get_triggerdef(oid), null
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', proname::text, prosrc, proacl::text, null, null
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'schema', nspname::text, nspacl::text, nspowner::text, null, null
    FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
    UNION ALL
    SELECT 'extension', extname::text, null, null, null, null FROM pg_extension
    UNION ALL
    SELECT 'database', datacl::text, datallowconn::text, datconnlimit::text, datdba::text, null
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'setting', setrole::text, setconfig::text, null, null, null
    FROM pg_db_role_setting
    WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY 1, 2, 3, 4, 5, 6
"""
