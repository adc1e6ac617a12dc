"""Queries on a record: what remains, what can be retained or skipped, whether it was interrupted.

Pure functions that several packages share. They decide nothing and change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from tier1_engine.deployment.record import Record, Resource, Step
from tier1_engine.deployment.states import (
    ENDED,
    Action,
    FailureClass,
    Goal,
    Outcome,
    ResourceState,
    State,
    StepState,
)
from tier1_engine.errors import Refused

if TYPE_CHECKING:
    from tier1_engine.deployment.record import Deployment


def interrupted(deployment: Deployment, *, driven: bool) -> bool:
    """Whether it has neither reached its goal nor failed, and no process is running it."""
    if driven or deployment.state in (*ENDED, State.FAILED):
        return False
    return deployment.state.value != deployment.goal.value


def left(record: Record) -> list[Resource]:
    """Return the owned resources that may exist: not gone, not retained, with an id or an unsettled create.

    The order is that of the plan.
    """
    open_creates = {a.resource_id for a in record.attempts.values() if a.may_have_acted}
    standing = [
        resource
        for resource in record.resources.values()
        if not resource.settled and (resource.aws_id is not None or resource.id in open_creates)
    ]
    position = {name: step.position for name, step in record.steps.items()}
    return sorted(standing, key=lambda resource: position.get(resource.step, len(position)))


def retained(record: Record) -> list[Resource]:
    """Return the resources that the operator retained."""
    return [r for r in record.resources.values() if r.state is ResourceState.RETAINED]


def is_left_out(step: Step, not_offered: Collection[str]) -> bool:
    """Whether the deployment continues without a step, because AWS refused its place with these codes."""
    return step.state is StepState.SKIPPED and step.error is not None and step.error.code in not_offered


def asks_for_a_decision(deployment: Deployment) -> bool:
    """Whether provisioning failed and the operator must decide what to do."""
    return deployment.state is State.FAILED and deployment.goal is Goal.ACTIVE


def closure(record: Record, retain: Iterable[str]) -> tuple[str, ...]:
    """Return the names to retain, with everything that they need.

    Raises:
        Refused: a name is not a resource of the deployment.
    """
    owned = {r.name for r in record.resources.values() if r.owned}
    named = dict.fromkeys(retain)
    for name in named:
        if name not in owned:
            known = ", ".join(sorted(owned)) or "none"
            raise Refused(f"{record.deployment.name} has no resource {name} to retain; it has: {known}.")
    frontier = list(named)
    while frontier:
        row = record.resource_of(frontier.pop())
        for need in record.steps[row.step].needs if row else ():
            if need in owned and need not in named:
                named[need] = None
                frontier.append(need)
    return tuple(named)


def why_not_without(record: Record) -> str | None:
    """Return why a failed deployment cannot be accepted as it is, or None if it can."""
    incomplete = [step for step in record.steps.values() if not step.complete]
    hard = [s for s in incomplete if s.state is not StepState.FAILED or not _recoverable(s)]
    # A failed step explains more than a step that waits for it.
    first = next((step for step in hard if step.state is StepState.FAILED), hard[0] if hard else None)
    if first is None:
        return None
    named = f"{first.name} ({first.error.code if first.error else first.state.value})"
    if waiting := [step.name for step in hard if first.name in all_needs(record, step)]:
        verb = "needs it" if len(waiting) == 1 else "need it"
        return f"{named}: {', '.join(waiting)} {verb} and could not start"
    if first.state is not StepState.FAILED:
        return f"{named}: not complete yet"
    return f"{named}: its failure is critical, because the stack does not work without it"


def all_needs(record: Record, step: Step) -> set[str]:
    """Return the names of all steps that a step needs, directly or indirectly."""
    found: set[str] = set()
    frontier = list(step.needs)
    while frontier:
        if (name := frontier.pop()) not in found:
            found.add(name)
            frontier.extend(record.steps[name].needs)
    return found


def _recoverable(step: Step) -> bool:
    return step.error is not None and step.error.failure_class is FailureClass.RECOVERABLE


def may_have_acted(record: Record, resource: Resource) -> bool:
    """Whether a create of it has no known outcome and has not been searched for through the whole grace."""
    return any(a.may_have_acted for a in record.attempts.values() if a.resource_id == resource.id)


def awaits_its_request(step: Step, resource: Resource) -> bool:
    """Whether a step that has not begun has a resource: a copy of the database learned it from AWS
    (`survey.adoption`), and not yet with which request it was created.
    """
    return step.state is StepState.WAITING and resource.aws_id is not None


def configured_without_reply(record: Record) -> frozenset[str]:
    """Return the ids of resources of which a configuration has no known outcome: AWS may execute it late."""
    return frozenset(
        a.resource_id
        for a in record.attempts.values()
        if a.resource_id and a.action is Action.CONFIGURE and a.outcome in (None, Outcome.UNKNOWN)
    )


def may_have_duplicates(record: Record) -> bool:
    """Whether something may exist besides the rows: the outcome of a create is unknown, so that AWS may still
    execute it, or a resource that AWS no longer showed was recreated.
    """
    unknown = any(
        a.action is Action.CREATE and a.outcome is Outcome.UNKNOWN for a in record.attempts.values()
    )
    return unknown or any(row.owned and row.generation > 1 for row in record.resources.values())


def recorded_ids(record: Record, resource: Resource) -> frozenset[str]:
    """Return every AWS id that the creates of a resource are recorded to have returned or adopted."""
    ids = {a.aws_id for a in record.attempts.values() if a.resource_id == resource.id and a.action in _MAKING}
    return frozenset(filter(None, {resource.aws_id, *ids}))


def unaccounted_creates(record: Record, resource: Resource) -> int:
    """Return how many creates of a resource may have made an object of which no id is on record.

    A create without a known outcome may have made one. It is accounted for by an adoption, or by a duplicate
    that was found later.
    """
    creates = [a for a in record.attempts.values() if a.resource_id == resource.id and a.action in _MAKING]
    unknown = sum(a.action is Action.CREATE and a.outcome in (None, Outcome.UNKNOWN) for a in creates)
    adopted = {a.aws_id for a in creates if a.action is Action.ADOPT}
    duplicates = {
        row.aws_id
        for row in record.resources.values()
        if row.id != resource.id and (row.kind, row.tagged_as) == (resource.kind, resource.tagged_as)
    }
    returned = {a.aws_id for a in creates if a.action is Action.CREATE}
    return max(0, unknown - len((adopted | duplicates) - returned - {None}))


def was_never_made(record: Record, resource: Resource) -> bool:
    """Whether no create of it can have made an object: AWS refused each. So no object has had its tags."""
    return not recorded_ids(record, resource) and not unaccounted_creates(record, resource)


_MAKING = frozenset({Action.CREATE, Action.ADOPT})
