"""The first changes of a command under the lease: continue, retry, or accept what failed. Pure.

Owns which of these a deployment allows, and the message that says why not. The driver commits the changes
in its first turn, behind its fence.
"""

from __future__ import annotations

from collections.abc import Sequence

from tier1_engine.deployment.record import (
    Change,
    Deployment,
    DeploymentSet,
    Record,
    ResourceSet,
    Step,
    StepSet,
)
from tier1_engine.deployment.standing import may_have_acted, why_not_without
from tier1_engine.deployment.states import FailureClass, Goal, State, StepState, Trigger
from tier1_engine.engine.decide.decision import activated, because, move, turn_back
from tier1_engine.engine.pace import Pace
from tier1_engine.errors import Refused


def go_on(record: Record, pace: Pace) -> Sequence[Change]:
    """Open a plain resume: restart a stalled deletion, retry a blocked failure."""
    deployment = record.deployment
    if deployment.state is not State.FAILED:
        return ()
    if deployment.goal is not Goal.ACTIVE:
        return turn_back(record)
    if deployment.failure_class is FailureClass.BLOCKED:
        return retry(record, pace)
    return ()


def retry(record: Record, pace: Pace) -> Sequence[Change]:
    """Reopen all failed steps with attempts and deadlines reset and, where nothing can exist, a new key."""
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
    """Check that the deployment can be retried.

    Raises:
        Refused: it has not failed during provisioning.
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


def accept(record: Record, pace: Pace) -> Sequence[Change]:
    """Skip the failed steps with a warning, and become active.

    Raises:
        Refused: a failed step is not recoverable, or another step is incomplete.
    """
    deployment = record.deployment
    if deployment.state is not State.FAILED or deployment.goal is not Goal.ACTIVE:
        raise Refused(_cannot(deployment, "--continue"))
    if why := why_not_without(record):
        raise Refused(
            f"{deployment.name} cannot continue without {why}. "
            f"Use `tier1 resume {deployment.id} --retry` or `tier1 rollback {deployment.id}`."
        )
    open_steps = [step for step in record.steps.values() if not step.complete]
    skipped = [StepSet(step.name, {"state": StepState.SKIPPED}) for step in open_steps]
    warnings = [f"{step.name} failed, and you accepted that{because(step.error)}" for step in open_steps]
    whole = {
        "warnings": (*deployment.warnings, *warnings),
        "failure": None,
        **activated(record, deployment.updated_at),
    }
    return [*skipped, DeploymentSet(whole), move(record, Trigger.ACCEPT, "; ".join(warnings))]


def _cannot(deployment: Deployment, flag: str) -> str:
    if deployment.goal is not Goal.ACTIVE:
        return (
            f"{deployment.name} is being deleted (target state {deployment.goal}); {flag} is not possible: "
            f"use `tier1 resume {deployment.id}`."
        )
    return f"{deployment.name} is {deployment.state}, not failed: {flag} applies only to failed deployments."
