"""How values stand in columns: times, enums, JSON, and values of ours as JSON. No table, no query."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol, Self

from sqlalchemy import JSON, CheckConstraint, DateTime, Enum, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import MappedColumn, mapped_column
from sqlalchemy.types import TypeEngine


@lru_cache(maxsize=16)
def as_text(value: datetime | None) -> str | None:
    """How SQLite keeps a time: ISO 8601 in UTC, which sorts. A turn writes one time into many columns."""
    return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")


@lru_cache(maxsize=16)
def from_text(value: str) -> datetime:
    """The time that SQLite keeps as this text."""
    return datetime.fromisoformat(value).astimezone(UTC)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time: `timestamptz` on Postgres, ISO 8601 text (which sorts) on SQLite."""

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(DateTime(timezone=True) if postgres else String(32))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else as_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return from_text(value) if isinstance(value, str) else value.astimezone(UTC)


def one_of(kind: type[StrEnum], column: str, claim: str) -> MappedColumn[Any]:
    """A column of an enum's values (SQLAlchemy would store the names), and the constraint that it is one.

    The values are compared one by one: SQLite makes a table of an IN list anew at every row it checks.
    """
    values = [member.value for member in kind]
    known = Enum(
        kind, native_enum=False, create_constraint=False, length=32, values_callable=lambda _: values
    )
    return mapped_column(known, CheckConstraint(" OR ".join(f"{column} = '{v}'" for v in values), name=claim))


class JsonDocument(TypeDecorator[Any]):
    """JSON, as `jsonb` on Postgres. That dialect is loaded where it is used: it takes a tenth of a start."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON(none_as_null=True))
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))


class _Stored(Protocol):
    """A value that says itself how it is stored."""

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self: ...

    def to_stored(self) -> dict[str, Any]: ...


class JsonOf(JsonDocument):
    """JSON of one type of value: no caller of the store sees the stored form."""

    cache_ok = True

    def __init__(self, kind: type[_Stored]) -> None:
        super().__init__(none_as_null=True)
        self.kind = kind

    def process_bind_param(self, value: _Stored | None, dialect: Dialect) -> dict[str, Any] | None:
        return None if value is None else value.to_stored()

    def process_result_value(self, value: Mapping[str, Any] | None, dialect: Dialect) -> _Stored | None:
        return None if value is None else self.kind.from_stored(value)
