"""One action by the crash protocol: say what will be done, do it, answer what happened.

    intend   the changes that must be on disk before the call goes out: the resource row with the
             request as it will be sent, and an attempt with its key
    assign   everything a worker needs, so that it reads no record and no database
    perform  the call itself, by the kind's contract; runs in a worker, answers and never raises
             (`results` and `removal` say what an answer changes)

A create always looks first. What it finds by its key is adopted; only what is absent is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tier1_engine.blueprint import resolve
from tier1_engine.errors import Acted, CallError, Refused, Tier1Error
from tier1_engine.failures import is_unsupported
from tier1_engine.kinds import (
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_NAME,
    TAG_RESOURCE,
    Check,
    Cloud,
    Kind,
    Presence,
    Registry,
    Sight,
    Target,
)
from tier1_engine.pace import CENSUS, Do, Pacer, Task
from tier1_engine.record import Attempt, AttemptAdd, Change, Deployment, Record, Resource, ResourceAdd, ResourceSet, StepSet
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
NOT_OURS = "NotOurs"
RECORDED_BEFORE = frozenset({Do.CREATE, Do.CONFIGURE, Do.ARCHIVE, Do.DELETE})
"""What changes something (or replaces a chance that will not come again) is on disk before it begins."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker gets.

    Attributes:
        attempt_id: the attempt that is on disk for it, if its kind of task has one.
        elsewhere: AWS ids that other rows of the deployment hold; never adopted for this one.
        wanted_tags: of a census: what everything of ours carries.
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker brings back.

    Attributes:
        sight: of the object that counts; None when nothing was found or asked.
        strays: others of ours that the same look showed.
        spent: what this key made is on its way out or gone.
        changed: a call that changes something was made and AWS accepted it.
        error: what the last call ran into.
        census: everything seen, each with the name of its kind; unlisted: kinds that this endpoint cannot list.
        in_change: the error is of a call that changes something; AWS may have acted.
    """

    assignment: Assignment
    sight: Sight | None = None
    strays: tuple[Sight, ...] = ()
    spent: Sight | None = None
    changed: bool = False
    error: CallError | None = None
    in_change: bool = False
    request: Mapping[str, Any] | None = None
    text: str | None = None
    account_id: str | None = None
    census: tuple[tuple[str, Sight], ...] = ()
    unlisted: tuple[str, ...] = ()


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
    task: Task, record: Record, pacer: Pacer, term: int, now: datetime, new_id: Any
) -> tuple[list[Change], str | None]:
    """What must be on disk before the task begins, and the id of its attempt."""
    if task.do not in RECORDED_BEFORE:
        return _started(task, record, now), None
    changes: list[Change] = []
    resource = _resource(record, task.subject)
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
    deployment: Deployment, step: str, record: Record, pacer: Pacer, now: datetime, new_id: Any
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


def _resource(record: Record, name: str) -> Resource | None:
    return record.resource_of(name)


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
    resource = _resource(record, task.subject)
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
    }
    return Target(
        deployment_id=deployment.id,
        resource_id=resource.tagged_as,
        step=resource.step,
        tags=tags,
        request=resource.request,
        key=resource.key,
        candidate=resource.candidate,
        aws_id=resource.aws_id,
        facts=resource.facts,
    )


# --- perform


def perform(assignment: Assignment, cloud: Cloud) -> Answer:
    """Do it. The one boundary at which anything that a kind or check raises becomes an answer."""
    try:
        return _PERFORM[assignment.task.do](assignment, cloud)
    except CallError as error:
        return Answer(assignment, error=error)
    except Exception as error:  # noqa: BLE001 - a defect in a kind must not take the driver with it
        return Answer(assignment, error=_defect(assignment, error, Acted.REFUSED))


def _defect(assignment: Assignment, error: Exception, acted: Acted) -> CallError:
    what = assignment.kind or assignment.check
    name = what.name if what else assignment.task.do.value
    return CallError("Defect", f"{type(error).__name__}: {error}", operation=name, acted=acted)


def _identify(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, account_id=cloud.account_id)


def _reference(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, sight=_kind(a).reference(cloud, a.inputs))


def _check(a: Assignment, cloud: Cloud) -> Answer:
    assert a.check is not None
    return Answer(a, sight=a.check.look(cloud, a.inputs))


def _prepare(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, request=_kind(a).request(cloud, a.inputs))


def _create(a: Assignment, cloud: Cloud) -> Answer:
    found = _settle(a, cloud)
    if found.sight is not None or found.spent is not None:
        return found
    try:
        made = _kind(a).create(cloud, _target(a))
    except CallError as error:
        return replace(found, error=error, in_change=True)
    except Exception as error:  # noqa: BLE001 - it may have been raised after AWS acted
        return replace(found, error=_defect(a, error, Acted.UNKNOWN), in_change=True)
    if not made.aws_id:
        reply = CallError("UnreadableReply", "the reply names no id", operation="create", acted=Acted.UNKNOWN)
        return replace(found, error=reply, in_change=True)
    return replace(found, sight=made, changed=True)


def _settle(a: Assignment, cloud: Cloud) -> Answer:
    """Look for what any key of this resource made; say which counts and which are too many."""
    kind, target = _kind(a), _target(a)
    sights = [s for s in kind.find(cloud, target) if s.presence is not Presence.ABSENT]
    ours = [s for s in sights if kind.owns(target, s) and s.aws_id not in a.elsewhere]
    living = sorted((s for s in ours if not s.dead), key=lambda s: (s.key != target.key, s.made_at or "", s.aws_id))
    if living:
        return Answer(a, sight=living[0], strays=tuple(living[1:]))
    foreign = [s for s in sights if not s.dead and not kind.owns(target, s)]
    if foreign and kind.may_reference:
        return Answer(a, sight=foreign[0])
    spent = next((s for s in ours if s.key in (None, target.key)), None)
    return Answer(a, spent=spent)


def _observe(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, sight=_kind(a).describe(cloud, _target(a)))


def _configure(a: Assignment, cloud: Cloud) -> Answer:
    """Set what differs, then look: the attempt's end and the new sight are one commit."""
    assert a.sight is not None
    if not _kind(a).owns(_target(a), a.sight):
        return Answer(a, error=not_ours(a.sight))
    try:
        _kind(a).configure(cloud, _target(a), a.sight)
    except CallError as error:
        return Answer(a, error=error, in_change=True)
    try:
        return Answer(a, sight=_kind(a).describe(cloud, _target(a)), changed=True)
    except CallError:
        return Answer(a, changed=True)  # the next look will tell


def not_ours(sight: Sight) -> CallError:
    """What is said of an object whose tags do not prove that this deployment made it."""
    return CallError(
        NOT_OURS, f"the tags of {sight.aws_id} do not prove that this deployment made it", operation="(tags)"
    )


def _archive(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, text=_kind(a).console(cloud, _target(a)))


def _delete(a: Assignment, cloud: Cloud) -> Answer:
    """Look, prove it ours by what AWS shows now, and only then delete."""
    kind, target = _kind(a), _target(a)
    sight = kind.describe(cloud, target)
    if sight.presence in (Presence.ABSENT, Presence.GONE, Presence.LEAVING) or not kind.owns(target, sight):
        return Answer(a, sight=sight)
    try:
        kind.delete(cloud, target, sight)
    except CallError as error:
        return Answer(a, sight=sight, error=error, in_change=True)
    return Answer(a, sight=sight, changed=True)


def _census(a: Assignment, cloud: Cloud) -> Answer:
    seen: list[tuple[str, Sight]] = []
    unlisted: list[str] = []
    for kind in a.kinds:
        try:
            seen += [(kind.name, sight) for sight in kind.list_owned(cloud, a.wanted_tags)]
        except CallError as error:
            if not is_unsupported(error):
                raise
            unlisted.append(kind.title)
    return Answer(a, census=tuple(seen), unlisted=tuple(unlisted))


def _kind(a: Assignment) -> Kind:
    assert a.kind is not None
    return a.kind


def _target(a: Assignment) -> Target:
    assert a.target is not None
    return a.target


_PERFORM = {
    Do.IDENTIFY: _identify,
    Do.REFERENCE: _reference,
    Do.CHECK: _check,
    Do.PREPARE: _prepare,
    Do.CREATE: _create,
    Do.SETTLE: _settle,
    Do.OBSERVE: _observe,
    Do.CONFIGURE: _configure,
    Do.ARCHIVE: _archive,
    Do.DELETE: _delete,
    Do.CONFIRM: _observe,
    Do.CENSUS: _census,
}


def kinds_in(record: Record, registry: Registry) -> Sequence[str]:
    """Names of the kinds that the plan makes and this host lacks."""
    needed = {step.kind for step in record.steps.values() if step.mode.value != "check"}
    return sorted(needed - set(registry.kinds))
