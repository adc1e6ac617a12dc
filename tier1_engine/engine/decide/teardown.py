"""Rollback and teardown: what can be deleted now, what could not be deleted, and when all is gone. Pure.

Provisioning deletes duplicates by the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from tier1_engine.contract.kind import Problem
from tier1_engine.deployment.failure import BLOCKED_BY, Error, Failure
from tier1_engine.deployment.record import Change, DeploymentSet, Record, Resource, ResourceSet
from tier1_engine.deployment.standing import may_have_acted, may_have_duplicates
from tier1_engine.deployment.states import (
    FailureClass,
    Goal,
    ResourceState,
    StepState,
    Trigger,
)
from tier1_engine.engine.decide.decision import (
    Changed,
    Decision,
    End,
    EndReason,
    Work,
    failure_of,
    move,
    work,
)
from tier1_engine.engine.decide.deletions import delete_tasks, held, needed_by, overdue_deletions
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.tasks import CENSUS, IDENTITY, Do, Task


def go_back(record: Record, pace: Pace) -> Decision:
    """Settle what may exist, delete what nothing needs, and end when a census finds nothing more."""
    if pace.blocked is not None:
        return Work((), None) if pace.in_flight else End(EndReason.BLOCKED)
    if not pace.identified:
        return work(pace, [Task(Do.IDENTIFY, IDENTITY)])
    if changes := _without_aws(record, pace):
        return Changed(changes)
    living = [r for r in record.resources.values() if not r.settled]
    if overdue := overdue_deletions(record, pace, living):
        return Changed(overdue)
    if tasks := delete_tasks(record, pace, living):
        return work(pace, [*tasks, *_search(record, pace, living)])
    if living and any(held(pace, resource) for resource in living):
        return Work((), None) if pace.in_flight else End(EndReason.HELD)
    if search := _search(record, pace, living):
        return work(pace, search)
    if pace.in_flight:
        return Work((), None)
    return Changed(_stall(record, pace, living)) if living else _prove_gone(record, pace)


def _search(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Task]:
    """Return a census while a resource cannot be deleted: a call that AWS executed late may have created
    something that blocks the deletion and has no row.

    It runs once the deletion has taken the whole grace period, and again before the resource is given up.
    """
    if pace.census_problem is not None:
        return []
    needed, searched = needed_by(record, living), {name for name, _ in pace.searched}
    wanted = any(
        (r.name, True) not in pace.searched
        if r.stuck
        else r.name not in searched and pace.driven(r.name, r.driven_seconds) >= pace.grace_seconds
        for r in living
        if r.error and r.step not in needed
    )
    return [Task(Do.CENSUS, CENSUS)] if wanted else []


def _prove_gone(record: Record, pace: Pace) -> Decision:
    """No row remains: a census must confirm that nothing exists before the deployment counts as gone."""
    if pace.census_problem is not None:
        return Changed(_stall_unproven(record, pace, pace.census_problem))
    if pace.clean_censuses < (2 if may_have_duplicates(record) else 1):
        wait = pace.last_census_at + pace.grace_seconds if pace.clean_censuses else pace.now
        return work(pace, [Task(Do.CENSUS, CENSUS)], not_before=wait)
    trigger = Trigger.DESTROYED if record.deployment.goal is Goal.DESTROYED else Trigger.ROLLED_BACK
    values = {"finished_at": pace.wall, "failure": _of_provisioning(record)}
    return Changed([move(record, trigger), DeploymentSet(values)])


def _of_provisioning(record: Record) -> Failure | None:
    """Return the failure that ended provisioning; one that stalled the deletion is over."""
    deployment = record.deployment
    failed = any(step.state is StepState.FAILED for step in record.steps.values())
    ended_by_it = failed or deployment.failure_class is FailureClass.BLOCKED
    return deployment.failure if deployment.activated_at is None and ended_by_it else None


def _without_aws(record: Record, pace: Pace) -> list[Change]:
    """Settle the rows that need no call: resources to retain, and those that were certainly never created."""
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


def _stall(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Change]:
    """Some resources could not be deleted: mark those that they block, and end as failed."""
    stuck = [resource for resource in living if resource.stuck]
    names = ", ".join(resource.name for resource in stuck)
    blocked_by = Error(BLOCKED_BY, f"blocked by {names}, which could not be deleted.")
    changes: list[Change] = [
        ResourceSet(resource.id, {"error": blocked_by}) for resource in living if not resource.stuck
    ]
    first = stuck[0].error
    assert first is not None  # `stuck` is a field of the error
    changes.append(move(record, Trigger.STALL, f"{len(living)} remaining; could not be deleted: {names}"))
    failure = record.deployment.failure or failure_of(
        first, stuck[0].step, FailureClass.CRITICAL, pace.wall, f"{stuck[0].name}: {first.message}"
    )
    changes.append(DeploymentSet({"failure": failure}))
    return changes


def _stall_unproven(record: Record, pace: Pace, problem: Problem) -> list[Change]:
    """Every known resource is deleted, but the census failed, so there may be more."""
    message = f"every known resource is deleted, but the census failed: {problem.code}: {problem.message}"
    failure = record.deployment.failure or failure_of(
        problem, None, FailureClass.CRITICAL, pace.wall, message
    )
    return [move(record, Trigger.STALL, message), DeploymentSet({"failure": failure})]
