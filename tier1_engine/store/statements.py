"""The statements of write transactions, each compiled once.

A turn of the engine repeats a few forms of INSERT and UPDATE after one locking SELECT. At every execution,
SQLAlchemy would look up each statement and convert its values by general rules, which costs more than SQLite
itself. Here a statement is compiled once for each kind of database and then executed directly. Values are
converted by the types of their columns, as elsewhere. Owns no table and no query.
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

from tier1_engine.store.columns import CleanText, UtcTime, as_text, from_text
from tier1_engine.store.transactions import Transaction

MAX_COMPILED = 512
"""About thirty statements exist, on two databases; a server that is upgraded meanwhile is a third."""

Values = Mapping[str, Any]
Parameters = tuple[Any, ...] | dict[str, Any]


def add(transaction: Transaction, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows that all have the same columns; the other columns get their defaults."""
    compiled = _inserting(_common(transaction.dialect), table, tuple(rows[0]))
    execute = transaction.cursor.execute
    for row in rows:
        execute(compiled.text, compiled.parameters(row))


def change(transaction: Transaction, table: Table, key: Values, values: Values) -> None:
    """Set `values` in the row with this `key`."""
    compiled = _updating(_common(transaction.dialect), table, tuple(values), tuple(key))
    parameters = {**values, **{f"at_{name}": value for name, value in key.items()}}
    transaction.cursor.execute(compiled.text, compiled.parameters(parameters))


def first(transaction: Transaction, query: Select[Any], values: Values) -> Any:
    """Return the first row of `query` with its columns as attributes, or None."""
    compiled = _selecting(_common(transaction.dialect), query)
    transaction.cursor.execute(compiled.text, compiled.parameters(values))
    row = transaction.cursor.fetchone()
    return None if row is None else compiled.row(row, transaction.cursor.description)


def every(transaction: Transaction, query: Select[Any], values: Values) -> list[Any]:
    """Return all rows of `query` with their columns as attributes."""
    compiled = _selecting(_common(transaction.dialect), query)
    cursor = transaction.cursor
    cursor.execute(compiled.text, compiled.parameters(values))
    return [compiled.row(row, cursor.description) for row in cursor.fetchall()]


class Compiled:
    """One statement compiled for one dialect, with the conversions of its parameters."""

    def __init__(self, statement: Insert | Update | Select[Any], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        # Parameters are positional for sqlite3, and named for the other driver.
        self._by_position = bool(compiled.positional)
        names = (compiled.positiontup if compiled.positional else list(compiled.binds)) or []
        self._names = tuple(names)
        binds = {name: compiled.binds[name] for name in names}
        self._constants = {name: bind.value for name, bind in binds.items() if not bind.required}
        converts = [_into(binds[name].type, dialect) for name in names]
        self._converted = [(at, convert) for at, convert in enumerate(converts) if convert is not None]

    def parameters(self, values: Values) -> Parameters:
        """Convert the values for the database driver."""
        if self._constants:
            values = {**self._constants, **values}
        found = [values[name] for name in self._names]
        for at, convert in self._converted:
            if found[at] is not None:
                found[at] = convert(found[at])
        return tuple(found) if self._by_position else dict(zip(self._names, found, strict=True))


class Selecting(Compiled):
    """One compiled query, with the conversions of its columns."""

    def __init__(self, query: Select[Any], dialect: Dialect) -> None:
        super().__init__(query, dialect)
        self._dialect = dialect
        self._types = [column.type for column in query.selected_columns]
        names = [str(column.key) for column in query.selected_columns]
        self._made = _row_of(names)
        self._back: list[tuple[int, Callable[[Any], Any]]] | None = None

    def row(self, found: Sequence[Any], description: Sequence[Any]) -> Any:
        """Return the row with its values converted to Python.

        Args:
            description: of the driver's cursor (PEP 249); the conversions depend on the types in it.
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
    """Return the conversion of a column's values for the driver: SQLAlchemy's, or a faster equivalent."""
    if isinstance(type, Enum):
        return _VALUE
    if isinstance(type, CleanText):
        return type.stored
    if isinstance(type, UtcTime) and dialect.name != "postgresql":
        return as_text
    convert: Callable[[Any], Any] | None = type.dialect_impl(dialect).bind_processor(dialect)
    return convert


def _out_of(type: Any, code: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return the conversion of the driver's values for a column: SQLAlchemy's, or a faster equivalent."""
    if isinstance(type, Enum) and type.enum_class is not None:
        return {member.value: member for member in type.enum_class}.__getitem__
    if isinstance(type, UtcTime) and dialect.name != "postgresql":
        return from_text
    convert: Callable[[Any], Any] | None = type.dialect_impl(dialect).result_processor(dialect, code)
    return convert


_DIALECTS: dict[tuple[Any, ...], Dialect] = {}


def _common(dialect: Dialect) -> Dialect:
    """Return the dialect for which all engines of this kind of database compile.

    Each engine has a dialect object of its own, but `database.connect` gives all of them the same options,
    so that only the database and its version make a difference.
    """
    return _DIALECTS.setdefault((dialect.name, dialect.driver, dialect.server_version_info), dialect)


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
