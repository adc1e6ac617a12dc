"""Lets a copy of a database continue a deployment: records what a later state has made since.

Owns which objects these are. Tags are no proof, because tools copy them: an object must also be what a step
creates, by the step's name in its `Name` tag, its literal inputs (a CIDR), and what it is in. Of several that
could be one and the same resource, none is recorded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tier1_engine.contract.kind import TAG_NAME, TAG_RESOURCE, Observation
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.plan import REF
from tier1_engine.deployment.record import Change, Note, Record, Resource, ResourceAdd, Step
from tier1_engine.deployment.states import Mode, ResourceState
from tier1_engine.engine.equipment import Equipment
from tier1_engine.errors import Blocked
from tier1_engine.store import lease as leases
from tier1_engine.store.witness import Witness
from tier1_engine.survey.history import NOT_THERE, Unknown, all_objects


@dataclass(frozen=True)
class Adopted:
    """What an adoption recorded.

    Attributes:
        rows: the resources that the copy did not know; the next run of the deployment deletes them.
        unclear: AWS ids of objects with the tags of one resource, of which at most one can be it. They are
            not recorded, and keep the deployment from being changed.
    """

    rows: tuple[Resource, ...]
    unclear: tuple[str, ...] = ()


def adopt(equipment: Equipment, witness: Witness, deployment_id: str) -> Adopted:
    """Let this database continue a deployment.

    Raises:
        Blocked: AWS could not be listed completely; nothing was recorded.
        DrivenByAnother: a process is running the deployment.
    """
    store, clock = equipment.store, equipment.clock
    lease = leases.take(store, deployment_id, equipment.holder(), equipment.settings.lease_seconds, clock)
    try:
        seen, gaps = all_objects(equipment, deployment_id)
        if gaps:
            raise Blocked(f"AWS could not be listed completely ({gaps[0]}): fix that, then run it again.")
        record = store.load(deployment_id)
        found = _found(equipment, record, [one for one in seen if one[1].presence not in NOT_THERE])
        message = f"this copy of the database continues; it did not know {len(found.rows)} resources"
        changes: list[Change] = [ResourceAdd(row) for row in found.rows]
        after = store.commit(
            record, [*changes, Note(message)], lease.fence, clock.now(), actor=lease.holder.actor
        )
        witness.note(deployment_id, after.deployment.revision, anew=True)
    finally:
        leases.release(store, lease)
    return found


def _found(equipment: Equipment, record: Record, seen: Sequence[Unknown]) -> Adopted:
    """Return the rows to add: first of what is tagged as a resource, then of what is only in such."""
    known = {id for row in record.resources.values() for id in (row.id, row.tagged_as, row.aws_id)}
    unknown = [one for one in seen if not {one[1].aws_id, one[1].tags.get(TAG_RESOURCE, "")} & known]
    tagged = [one for one in unknown if TAG_RESOURCE in one[1].tags]
    fitting = [row for kind, one in tagged if (row := _tagged(equipment, record, kind, one)) is not None]
    alike = Counter((row.kind, row.tagged_as) for row, key in fitting if key is None)
    rows = [row for row, key in fitting if key is not None or alike[row.kind, row.tagged_as] == 1]
    unclear = [row.aws_id or "" for row, _ in fitting if row not in rows]
    places: dict[str, set[str | None]] = defaultdict(set)
    for known_row in (*record.resources.values(), *rows):
        places[known_row.step] |= {known_row.aws_id, *_made_for(equipment, record, known_row, seen)}
    untagged = [one for one in unknown if TAG_RESOURCE not in one[1].tags]
    within = (_within(equipment, record, kind, one, places) for kind, one in untagged)
    rows += [row for row in within if row is not None]
    return Adopted(tuple(_named(record, rows)), tuple(sorted(unclear)))


def _made_for(equipment: Equipment, record: Record, row: Resource, seen: Sequence[Unknown]) -> Iterator[str]:
    """Yield what a row without an id may have: its create was recorded, and not yet its reply."""
    if row.aws_id is None:
        yield from (
            one.aws_id for kind, one in seen if kind == row.kind and _owns(equipment, record, row, one)
        )


def _tagged(
    equipment: Equipment, record: Record, kind: str, seen: Observation
) -> tuple[Resource, str | None] | None:
    """Return the row of an object that a step of its kind creates under this name, and the key it shows."""
    deployed_as = seen.tags.get(TAG_NAME, record.deployment.name)
    for step in _creating(record, kind):
        row = _row(equipment, step, seen, seen.tags[TAG_RESOURCE], _literal(step.inputs))
        named = seen.tags.get("Name") == f"{deployed_as}-{step.name}"
        if named and _owns(equipment, record, row, seen):
            return row, seen.key
    return None


def _within(
    equipment: Equipment, record: Record, kind: str, seen: Observation, places: Mapping[str, set[str | None]]
) -> Resource | None:
    """Return the row of an object that has no tag of its own, if all that it is in is the step's."""
    for step in _creating(record, kind):
        refs = {
            member: str(value[REF]).partition(".")[0]
            for member, value in step.inputs.items()
            if isinstance(value, Mapping) and REF in value and member in seen.facts
        }
        there = {member: seen.facts[member] for member in refs}
        if refs and all(there[member] in places[of] for member, of in refs.items()):
            id = equipment.new_id()
            row = _row(equipment, step, seen, id, {**_literal(step.inputs), **there}, id)
            if _owns(equipment, record, row, seen):
                return row
    return None


def _creating(record: Record, kind: str) -> Iterator[Step]:
    return (step for step in record.steps.values() if step.kind == kind and step.mode is Mode.CREATE)


def _literal(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in inputs.items() if isinstance(value, str)}


def _owns(equipment: Equipment, record: Record, row: Resource, seen: Observation) -> bool:
    kind = equipment.registry.kinds[row.kind]
    return kind.owns(target_of(row, record.deployment, equipment.store.database_id), seen)


def _row(
    equipment: Equipment,
    step: Step,
    seen: Observation,
    tagged_as: str,
    request: Mapping[str, Any],
    id: str | None = None,
) -> Resource:
    """A row like that of a duplicate; `_named` gives it its name."""
    now = equipment.clock.now()
    return Resource(
        id=id or equipment.new_id(),
        deployment_id=step.deployment_id,
        step=step.name,
        name=step.name,
        kind=step.kind,
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


def _named(record: Record, rows: Sequence[Resource]) -> Iterator[Resource]:
    taken = {row.name for row in record.resources.values()}
    for row in rows:
        name = next(n for i in range(1, len(taken) + 2) if (n := f"{row.step}~{i}") not in taken)
        taken.add(name)
        yield replace(row, name=name)
