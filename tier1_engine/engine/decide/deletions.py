"""Decides which resources are deleted next, and which deletions are overdue. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import Change, Record, Resource, ResourceSet
from tier1_engine.deployment.states import ENDED, Action, Outcome, State
from tier1_engine.engine.decide.decision import Changed, Decision, End, EndReason, Work, work
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.tasks import IDENTITY, Do, Task
from tier1_engine.failures.codes import BLOCKED_CODES

MAX_ARCHIVE_TRIES = 3


def clear(record: Record, pace: Pace) -> Decision:
    """Delete loose resources, and leave the deployment itself as it is."""
    if pace.stopping:
        return Work((), None) if pace.in_flight else End(EndReason.STOPPED)
    if pace.blocked is not None:
        return Work((), None) if pace.in_flight else End(EndReason.BLOCKED)
    if not pace.identified:
        return work(pace, [Task(Do.IDENTIFY, IDENTITY)])
    living = loose(record)
    if overdue := overdue_deletions(record, pace, living):
        return Changed(overdue)
    if tasks := delete_tasks(record, pace, living):
        return work(pace, tasks)
    return Work((), None) if pace.in_flight else End(EndReason.SETTLED)


def loose(record: Record) -> list[Resource]:
    """Return the owned resources that exist but are not part of the deployment: its duplicates and, after its
    end, everything that was found.
    """
    ended = record.deployment.state in ENDED
    return [r for r in record.resources.values() if not r.settled and (ended or r.is_duplicate)]


def delete_tasks(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Task]:
    """Return the tasks for all resources that no other remaining resource needs; they run in parallel."""
    needed = needed_by(record, living)
    return [
        Task(_delete_task(record, pace, resource), resource.name)
        for resource in living
        if not resource.stuck
        and not held(pace, resource)
        and (resource.step not in needed or resource.aws_id is None)
    ]


def _delete_task(record: Record, pace: Pace, resource: Resource) -> Do:
    if resource.aws_id is None:
        return Do.SETTLE
    if resource.name in pace.accepted:
        return Do.CONFIRM
    if record.deployment.state is State.ROLLING_BACK and resource.kind in pace.archiving_kinds:
        tries = [a for a in record.attempts_at(resource.id, Action.ARCHIVE) if a.code not in BLOCKED_CODES]
        if len(tries) < MAX_ARCHIVE_TRIES and not any(a.outcome is Outcome.DONE or a.settled for a in tries):
            return Do.ARCHIVE
    return Do.DELETE


def needed_by(record: Record, living: Sequence[Resource]) -> set[str]:
    """Return the steps that some resource in `living` needs, directly or through others."""
    needed: set[str] = set()
    frontier = [resource.step for resource in living]
    while frontier:
        for need in record.steps[frontier.pop()].needs:
            if need not in needed:
                needed.add(need)
                frontier.append(need)
    return needed


def held(pace: Pace, resource: Resource) -> bool:
    """Whether the resource must not be deleted in this run: the operator's list does not name it."""
    if pace.may_delete is None or resource.aws_id is None:
        return False
    return (resource.kind, resource.aws_id) not in pace.may_delete


def overdue_deletions(record: Record, pace: Pace, living: Sequence[Resource]) -> list[Change]:
    """Mark the deletions that have used up their driven time; it counts once nothing needs the resource."""
    limit = record.deployment.delete_seconds
    return [
        ResourceSet(resource.id, {"error": _undeletable_error(resource, limit)})
        for resource in living
        if not resource.stuck
        and resource.name in pace.looked
        and resource.name not in pace.in_flight
        and resource.name not in pace.refused_since
        and resource.name in pace.counted_from
        and pace.driven(resource.name, resource.driven_seconds) >= limit
    ]


def _undeletable_error(resource: Resource, limit_seconds: float) -> Error:
    last = resource.error or Error("DeadlineExceeded", "AWS still shows it.")
    message = f"could not be deleted within {limit_seconds:g} s. Last seen: {last.message}"
    return replace(last, message=message, stuck=True)
