"""What an answer changes on the way back: deletions, their read-backs, and the census.

A deletion is recorded when a look says that the object is gone, not when the call returned. What
cannot be deleted is marked and the rest continues; `decide` ends with what remains. Strays are deleted
by the same functions on the way forward.
"""

from __future__ import annotations

from collections.abc import Callable

from tier1_engine.contract.kind import Presence
from tier1_engine.deployment.record import (
    AttemptSet,
    Change,
    Console,
    Note,
    ResourceSet,
)
from tier1_engine.deployment.states import Action, Outcome, ResourceState
from tier1_engine.engine.protocol.assignment import not_ours
from tier1_engine.engine.protocol.case import (
    Case,
    adopted,
    end_attempt,
    end_in_error,
    error_of,
    identified,
    keep_looking,
    problem_of,
    settled_attempts,
    stray_rows,
)
from tier1_engine.engine.protocol.record_census import record_census
from tier1_engine.engine.tasks import CENSUS, Do
from tier1_engine.errors import CallError
from tier1_engine.failures.calls import Verdict, judge


def absorb(case: Case) -> list[Change]:
    """The changes that record one answer of the way back."""
    do = case.assignment.task.do
    if do is Do.IDENTIFY:
        return identified(case)
    if case.subject == CENSUS:
        return record_census(case)
    case.pacer.looked.add(case.subject)
    if do is not Do.ARCHIVE:
        case.pacer.counted_from.setdefault(case.subject, case.now)
    if case.answer.error is not None:
        return _failed_call(case, case.answer.error)
    return _BACK[do](case)


def _failed_call(case: Case, error: CallError) -> list[Change]:
    """A call on the way back that failed: wait, try again, or leave it and say why."""
    resource, do = case.resource, case.assignment.task.do
    changes = end_in_error(case, error)
    if do is Do.ARCHIVE:
        return changes + _not_archived(case, error)
    noted = error_of(error)
    # What is not visible yet, or not any more, is asked again until the deletion's deadline.
    match judge(error, case.assignment.action, case.assignment.kind, young=True):
        case Verdict.STOPPED:
            case.poll()
            return changes
        case Verdict.BLOCKED:
            case.pacer.blocked, case.pacer.blocked_step = problem_of(error), resource.step
        case Verdict.GONE:
            return changes + _shown_absent(case)
        case Verdict.IN_USE | Verdict.TRANSIENT | Verdict.UNSEEN:
            case.pacer.back_off(case.subject, case.now)
        case _:
            noted["stuck"] = True
    return [*changes, ResourceSet(resource.id, {"error": noted})]


def _not_archived(case: Case, error: CallError) -> list[Change]:
    """The console could not be read: tried a bounded number of times, then the termination continues.

    Of what is gone there is none to read, and no second try; what is young may only not be shown yet.
    """
    verdict = judge(error, Action.ARCHIVE, case.assignment.kind, young=False)
    if verdict is Verdict.GONE and _grace_left(case) <= 0:
        case.at_once()
        assert case.assignment.attempt_id is not None  # an archive is recorded before it goes out
        return [AttemptSet(case.assignment.attempt_id, {"settled": True})]
    if verdict is Verdict.BLOCKED:
        case.pacer.blocked, case.pacer.blocked_step = problem_of(error), case.resource.step
    case.pacer.back_off(case.subject, case.now)
    return []


def _archived(case: Case) -> list[Change]:
    text = case.answer.text or ""
    case.at_once()
    message = f"{len(text)} characters of console output archived" if text else "the console was empty"
    changes = end_attempt(case, message=message, operation="GetConsoleOutput")
    if text:
        changes.append(Console(case.resource.id, text))
    return [*changes, Note(message, case.resource.step)]


def _settled(case: Case) -> list[Change]:
    """A look for what an unknown create may have made; what turns up is deleted."""
    kind, target, sight = case.assignment.kind, case.assignment.target, case.answer.sight
    assert kind is not None and target is not None
    if sight is not None and kind.owns(target, sight):
        resource = case.resource
        found = {"aws_id": sight.aws_id, "arn": sight.arn, "facts": dict(sight.facts), "made_at": case.wall}
        changes: list[Change] = [*adopted(case), ResourceSet(resource.id, found)]
        changes += stray_rows(case.after(changes), resource, case.answer.strays)
        case.at_once()
        case.pacer.counted_from.pop(case.subject, None)  # its deletion has not begun
        return [*changes, Note(f"found what an earlier attempt created: {sight.aws_id}", resource.step)]
    if case.answer.spent is not None:
        case.at_once()
        return settled_attempts(case)
    return keep_looking(case)


def _deleted(case: Case) -> list[Change]:
    """The answer of a delete: accepted, not needed any more, or refused by us as not ours."""
    kind, target, sight = case.assignment.kind, case.assignment.target, case.sight
    assert kind is not None and target is not None
    if case.answer.changed:
        case.pacer.accepted[case.subject] = case.now
        case.at_once()
        return end_attempt(case, aws_id=sight.aws_id)
    found = end_attempt(case, Outcome.REFUSED, code="NotNeeded", message=f"it is {sight.presence}")
    if sight.presence is Presence.GONE:
        return [*found, *_gone(case)]
    if sight.presence is Presence.ABSENT:
        return [*found, *_shown_absent(case)]
    if sight.presence is Presence.LEAVING:
        case.pacer.accepted[case.subject] = case.now
        case.poll()
        return found
    error = not_ours(sight)
    ended = end_attempt(case, Outcome.REFUSED, code=error.code, message=error.message)
    return [*ended, ResourceSet(case.resource.id, {"error": {**error_of(error), "stuck": True}})]


def _confirmed(case: Case) -> list[Change]:
    """A read-back after AWS accepted the deletion."""
    presence = case.sight.presence
    if presence in (Presence.GONE, Presence.ABSENT):
        return _gone(case)
    case.poll()
    waited = case.now - case.pacer.accepted.get(case.subject, case.now)
    if presence is not Presence.LEAVING and waited > case.pacer.settings.visibility_grace_seconds:
        # It still stands as if nothing had been asked: ask again.
        case.pacer.accepted.pop(case.subject, None)
    return []


def _shown_absent(case: Case) -> list[Change]:
    """NotFound without a deletion of ours that AWS accepted: proof only after the grace since the create."""
    left = _grace_left(case)
    if left <= 0:
        return _gone(case)
    case.poll()
    case.pacer.due[case.subject] = min(case.pacer.due[case.subject], case.now + left)
    return []


def _grace_left(case: Case) -> float:
    """Seconds for which NotFound may still mean that AWS does not show it yet."""
    return case.pacer.settings.visibility_grace_seconds - case.pacer.age(case.resource.id, case.now)


def _gone(case: Case) -> list[Change]:
    resource = case.resource
    case.at_once()
    case.pacer.accepted.pop(case.subject, None)
    case.pacer.gone_at[resource.id] = case.now
    values = {"state": ResourceState.DELETED, "deleted_at": case.wall, "error": None}
    return [
        ResourceSet(resource.id, values),
        Note(f"deleted: {resource.name} {resource.aws_id}", resource.step),
    ]


# --- census


_BACK: dict[Do, Callable[[Case], list[Change]]] = {
    Do.SETTLE: _settled,
    Do.DELETE: _deleted,
    Do.CONFIRM: _confirmed,
    Do.ARCHIVE: _archived,
}
