"""The input of a guide: one deployment's record, and everything the database holds with it. Pure.

Owns the situation of a deployment, and the remaining resources in the order in which they can be deleted. It
calls neither AWS nor the database, and reads no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tier1_engine.contract.kind import Check, Kind, Target
from tier1_engine.contract.remedy import plain_fields
from tier1_engine.contract.target import target_of
from tier1_engine.deployment import standing
from tier1_engine.deployment.failure import BLOCKED_BY, Failure
from tier1_engine.deployment.place import home_of
from tier1_engine.deployment.record import Deployment, Record, Resource, Step
from tier1_engine.deployment.standing import interrupted, left, retained
from tier1_engine.deployment.states import ENDED, FailureClass, Goal, Mode, State
from tier1_engine.views.prices import Prices


class Situation(StrEnum):
    """The situation of a deployment, as far as an operator can act on it."""

    HEALTHY = "healthy"  # active, as intended
    ENDED = "ended"  # rolled back or destroyed
    DRIVEN = "driven"  # a process is running it
    INTERRUPTED = "interrupted"  # its process is gone; nothing blocks it
    BLOCKED = "blocked"  # AWS refuses access, or cannot be reached
    UNDECIDED = "undecided"  # provisioning failed, and was not rolled back
    STALLED = "stalled"  # something could not be deleted


NEEDS_A_PERSON = frozenset({Situation.INTERRUPTED, Situation.BLOCKED, Situation.UNDECIDED, Situation.STALLED})


@dataclass(frozen=True, slots=True)
class GuideFacts:
    """Everything a guide is built from.

    Attributes:
        database_id: the value of the tag `tier1:database`.
        consoles: archived console output of instances, by resource id.
        driven_by: the process that holds the lease, as text for the operator.
    """

    record: Record
    database_id: str
    kinds: Mapping[str, Kind]
    checks: Mapping[str, Check] = field(default_factory=dict)
    consoles: Mapping[str, str] = field(default_factory=dict)
    driven_by: str | None = None

    @property
    def deployment(self) -> Deployment:
        return self.record.deployment

    @property
    def failure(self) -> Failure | None:
        return self.deployment.failure

    @property
    def title(self) -> str:
        return f"{self.deployment.name} ({self.deployment.id})"

    @property
    def situation(self) -> Situation:
        deployment = self.deployment
        if deployment.state in ENDED:
            return Situation.ENDED
        if self.driven_by is not None:
            return Situation.DRIVEN
        if deployment.state is State.FAILED and deployment.goal is not Goal.ACTIVE:
            return Situation.STALLED
        if deployment.state is State.FAILED:
            blocked = deployment.failure_class is FailureClass.BLOCKED
            return Situation.BLOCKED if blocked else Situation.UNDECIDED
        if interrupted(deployment, driven=False):
            return Situation.INTERRUPTED if deployment.blocked is None else Situation.BLOCKED
        return Situation.HEALTHY

    @property
    def may_continue(self) -> bool:
        """Whether `resume --continue` would be accepted."""
        return self.situation is Situation.UNDECIDED and standing.why_not_without(self.record) is None

    @property
    def failed_step(self) -> Step | None:
        return self.step(self.failure.step if self.failure else None)

    def step(self, name: str | None) -> Step | None:
        """The step of this name; None when there is none."""
        return self.record.steps.get(name or "")

    @property
    def standing(self) -> Sequence[Resource]:
        """Owned resources that may still exist, in the order in which they can be deleted."""
        return sorted(left(self.record), key=lambda r: (-self.record.steps[r.step].position, r.name))

    @property
    def kept(self) -> Sequence[Resource]:
        """Resources that the operator chose to retain."""
        return retained(self.record)

    @property
    def gone(self) -> Sequence[Resource]:
        return [r for r in self.record.resources.values() if r.owned and r.deleted_at is not None]

    @property
    def brought(self) -> Sequence[Resource]:
        return [r for r in self.record.resources.values() if not r.owned]

    @property
    def stuck(self) -> Sequence[Resource]:
        """Resources whose deletion failed: undeletable ones first, then those that wait for them."""
        found = [r for r in self.standing if r.error]
        return sorted(found, key=waits)

    def target(self, resource: Resource) -> Target:
        """The resource as its kind receives it."""
        return target_of(resource, self.deployment, self.database_id)

    def part_of(self, step: Step | None) -> Kind | Check | None:
        """The kind or check of a step; None when it is not installed here."""
        if step is None:
            return None
        return (self.checks if step.mode is Mode.CHECK else self.kinds).get(step.kind)

    def title_of(self, kind: str) -> str:
        """The display title of a kind or check."""
        known = self.kinds.get(kind) or self.checks.get(kind)
        return known.title if known else kind

    @property
    def prices(self) -> Prices:
        return Prices(self.kinds)

    def known(self, step: Step | None, resource: Resource | None = None) -> dict[str, str]:
        """The fields that sentences and commands about a step or resource may use.

        The nearest value wins: the step's own, then those of the steps that it needs. Other steps contribute
        only fields that are unique in the stack.
        """
        everywhere = [self._fields(one) for one in self.record.steps.values()]
        values: dict[str, set[str]] = {}
        for name, value in (item for fields in everywhere for item in fields.items()):
            values.setdefault(name, set()).add(value)
        found = {name: next(iter(those)) for name, those in values.items() if len(those) == 1}
        for one in reversed(list(self._with_needs(step))):
            found |= self._fields(one)
        if resource is not None:
            found |= self._fields_of(resource)
        deployment = self.deployment
        return {
            **found,
            "id": deployment.id,
            "name": deployment.name,
            "region": deployment.region,
            "home": home_of(deployment.region),
            "account": deployment.account_id,
        }

    def _fields(self, step: Step) -> dict[str, str]:
        """The fields of a step: of its resource, else of its planned inputs."""
        kind = self.kinds.get(step.kind)
        if step.mode is Mode.CHECK or kind is None:
            return plain_fields(step.inputs)
        planned = kind.fields(None, step.inputs, 0)
        row = self.record.resource_of(step.name)
        return planned if row is None else {**planned, **self._fields_of(row)}

    def _fields_of(self, resource: Resource) -> dict[str, str]:
        kind = self.kinds.get(resource.kind)
        if kind is None:
            return plain_fields(resource.request)
        return kind.fields(resource.aws_id, resource.request, resource.candidate)

    def _with_needs(self, step: Step | None) -> Iterator[Step]:
        """A step and the steps that it needs, the nearest first."""
        seen, waiting = set[str](), deque([step] if step is not None else [])
        while waiting:
            one = waiting.popleft()
            if one.name not in seen:
                seen.add(one.name)
                yield one
                waiting.extend(self.record.steps[need] for need in one.needs)


def waits(resource: Resource) -> bool:
    """Whether a resource could be deleted if its dependents were gone."""
    return resource.error is not None and resource.error.code == BLOCKED_BY
