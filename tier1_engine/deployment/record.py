"""One deployment as values: what the tables hold, and the changes that a turn makes to it.

Owns the frozen mirror of the rows and the `Change` values. A turn of the engine gathers changes,
applies them here to see what follows, and hands the same list to the store, which commits them in
one transaction. Nothing here touches a database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.states import (
    Action,
    FailureClass,
    Goal,
    Mode,
    Outcome,
    Phase,
    ResourceState,
    State,
    StepState,
    Trigger,
)
from tier1_engine.deployment.transitions import Facts

FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The `keep_until` of what is kept until somebody says otherwise."""
ENDED_FACT = "ended"
"""The fact of what died by itself: AWS showed it as ended, and will soon not show it at all."""


@dataclass(frozen=True)
class Deployment:
    """One run. Times are aware UTC.

    Attributes:
        keep_until: until then no sweep touches it; `FOR_EVER` when nobody named an end.
        swept_by: the sweep that began to delete it; every later one continues.
        tagged_as: the tags that its objects carry where they are not this database's own: foreign
            things that an operator reviewed, and asked to have deleted.
    """

    id: str
    name: str
    blueprint: str
    blueprint_version: int
    region: str
    profile: str
    endpoint: str
    account_id: str
    state: State
    goal: Goal
    spec: Mapping[str, Any]
    tags: Mapping[str, str]
    output_templates: Mapping[str, Any]
    delete_seconds: float
    max_attempts: int
    rollback_enabled: bool
    on_recoverable: str
    created_at: datetime
    updated_at: datetime
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    retain: tuple[str, ...] = ()
    activated_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    revision: int = 0
    keep_until: datetime | None = None
    swept_by: str | None = None
    tagged_as: Mapping[str, str] | None = None

    @property
    def failure_class(self) -> FailureClass | None:
        """What its failure means for it; None where it has none."""
        return None if self.failure is None else self.failure.failure_class

    def protected(self, now: datetime) -> bool:
        """Whether no sweep may touch it: its spec says so, or an operator did."""
        by_spec = bool((self.spec.get("policy") or {}).get("keep"))
        return by_spec or (self.keep_until is not None and self.keep_until > now)


@dataclass(frozen=True)
class Step:
    """One unit of the stored plan, and how far it is.

    Attributes:
        attempts: tries so far, over all retries of the operator.
        tries: tries since the operator's last retry; `max_attempts` bounds these.
        driven_seconds: time that somebody drove it, up to the last commit.
        error: the last problem met, kept when it was overcome only until the step is done.
    """

    deployment_id: str
    name: str
    position: int
    phase: Phase
    kind: str
    mode: Mode
    needs: tuple[str, ...]
    inputs: Mapping[str, Any]
    deadline_seconds: float
    on_failure: FailureClass
    state: StepState = StepState.WAITING
    attempts: int = 0
    tries: int = 0
    driven_seconds: float = 0.0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: Error | None = None

    @property
    def complete(self) -> bool:
        return self.state in (StepState.DONE, StepState.SKIPPED)


@dataclass(frozen=True)
class Resource:
    """One AWS object, or the intent to make one.

    Attributes:
        tagged_as: the value of its `tier1:resource` tag; a duplicate carries that of the row it strayed from.
        generation: raised when what the earlier key made is known to be gone.
        candidate: which of the request's candidates is being asked for.
        driven_seconds: time spent on its deletion since nothing used it.
    """

    id: str
    deployment_id: str
    step: str
    name: str
    kind: str
    state: ResourceState
    owned: bool
    tagged_as: str
    request: Mapping[str, Any]
    created_at: datetime
    aws_id: str | None = None
    arn: str | None = None
    generation: int = 1
    candidate: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: Error | None = None
    driven_seconds: float = 0.0
    made_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def key(self) -> str:
        """The idempotency key of the current try."""
        return f"{self.tagged_as}-{self.generation}-{self.candidate}"

    @property
    def settled(self) -> bool:
        """Nothing of it is left to be deleted."""
        return self.state in (ResourceState.DELETED, ResourceState.RETAINED) or not self.owned

    @property
    def is_duplicate(self) -> bool:
        """Whether it exists beside the one that counts for its step."""
        return self.name != self.step

    @property
    def stuck(self) -> bool:
        """It would not be deleted, and was given up for this time."""
        return self.error is not None and self.error.stuck

    @property
    def ended(self) -> bool:
        """It died by itself, and AWS will soon not show it: it costs nothing, and has to be taken off the
        books only.
        """
        return bool(self.facts.get(ENDED_FACT))


@dataclass(frozen=True)
class Attempt:
    """One try of one call, begun before it goes out.

    Attributes:
        settled: an unknown end was looked after through the whole visibility grace; or, of an archive,
            what it was to read is gone.
        term: the lease term of the driver that began it.
    """

    id: str
    deployment_id: str
    step: str
    action: Action
    begun_at: datetime
    term: int
    resource_id: str | None = None
    key: str | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    operation: str | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    aws_id: str | None = None
    settled: bool = False

    @property
    def may_have_acted(self) -> bool:
        """A create whose object may exist and was not yet looked for long enough."""
        return self.action is Action.CREATE and self.outcome in (None, Outcome.UNKNOWN) and not self.settled


Value = TypeVar("Value")
FIELDS: dict[type[Any], dict[str, None]] = {
    row: dict.fromkeys(known.name for known in fields(row)) for row in (Deployment, Step, Resource, Attempt)
}
"""The names of each row's fields, in their order."""


def with_values(item: Value, values: Mapping[str, Any]) -> Value:
    """A frozen dataclass with other values. `dataclasses.replace` does the same by going through
    `__init__`, at many times the cost; a turn makes dozens of these. (This is why the rows have no slots.)

    Raises:
        TypeError: a value is of no field.
    """
    kind: Any = type(item)
    known = kind.__dataclass_fields__.keys()
    if not known >= values.keys():
        raise TypeError(f"{kind.__name__} has no {', '.join(values.keys() - known)}.")
    made: Value = object.__new__(kind)
    made.__dict__.update(item.__dict__)
    made.__dict__.update(values)
    return made


@dataclass(frozen=True, slots=True)
class StepSet:
    """Other values in the columns of a step."""

    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepAdd:
    """A new step, of a corrected spec."""

    step: Step


@dataclass(frozen=True, slots=True)
class ResourceAdd:
    """A new resource row."""

    resource: Resource


@dataclass(frozen=True, slots=True)
class ResourceSet:
    """Other values in the columns of a resource."""

    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AttemptAdd:
    """A new attempt."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class AttemptSet:
    """Other values in the columns of an attempt."""

    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeploymentSet:
    """Any column but state, goal and lease: these have writers of their own."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the deployment, with the goal it goes with; its event row is written with it."""

    trigger: Trigger
    source: State
    target: State
    goal: Goal
    message: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the time line that moves nothing."""

    message: str
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Console:
    """Console output to keep beside the resource it came from."""

    resource_id: str
    text: str


Change = (
    StepAdd
    | StepSet
    | ResourceAdd
    | ResourceSet
    | AttemptAdd
    | AttemptSet
    | DeploymentSet
    | Move
    | Note
    | Console
)


@dataclass(frozen=True, slots=True)
class Record:
    """Everything the database holds of one deployment that decisions need."""

    deployment: Deployment
    steps: Mapping[str, Step]
    resources: Mapping[str, Resource]
    attempts: Mapping[str, Attempt]

    def apply(self, changes: Collection[Change]) -> Record:  # noqa: C901 - one case a kind of change
        """The record as it will be once `changes` are committed; the tables that they touch are copied."""
        if not changes:
            return self
        deployment, steps, resources, attempts = self.deployment, self.steps, self.resources, self.attempts
        for change in changes:
            match change:
                case StepAdd(step):
                    steps = {**steps, step.name: step}
                case StepSet(name, values):
                    steps = {**steps, name: with_values(steps[name], values)}
                case ResourceAdd(resource):
                    resources = {**resources, resource.id: resource}
                case ResourceSet(id, values):
                    resources = {**resources, id: with_values(resources[id], values)}
                case AttemptAdd(attempt):
                    attempts = {**attempts, attempt.id: attempt}
                case AttemptSet(id, values):
                    attempts = {**attempts, id: with_values(attempts[id], values)}
                case DeploymentSet(values):
                    deployment = with_values(deployment, values)
                case Move():
                    deployment = with_values(deployment, {"state": change.target, "goal": change.goal})
                case _:
                    pass
        return Record(deployment, steps, resources, attempts)

    def resource_of(self, step: str) -> Resource | None:
        """The resource that counts for a step; its duplicates have other names."""
        return next((r for r in self.resources.values() if r.name == step), None)

    def attempts_at(self, resource_id: str, action: Action) -> tuple[Attempt, ...]:
        return tuple(a for a in self.attempts.values() if a.resource_id == resource_id and a.action is action)

    @property
    def earliest_incomplete(self) -> Phase | None:
        incomplete = {step.phase for step in self.steps.values() if not step.complete}
        return next((phase for phase in Phase if phase in incomplete), None)

    @property
    def facts(self) -> Facts:
        """What the state table may ask about this deployment."""
        d = self.deployment
        return Facts(d.goal, self.earliest_incomplete, d.activated_at is not None)

    @property
    def known_facts(self) -> dict[str, dict[str, Any]]:
        """What refs may name: id, ARN and facts of every resource that is ready."""
        return {
            r.name: {**r.facts, "id": r.aws_id, "arn": r.arn}
            for r in self.resources.values()
            if r.state is ResourceState.PRESENT
        }
