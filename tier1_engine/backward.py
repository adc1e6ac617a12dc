"""The way back: what can be deleted now, what would not go, and when all of it is gone. Pure.

Strays are deleted by the same rules on the way forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tier1_engine.decision import (
    Changed,
    Decision,
    End,
    Why,
    Work,
    may_have_acted,
    may_have_strays,
    move,
    work,
)
from tier1_engine.kinds import Problem
from tier1_engine.pace import CENSUS, IDENTITY, Do, Pace, Task
from tier1_engine.record import Change, DeploymentSet, Record, Resource, ResourceSet
from tier1_engine.states import ENDED, Action, FailureClass, Goal, Outcome, ResourceState, State, Trigger

MAX_ARCHIVE_TRIES = 3


def go_back(record: Record, pace: Pace) -> Decision:
    """Settle what may exist, delete what nothing needs, and end when a census finds no more."""
    if pace.blocked is not None:
        return Work((), None) if pace.in_flight else End(Why.BLOCKED)
    if not pace.identified:
        return work(pace, [Task(Do.IDENTIFY, IDENTITY)])
    if changes := _without_aws(record, pace):
        return Changed(changes)
    living = [r for r in record.resources.values() if not r.settled]
    if overdue := overdue_deletions(record, pace, living):
        return Changed(overdue)
    if tasks := delete_tasks(record, pace, living):
        return work(pace, [*tasks, *_search(record, pace, living)])
    if living and any(_held(pace, resource) for resource in living):
        return Work((), None) if pace.in_flight else End(Why.HELD)
    if search := _search(record, pace, living):
        return work(pace, search)
    if pace.in_flight:
        return Work((), None)
    return Changed(_stall(record, pace, living)) if living else _prove_gone(record, pace)


def _search(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Task]:
    """A census, while something does not go: what AWS executed late may stand in its way, and no row has it.

    It is made when that something was asked to go for the whole grace, and once more before it is given up.
    """
    if pace.census_problem is not None:
        return []
    needed, searched = _needed_by(record, living), {name for name, _ in pace.searched}
    wanted = any(
        (r.name, True) not in pace.searched
        if r.stuck
        else r.name not in searched and pace.driven(r.name, r.driven_seconds) >= pace.grace_seconds
        for r in living
        if r.error and r.step not in needed
    )
    return [Task(Do.CENSUS, CENSUS)] if wanted else []


def _prove_gone(record: Record, pace: Pace) -> Decision:
    """No row is left: a census must say the same before it counts as gone."""
    if pace.census_problem is not None:
        return Changed(_stall_unproven(record, pace, pace.census_problem))
    if pace.clean_censuses < (2 if may_have_strays(record) else 1):
        wait = pace.last_census_at + pace.grace_seconds if pace.clean_censuses else pace.now
        return work(pace, [Task(Do.CENSUS, CENSUS)], not_before=wait)
    trigger = Trigger.DESTROYED if record.deployment.goal is Goal.DESTROYED else Trigger.ROLLED_BACK
    return Changed([move(record, trigger), DeploymentSet({"finished_at": pace.wall})])


def clear(record: Record, pace: Pace) -> Decision:
    """Delete what is loose, and leave the deployment itself as it is."""
    if pace.stopping:
        return Work((), None) if pace.in_flight else End(Why.STOPPED)
    if pace.blocked is not None:
        return Work((), None) if pace.in_flight else End(Why.BLOCKED)
    if not pace.identified:
        return work(pace, [Task(Do.IDENTIFY, IDENTITY)])
    living = loose(record)
    if overdue := overdue_deletions(record, pace, living):
        return Changed(overdue)
    if tasks := delete_tasks(record, pace, living):
        return work(pace, tasks)
    return Work((), None) if pace.in_flight else End(Why.SETTLED)


def loose(record: Record) -> list[Resource]:
    """What is ours, is still there, and is no part of what the deployment is: strays, and after its end
    whatever turned up.
    """
    ended = record.deployment.state in ENDED
    return [r for r in record.resources.values() if not r.settled and (ended or r.one_too_many)]


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


def delete_tasks(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Task]:
    """What can be worked on now: everything that nothing living still needs, side by side."""
    needed = _needed_by(record, living)
    return [
        Task(_delete_task(record, pace, resource), resource.name)
        for resource in living
        if not resource.stuck
        and not _held(pace, resource)
        and (resource.step not in needed or resource.aws_id is None)
    ]


def _delete_task(record: Record, pace: Pace, resource: Resource) -> Do:
    if resource.aws_id is None:
        return Do.SETTLE
    if resource.name in pace.accepted:
        return Do.CONFIRM
    if record.deployment.state is State.ROLLING_BACK and resource.kind in pace.archiving_kinds:
        tries = record.attempts_at(resource.id, Action.ARCHIVE)
        if len(tries) < MAX_ARCHIVE_TRIES and not any(a.outcome is Outcome.DONE or a.settled for a in tries):
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


def _held(pace: Pace, resource: Resource) -> bool:
    """It may not be deleted this time: an operator's list does not name it."""
    if pace.may_delete is None or resource.aws_id is None:
        return False
    return (resource.kind, resource.aws_id) not in pace.may_delete


def overdue_deletions(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Change]:
    """Deletions whose driven time is over since nothing used the resource any more."""
    limit = record.deployment.delete_seconds
    return [
        ResourceSet(resource.id, {"error": _stuck_error(resource, limit)})
        for resource in living
        if not resource.stuck
        and resource.name in pace.looked
        and resource.name not in pace.in_flight
        and resource.name in pace.counted_from
        and pace.driven(resource.name, resource.driven_seconds) >= limit
    ]


def _stuck_error(resource: Resource, limit_seconds: float) -> dict[str, Any]:
    last = resource.error or {"code": "DeadlineExceeded", "message": "AWS still shows it."}
    message = f"would not delete within {limit_seconds:g} s. Last seen: {last['message']}"
    return {**last, "message": message, "stuck": True}


def _stall(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Change]:
    """Something would not delete: name what waits for it, and end."""
    stuck = [resource for resource in living if resource.stuck]
    names = ", ".join(resource.name for resource in stuck)
    blocked_by = {"code": "BlockedBy", "message": f"waits for what would not delete: {names}."}
    changes: list[Change] = [
        ResourceSet(resource.id, {"error": blocked_by}) for resource in living if not resource.stuck
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
