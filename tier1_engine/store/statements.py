"""The statements of a transaction that writes, each put into words once.

A turn of the engine writes the same few shapes of INSERT and UPDATE again and again, after one SELECT
that locks. SQLAlchemy would look each of them up, and convert its values by general rules, at every
execution: that costs more than SQLite itself. Here a statement is compiled once for a dialect and then
executed as it stands. Values are converted by their columns' types as anywhere else. Owns no table and
no query.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from sqlalchemy import Enum, Select, Table, bindparam, insert, update
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import Insert, Update

from tier1_engine.store.columns import UtcTime, as_text, from_text
from tier1_engine.store.transactions import Transaction

MAX_COMPILED = 512
"""Some thirty shapes exist; every engine that is made brings a dialect of its own."""

Values = Mapping[str, Any]
Parameters = tuple[Any, ...] | dict[str, Any]


def add(transaction: Transaction, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows that all name the same columns; a column that none names gets its default."""
    compiled = _inserting(transaction.dialect, table, tuple(rows[0]))
    execute = transaction.cursor.execute
    for row in rows:
        execute(compiled.text, compiled.parameters(row))


def change(transaction: Transaction, table: Table, key: Values, values: Values) -> None:
    """Set `values` in the one row that `key` names."""
    compiled = _updating(transaction.dialect, table, tuple(values), tuple(key))
    parameters = {**values, **{f"at_{name}": value for name, value in key.items()}}
    transaction.cursor.execute(compiled.text, compiled.parameters(parameters))


def first(transaction: Transaction, query: Select[Any], values: Values) -> Any:
    """The first row that `query` finds, by column name, or None."""
    compiled = _selecting(transaction.dialect, query)
    transaction.cursor.execute(compiled.text, compiled.parameters(values))
    row = transaction.cursor.fetchone()
    return None if row is None else compiled.row(row, transaction.cursor.description)


def every(transaction: Transaction, query: Select[Any], values: Values) -> list[Any]:
    """All rows that `query` finds, by column name."""
    compiled = _selecting(transaction.dialect, query)
    cursor = transaction.cursor
    cursor.execute(compiled.text, compiled.parameters(values))
    return [compiled.row(row, cursor.description) for row in cursor.fetchall()]


class Compiled:
    """One statement in the words of one dialect, and how each of its parameters is converted."""

    def __init__(self, statement: Insert | Update | Select[Any], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        # By position where the driver takes parameters by position (sqlite3), by name elsewhere.
        self._by_position = bool(compiled.positional)
        names = (compiled.positiontup if compiled.positional else list(compiled.binds)) or []
        self._names = tuple(names)
        binds = {name: compiled.binds[name] for name in names}
        self._constants = {name: bind.value for name, bind in binds.items() if not bind.required}
        converts = [_into(binds[name].type, dialect) for name in names]
        self._converted = [(at, convert) for at, convert in enumerate(converts) if convert is not None]

    def parameters(self, values: Values) -> Parameters:
        """The values as the database driver takes them."""
        if self._constants:
            values = {**self._constants, **values}
        found = [values[name] for name in self._names]
        for at, convert in self._converted:
            if found[at] is not None:
                found[at] = convert(found[at])
        return tuple(found) if self._by_position else dict(zip(self._names, found, strict=True))


class Selecting(Compiled):
    """A query, and how each column of a row that it finds is converted back."""

    def __init__(self, query: Select[Any], dialect: Dialect) -> None:
        super().__init__(query, dialect)
        self._dialect = dialect
        self._types = [column.type for column in query.selected_columns]
        names = [str(column.key) for column in query.selected_columns]
        self._made = _row_of(names)
        self._back: list[tuple[int, Callable[[Any], Any]]] | None = None

    def row(self, found: Sequence[Any], description: Sequence[Any]) -> Any:
        """The row, with its values as Python has them.

        Args:
            description: of the driver's cursor (PEP 249); how a value is converted depends on the types
                that the database names there.
        """
        if self._back is None:
            codes = [column[1] for column in description]
            converts = [_out_of(*each, self._dialect) for each in zip(self._types, codes, strict=True)]
            self._back = [(at, convert) for at, convert in enumerate(converts) if convert is not None]
        values = list(found)
        for at, convert in self._back:
            if values[at] is not None:
                values[at] = convert(values[at])
        return self._made._make(values)


def _into(type: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """How a value of a column becomes what the driver takes: what SQLAlchemy does, by the shortest way."""
    if isinstance(type, Enum):
        return _VALUE
    if isinstance(type, UtcTime) and dialect.name != "postgresql":
        return as_text
    convert: Callable[[Any], Any] | None = type.dialect_impl(dialect).bind_processor(dialect)
    return convert


def _out_of(type: Any, code: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """How what the driver gives becomes a value of a column, by as short a way."""
    if isinstance(type, Enum) and type.enum_class is not None:
        return {member.value: member for member in type.enum_class}.__getitem__
    if isinstance(type, UtcTime) and dialect.name != "postgresql":
        return from_text
    convert: Callable[[Any], Any] | None = type.dialect_impl(dialect).result_processor(dialect, code)
    return convert


_VALUE = attrgetter("value")
_row_of: Callable[[Sequence[str]], Any] = partial(namedtuple, "Row")


@lru_cache(maxsize=MAX_COMPILED)
def _inserting(dialect: Dialect, table: Table, names: tuple[str, ...]) -> Compiled:
    statement = insert(table).values({name: bindparam(name) for name in names}).inline()
    return Compiled(statement, dialect)


@lru_cache(maxsize=MAX_COMPILED)
def _updating(dialect: Dialect, table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> Compiled:
    found = [table.c[name] == bindparam(f"at_{name}") for name in key]
    statement = update(table).where(*found).values({name: bindparam(name) for name in names})
    return Compiled(statement, dialect)


@lru_cache(maxsize=MAX_COMPILED)
def _selecting(dialect: Dialect, query: Select[Any]) -> Selecting:
    return Selecting(query, dialect)
