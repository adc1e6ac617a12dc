"""How a deployment stands: what remains of it, what can be kept or gone without, whether it was interrupted.

Pure questions to a record that several rooms ask; it decides nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    """Whether its goal is not reached, nobody drives it, and it did not end as failed."""
    if driven or deployment.state in (*ENDED, State.FAILED):
        return False
    return deployment.state.value != deployment.goal.value


def left(record: Record) -> list[Resource]:
    """What is ours and may still stand: not gone, not kept on purpose, and with an id or an open create.

    In the order of the plan.
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
    """What was kept on the operator's word."""
    return [r for r in record.resources.values() if r.state is ResourceState.RETAINED]


def asks_for_a_decision(deployment: Deployment) -> bool:
    """It failed on the way forward and waits for what the operator wants."""
    return deployment.state is State.FAILED and deployment.goal is Goal.ACTIVE


def closure(record: Record, retain: Iterable[str]) -> tuple[str, ...]:
    """The names to retain with all that they need: what is kept cannot stand on what is deleted.

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
    """Why a failed deployment cannot be accepted as it is; None when it can."""
    incomplete = [step for step in record.steps.values() if not step.complete]
    hard = [s for s in incomplete if s.state is not StepState.FAILED or not _recoverable(s)]
    # What failed says more than what only waits for it.
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
    """The names of all steps that one needs, directly or through others."""
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
    """A create of it has no known end and was not yet looked after for the whole grace."""
    return any(a.may_have_acted for a in record.attempts.values() if a.resource_id == resource.id)


def may_have_duplicates(record: Record) -> bool:
    """Some create's end was never learned: AWS may still execute it."""
    return any(a.action is Action.CREATE and a.outcome is Outcome.UNKNOWN for a in record.attempts.values())
