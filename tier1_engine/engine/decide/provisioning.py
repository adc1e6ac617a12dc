"""Provisioning: which steps run, when one has failed, and when a phase is complete. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from tier1_engine.contract.kind import Problem
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import Change, DeploymentSet, Record, Resource, Step, StepSet
from tier1_engine.deployment.standing import awaits_its_request, may_have_acted, may_have_duplicates
from tier1_engine.deployment.states import PHASE_OF_STATE, FailureClass, Mode, Phase, StepState, Trigger
from tier1_engine.deployment.transitions import TRIGGER_ENDING_PHASE
from tier1_engine.engine.decide.decision import (
    Changed,
    Decision,
    Work,
    activated,
    because,
    failure_of,
    move,
    turn_back,
    work,
)
from tier1_engine.engine.decide.deletions import delete_tasks, overdue_deletions
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.tasks import CENSUS, IDENTITY, Do, Task


def provision(record: Record, pace: Pace) -> Decision:
    """Run the steps that can run; end the phase, or provisioning, when it is complete or has failed."""
    phase = PHASE_OF_STATE[record.deployment.state]
    if phase is not Phase.HEALTH and _complete(record, phase):
        return Changed([move(record, TRIGGER_ENDING_PHASE[phase])])
    if overdue := _overdue_steps(record, pace):
        return Changed(overdue)
    if blocked := _blocked(record, pace):
        return _block(record, pace, *blocked)
    if failed := [step for step in record.steps.values() if step.state is StepState.FAILED]:
        return _fail(record, pace, failed)
    if not pace.identified:
        return work(pace, [Task(Do.IDENTIFY, IDENTITY)])
    duplicates = [r for r in record.resources.values() if r.owned and r.is_duplicate and not r.settled]
    if overdue := overdue_deletions(record, pace, duplicates):
        return Changed(overdue)
    tasks = [*_step_tasks(record, pace, record.steps.values()), *delete_tasks(record, pace, duplicates)]
    if tasks or pace.in_flight or record.earliest_incomplete is not None:
        return work(pace, tasks)
    if may_have_duplicates(record) and not pace.clean_censuses:
        return work(pace, [Task(Do.CENSUS, CENSUS)])
    values = {
        **activated(record, pace.wall),
        "failure": None,
        "warnings": _with_duplicates(record, duplicates),
    }
    return Changed([move(record, Trigger.HEALTHY), DeploymentSet(values)])


def _with_duplicates(record: Record, duplicates: Iterable[Resource]) -> tuple[str, ...]:
    """Add a warning for each duplicate that could not be deleted: the stack works, but they cost money."""
    stay = (
        f"{r.aws_id} is a duplicate of {r.step} that could not be deleted{because(r.error)}"
        for r in duplicates
    )
    return (*record.deployment.warnings, *stay)


def _complete(record: Record, phase: Phase) -> bool:
    return all(step.complete for step in record.steps.values() if step.phase is phase)


def _overdue_steps(record: Record, pace: Pace) -> list[Change]:
    """Fail the running steps that have used up their driven time and that this driver has observed."""
    return [
        StepSet(step.name, _failed_step(pace, _overdue_error(step)))
        for step in record.steps.values()
        if _is_overdue(pace, step) and step.name not in pace.refused_since
    ]


def _is_overdue(pace: Pace, step: Step, more_seconds: float = 0.0) -> bool:
    return (
        step.state is StepState.RUNNING
        and step.name in pace.looked
        and step.name not in pace.in_flight
        and pace.driven(step.name, step.driven_seconds) + more_seconds >= step.deadline_seconds
    )


def _overdue_error(step: Step) -> Error:
    """Return the error of a step that took too long, with the code and message of its last problem."""
    message = f"not ready within {step.deadline_seconds:g} s."
    if step.error is None:
        return Error("DeadlineExceeded", message, failure_class=step.on_failure)
    message = f"{message} Last seen: {step.error.message}"
    return replace(step.error, message=message, failure_class=step.on_failure)


def _failed_step(pace: Pace, error: Error) -> dict[str, Any]:
    """Return the columns of a step that failed permanently."""
    return {"state": StepState.FAILED, "finished_at": pace.wall, "error": error}


def _blocked(record: Record, pace: Pace) -> tuple[Problem | Error, str | None] | None:
    """Return what prevents all calls, and the step that met it: AWS refuses access, or a step is overdue
    because AWS cannot be reached. A rollback could not reach it either.
    """
    if pace.blocked is not None:
        return pace.blocked, pace.blocked_step
    for step in record.steps.values():
        without = pace.seconds_without_access(step.name)
        if without >= pace.settings.access_seconds and _is_overdue(pace, step, without) and step.error:
            return step.error, step.name
    return None


def _block(record: Record, pace: Pace, problem: Problem | Error, step: str | None) -> Decision:
    """AWS refuses all calls: let the calls in flight end, then fail and delete nothing."""
    if pace.in_flight:
        return Work((), None)
    waiting = (step.name for step in record.steps.values() if not step.complete)
    failure = failure_of(problem, step or next(waiting, None), FailureClass.BLOCKED, pace.wall)
    message = f"{problem.code}: {problem.message}"
    values = {"failure": failure, "blocked": failure}
    return Changed([move(record, Trigger.FAIL, message), DeploymentSet(values)])


def _fail(record: Record, pace: Pace, failed: Sequence[Step]) -> Decision:
    """Start no new step, let the running ones end, then fire one trigger for the worst failure class.

    Before a rollback there is no point in waiting for readiness: only the calls in flight are awaited.
    """
    worst = min(failed, key=lambda step: (_SEVERITY[_class_of(step)], step.finished_at or pace.wall))
    kind_of_failure = _class_of(worst)
    rolls_back = kind_of_failure is FailureClass.CRITICAL and record.deployment.rollback_enabled
    if not rolls_back:
        running = [step for step in record.steps.values() if step.state is StepState.RUNNING]
        if running and not pace.identified:
            return work(pace, [Task(Do.IDENTIFY, IDENTITY)])
        if running:
            return work(pace, _step_tasks(record, pace, running))
    if pace.in_flight:
        return Work((), None)
    error = worst.error or Error("Unknown", "")
    failure = failure_of(error, worst.name, kind_of_failure, worst.finished_at or pace.wall)
    if rolls_back:
        return Changed(turn_back(record, failure=failure))
    message = f"{worst.name}: {failure.code}: {failure.message}"
    return Changed([move(record, Trigger.FAIL, message), DeploymentSet({"failure": failure})])


_SEVERITY = {FailureClass.CRITICAL: 0, FailureClass.RECOVERABLE: 1}


def _class_of(step: Step) -> FailureClass:
    return (step.error.failure_class if step.error else None) or step.on_failure


def _step_tasks(record: Record, pace: Pace, steps: Iterable[Step]) -> list[Task]:
    """Return the next task of each step that can run, whether due or not."""
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
    if awaits_its_request(step, resource):
        return Do.PREPARE
    if resource.aws_id is not None:
        return Do.CONFIGURE if step.name in pace.unset else Do.OBSERVE
    return Do.SETTLE if may_have_acted(record, resource) else Do.CREATE
