"""What a worker gets, and what it brings back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, Check, Kind, Registry, Sight, Target
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.plan import resolve
from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import Action, Mode
from tier1_engine.engine.pace import Pacer
from tier1_engine.engine.tasks import CENSUS, Do, Task
from tier1_engine.errors import CallError, Refused

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


class KindMissing(Refused):
    """The kind of a stored step is not installed on this host."""


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


def refuse_without_code(record: Record, registry: Registry) -> None:
    """Refuse to provision what this host has no code for: a step that fails for that would be rolled back.

    Raises:
        KindMissing: an incomplete step is of a kind or check that is not installed on this host.
    """
    for step in record.steps.values():
        if not step.complete:
            _installed(registry.checks if step.mode is Mode.CHECK else registry.kinds, step.kind)


def _installed(known: Mapping[str, Any], name: str) -> Any:
    try:
        return known[name]
    except KeyError:
        raise KindMissing(
            f"The kind {name} is not installed on this host: install the package that provides it."
        ) from None


NOT_OURS = "NotOurs"


OTHERS_INSIDE = "OthersInside"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker brings back.

    Attributes:
        sight: of the object that counts; None when nothing was found or asked.
        strays: others of ours that the same look showed.
        spent: what this key made is on its way out or gone.
        changed: a call that changes something was made and AWS accepted it.
        error: what the last call ran into.
        in_change: the error is of a call that changes something; AWS may have acted.
        census: everything seen, each with the name of its kind.
        unlisted: kinds that this endpoint cannot list.
        operation, request_id: of the last call that changes something, and of AWS's reply to it.
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
    operation: str | None = None
    request_id: str | None = None


def not_ours(sight: Sight) -> CallError:
    """What is said of an object whose tags do not prove that this deployment made it."""
    return CallError(
        NOT_OURS,
        f"the tags of {sight.aws_id} do not prove that this deployment created it",
        operation="(tags)",
    )


def others_inside(aws_id: str, others: Sequence[str]) -> CallError:
    """What is said of an object of ours in which something stands that is not ours."""
    return CallError(
        OTHERS_INSIDE,
        f"{', '.join(others)} in {aws_id} does not belong to this deployment: remove it, then sweep again",
        operation="(inside)",
    )
