"""What an answer changes on the way back: deletions, their read-backs, and the census.

A deletion is recorded when a look says that the object is gone, not when the call returned. What
would not delete is marked and the rest goes on; `decide` ends with what remains. Strays are deleted
by the same functions on the way forward.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tier1_engine import strays
from tier1_engine.case import (
    Case,
    adopted,
    end_attempt,
    end_in_error,
    error_of,
    keep_looking,
    problem_of,
    settled_attempts,
    stray_rows,
)
from tier1_engine.errors import CallError
from tier1_engine.failures import Verdict, judge
from tier1_engine.intent import target_of
from tier1_engine.kinds import TAG_DATABASE, Presence, Sight
from tier1_engine.pace import CENSUS, Do
from tier1_engine.record import AttemptSet, Change, Console, DeploymentSet, Note, Resource, ResourceSet
from tier1_engine.results import identified
from tier1_engine.runner import not_ours
from tier1_engine.states import GOING_BACK, Action, Outcome, ResourceState


def absorb(case: Case) -> list[Change]:
    """The changes that record one answer of the way back."""
    do = case.assignment.task.do
    if do is Do.IDENTIFY:
        return identified(case)
    if case.subject == CENSUS:
        return _census(case)
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
    """The console could not be read: tried a bounded number of times, then the termination goes on.

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
    message = f"{len(text)} characters of console output kept" if text else "the console was empty"
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
        return [*changes, Note(f"found what an earlier try made: {sight.aws_id}", resource.step)]
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
    return [ResourceSet(resource.id, values), Note(f"gone: {resource.name} {resource.aws_id}", resource.step)]


# --- census


def _census(case: Case) -> list[Change]:
    """Everything that AWS lists as this deployment's, against the rows."""
    if error := case.answer.error:
        return _census_failed(case, error)
    changes: list[Change] = []
    told: list[Change] = []
    behind: list[str] = []
    for kind, sight in case.answer.census:
        if sight.presence in (Presence.LEAVING, Presence.GONE, Presence.ABSENT):
            continue
        record = case.record.apply(changes)
        if _just_gone(case, kind, sight):
            behind.append(sight.aws_id)
        elif _is_copy(case, kind, sight):
            told += _warning(case, f"{sight.aws_id} carries copies of our tags: it is left alone")
        else:
            changes += strays.turned_up(record, kind, sight, case.new_id, case.wall)
    case.pacer.last_census_at = case.now
    if changes or behind:
        case.pacer.clean_censuses = 0
        case.poll()
    else:
        case.pacer.clean_censuses += 0 if _living(case) else 1
        case.at_once()
    changes += _tried_anew(case) if changes else _searched(case)
    return changes + told + _still_listed(case, behind) + _unlisted(case)


def _living(case: Case) -> list[Resource]:
    """On the way back: what is still to go. A census beside it is a search, and proves no end."""
    if case.record.deployment.state not in GOING_BACK:
        return []
    return [row for row in case.record.resources.values() if not row.settled]


def _searched(case: Case) -> list[Change]:
    """Nothing unknown stands in the way of what does not go."""
    case.pacer.searched |= {(row.name, row.stuck) for row in _living(case)}
    return []


def _tried_anew(case: Case) -> list[Change]:
    """Something turned up that may have stood in the way: once it is gone, the rest has its time again."""
    case.pacer.searched.clear()
    waiting = [row for row in _living(case) if row.error]
    for row in waiting:
        case.pacer.at_once(row.name)
        case.pacer.counted_from.pop(row.name, None)
    return [ResourceSet(row.id, {"error": None, "driven_seconds": 0.0}) for row in waiting]


def _just_gone(case: Case, kind: str, sight: Sight) -> bool:
    """Whether a look showed it gone within the grace: AWS's lists may be behind its looks."""
    gone_at = case.pacer.gone_at
    return any(
        row.state is ResourceState.DELETED
        and case.now - gone_at.get(row.id, -math.inf) < case.pacer.settings.visibility_grace_seconds
        for row in case.record.resources.values()
        if row.kind == kind and row.aws_id == sight.aws_id
    )


def _still_listed(case: Case, behind: list[str]) -> list[Change]:
    """Said once of each; after the grace it counts as standing, and is deleted again."""
    news = [aws_id for aws_id in behind if aws_id not in case.pacer.listed_behind]
    case.pacer.listed_behind.update(news)
    return [Note(f"{aws_id} is gone, and AWS still lists it: waiting until it does not") for aws_id in news]


def _is_copy(case: Case, kind_name: str, sight: Sight) -> bool:
    """Whether it carries the deployment's tags and its kind takes that for no proof."""
    kind = next(one for one in case.assignment.kinds if one.name == kind_name)
    row = strays.origin(case.record, kind_name, sight)
    known = {r.aws_id for r in case.record.resources.values() if r.kind == kind_name}
    if row is None or sight.aws_id in known:
        return False
    database_id = case.assignment.wanted_tags[TAG_DATABASE]
    return not kind.owns(target_of(row, case.record.deployment, database_id), sight)


def _census_failed(case: Case, error: CallError) -> list[Change]:
    """A census that cannot be made proves nothing: going back stops there, going forward warns."""
    pacer = case.pacer
    changes = end_in_error(case, error)
    verdict = judge(error, Action.CENSUS, None, young=False)
    pacer.back_off(CENSUS, case.now)
    pacer.census_tries += 1
    if verdict is Verdict.BLOCKED:
        pacer.blocked = problem_of(error)
    elif verdict is Verdict.TRANSIENT and pacer.census_tries < case.record.deployment.max_attempts:
        pass
    elif _living(case):
        pacer.census_tries = 0
        told = Note(f"what may stand in the way could not be listed: {error.code}: {error.message}")
        return [*changes, told, *_searched(case)]
    elif case.record.deployment.state in GOING_BACK:
        pacer.census_problem = problem_of(error)
    else:
        pacer.clean_censuses += 1
        return [*changes, *_warning(case, f"what AWS may have made twice could not be listed ({error.code})")]
    return changes


def _unlisted(case: Case) -> list[Change]:
    if not case.answer.unlisted:
        return []
    return _warning(
        case, f"this endpoint cannot list {', '.join(case.answer.unlisted)}: strays would go unseen"
    )


def _warning(case: Case, text: str) -> list[Change]:
    warnings = case.record.deployment.warnings
    return [] if text in warnings else [DeploymentSet({"warnings": (*warnings, text)}), Note(text)]


_BACK: dict[Do, Callable[[Case], list[Change]]] = {
    Do.SETTLE: _settled,
    Do.DELETE: _deleted,
    Do.CONFIRM: _confirmed,
    Do.ARCHIVE: _archived,
}
