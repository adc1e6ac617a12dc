"""What to do next with a deployment: a pure function of its record and of the driver's pace.

`decide` answers one of three things: `Changed` (bookkeeping that follows from what is known: apply
it and ask again), `Work` (what to perform side by side, and when to look again), or `End` (why
there is nothing more to do for this driver). It never waits, asks AWS, or writes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tier1_engine.blueprint import Mode, resolve
from tier1_engine.errors import Refused
from tier1_engine.kinds import Problem
from tier1_engine.pace import CENSUS, IDENTITY, Do, Pace, Task
from tier1_engine.record import (
    Change,
    DeploymentSet,
    Move,
    Record,
    Resource,
    ResourceSet,
    Step,
    StepSet,
)
from tier1_engine.states import (
    FORWARD,
    PHASE_OF_STATE,
    TRIGGER_ENDING_PHASE,
    Action,
    FailureClass,
    Goal,
    Outcome,
    Phase,
    ResourceState,
    State,
    StepState,
    Trigger,
    next_state,
)

MAX_ARCHIVE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Changed:
    """Bookkeeping that follows from what is known."""

    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Work:
    """What to perform now, and the steady time at which to look again if nothing ends before."""

    tasks: Sequence[Task]
    wake_at: float | None


class Why(StrEnum):
    """Why a driver has nothing more to do."""

    SETTLED = "settled"  # active, failed, rolled_back or destroyed
    BLOCKED = "blocked"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class End:
    why: Why


Decision = Changed | Work | End


def decide(record: Record, pace: Pace) -> Decision:
    """Say what follows from what is known."""
    state, goal = record.deployment.state, record.deployment.goal
    if pace.stopping:
        return Work((), None) if pace.in_flight else End(Why.STOPPED)
    if state in (State.ROLLING_BACK, State.DESTROYING):
        return _go_back(record, pace)
    if state is State.ACTIVE and goal is Goal.DESTROYED:
        return Changed(turn_back(record, pace))
    if state is State.PENDING and goal is Goal.ACTIVE:
        return Changed([move(record, Trigger.START)])
    if state in (State.PENDING, *FORWARD):
        if goal is Goal.ACTIVE:
            return _go_forward(record, pace)
        return Work((), None) if pace.in_flight else Changed(turn_back(record, pace))
    return Work((), None) if pace.in_flight else End(Why.SETTLED)


def move(record: Record, trigger: Trigger, message: str = "", *, goal: Goal | None = None) -> Move:
    """A move of the table from where the record is."""
    deployment = record.deployment
    target = next_state(deployment.state, trigger, record.facts)
    return Move(trigger, deployment.state, target, goal or deployment.goal, message)


def turn_back(record: Record, pace: Pace, *, failure: Mapping[str, Any] | None = None) -> list[Change]:
    """The changes that begin a rollback or a destruction, or begin a stalled one again."""
    goal = Goal.ROLLED_BACK if failure else record.deployment.goal
    trigger = Trigger.DESTROY if goal is Goal.DESTROYED else Trigger.ROLL_BACK
    message = f"{failure['code']}: {failure['message']}" if failure else f"the goal is {goal}"
    changes: list[Change] = [move(record, trigger, message, goal=goal)]
    if failure:
        changes.append(DeploymentSet({"failure": failure}))
    changes += [
        StepSet(step.name, {"state": StepState.WAITING})
        for step in record.steps.values()
        if step.state is StepState.RUNNING
    ]
    # What would not delete last time gets its whole deadline again.
    changes += [
        ResourceSet(r.id, {"error": None, "driven_seconds": 0.0})
        for r in record.resources.values()
        if not r.settled and (r.error or r.driven_seconds)
    ]
    return changes


# --- forward


def _go_forward(record: Record, pace: Pace) -> Decision:
    phase = PHASE_OF_STATE[record.deployment.state]
    if phase is not Phase.HEALTH and _complete(record, phase):
        return Changed([move(record, TRIGGER_ENDING_PHASE[phase])])
    if overdue := _overdue_steps(record, pace):
        return Changed(overdue)
    if pace.blocked is not None:
        return _block(record, pace)
    if failed := [step for step in record.steps.values() if step.state is StepState.FAILED]:
        return _fail(record, pace, failed)
    if not pace.identified:
        return _work(pace, [Task(Do.IDENTIFY, IDENTITY)])
    strays = [r for r in record.resources.values() if r.owned and r.name != r.step and not r.settled]
    if overdue := _overdue_deletions(record, pace, strays):
        return Changed(overdue)
    tasks = [*_step_tasks(record, pace, record.steps.values()), *_delete_tasks(record, pace, strays)]
    if tasks or pace.in_flight or record.earliest_incomplete is not None:
        return _work(pace, tasks)
    if _may_have_strays(record) and not pace.clean_censuses:
        return _work(pace, [Task(Do.CENSUS, CENSUS)])
    return Changed(
        [
            move(record, Trigger.HEALTHY),
            DeploymentSet({**activated(record, pace.wall), "failure": None}),
        ]
    )


def activated(record: Record, at: datetime) -> dict[str, Any]:
    """The columns of a deployment that becomes active: since when, and what it offers."""
    facts = record.known_facts
    outputs = {
        name: _output(resolve(template, facts))
        for name, template in record.deployment.output_templates.items()
        if _is_known(template, facts)
    }
    return {"activated_at": at, "finished_at": at, "outputs": outputs}


def _output(value: Any) -> Any:
    """A list is the words of a command line."""
    return shlex.join(map(str, value)) if isinstance(value, list) else value


def _is_known(template: Any, facts: Mapping[str, Mapping[str, Any]]) -> bool:
    try:
        resolve(template, facts)
    except Refused:
        return False
    return True


def _complete(record: Record, phase: Phase) -> bool:
    return all(step.complete for step in record.steps.values() if step.phase is phase)


def _overdue_steps(record: Record, pace: Pace) -> list[Change]:
    """Running steps whose driven time is over, once they were looked at since this driver began."""
    return [
        StepSet(step.name, failed_step(pace, overdue_error(step)))
        for step in record.steps.values()
        if step.state is StepState.RUNNING
        and step.name in pace.looked
        and step.name not in pace.in_flight
        and pace.driven(step.name, step.driven_seconds) >= step.deadline_seconds
    ]


def overdue_error(step: Step) -> dict[str, Any]:
    """The error of a step that took too long: its last problem, and that time ran out."""
    last = step.error
    because = f" Last seen: {last['code']}: {last['message']}" if last else ""
    return {
        "code": last["code"] if last else "DeadlineExceeded",
        "message": f"not ready within {step.deadline_seconds:g} s.{because}",
        "operation": last.get("operation") if last else None,
        "request_id": last.get("request_id") if last else None,
        "class": step.on_failure.value,
    }


def failed_step(pace: Pace, error: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a step that failed for good."""
    return {"state": StepState.FAILED, "finished_at": pace.wall, "error": dict(error)}


def _block(record: Record, pace: Pace) -> Decision:
    """AWS does not let us act: once the calls in flight have ended, stop and keep everything."""
    if pace.in_flight:
        return Work((), None)
    problem = pace.blocked
    assert problem is not None
    waiting = (step.name for step in record.steps.values() if not step.complete)
    failure = {
        "step": pace.blocked_step or next(waiting, None),
        "class": FailureClass.BLOCKED.value,
        "code": problem.code,
        "message": problem.message,
        "operation": problem.operation,
        "request_id": problem.request_id,
        "at": pace.wall.isoformat(),
    }
    message = f"{problem.code}: {problem.message}"
    return Changed([move(record, Trigger.FAIL, message), DeploymentSet({"failure": failure})])


def _fail(record: Record, pace: Pace, failed: Sequence[Step]) -> Decision:
    """No new step starts; what runs is driven to an end; then one trigger fires for the worst class.

    With a rollback ahead nothing is gained by waiting for readiness: only the calls in flight are.
    """
    worst = min(failed, key=lambda step: (_SEVERITY[_class_of(step)], step.finished_at or pace.wall))
    kind_of_failure = _class_of(worst)
    rolls_back = kind_of_failure is FailureClass.CRITICAL and record.deployment.rollback_enabled
    if not rolls_back:
        running = [step for step in record.steps.values() if step.state is StepState.RUNNING]
        if running and not pace.identified:
            return _work(pace, [Task(Do.IDENTIFY, IDENTITY)])
        if running:
            return _work(pace, _step_tasks(record, pace, running))
    if pace.in_flight:
        return Work((), None)
    failure = failure_of(worst, pace.wall)
    if rolls_back:
        return Changed(turn_back(record, pace, failure=failure))
    message = f"{worst.name}: {failure['code']}: {failure['message']}"
    return Changed([move(record, Trigger.FAIL, message), DeploymentSet({"failure": failure})])


_SEVERITY = {FailureClass.CRITICAL: 0, FailureClass.RECOVERABLE: 1}


def _class_of(step: Step) -> FailureClass:
    return FailureClass((step.error or {}).get("class", step.on_failure))


def failure_of(step: Step, at: datetime) -> dict[str, Any]:
    """What is kept of the failure that ended the way forward."""
    error = step.error or {}
    return {
        "step": step.name,
        "class": _class_of(step).value,
        "code": error.get("code", "Unknown"),
        "message": error.get("message", ""),
        "operation": error.get("operation"),
        "request_id": error.get("request_id"),
        "at": (step.finished_at or at).isoformat(),
    }


def _step_tasks(record: Record, pace: Pace, steps: Iterable[Step]) -> list[Task]:
    """What the given steps want done now, whether due or not."""
    done = {step.name for step in record.steps.values() if step.complete}
    return [
        Task(_step_task(record, pace, step), step.name)
        for step in steps
        if step.state in (StepState.WAITING, StepState.RUNNING) and done.issuperset(step.needs)
    ]


def _step_task(record: Record, pace: Pace, step: Step) -> Do:
    if step.mode is Mode.CHECK:
        return Do.CHECK
    if step.mode is Mode.REFERENCE:
        return Do.REFERENCE
    resource = record.resource_of(step.name)
    if resource is None:
        return Do.CREATE if step.name in pace.prepared else Do.PREPARE
    if resource.aws_id is not None:
        return Do.CONFIGURE if step.name in pace.unset else Do.OBSERVE
    return Do.SETTLE if may_have_acted(record, resource) else Do.CREATE


def may_have_acted(record: Record, resource: Resource) -> bool:
    """A create of it has no known end and was not yet looked after for the whole grace."""
    return any(a.may_have_acted for a in record.attempts.values() if a.resource_id == resource.id)


def grace_end(pace: Pace, resource: Resource) -> float:
    """Until when, on the steady clock, an unknown create of it must be looked for."""
    return pace.unknown_at.get(resource.id, pace.now) + pace.grace_seconds


# --- back


def _go_back(record: Record, pace: Pace) -> Decision:
    if pace.blocked is not None:
        return Work((), None) if pace.in_flight else End(Why.BLOCKED)
    if not pace.identified:
        return _work(pace, [Task(Do.IDENTIFY, IDENTITY)])
    if changes := _without_aws(record, pace):
        return Changed(changes)
    living = [r for r in record.resources.values() if not r.settled]
    if overdue := _overdue_deletions(record, pace, living):
        return Changed(overdue)
    if tasks := _delete_tasks(record, pace, living):
        return _work(pace, tasks)
    if pace.in_flight:
        return Work((), None)
    if living:
        return Changed(_stall(record, pace, living))
    if pace.census_problem is not None:
        return Changed(_stall_unproven(record, pace, pace.census_problem))
    if pace.clean_censuses < (2 if _may_have_strays(record) else 1):
        wait = pace.last_census_at + pace.grace_seconds if pace.clean_censuses else pace.now
        return _work(pace, [Task(Do.CENSUS, CENSUS)], not_before=wait)
    trigger = Trigger.DESTROYED if record.deployment.goal is Goal.DESTROYED else Trigger.ROLLED_BACK
    return Changed([move(record, trigger), DeploymentSet({"finished_at": pace.wall})])


def _may_have_strays(record: Record) -> bool:
    """Some create's end was never learned: AWS may still execute it."""
    return any(
        a.action is Action.CREATE and a.outcome is Outcome.UNKNOWN for a in record.attempts.values()
    )


def _without_aws(record: Record, pace: Pace) -> list[Change]:
    """What can be ended from the record alone: what is kept, and what was provably never made."""
    retain = set(record.deployment.retain)
    changes: list[Change] = []
    for resource in record.resources.values():
        if resource.settled or resource.name in pace.in_flight:
            continue
        if resource.name in retain and resource.aws_id is not None:
            changes.append(ResourceSet(resource.id, {"state": ResourceState.RETAINED, "error": None}))
        elif resource.aws_id is None and not may_have_acted(record, resource):
            gone = {"state": ResourceState.DELETED, "deleted_at": pace.wall}
            changes.append(ResourceSet(resource.id, gone))
    return changes


def _delete_tasks(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Task]:
    """What can be worked on now: everything that nothing living still needs, side by side."""
    needed = _needed_by(record, living)
    return [
        Task(_delete_task(record, pace, resource), resource.name)
        for resource in living
        if not _stuck(resource) and (resource.step not in needed or resource.aws_id is None)
    ]


def _delete_task(record: Record, pace: Pace, resource: Resource) -> Do:
    if resource.aws_id is None:
        return Do.SETTLE
    if resource.name in pace.accepted:
        return Do.CONFIRM
    if record.deployment.state is State.ROLLING_BACK and resource.kind in pace.archiving_kinds:
        tries = record.attempts_at(resource.id, Action.ARCHIVE)
        if len(tries) < MAX_ARCHIVE_TRIES and not any(a.outcome is Outcome.DONE for a in tries):
            return Do.ARCHIVE
    return Do.DELETE


def _needed_by(record: Record, living: Sequence[Resource]) -> set[str]:
    """Names of the steps that some living resource needs, directly or through others."""
    needed: set[str] = set()
    frontier = [resource.step for resource in living]
    while frontier:
        for need in record.steps[frontier.pop()].needs:
            if need not in needed:
                needed.add(need)
                frontier.append(need)
    return needed


def _stuck(resource: Resource) -> bool:
    return bool(resource.error and resource.error.get("stuck"))


def _overdue_deletions(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Change]:
    """Deletions whose driven time is over since nothing used the resource any more."""
    limit = record.deployment.delete_seconds
    return [
        ResourceSet(resource.id, {"error": _stuck_error(resource, limit)})
        for resource in living
        if not _stuck(resource)
        and resource.name in pace.looked
        and resource.name not in pace.in_flight
        and resource.name in pace.counted_from
        and pace.driven(resource.name, resource.driven_seconds) >= limit
    ]


def _stuck_error(resource: Resource, limit_seconds: float) -> dict[str, Any]:
    last = resource.error or {"code": "DeadlineExceeded", "message": "AWS still shows it."}
    message = f"would not delete within {limit_seconds:g} s. Last seen: {last['code']}: {last['message']}"
    return {**last, "message": message, "stuck": True}


def _stall(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Change]:
    """Something would not delete: name what waits for it, and end."""
    stuck = [resource for resource in living if _stuck(resource)]
    names = ", ".join(resource.name for resource in stuck)
    blocked_by = {"code": "BlockedBy", "message": f"waits for what would not delete: {names}."}
    changes: list[Change] = [
        ResourceSet(resource.id, {"error": blocked_by}) for resource in living if not _stuck(resource)
    ]
    first = stuck[0].error or {}
    changes.append(move(record, Trigger.STALL, f"{len(living)} remain; would not delete: {names}"))
    failure = record.deployment.failure or {
        "step": stuck[0].step,
        "class": FailureClass.CRITICAL.value,
        "code": first.get("code", "WouldNotDelete"),
        "message": f"{stuck[0].name}: {first.get('message', '')}",
        "operation": first.get("operation"),
        "request_id": first.get("request_id"),
        "at": pace.wall.isoformat(),
    }
    changes.append(DeploymentSet({"failure": failure}))
    return changes


def _stall_unproven(record: Record, pace: Pace, problem: Problem) -> list[Change]:
    """All that is known is gone, but AWS would not list what else there may be."""
    message = f"all that is known is gone, but the census failed: {problem.code}: {problem.message}"
    failure = record.deployment.failure or {
        "step": None,
        "class": FailureClass.CRITICAL.value,
        "code": problem.code,
        "message": message,
        "operation": problem.operation,
        "request_id": problem.request_id,
        "at": pace.wall.isoformat(),
    }
    return [move(record, Trigger.STALL, message), DeploymentSet({"failure": failure})]


# --- common


def _work(pace: Pace, tasks: Sequence[Task], *, not_before: float = 0.0) -> Work:
    """Of all that is wanted, what is due and not yet in flight; and when the rest is."""
    free = [task for task in tasks if task.subject not in pace.in_flight]
    due_at = {task: max(pace.due.get(task.subject, 0.0), not_before) for task in free}
    now = [task for task in free if due_at[task] <= pace.now]
    later = [at for at in due_at.values() if at > pace.now]
    return Work(now, min(later, default=None))
