"""The pace of one driver: its in-memory state beside the record, lost with its process.

`Pace` is a value, as the record is: `effects` change it, and the driver adopts the new one once the turn is
committed. It is never stored: a new driver rebuilds it from the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from tier1_engine.contract.kind import Observation, Problem
from tier1_engine.deployment.record import (
    Move,
    Record,
    Resource,
    ResourceAdd,
    ResourceSet,
    StepSet,
    with_values,
)
from tier1_engine.deployment.standing import configured_without_reply
from tier1_engine.deployment.states import GOING_BACK, ResourceState, StepState
from tier1_engine.engine.effects import AtOnce, BackOff, Effect, Forget, Learn, PaceSet, Poll
from tier1_engine.settings import Settings

Value = TypeVar("Value")
HOLDER_WAITS = 4
"""How often what holds a resource may be seen for the time of `Pace.holder_seconds` before it is given up."""


@dataclass(frozen=True)
class Pace:
    """The in-memory state of a driver at one moment. All times are steady seconds.

    It has no slots because `with_values` copies its `__dict__`, about a dozen times a turn.

    Attributes:
        in_flight: subjects of tasks that have not ended.
        due: when a subject is next acted on. rounds: how often in a row it has been put off.
        counted_from: since when this process counts the driven time of a subject.
        looked: subjects observed since this driver started.
        unknown_at: by resource id, when its last unknown attempt ended, or when the lease began if later.
        made_at: by resource id, when it got its AWS id: it was created, adopted, or found as a duplicate.
        gone_at: by resource id, when an observation showed it gone.
        unproved_since: by name, since when AWS shows a resource without the tags that prove it.
        exists_since: by step, since when AWS answers that the resource to create already exists.
        refused_since: by subject, since when AWS refuses access to its calls, or cannot be reached.
        accepted: by name, when AWS accepted the deletion of a resource that may still be visible.
        unset: by step, the last observation of a resource whose configuration differs.
        prepared: by step, its resolved request.
        clean_censuses: how many censuses in a row found nothing. last_census_at: when the last one ended.
        census_problem: why no census is possible.
        listed_behind: AWS ids of resources that are gone but were still listed.
        searched: resources that a search census covered: their names, and whether each was stuck then.
        identified: whether AWS confirmed that this is the deployment's account.
        blocked: the problem that prevents all calls. blocked_step: the step that met it.
        stopping: whether a signal asked this process to stop.
        may_delete: (kind, AWS id) of everything that may be deleted; None allows everything owned.
    """

    now: float
    wall: datetime
    settings: Settings
    in_flight: frozenset[str] = frozenset()
    due: Mapping[str, float] = field(default_factory=dict)
    rounds: Mapping[str, int] = field(default_factory=dict)
    counted_from: Mapping[str, float] = field(default_factory=dict)
    looked: frozenset[str] = frozenset()
    unknown_at: Mapping[str, float] = field(default_factory=dict)
    made_at: Mapping[str, float] = field(default_factory=dict)
    gone_at: Mapping[str, float] = field(default_factory=dict)
    exists_since: Mapping[str, float] = field(default_factory=dict)
    unproved_since: Mapping[str, float] = field(default_factory=dict)
    refused_since: Mapping[str, float] = field(default_factory=dict)
    accepted: Mapping[str, float] = field(default_factory=dict)
    unset: Mapping[str, Observation] = field(default_factory=dict)
    prepared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    clean_censuses: int = 0
    last_census_at: float = 0.0
    census_attempts: int = 0
    census_problem: Problem | None = None
    listed_behind: frozenset[str] = frozenset()
    searched: frozenset[tuple[str, bool]] = frozenset()
    archiving_kinds: frozenset[str] = frozenset()
    identified: bool = False
    identity_attempts: int = 0
    blocked: Problem | None = None
    blocked_step: str | None = None
    stopping: bool = False
    may_delete: frozenset[tuple[str, str]] | None = None

    @property
    def grace_seconds(self) -> float:
        return self.settings.visibility_grace_seconds

    def holder_seconds(self, delete_seconds: float) -> float:
        """Return after how long a refused deletion is asked what holds the resource.

        Until then what is being deleted beside it may be the reason. After `HOLDER_WAITS` times as long it is
        given up; that comes before the deadline of the deletion.
        """
        return min(self.grace_seconds, delete_seconds / (HOLDER_WAITS + 1))

    def driven(self, subject: str, before: float) -> float:
        """Return the driven seconds of a subject: `before`, as recorded, plus those of this process.

        The time without access to AWS does not count.
        """
        until = self.refused_since.get(subject, self.now)
        return before + max(0.0, until - self.counted_from.get(subject, until))

    def seconds_without_access(self, subject: str) -> float:
        """Return for how long AWS has refused access to the subject's calls, or could not be reached."""
        return self.now - self.refused_since.get(subject, self.now)

    def age(self, resource_id: str) -> float:
        """Return the seconds since AWS created the resource; infinity if that is unknown."""
        made_at = self.made_at.get(resource_id)
        return float("inf") if made_at is None else self.now - made_at

    def apply(self, effects: Iterable[Effect]) -> Pace:
        """Return the pace after `effects`."""
        pace = self
        for effect in effects:
            pace = _after(pace, effect)
        return pace


def _after(pace: Pace, effect: Effect) -> Pace:
    match effect:
        case Poll(subject, no_later_than):
            return _put_off(pace, subject, 1.5, 1.0, no_later_than)
        case BackOff(subject, jitter):
            return _put_off(pace, subject, 2.0, 0.5 + jitter / 2)
        case AtOnce(subject):
            left = {"due": _without(pace.due, subject), "rounds": _without(pace.rounds, subject)}
            return with_values(pace, left)
        case Learn(memory, key, value):
            return with_values(pace, {memory: {**getattr(pace, memory), key: value}})
        case Forget(memory, key):
            return with_values(pace, {memory: _without(getattr(pace, memory), key)})
        case PaceSet(values):
            return with_values(pace, values)
        case ResourceAdd(Resource(id=id, made_at=made_at)) | ResourceSet(id, {"made_at": made_at}):
            return with_values(pace, {"made_at": _aged(pace, id, made_at)})
        case Move() if effect.target in GOING_BACK:
            return _turned_back(pace)
    return pace


def _put_off(
    pace: Pace, subject: str, growth: float, share: float, no_later_than: float = float("inf")
) -> Pace:
    rounds, settings = pace.rounds.get(subject, -1) + 1, pace.settings
    interval = min(settings.poll_seconds * growth ** min(rounds, 16), settings.poll_limit_seconds)
    due = min(pace.now + interval * share, no_later_than)
    later = {"due": {**pace.due, subject: due}, "rounds": {**pace.rounds, subject: rounds}}
    return with_values(pace, later)


def _aged(pace: Pace, resource_id: str, made_at: datetime | None) -> Mapping[str, float]:
    """Count the age from now: of what was created, adopted or found beside; of what has no id, forget it."""
    return _without(pace.made_at, resource_id) if made_at is None else {**pace.made_at, resource_id: pace.now}


def _without(known: Mapping[str, Value], key: str) -> Mapping[str, Value]:
    return {k: v for k, v in known.items() if k != key} if key in known else known


def _turned_back(pace: Pace) -> Pace:
    """Forget what concerned provisioning: the first deletion waits for nothing."""
    none: Mapping[str, Any] = {}
    return replace(
        pace,
        due=none,
        rounds=none,
        counted_from=none,
        unset=none,
        prepared=none,
        refused_since=none,
        accepted=none,
        unproved_since=none,
        looked=frozenset(),
        searched=frozenset(),
        clean_censuses=0,
        census_attempts=0,
        census_problem=None,
    )


# --- beside the record


def rebuilt(pace: Pace, record: Record) -> Pace:
    """Return the pace that the record implies when the lease begins."""
    running = [step.name for step in record.steps.values() if step.state is StepState.RUNNING]
    created = {a.resource_id for a in record.attempts.values() if a.may_have_acted and a.resource_id}
    unknown = created | configured_without_reply(record)
    # A clock that was set back must not make anything younger than this moment.
    ages = {
        row.id: max(0.0, (pace.wall - row.made_at).total_seconds())
        for row in record.resources.values()
        if row.made_at is not None
    }
    return replace(
        pace,
        counted_from=dict.fromkeys(running, pace.now),
        unknown_at=dict.fromkeys(unknown, pace.now),
        made_at={resource_id: pace.now - age for resource_id, age in ages.items()},
    )


def driven_time(record: Record, pace: Pace) -> list[Effect]:
    """Record the driven time of everything that runs; deadlines continue from there after a restart."""
    effects: list[Effect] = []
    for subject in pace.counted_from:
        step, resource = record.steps.get(subject), record.resource_of(subject)
        if step is not None and step.state is StepState.RUNNING:
            driven = pace.driven(subject, step.driven_seconds)
            effects.append(StepSet(subject, {"driven_seconds": driven}))
        elif resource is not None and resource.state is ResourceState.DELETING:
            driven = pace.driven(subject, resource.driven_seconds)
            effects.append(ResourceSet(resource.id, {"driven_seconds": driven}))
        else:
            continue
        effects.append(Learn("counted_from", subject, pace.now))
    return effects


def grace_end(pace: Pace, resource: Resource) -> float:
    """Return the steady time until which the result of an unknown create must be searched for."""
    return pace.unknown_at.get(resource.id, pace.now) + pace.grace_seconds
