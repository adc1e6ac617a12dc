"""What follows from an answer: changes of the record, and changes of the pace, both as values.

They are collected through a turn. The store writes the former, a driver takes on both once that is done; so a
commit that fails leaves both as they were. Nothing here has an effect by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tier1_engine.deployment.record import Change


@dataclass(frozen=True, slots=True)
class Poll:
    """Look again after an interval that grows by half each time, up to its limit.

    Attributes:
        no_later_than: steady seconds.
    """

    subject: str
    no_later_than: float = float("inf")


@dataclass(frozen=True, slots=True)
class BackOff:
    """Try again after an interval that doubles each time, up to its limit.

    Attributes:
        jitter: from 0 to 1; half of the interval is fixed, and this share of the other half is waited.
    """

    subject: str
    jitter: float


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Progress was made: look again at once, and begin intervals anew."""

    subject: str


Memory = Literal[
    "counted_from", "unknown_at", "exists_since", "accepted", "gone_at", "unset", "prepared", "made_at"
]
"""The fields of `Pace` that keep one thing of each subject or resource."""


@dataclass(frozen=True, slots=True)
class Learn:
    """Keep something of a subject or resource."""

    memory: Memory
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Forget:
    """Keep it no longer."""

    memory: Memory
    key: str


@dataclass(frozen=True, slots=True)
class PaceSet:
    """Other values in the fields of the pace."""

    values: Mapping[str, Any]


PaceChange = Poll | BackOff | AtOnce | Learn | Forget | PaceSet
Effect = Change | PaceChange
"""What follows from an answer: on record, or in the pace."""


def on_record(effects: Iterable[Effect]) -> list[Change]:
    """The effects that are written to the database."""
    return [one for one in effects if not isinstance(one, Poll | BackOff | AtOnce | Learn | Forget | PaceSet)]
