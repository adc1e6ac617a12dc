"""The first half of the crash protocol: what must be on disk before a call, and what its worker gets.

intend   the resource row with the request as it will be sent, and an attempt with its key
assign   everything a worker needs, so that it reads no record and no database
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tier1_engine.blueprint import resolve
from tier1_engine.errors import Refused, Tier1Error
from tier1_engine.kinds import (
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_NAME,
    TAG_RESOURCE,
    Check,
    Kind,
    Registry,
    Sight,
    Target,
)
from tier1_engine.pace import CENSUS, Do, Pacer, Task
from tier1_engine.record import (
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
from tier1_engine.states import Action, ResourceState, StepState

ACTION_OF: dict[Do, Action] = {
    Do.IDENTIFY: Action.DESCRIBE,
    Do.REFERENCE: Action.DESCRIBE,
    Do.CHECK: Action.CHECK,
    Do.PREPARE: Action.DESCRIBE,
    Do.CREATE: Action.CREATE,
    Do.SETTLE: Action.DESCRIBE,
    Do.OBSERVE: Action.DESCRIBE,
    Do.CONFIGURE: Action.CONFIGURE,
    Do.ARCHIVE: Action.ARCHIVE,
    Do.DELETE: Action.DELETE,
    Do.CONFIRM: Action.DESCRIBE,
    Do.CENSUS: Action.CENSUS,
}
RECORDED_BEFORE = frozenset({Do.CREATE, Do.CONFIGURE, Do.ARCHIVE, Do.DELETE})
"""What changes something (or replaces a chance that will not come again) is on disk before it begins."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker gets.

    Attributes:
        attempt_id: the attempt that is on disk for it, if its kind of task has one.
        elsewhere: AWS ids that other rows of the deployment hold; never adopted for this one.
        wanted_tags: of a census: what everything of ours carries.
        known: of a census: AWS ids that need not be looked at, each with its request.
        ours: of a deletion that must look inside first: every id that the deployment has or had.
    """

    task: Task
    action: Action
    attempt_id: str | None = None
    kind: Kind | None = None
    check: Check | None = None
    target: Target | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    sight: Sight | None = None
    elsewhere: frozenset[str] = frozenset()
    kinds: tuple[Kind, ...] = ()
    wanted_tags: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ours: frozenset[str] | None = None


class KindMissing(Tier1Error):
    """The kind of a stored step is not installed on this host."""


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


def assign(
    task: Task,
    attempt_id: str | None,
    record: Record,
    pacer: Pacer,
    registry: Registry,
    database_id: str,
) -> Assignment:
    """Gather what a worker needs for a task, from a record that holds the task's intent.

    Raises:
        KindMissing: the kind is not installed on this host.
        Refused: an input refers to something that no finished step provides.
    """
    action = ACTION_OF[task.do]
    if task.do is Do.IDENTIFY:
        return Assignment(task, action)
    if task.subject == CENSUS:
        kinds = {step.kind for step in record.steps.values() if step.kind in registry.kinds}
        tags = {TAG_DATABASE: database_id, TAG_DEPLOYMENT: record.deployment.id}
        every = tuple(registry.kinds[name] for name in sorted(kinds))
        return Assignment(task, action, kinds=every, wanted_tags=tags)
    resource = record.resource_of(task.subject)
    step = record.steps[resource.step if resource else task.subject]
    inputs: Mapping[str, Any] = {}
    if task.do in (Do.REFERENCE, Do.CHECK, Do.PREPARE):
        inputs = resolve(step.inputs, record.known_facts)
    if task.do is Do.CHECK:
        return Assignment(task, action, check=_installed(registry.checks, step.kind), inputs=inputs)
    kind = _installed(registry.kinds, step.kind)
    if resource is None:
        return Assignment(task, action, attempt_id, kind=kind, inputs=inputs)
    return Assignment(
        task,
        action,
        attempt_id,
        kind=kind,
        target=target_of(resource, record.deployment, database_id),
        sight=pacer.unset.get(task.subject),
        elsewhere=frozenset(
            r.aws_id
            for r in record.resources.values()
            if r.aws_id and r.kind == resource.kind and r.id != resource.id
        ),
    )


def ours(record: Record) -> frozenset[str]:
    """Every id by which AWS knows something that the deployment has or had, interfaces included."""
    rows = record.resources.values()
    interfaces = (row.facts.get("network_interface_id") for row in rows)
    return frozenset(filter(None, (*(row.aws_id for row in rows if row.owned), *interfaces)))


def _installed(known: Mapping[str, Any], name: str) -> Any:
    try:
        return known[name]
    except KeyError:
        raise KindMissing(
            f"The kind {name} is not installed on this host: install the package that brings it."
        ) from None


def target_of(resource: Resource, deployment: Deployment, database_id: str) -> Target:
    """The resource as its kind sees it, with exactly the tags that ours carries."""
    tags = {
        **deployment.tags,
        TAG_DATABASE: database_id,
        TAG_DEPLOYMENT: deployment.id,
        TAG_RESOURCE: resource.tagged_as,
        TAG_NAME: deployment.name,
        "Name": f"{deployment.name}-{resource.step}",
        **(deployment.tagged_as or {}),
    }
    return Target(
        deployment_id=tags[TAG_DEPLOYMENT],
        resource_id=resource.tagged_as,
        step=resource.step,
        tags=tags,
        request=resource.request,
        key=resource.key,
        candidate=resource.candidate,
        aws_id=resource.aws_id,
        facts=resource.facts,
    )
