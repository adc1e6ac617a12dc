"""The first half of the crash protocol: what must be on disk before a call, and what its worker gets.

intend   the resource row with the request as it will be sent, and an attempt with its key
assign   everything a worker needs, so that it reads no record and no database
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tier1_engine.contract.kind import (
    Kind,
    Registry,
)
from tier1_engine.deployment.plan import resolve
from tier1_engine.deployment.record import (
    Attempt,
    AttemptAdd,
    Change,
    Deployment,
    Record,
    Resource,
    ResourceAdd,
    ResourceSet,
    StepSet,
)
from tier1_engine.deployment.states import ResourceState, StepState
from tier1_engine.engine.pace import Pacer
from tier1_engine.engine.protocol.assignment import ACTION_OF
from tier1_engine.engine.tasks import Do, Task
from tier1_engine.errors import Refused

RECORDED_BEFORE = frozenset({Do.CREATE, Do.CONFIGURE, Do.ARCHIVE, Do.DELETE})
"""What changes something (or replaces a chance that will not come again) is on disk before it begins."""


# --- intend


def request_at_once(step_name: str, record: Record, registry: Registry) -> dict[str, Any] | None:
    """The request of a step whose kind takes its inputs as they stand; None when it must ask AWS.

    None also where something is missing: the task that is then made says what.
    """
    step = record.steps[step_name]
    kind = registry.kinds.get(step.kind)
    if kind is None or type(kind).request is not Kind.request:
        return None
    try:
        return dict(resolve(step.inputs, record.known_facts))
    except Refused:
        return None


def intend(
    task: Task, record: Record, pacer: Pacer, term: int, now: datetime, new_id: Callable[[], str]
) -> tuple[list[Change], str | None]:
    """What must be on disk before the task begins, and the id of its attempt."""
    if task.do not in RECORDED_BEFORE:
        return _started(task, record, now), None
    changes: list[Change] = []
    resource = record.resource_of(task.subject)
    if resource is None:
        resource = _new_resource(record.deployment, task.subject, record, pacer, now, new_id)
        changes.append(ResourceAdd(resource))
    attempt = Attempt(
        id=new_id(),
        deployment_id=record.deployment.id,
        step=resource.step,
        action=ACTION_OF[task.do],
        begun_at=now,
        term=term,
        resource_id=resource.id,
        key=resource.key,
    )
    changes.append(AttemptAdd(attempt))
    if task.do is Do.CREATE:
        step = record.steps[resource.step]
        values: dict[str, Any] = {"state": StepState.RUNNING, "attempts": step.attempts + 1}
        if step.started_at is None:
            values["started_at"] = now
        changes.append(StepSet(step.name, values))
    elif task.do is Do.DELETE and resource.state is not ResourceState.DELETING:
        changes.append(ResourceSet(resource.id, {"state": ResourceState.DELETING}))
    return changes, attempt.id


def _started(task: Task, record: Record, now: datetime) -> list[Change]:
    """A step that only looks is running from its first look on."""
    step = record.steps.get(task.subject)
    if task.do not in (Do.CHECK, Do.REFERENCE) or step is None or step.state is not StepState.WAITING:
        return []
    return [
        StepSet(
            step.name,
            {"state": StepState.RUNNING, "started_at": step.started_at or now, "attempts": step.attempts + 1},
        )
    ]


def _new_resource(
    deployment: Deployment, step: str, record: Record, pacer: Pacer, now: datetime, new_id: Callable[[], str]
) -> Resource:
    id = new_id()
    return Resource(
        id=id,
        deployment_id=deployment.id,
        step=step,
        name=step,
        kind=record.steps[step].kind,
        state=ResourceState.CREATING,
        owned=True,
        tagged_as=id,
        request=pacer.prepared[step],
        created_at=now,
    )


# --- assign
