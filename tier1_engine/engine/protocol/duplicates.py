"""Objects in AWS that no row describes: whether each is known, and the rows to add for it. Pure.

Shared by provisioning (a second match of a search), the census and the sweep: everything found is recorded
before anything is done about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from tier1_engine.contract.kind import RESOURCE_ID_CHARACTERS, TAG_RESOURCE, Observation
from tier1_engine.deployment.record import (
    Change,
    Deployment,
    Note,
    Record,
    Resource,
    ResourceAdd,
    ResourceSet,
    Step,
)
from tier1_engine.deployment.states import Mode, ResourceState


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
        duplicate = Resource(
            id=new_id(),
            deployment_id=resource.deployment_id,
            step=resource.step,
            name=f"{resource.step}~{number}",
            kind=resource.kind,
            state=ResourceState.STRAY,
            owned=True,
            tagged_as=resource.tagged_as,
            request=resource.request,
            created_at=now,
            aws_id=observation.aws_id,
            arn=observation.arn,
            generation=resource.generation,
            facts=dict(observation.facts),
            made_at=now,
        )
        note = Note(f"{observation.aws_id} is a duplicate: it will be deleted", resource.step)
        changes += [ResourceAdd(duplicate), note]
    return changes


def turned_up(
    record: Record, kind: str, observation: Observation, new_id: Callable[[], str], now: datetime
) -> list[Change]:
    """Record an object with the deployment's tags: unknown, or known as deleted.

    Returns no change if the object is expected, or if no step creates its kind.
    """
    rows = [r for r in record.resources.values() if r.kind == kind and r.aws_id == observation.aws_id]
    if any(row.state is not ResourceState.DELETED for row in rows):
        return []
    if rows:
        again = {"state": ResourceState.DELETING, "deleted_at": None}
        return [ResourceSet(rows[0].id, again), Note(f"{observation.aws_id} still exists", rows[0].step)]
    made_by = origin(record, kind, observation)
    return rows_for(record, made_by, [observation], new_id, now) if made_by else []


def origin(record: Record, kind: str, observation: Observation) -> Resource | None:
    """Return the row whose key created the object, by its tag; otherwise any row of the kind, or a new one.

    A new row is for a step that creates this kind: restoring an older copy of the database may have lost its
    row. None if no step creates one.
    """
    of_kind = [r for r in record.resources.values() if r.kind == kind and r.owned]
    tagged = observation.tags.get(TAG_RESOURCE)
    if tagged is not None and len(tagged) > RESOURCE_ID_CHARACTERS:
        tagged = None  # no value of tier1's: somebody's own
    exact = next((r for r in of_kind if r.tagged_as == tagged), None)
    if exact is not None:
        return exact
    if of_kind:
        return replace(of_kind[0], tagged_as=tagged or of_kind[0].tagged_as)
    steps = (step for step in record.steps.values() if step.kind == kind and step.mode is Mode.CREATE)
    return next((_row_of(step, tagged or "", record.deployment) for step in steps), None)


def _row_of(step: Step, tagged_as: str, deployment: Deployment) -> Resource:
    return Resource(
        id="",
        deployment_id=step.deployment_id,
        step=step.name,
        name=step.name,
        kind=step.kind,
        state=ResourceState.CREATING,
        owned=True,
        tagged_as=tagged_as,
        request={},
        created_at=deployment.created_at,
    )
