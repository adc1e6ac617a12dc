"""Views of deployments for readers other than their driver: a list, a sweep, a timeline. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import Deployment, Resource
from tier1_engine.deployment.states import State, Trigger


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline. `actor`: who ran the command that caused it."""

    at: datetime
    trigger: Trigger | None
    from_state: State | None
    to_state: State | None
    step: str | None
    message: str
    actor: Actor | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A deployment as `list` shows it.

    Attributes:
        holder: the lease holder as `lease` stored it; None if nobody holds the lease.
        remaining: the number of owned resources that exist or may exist.
    """

    deployment: Deployment
    holder: Mapping[str, Any] | None
    lease_since: datetime | None
    lease_expires_at: datetime | None
    remaining: int


@dataclass(frozen=True, slots=True)
class Known:
    """What a sweep knows about one deployment of this database.

    Attributes:
        last_event: the id of the last line of its timeline.
        driver: a description of its current driver; None if it is not running.
        remaining: the owned resources that are not gone, last step first.
        holds: (kind, AWS id) of every row that is not deleted, including references and retained
            resources, with its request; also of what AWS made together with one.
        expects: (kind, `tier1:resource` tag) of creates without a known outcome.
        positions: the highest position of the steps that create each kind.
        retains: whether the operator retained something.
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
