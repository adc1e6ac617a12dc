"""The statements that a turn writes, each put into words once.

A turn of the engine writes the same few shapes of INSERT and UPDATE again and again. SQLAlchemy would
look each of them up, and convert its parameters by general rules, at every execution: that costs more
than SQLite itself. Here a statement is compiled once for a dialect and then executed as it stands.
Values are converted by their columns' types as anywhere else. Owns no table and no query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, update
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import Insert, Update

MAX_COMPILED = 512
"""Some thirty shapes exist; every engine that is made brings a dialect of its own."""

Values = Mapping[str, Any]
Parameters = tuple[Any, ...] | dict[str, Any]


def add(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows that all name the same columns; a column that none names gets its default."""
    compiled = _inserting(connection.dialect, table, tuple(rows[0]))
    connection.exec_driver_sql(compiled.text, [compiled.parameters(row) for row in rows])


def change(connection: Connection, table: Table, key: Values, values: Values) -> None:
    """Set `values` in the one row that `key` names."""
    compiled = _updating(connection.dialect, table, tuple(values), tuple(key))
    parameters = {**values, **{f"at_{name}": value for name, value in key.items()}}
    connection.exec_driver_sql(compiled.text, compiled.parameters(parameters))


class Compiled:
    """One statement in the words of one dialect, and how each of its parameters is converted."""

    def __init__(self, statement: Insert | Update, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        # By position where the driver takes parameters by position (sqlite3), by name elsewhere.
        self._by_position = bool(compiled.positional)
        names = compiled.positiontup if compiled.positional else list(compiled.binds)
        self._converted = [(name, _converter(compiled.binds[name].type, dialect)) for name in names or ()]

    def parameters(self, values: Values) -> Parameters:
        """The values as the database driver takes them."""
        if self._by_position:
            return tuple([convert(values[name]) for name, convert in self._converted])
        return {name: convert(values[name]) for name, convert in self._converted}


def _converter(type: Any, dialect: Dialect) -> Callable[[Any], Any]:
    return type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


@lru_cache(maxsize=MAX_COMPILED)
def _inserting(dialect: Dialect, table: Table, names: tuple[str, ...]) -> Compiled:
    statement = insert(table).values({name: bindparam(name) for name in names}).inline()
    return Compiled(statement, dialect)


@lru_cache(maxsize=MAX_COMPILED)
def _updating(dialect: Dialect, table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> Compiled:
    found = [table.c[name] == bindparam(f"at_{name}") for name in key]
    statement = update(table).where(*found).values({name: bindparam(name) for name in names})
    return Compiled(statement, dialect)
