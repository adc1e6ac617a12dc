"""Second step of an attempt: gather everything that its worker needs from the record with its intent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, Registry
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.plan import resolve
from tier1_engine.deployment.record import Record, Resource, ResourceSet, StepSet
from tier1_engine.deployment.standing import recorded_ids, unaccounted_creates
from tier1_engine.deployment.states import GOING_BACK, FailureClass, Mode, StepState
from tier1_engine.engine.effects import Effect
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.protocol import actions
from tier1_engine.engine.protocol.actions import Assignment
from tier1_engine.engine.protocol.proof import ours
from tier1_engine.engine.tasks import REMOVALS, Do, Task
from tier1_engine.errors import Refused

Thing = TypeVar("Thing")


class KindMissing(Refused):
    """The kind or check of a stored step is not installed on this host."""


def assign(
    task: Task,
    attempt_id: str | None,
    record: Record,
    pace: Pace,
    registry: Registry,
    database_id: str,
    *,
    observes_within: bool = False,
) -> Assignment:
    """Build the assignment of a task.

    Args:
        attempt_id: the id of the task's attempt on record, if this kind of task has one.
        observes_within: whether an object that contains something foreign is left alone.

    Raises:
        KindMissing: the kind is not installed on this host.
        Refused: an input refers to a fact that no finished step provides.
    """
    if task.do is Do.IDENTIFY:
        return actions.Identify()
    if task.do is Do.CENSUS:
        kinds = registry.made_by(step.kind for step in record.steps.values())
        tags = {TAG_DATABASE: database_id, TAG_DEPLOYMENT: record.deployment.id}
        return actions.Census(tuple(kinds), tags)
    resource = record.resource_of(task.subject)
    if resource is None or task.do in (Do.REFERENCE, Do.CHECK, Do.PREPARE):
        return _on_step(task, record, registry)
    return _on_resource(task, attempt_id, resource, record, pace, registry, database_id, observes_within)


def impossible(task: Task, record: Record, pace: Pace, message: str) -> list[Effect]:
    """Fail the step of a task that cannot be performed; in a teardown, mark its resource as undeletable."""
    error = Error("CannotBeDone", message, failure_class=FailureClass.CRITICAL)
    resource = record.resource_of(task.subject)
    teardown = record.deployment.state in GOING_BACK or task.do in REMOVALS
    if teardown and resource is not None:
        return [ResourceSet(resource.id, {"error": replace(error, stuck=True)})]
    failed = {"state": StepState.FAILED, "finished_at": pace.wall, "error": error}
    return [StepSet(task.subject, failed)] if task.subject in record.steps else []


def _on_step(task: Task, record: Record, registry: Registry) -> Assignment:
    step = record.steps[task.subject]
    inputs = resolve(step.inputs, record.known_facts)
    match task.do:
        case Do.CHECK:
            return actions.Check(step.name, _installed(registry.checks, step.kind), inputs)
        case Do.REFERENCE:
            return actions.Reference(step.name, _installed(registry.kinds, step.kind), inputs)
        case Do.PREPARE:
            return actions.Prepare(step.name, _installed(registry.kinds, step.kind), inputs)
    raise ValueError(f"to {task.do} {task.subject} takes a resource")


def _on_resource(
    task: Task,
    attempt_id: str | None,
    resource: Resource,
    record: Record,
    pace: Pace,
    registry: Registry,
    database_id: str,
    observes_within: bool,
) -> Assignment:
    kind = _installed(registry.kinds, resource.kind)
    target = target_of(resource, record.deployment, database_id)
    at = (task.subject, resource.id, kind, target)
    match task.do, attempt_id:
        case Do.CREATE, str(attempt):
            earlier = max(0, unaccounted_creates(record, resource) - 1)  # without this attempt
            proof = recorded_ids(record, resource), earlier
            return actions.Create(*at, attempt, _elsewhere(record, resource), *proof)
        case Do.CONFIGURE, str(attempt):
            return actions.Configure(*at, attempt, pace.unset[task.subject])
        case Do.ARCHIVE, str(attempt):
            return actions.Archive(*at, attempt)
        case Do.DELETE, str(attempt):
            known = ours(record)
            return actions.Delete(
                *at, attempt, known, observes_within, _refused_for_long(record, resource, pace)
            )
        case Do.SETTLE, None:
            proof = recorded_ids(record, resource), unaccounted_creates(record, resource)
            return actions.Settle(*at, _elsewhere(record, resource), *proof)
        case Do.OBSERVE, None:
            return actions.Observe(*at)
        case Do.CONFIRM, None:
            return actions.Confirm(*at)
    raise ValueError(f"to {task.do} {task.subject} has no such attempt")


def _refused_for_long(record: Record, resource: Resource, pace: Pace) -> bool:
    """Whether its deletion fails for longer than what is being deleted beside it usually takes to leave."""
    limit = pace.holder_seconds(record.deployment.delete_seconds)
    return bool(resource.error) and pace.driven(resource.name, resource.driven_seconds) >= limit


def _elsewhere(record: Record, resource: Resource) -> frozenset[str]:
    """Return the AWS ids in other rows of the same kind."""
    others = (r for r in record.resources.values() if r.kind == resource.kind and r.id != resource.id)
    return frozenset(other.aws_id for other in others if other.aws_id)


def refuse_without_code(record: Record, registry: Registry) -> None:
    """Refuse to provision without the code of every step: a step that fails for that would be rolled back.

    Raises:
        KindMissing: an incomplete step is of a kind or check that is not installed on this host.
    """
    for step in record.steps.values():
        if step.complete:
            continue
        if step.mode is Mode.CHECK:
            _installed(registry.checks, step.kind)
        else:
            _installed(registry.kinds, step.kind)


def _installed(known: Mapping[str, Thing], name: str) -> Thing:
    try:
        return known[name]
    except KeyError:
        raise KindMissing(
            f"The kind {name} is not installed on this host: install the package that provides it."
        ) from None
