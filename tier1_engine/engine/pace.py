"""The pace of one driver: what it knows beside the record, and lost with its process.

`Pacer` is the driver's own, changed as answers come in; `Pace` is the frozen view of it that
`decide` gets. Nothing here is ever stored: a new driver rebuilds it from the record.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tier1_engine.contract.kind import Problem, Sight
from tier1_engine.deployment.record import Record, Resource
from tier1_engine.deployment.states import StepState
from tier1_engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Pace:
    """What a driver knows beside the record. It is lost with the process and rebuilt at its start.

    All times are steady seconds.

    Attributes:
        in_flight: subjects of tasks that have not ended.
        due: before when a subject is left alone.
        counted_from: since when the driven time of a subject runs in this process.
        looked: subjects that were looked at since this driver began.
        unknown_at: by resource id, when its last unknown attempt ended, or our lease began if later.
        accepted: names of resources whose deletion AWS accepted and that may still be seen.
        unset: names of resources whose configuration differs.
        prepared: names of steps whose request is resolved.
        clean_censuses: how many in a row found nothing, and when the last one did.
        census_problem: why no census can be made.
        searched: what stood while a census was made: names of resources, and whether each was stuck by then.
        identified: AWS said that this is the deployment's account.
        blocked: what keeps us from acting at AWS, and at which step or resource it was met.
        stopping: a signal asked us to stop.
        may_delete: (kind, AWS id) of all that may be deleted; None: whatever is ours.
    """

    now: float
    wall: datetime
    grace_seconds: float
    in_flight: frozenset[str] = frozenset()
    due: Mapping[str, float] = field(default_factory=dict)
    counted_from: Mapping[str, float] = field(default_factory=dict)
    looked: frozenset[str] = frozenset()
    unknown_at: Mapping[str, float] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    unset: frozenset[str] = frozenset()
    prepared: frozenset[str] = frozenset()
    clean_censuses: int = 0
    last_census_at: float = 0.0
    archiving_kinds: frozenset[str] = frozenset()
    census_problem: Problem | None = None
    searched: frozenset[tuple[str, bool]] = frozenset()
    identified: bool = True
    blocked: Problem | None = None
    blocked_step: str | None = None
    stopping: bool = False
    may_delete: frozenset[tuple[str, str]] | None = None

    def driven(self, subject: str, before: float) -> float:
        """Driven seconds of a subject: those on record and those of this process."""
        return before + max(0.0, self.now - self.counted_from.get(subject, self.now))


class Pacer:
    """The mutable side of `Pace`, owned by the one thread that drives."""

    def __init__(self, settings: Settings, rng: random.Random) -> None:
        self.settings = settings
        self.rng = rng
        self.in_flight: set[str] = set()
        self.due: dict[str, float] = {}
        self.counted_from: dict[str, float] = {}
        self.looked: set[str] = set()
        self.unknown_at: dict[str, float] = {}
        self.exists_since: dict[str, float] = {}
        self.accepted: dict[str, float] = {}
        self.gone_at: dict[str, float] = {}
        self.listed_behind: set[str] = set()
        self.unset: dict[str, Sight] = {}
        self.prepared: dict[str, Mapping[str, Any]] = {}
        self.made_at: dict[str, float] = {}
        self.clean_censuses = 0
        self.last_census_at = 0.0
        self.archiving_kinds: frozenset[str] = frozenset()
        self.identified = False
        self.identity_tries = 0
        self.census_tries = 0
        self.census_problem: Problem | None = None
        self.searched: set[tuple[str, bool]] = set()
        self.blocked: Problem | None = None
        self.blocked_step: str | None = None
        self.stopping = False
        self.may_delete: frozenset[tuple[str, str]] | None = None
        self._rounds: dict[str, int] = {}

    def begin(self, record: Record, steady: float, wall: datetime) -> None:
        """Rebuild what the record implies, at the moment our lease began."""
        for step in record.steps.values():
            if step.state is StepState.RUNNING:
                self.counted_from[step.name] = steady
        for attempt in record.attempts.values():
            if attempt.may_have_acted and attempt.resource_id:
                self.unknown_at[attempt.resource_id] = steady
        for resource in record.resources.values():
            if resource.made_at is not None:
                # A clock that was set back must not make anything younger than this moment.
                age = max(0.0, (wall - resource.made_at).total_seconds())
                self.made_at[resource.id] = steady - age

    def turn_back(self) -> None:
        """Forget what concerned the way forward: the first deletion waits for nothing."""
        for known in (self.due, self.counted_from, self.unset, self.prepared, self.accepted, self._rounds):
            known.clear()
        self.looked.clear()
        self.searched.clear()
        self.clean_censuses = self.census_tries = 0
        self.census_problem = None

    def poll(self, subject: str, now: float) -> None:
        """Look again after an interval that grows by half each time, up to its limit."""
        rounds = self._rounds[subject] = self._rounds.get(subject, -1) + 1
        interval = self.settings.poll_seconds * 1.5 ** min(rounds, 16)
        self.due[subject] = now + min(interval, self.settings.poll_limit_seconds)

    def back_off(self, subject: str, now: float) -> None:
        """Try again after an interval that doubles each time, with jitter, up to its limit."""
        rounds = self._rounds[subject] = self._rounds.get(subject, -1) + 1
        interval = self.settings.poll_seconds * 2.0 ** min(rounds, 16)
        interval = min(interval, self.settings.poll_limit_seconds)
        self.due[subject] = now + interval * (0.5 + self.rng.random() / 2)

    def at_once(self, subject: str) -> None:
        """Progress was made: look again at once, and begin intervals anew."""
        self.due.pop(subject, None)
        self._rounds.pop(subject, None)

    def age(self, resource_id: str, now: float) -> float:
        """Seconds since AWS made it; endless when that is not known."""
        made_at = self.made_at.get(resource_id)
        return float("inf") if made_at is None else now - made_at

    def view(self, now: float, wall: datetime) -> Pace:
        """What `decide` may know."""
        return Pace(
            now=now,
            wall=wall,
            grace_seconds=self.settings.visibility_grace_seconds,
            in_flight=frozenset(self.in_flight),
            due=self.due,
            counted_from=self.counted_from,
            looked=frozenset(self.looked),
            unknown_at=self.unknown_at,
            accepted=frozenset(self.accepted),
            unset=frozenset(self.unset),
            prepared=frozenset(self.prepared),
            clean_censuses=self.clean_censuses,
            last_census_at=self.last_census_at,
            archiving_kinds=self.archiving_kinds,
            census_problem=self.census_problem,
            searched=frozenset(self.searched),
            identified=self.identified,
            blocked=self.blocked,
            blocked_step=self.blocked_step,
            stopping=self.stopping,
            may_delete=self.may_delete,
        )


def grace_end(pace: Pace, resource: Resource) -> float:
    """Until when, on the steady clock, an unknown create of it must be looked for."""
    return pace.unknown_at.get(resource.id, pace.now) + pace.grace_seconds
