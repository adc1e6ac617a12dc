"""What a census changes on record."""

from __future__ import annotations

import math

from tier1_engine.contract.kind import TAG_DATABASE, Presence, Sight
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.record import Change, DeploymentSet, Note, Resource, ResourceSet
from tier1_engine.deployment.states import GOING_BACK, Action, ResourceState
from tier1_engine.engine.protocol import duplicates
from tier1_engine.engine.protocol.case import Case, end_in_error, problem_of
from tier1_engine.engine.tasks import CENSUS
from tier1_engine.errors import CallError
from tier1_engine.failures.calls import Verdict, judge


def record_census(case: Case) -> list[Change]:
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
            told += _warning(case, f"{sight.aws_id} carries copies of tier1's tags: it is not touched")
        else:
            changes += duplicates.turned_up(record, kind, sight, case.new_id, case.wall)
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
    """Something turned up that may block the deletion: once it is gone, the rest has its time again."""
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
    return [Note(f"{aws_id} is deleted, but AWS still lists it: waiting") for aws_id in news]


def _is_copy(case: Case, kind_name: str, sight: Sight) -> bool:
    """Whether it carries the deployment's tags and its kind takes that for no proof."""
    kind = next(one for one in case.assignment.kinds if one.name == kind_name)
    row = duplicates.origin(case.record, kind_name, sight)
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
        told = Note(f"what may block the deletion could not be listed: {error.code}: {error.message}")
        return [*changes, told, *_searched(case)]
    elif case.record.deployment.state in GOING_BACK:
        pacer.census_problem = problem_of(error)
    else:
        pacer.clean_censuses += 1
        return [*changes, *_warning(case, f"possible duplicates in AWS could not be listed ({error.code})")]
    return changes


def _unlisted(case: Case) -> list[Change]:
    if not case.answer.unlisted:
        return []
    return _warning(
        case, f"this endpoint cannot list {', '.join(case.answer.unlisted)}: duplicates would not be found"
    )


def _warning(case: Case, text: str) -> list[Change]:
    warnings = case.record.deployment.warnings
    return [] if text in warnings else [DeploymentSet({"warnings": (*warnings, text)}), Note(text)]
