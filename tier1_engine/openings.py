"""What a command does first under the lease: go on, retry, or accept what failed. Pure.

Owns which of these a deployment allows, and the sentence that says why not. The changes are committed
by the driver, in its first turn and behind its fence.
"""

from __future__ import annotations

from collections.abc import Sequence

from tier1_engine.decision import may_have_acted, move, turn_back
from tier1_engine.errors import Refused
from tier1_engine.forward import activated, because
from tier1_engine.pace import Pacer
from tier1_engine.record import Change, Deployment, DeploymentSet, Record, ResourceSet, Step, StepSet
from tier1_engine.states import FailureClass, Goal, State, StepState, Trigger


def go_on(record: Record, pacer: Pacer) -> Sequence[Change]:
    """The opening of a bare resume: a stalled deletion begins again, a blocked failure is retried."""
    deployment = record.deployment
    if deployment.state is not State.FAILED:
        return ()
    if deployment.goal is not Goal.ACTIVE:
        changes = turn_back(record, pacer.view(0.0, deployment.updated_at))
        pacer.turn_back()
        return changes
    if (deployment.failure or {}).get("class") == FailureClass.BLOCKED:
        return retry(record, pacer)
    return ()


def retry(record: Record, pacer: Pacer) -> Sequence[Change]:
    """Reopen all failed steps, with new tries, new deadlines and, where settled, a new key."""
    deployment = record.deployment
    check_retry(deployment)
    changes: list[Change] = []
    for step in record.steps.values():
        if step.state is StepState.FAILED:
            changes += _reopen(record, step)
    reopened = record.apply(changes)
    if reopened.earliest_incomplete is None:
        raise Refused(f"{deployment.name} has no step to retry: use `tier1 rollback {deployment.id}`.")
    return [*changes, move(reopened, Trigger.RETRY), DeploymentSet({"failure": None, "finished_at": None})]


def check_retry(deployment: Deployment) -> None:
    """Whether there is something to retry at all.

    Raises:
        Refused: it has not failed on the way forward.
    """
    if deployment.state is not State.FAILED or deployment.goal is not Goal.ACTIVE:
        raise Refused(_cannot(deployment, "--retry"))


def _reopen(record: Record, step: Step) -> list[Change]:
    resource = record.resource_of(step.name)
    begun = resource is not None and (resource.aws_id is not None or may_have_acted(record, resource))
    state = StepState.RUNNING if begun else StepState.WAITING
    values = {"state": state, "finished_at": None, "error": None, "tries": 0, "driven_seconds": 0.0}
    changes: list[Change] = [StepSet(step.name, values)]
    if resource is not None and not begun:
        anew = {"generation": resource.generation + 1, "candidate": 0, "error": None}
        changes.append(ResourceSet(resource.id, anew))
    return changes


def accept(record: Record, pacer: Pacer) -> Sequence[Change]:
    """Go on with a warning: every failed step is recoverable and nothing else is incomplete."""
    deployment = record.deployment
    if deployment.state is not State.FAILED or deployment.goal is not Goal.ACTIVE:
        raise Refused(_cannot(deployment, "--continue"))
    if why := why_not_without(record):
        raise Refused(
            f"{deployment.name} cannot go on without {why}. "
            f"Use `tier1 resume {deployment.id} --retry` or `tier1 rollback {deployment.id}`."
        )
    open_steps = [step for step in record.steps.values() if not step.complete]
    skipped = [StepSet(step.name, {"state": StepState.SKIPPED}) for step in open_steps]
    warnings = [f"{step.name} was accepted as failed{because(step.error)}" for step in open_steps]
    whole = {
        "warnings": (*deployment.warnings, *warnings),
        "failure": None,
        **activated(record, deployment.updated_at),
    }
    return [*skipped, DeploymentSet(whole), move(record, Trigger.ACCEPT, "; ".join(warnings))]


def why_not_without(record: Record) -> str | None:
    """Why a failed deployment cannot be accepted as it is; None when it can."""
    incomplete = [step for step in record.steps.values() if not step.complete]
    hard = [s for s in incomplete if s.state is not StepState.FAILED or not _recoverable(s)]
    # What failed says more than what only waits for it.
    first = next((step for step in hard if step.state is StepState.FAILED), hard[0] if hard else None)
    if first is None:
        return None
    named = f"{first.name} ({(first.error or {}).get('code', first.state.value)})"
    if waiting := [step.name for step in hard if first.name in all_needs(record, step)]:
        verb = "needs it" if len(waiting) == 1 else "need it"
        return f"{named}: {', '.join(waiting)} {verb} and could not be begun"
    if first.state is not StepState.FAILED:
        return f"{named}: it is not complete yet"
    return f"{named}: its failure is critical, for the stack does not do what it is for without it"


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
    return bool(step.error) and step.error.get("class") == FailureClass.RECOVERABLE  # type: ignore[union-attr]


def _cannot(deployment: Deployment, flag: str) -> str:
    if deployment.goal is not Goal.ACTIVE:
        return (
            f"{deployment.name} is being taken down (its goal is {deployment.goal}), so {flag} cannot be: "
            f"use `tier1 resume {deployment.id}`."
        )
    return f"{deployment.name} is {deployment.state}, not failed: {flag} is for what has failed."
