"""Last step of a census attempt: what its answer changes in the record and in the pace."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tier1_engine.contract.kind import TAG_DATABASE, Observation, Presence
from tier1_engine.deployment.record import Change, Note, Resource, ResourceSet
from tier1_engine.deployment.states import GOING_BACK, Action, ResourceState
from tier1_engine.engine.effects import AtOnce, Effect, Forget, PaceSet
from tier1_engine.engine.protocol import duplicates
from tier1_engine.engine.protocol.actions import Census, Failed, Listed
from tier1_engine.engine.protocol.case import Case, access_refused, end_in_error, problem_of, warning
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import UNREACHABLE_CODES

_NOT_STANDING = (Presence.LEAVING, Presence.GONE, Presence.ABSENT)


def record_census(case: Case, result: Listed | Failed) -> list[Effect]:
    """Compare everything that AWS lists with the deployment's tags with the rows."""
    if isinstance(result, Failed):
        return _census_failed(case, result)
    changes: list[Change] = []
    copies: list[Effect] = []
    behind: list[str] = []
    standing = [one for one in result.seen if one[1].presence not in _NOT_STANDING]
    proofs = _proofs(case, result.asked, standing)
    for kind, observation in standing:
        row = proofs[kind].get(observation.aws_id)
        if _just_gone(case, kind, observation):
            behind.append(observation.aws_id)
        elif row is not None:
            record = case.record.apply(changes)
            changes += duplicates.turned_up(record, row, kind, observation, case.new_id, case.wall)
        elif not _expected(case, kind, observation):
            copies += warning(
                case.after(copies),
                f"{observation.aws_id} has the tags of this deployment, but no create on record proves that "
                "it is its own: it is not touched",
            )
    return [
        *changes,
        *_counted(case, nothing=not changes and not behind),
        *(_retry_deletions(case) if changes else _searched(case)),
        *copies,
        *_still_listed(case, behind),
        *_unlisted(case, result),
    ]


def _counted(case: Case, *, nothing: bool) -> list[Effect]:
    """Count how many censuses in a row found nothing, and record when the last one ran."""
    if not nothing:
        return [PaceSet({"last_census_at": case.now, "clean_censuses": 0}), case.poll()]
    clean = case.pace.clean_censuses + (0 if _living(case) else 1)
    return [PaceSet({"last_census_at": case.now, "clean_censuses": clean}), case.at_once()]


def _living(case: Case) -> list[Resource]:
    """During a rollback or teardown, return what remains to be deleted; a census then is only a search."""
    if case.record.deployment.state not in GOING_BACK:
        return []
    return [row for row in case.record.resources.values() if not row.settled]


def _searched(case: Case) -> list[Effect]:
    """Record that no unknown resource blocks the remaining deletions."""
    searched = {(row.name, row.stuck) for row in _living(case)}
    return [PaceSet({"searched": case.pace.searched | searched})]


def _retry_deletions(case: Case) -> list[Effect]:
    """Reset the failed deletions: the census found a resource that may have blocked them."""
    effects: list[Effect] = [PaceSet({"searched": frozenset()})]
    for row in _living(case):
        if row.error:
            effects += [
                AtOnce(row.name),
                Forget("counted_from", row.name),
                ResourceSet(row.id, {"error": None, "driven_seconds": 0.0}),
            ]
    return effects


def _just_gone(case: Case, kind: str, observation: Observation) -> bool:
    """Whether a read within the grace period showed it gone: AWS's lists may lag behind describe calls."""
    gone_at = case.pace.gone_at
    return any(
        row.state is ResourceState.DELETED
        and case.now - gone_at.get(row.id, -math.inf) < case.pace.settings.visibility_grace_seconds
        for row in case.record.resources.values()
        if row.kind == kind and row.aws_id == observation.aws_id
    )


def _still_listed(case: Case, behind: list[str]) -> list[Effect]:
    """Note once that a deleted object is still listed; after the grace period it is deleted again."""
    news = [aws_id for aws_id in behind if aws_id not in case.pace.listed_behind]
    known = PaceSet({"listed_behind": case.pace.listed_behind | set(news)})
    notes = [Note(f"{aws_id} is deleted, but AWS still lists it: waiting") for aws_id in news]
    return [known, *notes] if news else []


def _proofs(
    case: Case, asked: Census, standing: Sequence[tuple[str, Observation]]
) -> dict[str, dict[str, Resource]]:
    """Return, by kind and AWS id, the row that proves that the deployment created an object."""
    return {
        kind.name: duplicates.proved(
            case.record,
            asked.tags[TAG_DATABASE],
            kind,
            [seen for name, seen in standing if name == kind.name],
        )
        for kind in asked.kinds
    }


def _expected(case: Case, kind: str, observation: Observation) -> bool:
    """Whether it is referenced, and so never changed, or was made together with what is not deleted: somebody
    detached it.
    """
    rows = case.record.resources.values()
    standing = frozenset(ResourceState) - {ResourceState.DELETED}
    referenced = any(r.kind == kind and r.aws_id == observation.aws_id and not r.owned for r in rows)
    return referenced or observation.aws_id in duplicates.companions_of(case.record, kind, standing)


def _census_failed(case: Case, failed: Failed) -> list[Effect]:
    """Record a failed census, which proves nothing: a teardown stops there, provisioning warns."""
    error, pace = failed.error, case.pace
    verdict = judge(error, Action.CENSUS, None, young=False)
    if verdict is Verdict.BLOCKED or error.code in UNREACHABLE_CODES:
        return [*end_in_error(case, failed), *access_refused(case, error)]
    tries = pace.census_attempts + 1
    effects = [*end_in_error(case, failed), case.back_off(), PaceSet({"census_attempts": tries})]
    if verdict is Verdict.TRANSIENT and tries < case.record.deployment.max_attempts:
        return effects
    if _living(case):
        unseen = Note(f"what may block the deletion could not be listed: {error.code}: {error.message}")
        return [*effects, PaceSet({"census_attempts": 0}), unseen, *_searched(case)]
    if case.record.deployment.state in GOING_BACK:
        return [*effects, PaceSet({"census_problem": problem_of(error)})]
    counted = PaceSet({"clean_censuses": pace.clean_censuses + 1})
    warned = warning(case, f"possible duplicates in AWS could not be listed ({error.code})")
    return [*effects, counted, *warned]


def _unlisted(case: Case, result: Listed) -> list[Effect]:
    if not result.unlisted:
        return []
    return warning(
        case, f"AWS does not list {', '.join(result.unlisted)} here: what is left of them would not be found"
    )
