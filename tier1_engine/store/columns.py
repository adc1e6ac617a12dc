"""Column types: text, times, enums, JSON, and tier1's own values as JSON. No table, no query.

Text comes from AWS, too: consoles, messages, other people's tags. What a database would refuse is replaced
and bounded here, where a value becomes a row, so that no text can prevent a driver from recording.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol, Self

from sqlalchemy import JSON, CheckConstraint, DateTime, Enum, String, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import MappedColumn, mapped_column
from sqlalchemy.types import TypeEngine

TEXT_CHARACTERS = 256 * 1024
"""The limit of a text column without one of its own: four consoles of EC2."""
UNKNOWN_CHARACTER = "\ufffd"
"""U+FFFD stands for what no database takes: Postgres refuses NUL, and UTF-8 has no lone surrogates."""


class CleanText(TypeDecorator[str]):
    """Text of at most `limit` characters; the rest is cut off, and what cannot be stored is replaced."""

    impl = Text
    cache_ok = True

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit = limit

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text() if self.limit is None else String(self.limit)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.stored(value)

    def stored(self, value: str) -> str:
        """Return the text as a column holds it."""
        return clean(value)[: self.limit or TEXT_CHARACTERS]


def clean(text: str) -> str:
    """Replace what Postgres or UTF-8 cannot hold."""
    if "\0" in text:
        text = text.replace("\0", UNKNOWN_CHARACTER)
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def json_text(value: Any) -> str:
    """Serialise a JSON value for either database; used by both engines."""
    text = json.dumps(value)
    return json.dumps(_clean(value)) if "\\u0000" in text or "\\ud" in text else text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value


@lru_cache(maxsize=16)
def as_text(value: datetime | None) -> str | None:
    """Format a time for SQLite: sortable ISO 8601 in UTC. Cached: a turn writes one time to many columns."""
    return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")


@lru_cache(maxsize=16)
def from_text(value: str) -> datetime:
    """Parse a time that SQLite stores as text."""
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
    """Return a column of an enum's values (SQLAlchemy would store the names), with its CHECK constraint.

    It compares the values one by one: for an IN list SQLite builds a table at every row that it checks.
    """
    values = [member.value for member in kind]
    known = Enum(
        kind, native_enum=False, create_constraint=False, length=32, values_callable=lambda _: values
    )
    return mapped_column(known, CheckConstraint(" OR ".join(f"{column} = '{v}'" for v in values), name=claim))


class JsonDocument(TypeDecorator[Any]):
    """JSON, as `jsonb` on Postgres. Loads that dialect only if used: it takes a tenth of the start time."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON(none_as_null=True))
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))


class _Stored(Protocol):
    """A value that converts itself to and from its stored form."""

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self: ...

    def to_stored(self) -> dict[str, Any]: ...


class JsonOf(JsonDocument):
    """A column of one type of value, stored as JSON; callers of the store never see the stored form."""

    cache_ok = True

    def __init__(self, kind: type[_Stored]) -> None:
        super().__init__(none_as_null=True)
        self.kind = kind

    def process_bind_param(self, value: _Stored | None, dialect: Dialect) -> dict[str, Any] | None:
        return None if value is None else value.to_stored()

    def process_result_value(self, value: Mapping[str, Any] | None, dialect: Dialect) -> _Stored | None:
        return None if value is None else self.kind.from_stored(value)
