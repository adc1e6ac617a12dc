"""The effects of an answer: changes of the record and changes of the pace, both as values.

A turn collects them. The store writes the changes of the record; once that succeeds, the driver applies both.
So a failed commit leaves both as they were. Nothing here acts by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tier1_engine.deployment.record import Change


@dataclass(frozen=True, slots=True)
class Poll:
    """Observe again after an interval that grows by half each time, up to its limit.

    Attributes:
        no_later_than: steady seconds.
    """

    subject: str
    no_later_than: float = float("inf")


@dataclass(frozen=True, slots=True)
class BackOff:
    """Retry after an interval that doubles each time, up to its limit.

    Attributes:
        jitter: from 0 to 1. Half of the interval is fixed; this share of the other half is added.
    """

    subject: str
    jitter: float


@dataclass(frozen=True, slots=True)
class AtOnce:
    """There was progress: observe again at once, and reset the intervals."""

    subject: str


Memory = Literal[
    "counted_from",
    "unknown_at",
    "exists_since",
    "unproved_since",
    "refused_since",
    "accepted",
    "gone_at",
    "unset",
    "prepared",
]
"""The fields of `Pace` that map a subject or resource to one value. `made_at` follows the record."""


@dataclass(frozen=True, slots=True)
class Learn:
    """Store a value for a subject or resource."""

    memory: Memory
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop the value stored for a subject or resource."""

    memory: Memory
    key: str


@dataclass(frozen=True, slots=True)
class PaceSet:
    """Set fields of the pace."""

    values: Mapping[str, Any]


PaceChange = Poll | BackOff | AtOnce | Learn | Forget | PaceSet
Effect = Change | PaceChange
"""One change of the record or of the pace."""


def on_record(effects: Iterable[Effect]) -> list[Change]:
    """Return the effects that are written to the database."""
    return [one for one in effects if not isinstance(one, Poll | BackOff | AtOnce | Learn | Forget | PaceSet)]
