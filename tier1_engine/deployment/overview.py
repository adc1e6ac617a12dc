"""Deployments as those see them who do not drive them: a list, a sweep, a time line. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import Deployment, Resource
from tier1_engine.deployment.states import State, Trigger


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the time line."""

    at: datetime
    trigger: Trigger | None
    from_state: State | None
    to_state: State | None
    step: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A deployment as `list` shows it.

    Attributes:
        holder: as `lease` wrote it, with since and expires_at; None when nobody drives.
        remaining: owned resources that are not yet gone, those that may exist included.
    """

    deployment: Deployment
    holder: Mapping[str, Any] | None
    lease_since: datetime | None
    lease_expires_at: datetime | None
    remaining: int


@dataclass(frozen=True, slots=True)
class Known:
    """One deployment of this database.

    Attributes:
        last_event: the id of the last line of its time line.
        driver: who drives it now, in words; None when nobody does.
        remaining: what is ours and not gone, the last step first.
        holds: (kind, AWS id) of every row that is not deleted, brought and retained ones too, with the
            request that it was made by.
        expects: (kind, `tier1:resource` tag) of creates whose answer never came.
        positions: of the steps that make something: the highest position of each kind.
        retains: something was kept on the operator's word.
    """

    deployment: Deployment
    last_event: int
    last_event_at: datetime
    driver: str | None = None
    remaining: tuple[Resource, ...] = ()
    holds: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    expects: frozenset[tuple[str, str]] = frozenset()
    positions: Mapping[str, int] = field(default_factory=dict)
    retains: bool = False

    @property
    def place(self) -> Place:
        d = self.deployment
        return Place(d.account_id, d.region, d.profile, d.endpoint)
