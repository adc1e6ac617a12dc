"""What a guide is told of: one deployment's record with all that the database has beside it. Pure.

Owns the situation that a deployment is in, and what stands, in the order in which it can go. It asks
neither AWS nor the database nor a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tier1_engine.contract.kind import Check, Kind, Target
from tier1_engine.contract.target import target_of
from tier1_engine.deployment import standing
from tier1_engine.deployment.failure import BLOCKED_BY, Failure
from tier1_engine.deployment.record import Attempt, Deployment, Record, Resource, Step
from tier1_engine.deployment.standing import interrupted, left, retained
from tier1_engine.deployment.states import ENDED, FailureClass, Goal, Phase, State
from tier1_engine.failures.codes import BLOCKED_CODES


class Situation(StrEnum):
    """Where a deployment stands, as far as a person can do something about it."""

    HEALTHY = "healthy"  # active, as wanted
    ENDED = "ended"  # rolled back or destroyed
    DRIVEN = "driven"  # somebody works on it
    INTERRUPTED = "interrupted"  # its driver is gone; nothing stands in the way
    BLOCKED = "blocked"  # AWS does not let us act
    UNDECIDED = "undecided"  # failed on the way forward, and kept
    STALLED = "stalled"  # something could not be deleted


NEEDS_A_PERSON = frozenset({Situation.INTERRUPTED, Situation.BLOCKED, Situation.UNDECIDED, Situation.STALLED})


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known.

    Attributes:
        database_id: the value of the tag `tier1:database`.
        consoles: what was archived of an instance's console, by resource id.
        driven_by: who drives it now, in words.
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
            return Situation.BLOCKED if self.blocked_by is not None else Situation.INTERRUPTED
        return Situation.HEALTHY

    @property
    def may_continue(self) -> bool:
        """Whether `resume --continue` would be taken."""
        return self.situation is Situation.UNDECIDED and standing.why_not_without(self.record) is None

    @property
    def blocked_by(self) -> Attempt | None:
        """The refusal that stopped the last driver: its last ended attempt, if AWS did not let it act."""
        ended = [attempt for attempt in self.record.attempts.values() if attempt.ended_at is not None]
        last = max(ended, key=lambda a: (a.ended_at, a.begun_at), default=None)
        return last if last is not None and last.code in BLOCKED_CODES else None

    @property
    def failed_step(self) -> Step | None:
        return self.record.steps.get((self.failure.step if self.failure else None) or "")

    @property
    def standing(self) -> Sequence[Resource]:
        """What is ours and may still stand, in the order in which it can be deleted."""
        return sorted(left(self.record), key=lambda r: (-self.record.steps[r.step].position, r.name))

    @property
    def kept(self) -> Sequence[Resource]:
        """What was kept on the operator's word."""
        return retained(self.record)

    @property
    def gone(self) -> Sequence[Resource]:
        return [r for r in self.record.resources.values() if r.owned and r.deleted_at is not None]

    @property
    def brought(self) -> Sequence[Resource]:
        return [r for r in self.record.resources.values() if not r.owned]

    @property
    def stuck(self) -> Sequence[Resource]:
        """What a deletion ran into, worst first: those that would not go before those that wait for them."""
        found = [r for r in self.standing if r.error]
        return sorted(found, key=waits)

    def target(self, resource: Resource) -> Target:
        """The resource as its kind sees it."""
        return target_of(resource, self.deployment, self.database_id)

    def title_of(self, kind: str) -> str:
        """How a person calls a kind, or a check."""
        known = self.kinds.get(kind) or self.checks.get(kind)
        return known.title if known else kind

    @property
    def known(self) -> dict[str, str]:
        """What sentences and commands may name, by field; only what is known."""
        return {name: value for name, value in _known(self).items() if value}


def waits(resource: Resource) -> bool:
    """Whether it could go, if what waits for something else were gone."""
    return resource.error is not None and resource.error.code == BLOCKED_BY


WORDS: Mapping[str, str] = {
    "action": "the call's action",
    "ami": "the AMI",
    "cidr": "the range of the spec",
    "file_system_id": "that the spec or the deployment names",
    "instance_id": "the instance",
    "key_name": "of that name",
    "market": "in this market",
    "role_name": "the role",
    "subnet_id": "of the step",
    "type": "the instance type",
    "vpc_id": "of the step",
    "zone": "the zone",
}
"""What a sentence says of a field that is not known."""


def _known(story: Story) -> dict[str, str]:
    deployment = story.deployment
    ids = {
        kind: next((r.aws_id for r in story.record.resources.values() if r.kind == kind and r.aws_id), "")
        for kind in ("vpc", "file_system", "instance", "role")
    }
    return {
        "id": deployment.id,
        "name": deployment.name,
        "region": deployment.region,
        "account": deployment.account_id,
        "vpc_id": ids["vpc"] or "",
        "file_system_id": ids["file_system"] or _asked(story, "file-system", "reference"),
        "instance_id": ids["instance"] or "",
        "role_name": ids["role"] or "",
        "cidr": _asked(story, "vpc", "cidr"),
        "key_name": _asked(story, "instance", "key_name"),
        **_of_launch(story),
        **_of_step(story),
    }


def _asked(story: Story, step: str, name: str) -> str:
    """A value that a step was planned with."""
    planned = story.record.steps.get(step)
    value = planned.inputs.get(name) if planned else None
    return str(value) if isinstance(value, str | int) else ""


def _of_launch(story: Story) -> dict[str, str]:
    """What the last launch asked for: type, zone, subnet, market, AMI."""
    row = next((r for r in story.record.resources.values() if r.kind == "instance"), None)
    if row is None:
        return {"ami": _asked(story, "instance", "ami")}
    candidates = row.request.get("candidates") or [{}]
    candidate: Mapping[str, Any] = candidates[min(row.candidate, len(candidates) - 1)]
    images = {str(one["id"]) for one in (row.request.get("images") or {}).values() if one.get("id")}
    found = {name: str(candidate.get(name) or "") for name in ("type", "zone", "subnet_id", "market")}
    return {**found, "ami": images.pop() if len(images) == 1 else _asked(story, "instance", "ami")}


def _of_step(story: Story) -> dict[str, str]:
    """What the failed step asked for, where it is not the launch."""
    step = story.failed_step
    row = story.record.resource_of(step.name) if step else None
    if step is None or row is None or step.phase is Phase.HEALTH or step.kind == "instance":
        return {}
    own: dict[str, Any] = {name: row.request.get(name) for name in ("zone", "subnet_id", "vpc_id", "cidr")}
    if step.kind == "subnet":
        own["subnet_id"] = row.aws_id
    return {name: str(value) for name, value in own.items() if value}
