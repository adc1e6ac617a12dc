"""Objects in AWS that no row describes: which of them are proved to be ours, and the rows to add. Pure.

Shared by provisioning (a second match of a search), the census and the sweep: everything found is recorded
before anything is done about it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tier1_engine.contract.kind import COMPANIONS, FORMER_COMPANIONS, Kind, Observation
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.record import Change, Note, Record, Resource, ResourceAdd, ResourceSet, Step
from tier1_engine.deployment.standing import recorded_ids, unaccounted_creates
from tier1_engine.deployment.states import ResourceState


def rows_for(
    record: Record,
    resource: Resource,
    observations: Iterable[Observation],
    new_id: Callable[[], str],
    now: datetime,
) -> list[Change]:
    """Add rows for the duplicates of `resource`; they will be deleted."""
    known = {row.aws_id for row in record.resources.values() if row.kind == resource.kind}
    taken = {row.name for row in record.resources.values()}
    changes: list[Change] = []
    for observation in observations:
        if observation.aws_id in known:
            continue
        number = next(n for n in range(1, len(taken) + 2) if f"{resource.step}~{n}" not in taken)
        taken.add(f"{resource.step}~{number}")
        duplicate = found_beside(
            resource,
            observation,
            id=new_id(),
            name=f"{resource.step}~{number}",
            tagged_as=resource.tagged_as,
            request=resource.request,
            now=now,
        )
        duplicate = replace(duplicate, generation=resource.generation)
        note = Note(f"{observation.aws_id} is a duplicate: it will be deleted", resource.step)
        changes += [ResourceAdd(duplicate), note]
    return changes


def found_beside(
    like: Step | Resource,
    seen: Observation,
    *,
    id: str,
    name: str,
    tagged_as: str,
    request: Mapping[str, Any],
    now: datetime,
) -> Resource:
    """Return the row of an object that AWS shows and no row describes.

    Args:
        like: the step that created it, or a resource of that step.
    """
    return Resource(
        id=id,
        deployment_id=like.deployment_id,
        step=like.step if isinstance(like, Resource) else like.name,
        name=name,
        kind=like.kind,
        state=ResourceState.STRAY,
        owned=True,
        tagged_as=tagged_as,
        request=request,
        created_at=now,
        aws_id=seen.aws_id,
        arn=seen.arn,
        facts=dict(seen.facts),
        made_at=now,
    )


def turned_up(
    record: Record,
    row: Resource,
    kind: str,
    observation: Observation,
    new_id: Callable[[], str],
    now: datetime,
) -> list[Change]:
    """Record an object of a kind that `proved` found for `row`: unknown, or known as deleted.

    Returns no change if the object is expected.
    """
    rows = [r for r in record.resources.values() if r.kind == kind and r.aws_id == observation.aws_id]
    if any(one.state is not ResourceState.DELETED for one in rows):
        return []
    if rows:
        again = {"state": ResourceState.DELETING, "deleted_at": None}
        return [ResourceSet(rows[0].id, again), Note(f"{observation.aws_id} still exists", rows[0].step)]
    return rows_for(record, replace(row, kind=kind), [observation], new_id, now)


def proved(record: Record, database_id: str, kind: Kind, seen: Iterable[Observation]) -> dict[str, Resource]:
    """Return, by AWS id, the row that proves that the deployment created an object of this kind.

    Tags can be copied, so they are no proof by themselves. The proof is an owned row: of the same kind, if
    its creates returned this id, or the object shows its key, or a create of it has no known outcome; of
    another kind, if AWS made the object together with its own (a volume of an instance) and that is deleted.
    Creates without a known outcome prove as many objects as they may have made: of more than that, none is
    proved.
    """
    rows = [r for r in record.resources.values() if r.kind == kind.name and r.owned]
    by_id = {aws_id: row for row in rows for aws_id in recorded_ids(record, row)}
    outlived = companions_of(record, kind.name, frozenset(ResourceState), FORMER_COMPANIONS)
    companions = outlived | companions_of(record, kind.name, frozenset({ResourceState.DELETED}))
    found: dict[str, Resource] = {}
    may_be: dict[str, list[str]] = {}
    for observation in seen:
        if (row := by_id.get(observation.aws_id)) is not None:
            found[observation.aws_id] = row
            continue
        made_with = companions.get(observation.aws_id)
        if made_with and kind.owns(target_of(made_with, record.deployment, database_id), observation):
            found[observation.aws_id] = made_with
            continue
        like = [row for row in rows if kind.owns(target_of(row, record.deployment, database_id), observation)]
        if like and observation.key is not None:
            found[observation.aws_id] = like[0]
        elif row := next((row for row in like if unaccounted_creates(record, row)), None):
            may_be.setdefault(row.id, []).append(observation.aws_id)
    for row_id, aws_ids in may_be.items():
        row = record.resources[row_id]
        if len(aws_ids) <= unaccounted_creates(record, row):
            found |= dict.fromkeys(aws_ids, row)
    return found


def companions_of(
    record: Record, kind: str, states: Collection[ResourceState], fact: str = COMPANIONS
) -> dict[str, Resource]:
    """Return what AWS made together with the owned rows in these states: their rows, by AWS id."""
    return {
        aws_id: row
        for row in record.resources.values()
        if row.owned and row.state in states
        for aws_id in row.facts.get(fact, {}).get(kind, ())
    }
