"""The pace of one driver: what it knows beside the record, and lost with its process.

`Pace` is a value, as the record is: `effects` change it, and a driver takes on the new one once the turn is
committed. Nothing here is ever stored: a new driver rebuilds it from the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from tier1_engine.contract.kind import Observation, Problem
from tier1_engine.deployment.record import Move, Record, Resource, ResourceSet, StepSet
from tier1_engine.deployment.states import GOING_BACK, ResourceState, StepState
from tier1_engine.engine.effects import AtOnce, BackOff, Effect, Forget, Learn, PaceSet, Poll
from tier1_engine.settings import Settings

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Pace:
    """What a driver knows beside the record, at one moment. All times are steady seconds.

    Attributes:
        in_flight: subjects of tasks that have not ended.
        due: before when a subject is left alone; `rounds` how often it was put off in a row.
        counted_from: since when the driven time of a subject runs in this process.
        looked: subjects that were looked at since this driver began.
        unknown_at: by resource id, when its last unknown attempt ended, or our lease began if later.
        made_at, gone_at: by resource id, when AWS made it, and when a look showed it gone.
        exists_since: by step, since when AWS says that what is to be made exists.
        accepted: by name, when AWS accepted the deletion of what may still be seen.
        unset: by step, what was seen of a resource whose configuration differs.
        prepared: by step, its resolved request.
        clean_censuses: how many in a row found nothing, and when the last one did.
        census_problem: why no census can be made.
        listed_behind: AWS ids of what is gone and was still listed.
        searched: what stood while a census was made: names of resources, and whether each was stuck by then.
        identified: AWS said that this is the deployment's account.
        blocked: what keeps us from acting at AWS, and at which step or resource it was met.
        stopping: a signal asked us to stop.
        may_delete: (kind, AWS id) of all that may be deleted; None: whatever is ours.
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

    def driven(self, subject: str, before: float) -> float:
        """Driven seconds of a subject: those on record and those of this process."""
        return before + max(0.0, self.now - self.counted_from.get(subject, self.now))

    def age(self, resource_id: str) -> float:
        """Seconds since AWS made it; endless when that is not known."""
        made_at = self.made_at.get(resource_id)
        return float("inf") if made_at is None else self.now - made_at

    def apply(self, effects: Iterable[Effect]) -> Pace:
        """The pace as it will be once `effects` are committed."""
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
            return replace(pace, due=_without(pace.due, subject), rounds=_without(pace.rounds, subject))
        case Learn(memory, key, value):
            return _with(pace, {memory: {**getattr(pace, memory), key: value}})
        case Forget(memory, key):
            return _with(pace, {memory: _without(getattr(pace, memory), key)})
        case PaceSet(values):
            return _with(pace, values)
        case Move() if effect.target in GOING_BACK:
            return _turned_back(pace)
    return pace


def _with(pace: Pace, values: Mapping[str, Any]) -> Pace:
    return replace(pace, **values)


def _put_off(
    pace: Pace, subject: str, growth: float, share: float, no_later_than: float = float("inf")
) -> Pace:
    rounds, settings = pace.rounds.get(subject, -1) + 1, pace.settings
    interval = min(settings.poll_seconds * growth ** min(rounds, 16), settings.poll_limit_seconds)
    due = min(pace.now + interval * share, no_later_than)
    return replace(pace, due={**pace.due, subject: due}, rounds={**pace.rounds, subject: rounds})


def _without(known: Mapping[str, Value], key: str) -> Mapping[str, Value]:
    return {k: v for k, v in known.items() if k != key} if key in known else known


def _turned_back(pace: Pace) -> Pace:
    """Forget what concerned the way forward: the first deletion waits for nothing."""
    none: Mapping[str, Any] = {}
    return replace(
        pace,
        due=none,
        rounds=none,
        counted_from=none,
        unset=none,
        prepared=none,
        accepted=none,
        looked=frozenset(),
        searched=frozenset(),
        clean_censuses=0,
        census_attempts=0,
        census_problem=None,
    )


# --- beside the record


def rebuilt(pace: Pace, record: Record) -> Pace:
    """The pace with what the record implies, at the moment our lease began."""
    running = [step.name for step in record.steps.values() if step.state is StepState.RUNNING]
    unknown = {a.resource_id for a in record.attempts.values() if a.may_have_acted and a.resource_id}
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
    """Put on record how long what runs was driven; deadlines go on from there after a restart."""
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
    """Until when, on the steady clock, an unknown create of it must be looked for."""
    return pace.unknown_at.get(resource.id, pace.now) + pace.grace_seconds
