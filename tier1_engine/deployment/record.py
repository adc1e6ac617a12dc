"""One deployment as values: its rows, and the changes that a turn makes to them.

Owns the frozen copies of the rows and the `Change` values. A turn of the engine collects changes, applies
them here to decide what follows, and passes the same list to the store, which commits it in one
transaction. Nothing here uses a database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from tier1_engine.deployment.actor import Actor
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
"""The `keep_until` of a deployment that is protected indefinitely."""
ENDED_FACT = "ended"
"""The fact of an object that ended by itself: AWS shows it as ended, and soon will not show it at all."""


@dataclass(frozen=True)
class Deployment:
    """One deployment. Times are aware, in UTC.

    Attributes:
        keep_until: protects it from sweeps until then; `FOR_EVER` for no end.
        swept_by: the sweep that began to delete it; later sweeps continue.
        tags_as_deployed: the tags of its objects if they are foreign, that is, from another database, and an
            operator reviewed them and requested their deletion.
        created_by: who deployed it; None if an earlier version did.
        asked_by: who ran the last command that acts on it.
        blocked: the call that stopped the last run because AWS refuses access or cannot be reached.
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
    tags_as_deployed: Mapping[str, str] | None = None
    created_by: Actor | None = None
    asked_by: Actor | None = None
    blocked: Failure | None = None

    @property
    def failure_class(self) -> FailureClass | None:
        """Return the class of its failure, if it has one."""
        return None if self.failure is None else self.failure.failure_class

    def protected(self, now: datetime) -> bool:
        """Whether the spec or an operator protects it from sweeps."""
        by_spec = bool((self.spec.get("policy") or {}).get("keep"))
        return by_spec or (self.keep_until is not None and self.keep_until > now)


@dataclass(frozen=True)
class Step:
    """One unit of the stored plan, and its progress.

    Attributes:
        attempts: all attempts so far.
        tries: attempts since the operator's last retry, bounded by `max_attempts`.
        driven_seconds: its running time, up to the last commit.
        error: the last error, cleared when the step is done.
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
    """One AWS object, or the intent to create one.

    Attributes:
        tagged_as: the value of its `tier1:resource` tag; a duplicate carries that of the original row.
        generation: incremented when what the previous key created is known to be gone.
        candidate: the index of the current candidate of the request.
        driven_seconds: the running time of its deletion since nothing used it.
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
        """Return the idempotency key of the current attempt."""
        return f"{self.tagged_as}-{self.generation}-{self.candidate}"

    @property
    def settled(self) -> bool:
        """Whether nothing of it remains to be deleted."""
        return self.state in (ResourceState.DELETED, ResourceState.RETAINED) or not self.owned

    @property
    def is_duplicate(self) -> bool:
        """Whether it exists in addition to its step's own resource."""
        return self.name != self.step

    @property
    def stuck(self) -> bool:
        """Whether this run gave up deleting it."""
        return self.error is not None and self.error.stuck

    @property
    def ended(self) -> bool:
        """Whether it ended by itself, so that AWS soon will not show it. It costs nothing, and only its row
        has to be updated.
        """
        return bool(self.facts.get(ENDED_FACT))


@dataclass(frozen=True)
class Attempt:
    """One attempt of one call, recorded before the call is sent.

    Attributes:
        settled: the effect of an unknown outcome was searched for through the whole visibility grace; or,
            for an archive, the object to read is gone.
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
        """Whether it is a create whose object may exist and has not yet been searched for long enough."""
        return self.action is Action.CREATE and self.outcome in (None, Outcome.UNKNOWN) and not self.settled


Value = TypeVar("Value")
FIELDS: dict[type[Any], dict[str, None]] = {
    row: dict.fromkeys(known.name for known in fields(row)) for row in (Deployment, Step, Resource, Attempt)
}
"""The field names of each row type, in order."""


def with_values(item: Value, values: Mapping[str, Any]) -> Value:
    """Return a copy of a frozen dataclass with changed values, without the cost of `dataclasses.replace`,
    which calls `__init__`. A turn makes dozens of copies. This is why the rows have no slots.

    Raises:
        TypeError: a value has no field.
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
    """Sets columns of a step."""

    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepAdd:
    """Adds a step from a corrected spec."""

    step: Step


@dataclass(frozen=True, slots=True)
class ResourceAdd:
    """Adds a resource."""

    resource: Resource


@dataclass(frozen=True, slots=True)
class ResourceSet:
    """Sets columns of a resource."""

    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AttemptAdd:
    """Adds an attempt."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class AttemptSet:
    """Sets columns of an attempt."""

    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeploymentSet:
    """Sets columns of the deployment, except state, goal and lease, which are written elsewhere."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """Moves the deployment to another state and goal; its event row is written in the same transaction."""

    trigger: Trigger
    source: State
    target: State
    goal: Goal
    message: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Adds a line to the timeline without a change of state."""

    message: str
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Console:
    """Archives the console output of a resource."""

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
    """Everything in the database about one deployment that decisions need."""

    deployment: Deployment
    steps: Mapping[str, Step]
    resources: Mapping[str, Resource]
    attempts: Mapping[str, Attempt]

    def apply(self, changes: Collection[Change]) -> Record:  # noqa: C901 - one case a kind of change
        """Return the record with `changes` applied; the affected tables are copied."""
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
        """Return the resource of a step, not its duplicates, which have other names."""
        return next((r for r in self.resources.values() if r.name == step), None)

    def attempts_at(self, resource_id: str, action: Action) -> tuple[Attempt, ...]:
        return tuple(a for a in self.attempts.values() if a.resource_id == resource_id and a.action is action)

    @property
    def earliest_incomplete(self) -> Phase | None:
        incomplete = {step.phase for step in self.steps.values() if not step.complete}
        return next((phase for phase in Phase if phase in incomplete), None)

    @property
    def facts(self) -> Facts:
        """Return what the conditions of the state table need."""
        d = self.deployment
        return Facts(d.goal, self.earliest_incomplete, d.activated_at is not None)

    @property
    def known_facts(self) -> dict[str, dict[str, Any]]:
        """Return what refs may name: id, ARN and facts of every ready resource."""
        return {
            r.name: {**r.facts, "id": r.aws_id, "arn": r.arn}
            for r in self.resources.values()
            if r.state is ResourceState.PRESENT
        }
