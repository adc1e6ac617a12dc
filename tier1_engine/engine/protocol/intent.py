"""First step of an attempt: what must be on disk before its call is sent.

That is the resource row with its resolved request, and the attempt with its key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.plan import resolve
from tier1_engine.deployment.record import (
    Attempt,
    AttemptAdd,
    Change,
    Record,
    Resource,
    ResourceAdd,
    ResourceSet,
    StepSet,
)
from tier1_engine.deployment.states import ResourceState, StepState
from tier1_engine.engine.effects import Effect, Learn
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.protocol.actions import Archive, Configure, Create, Delete
from tier1_engine.engine.tasks import Do, Task
from tier1_engine.errors import Refused

RECORDED_BEFORE = {one.do: one.action for one in (Create, Configure, Archive, Delete)}
"""The tasks that must be on disk before they start, each with the action of its attempt."""


def resolve_at_once(task: Task, record: Record, registry: Registry) -> tuple[Task, list[Effect]]:
    """Replace a prepare by its create if the request needs no read of AWS, so that both share one commit."""
    creates = task.do is Do.PREPARE and record.resource_of(task.subject) is None
    request = request_at_once(task.subject, record, registry) if creates else None
    if request is None:
        return task, []
    return Task(Do.CREATE, task.subject), [Learn("prepared", task.subject, request)]


def request_at_once(step_name: str, record: Record, registry: Registry) -> dict[str, Any] | None:
    """Return the request of a step whose kind uses its inputs unchanged; None if the kind must ask AWS.

    Also None if an input cannot be resolved: the prepare task then reports it.
    """
    step = record.steps[step_name]
    kind = registry.kinds.get(step.kind)
    if kind is None or kind.asks_aws_for_request:
        return None
    try:
        return dict(resolve(step.inputs, record.known_facts))
    except Refused:
        return None


def intend(
    task: Task, record: Record, pace: Pace, term: int, new_id: Callable[[], str]
) -> tuple[list[Change], str | None]:
    """Return what must be on disk before the task starts, and the id of its attempt."""
    if task.do not in RECORDED_BEFORE:
        return _started(task, record, pace), None
    changes: list[Change] = []
    resource = record.resource_of(task.subject)
    if resource is None:
        resource = _new_resource(record, task.subject, pace, new_id)
        changes.append(ResourceAdd(resource))
    attempt = Attempt(
        id=new_id(),
        deployment_id=record.deployment.id,
        step=resource.step,
        action=RECORDED_BEFORE[task.do],
        begun_at=pace.wall,
        term=term,
        resource_id=resource.id,
        key=resource.key,
    )
    changes.append(AttemptAdd(attempt))
    if task.do is Do.CREATE:
        step = record.steps[resource.step]
        values: dict[str, Any] = {"state": StepState.RUNNING, "attempts": step.attempts + 1}
        if step.started_at is None:
            values["started_at"] = pace.wall
        changes.append(StepSet(step.name, values))
    elif task.do is Do.DELETE and resource.state is not ResourceState.DELETING:
        changes.append(ResourceSet(resource.id, {"state": ResourceState.DELETING}))
    return changes, attempt.id


def _started(task: Task, record: Record, pace: Pace) -> list[Change]:
    """Mark a step that only observes as running at its first observation."""
    step = record.steps.get(task.subject)
    if task.do not in (Do.CHECK, Do.REFERENCE) or step is None or step.state is not StepState.WAITING:
        return []
    started = step.started_at or pace.wall
    running = {"state": StepState.RUNNING, "started_at": started, "attempts": step.attempts + 1}
    return [StepSet(step.name, running)]


def _new_resource(record: Record, step: str, pace: Pace, new_id: Callable[[], str]) -> Resource:
    id = new_id()
    return Resource(
        id=id,
        deployment_id=record.deployment.id,
        step=step,
        name=step,
        kind=record.steps[step].kind,
        state=ResourceState.CREATING,
        owned=True,
        tagged_as=id,
        request=pace.prepared[step],
        created_at=pace.wall,
    )
