"""The results of `decide`, and what provisioning and teardown share. Pure.

Owns the three results, the transitions of the state machine as changes, and the choice of due tasks.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tier1_engine.contract.kind import Problem
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.plan import resolve
from tier1_engine.deployment.record import Change, DeploymentSet, Move, Note, Record, ResourceSet, StepSet
from tier1_engine.deployment.states import GOING_BACK, FailureClass, Goal, StepState, Trigger
from tier1_engine.deployment.transitions import next_state
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.tasks import Task
from tier1_engine.errors import Refused


@dataclass(frozen=True, slots=True)
class Changed:
    """Bookkeeping to apply before `decide` is called again."""

    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Work:
    """The tasks to perform now, and the steady time at which to decide again if nothing ends before."""

    tasks: Sequence[Task]
    wake_at: float | None


class EndReason(StrEnum):
    """Why a driver has nothing more to do."""

    SETTLED = "settled"  # active, failed, rolled_back or destroyed
    BLOCKED = "blocked"
    STOPPED = "stopped"
    HELD = "held"  # what remains is not in `may_delete`


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more to do for this driver."""

    why: EndReason


Decision = Changed | Work | End


def move(record: Record, trigger: Trigger, message: str = "", *, goal: Goal | None = None) -> Move:
    """Return the transition that `trigger` causes in the current state."""
    deployment = record.deployment
    target = next_state(deployment.state, trigger, record.facts)
    return Move(trigger, deployment.state, target, goal or deployment.goal, message)


def turn_back(record: Record, *, failure: Failure | None = None) -> list[Change]:
    """Return the changes that start a rollback or a destruction, or restart a stalled one."""
    goal = Goal.ROLLED_BACK if failure else record.deployment.goal
    trigger = Trigger.DESTROY if goal is Goal.DESTROYED else Trigger.ROLL_BACK
    message = f"{failure.code}: {failure.message}" if failure else f"target state {goal}"
    changes: list[Change] = [move(record, trigger, message, goal=goal)]
    if failure:
        changes.append(DeploymentSet({"failure": failure}))
    changes += [
        StepSet(step.name, {"state": StepState.WAITING})
        for step in record.steps.values()
        if step.state is StepState.RUNNING
    ]
    # A resource that could not be deleted last time gets its full deadline again.
    changes += [
        ResourceSet(r.id, {"error": None, "driven_seconds": 0.0})
        for r in record.resources.values()
        if not r.settled and (r.error or r.driven_seconds)
    ]
    return changes


def work(pace: Pace, tasks: Sequence[Task], *, not_before: float = 0.0) -> Work:
    """Select the tasks that are due and not in flight; `wake_at` is when the next of the others is due."""
    free = [task for task in tasks if task.subject not in pace.in_flight]
    due_at = {task: max(pace.due.get(task.subject, 0.0), not_before) for task in free}
    now = [task for task in free if due_at[task] <= pace.now]
    later = [at for at in due_at.values() if at > pace.now]
    return Work(now, min(later, default=None))


def because(error: Error | None) -> str:
    """Return the suffix of a warning: the code and the message of the error."""
    return f": {error.code}: {error.message}" if error else ""


def failure_of(
    cause: Error | Problem, step: str | None, failure_class: FailureClass, at: datetime, message: str = ""
) -> Failure:
    """Build the failure of a deployment from the cause that ended provisioning or stalled a teardown.

    Args:
        message: replaces the message of the cause.
    """
    return Failure(
        step=step,
        failure_class=failure_class,
        code=cause.code,
        message=message or cause.message,
        operation=cause.operation,
        request_id=cause.request_id,
        at=at,
    )


def blocked(record: Record, pace: Pace) -> list[Change]:
    """Return what to record of a rollback or teardown that ends because AWS refuses access."""
    if pace.blocked is None or record.deployment.state not in GOING_BACK:
        return []
    failure = failure_of(pace.blocked, pace.blocked_step, FailureClass.BLOCKED, pace.wall)
    return [DeploymentSet({"blocked": failure}), Note(f"blocked: {failure.code}: {failure.message}")]


def activated(record: Record, at: datetime) -> dict[str, Any]:
    """Return the columns of a deployment that becomes active: the time and the outputs."""
    facts = record.known_facts
    outputs = {
        name: _output(resolve(template, facts))
        for name, template in record.deployment.output_templates.items()
        if _is_known(template, facts)
    }
    return {"activated_at": at, "finished_at": at, "outputs": outputs}


def _output(value: Any) -> Any:
    """Render an output; a list is the arguments of a command line."""
    return shlex.join(map(str, value)) if isinstance(value, list) else value


def _is_known(template: Any, facts: Mapping[str, Mapping[str, Any]]) -> bool:
    try:
        resolve(template, facts)
    except Refused:
        return False
    return True
