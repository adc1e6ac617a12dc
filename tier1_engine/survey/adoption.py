"""Lets a copy of a database continue a deployment: records what a later state has made since.

Owns which objects these are. Tags are no proof, because tools copy them: an object must also be what a step
creates, by the step's name in its `Name` tag, its literal inputs (a CIDR), and what it is in. Of several that
could be one and the same resource, none is recorded; nor is one that shows neither a key nor what it is in,
unless another object of the deployment is in it or refers to it.

The object of a step that has no resource yet becomes its resource, with the id in its tag, and the step
begins with it instead of creating one. Any other is a duplicate, which the next run deletes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tier1_engine.contract.kind import TAG_NAME, TAG_RESOURCE, Observation
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.plan import REF
from tier1_engine.deployment.record import (
    Change,
    Note,
    Record,
    Resource,
    ResourceAdd,
    ResourceSet,
    Step,
    with_values,
)
from tier1_engine.deployment.standing import was_never_made
from tier1_engine.deployment.states import Mode, ResourceState
from tier1_engine.engine.equipment import Equipment
from tier1_engine.engine.protocol.duplicates import found_beside
from tier1_engine.errors import Blocked, DrivenByAnother, Refused
from tier1_engine.store import lease as leases
from tier1_engine.store.holder import in_words, runs_here
from tier1_engine.store.witness import Witness
from tier1_engine.survey.history import NOT_THERE, Unknown, all_objects, known_tags, made_by_a_later_state


@dataclass(frozen=True)
class Adopted:
    """What an adoption recorded.

    Attributes:
        rows: the resources that the copy did not know. The next run of the deployment continues with them,
            and deletes those that are duplicates.
        unclear: objects with the tags of one resource, of which at most one can be it. They are not recorded,
            and keep the deployment from being changed; so are the next two.
        alone: objects that fit, but could as well be somebody's with copied tags.
        strange: objects with the tags of the deployment that are not what a step creates, or are in something
            else.
    """

    rows: tuple[Resource, ...]
    unclear: tuple[Unknown, ...] = ()
    alone: tuple[Unknown, ...] = ()
    strange: tuple[Unknown, ...] = ()

    @property
    def ids(self) -> set[tuple[str, str | None]]:
        """The kind and AWS id of each resource."""
        return {(row.kind, row.aws_id) for row in self.rows}


def look(equipment: Equipment, deployment_id: str) -> Adopted:
    """Return what an adoption would record; changes nothing.

    Raises:
        Blocked: AWS could not be listed completely.
        DrivenByAnother: a process on this host runs the deployment, from this database or another copy.
    """
    _check_not_run_here(equipment, deployment_id)
    return _look(equipment, deployment_id)


def adopt(
    equipment: Equipment, witness: Witness, deployment_id: str, shown: Adopted | None = None
) -> Adopted:
    """Let this database continue a deployment.

    Args:
        shown: what the operator agreed to.

    Raises:
        Blocked, DrivenByAnother: as `look`; nothing was recorded.
        Refused: AWS shows something else than the operator agreed to; nothing was recorded.
    """
    _check_not_run_here(equipment, deployment_id)
    store, clock = equipment.store, equipment.clock
    lease = leases.take(store, deployment_id, equipment.holder(), equipment.settings.lease_seconds, clock)
    try:
        found, record = _look(equipment, deployment_id), store.load(deployment_id)
        if shown is not None and found.ids != shown.ids:
            raise Refused(
                "AWS shows other resources than a moment ago, so nothing was recorded: run it again."
            )
        message = f"this copy of the database continues; it did not know {len(found.rows)} resources"
        changes: list[Change] = [_recorded(record, row) for row in found.rows]
        after = store.commit(
            record, [*changes, Note(message)], lease.fence, clock.now(), actor=lease.holder.actor
        )
        witness.note(deployment_id, after.deployment.revision, anew=True)
    finally:
        leases.release(store, lease)
    return found


def _check_not_run_here(equipment: Equipment, deployment_id: str) -> None:
    (summary,) = equipment.store.summaries(deployment_id=deployment_id)
    if summary.holder is not None and runs_here(summary.holder):
        since = summary.lease_since
        said = leases.sentence(deployment_id, summary.holder, since)
        raise DrivenByAnother(said, in_words(summary.holder, since))


def _look(equipment: Equipment, deployment_id: str) -> Adopted:
    seen, gaps = all_objects(equipment, deployment_id)
    if gaps:
        raise Blocked(f"AWS could not be listed completely ({gaps[0]}): fix that, then run it again.")
    record = equipment.store.load(deployment_id)
    return _found(equipment, record, [one for one in seen if one[1].presence not in NOT_THERE])


def _recorded(record: Record, row: Resource) -> Change:
    """Add the row, or give its object to the resource of which AWS had refused every create."""
    if row.id not in record.resources:
        return ResourceAdd(row)
    columns = ("state", "aws_id", "arn", "facts", "made_at", "deleted_at")
    return ResourceSet(row.id, {column: getattr(row, column) for column in columns})


def _found(equipment: Equipment, record: Record, seen: Sequence[Unknown]) -> Adopted:
    """Return the rows to add, found step by step: what a step's objects are in was found before them."""
    standing = record.resources.values()
    ids, tags = {(row.kind, row.aws_id) for row in standing}, known_tags(record)
    unknown = [
        (kind, one)
        for kind, one in seen
        if (kind, one.aws_id) not in ids
        and (TAG_RESOURCE not in one.tags or made_by_a_later_state(one, tags))
    ]
    places: dict[str, set[str | None]] = defaultdict(set)
    for step in record.steps.values():
        if step.mode is Mode.REFERENCE:  # what the user provided is named in its inputs
            places[step.name] |= set(_literal(step.inputs).values())
    for old in standing:
        places[old.step] |= {old.aws_id, *_made_for(equipment, record, old, seen)}
    rows: list[Resource] = []
    unclear: list[Unknown] = []
    alone: list[Unknown] = []
    for step in record.steps.values():
        of_kind = [one for kind, one in unknown if kind == step.kind and step.mode is Mode.CREATE]
        fitting = [(row, one) for one in of_kind if (row := _fitting(equipment, record, step, one, places))]
        alike = Counter(row.tagged_as for row, one in fitting if one.key is None)
        for row, one in fitting:
            if one.key is None and alike[row.tagged_as] > 1:
                unclear.append((step.kind, one))
            elif not (one.key or _there(equipment, step, one) or _is_shown(record, step, one, seen, places)):
                alone.append((step.kind, one))
            else:
                rows.append(row)
                places[step.name].add(row.aws_id)
    tags |= {row.tagged_as for row in rows}
    # What is in something unclear may be ours as well: what it is shows once that is decided.
    unsettled = [*unclear, *alone]
    strange = [] if unsettled else [one for one in seen if made_by_a_later_state(one[1], tags)]
    return Adopted(tuple(_named(record, rows)), tuple(unclear), tuple(alone), tuple(strange))


def _is_shown(
    record: Record,
    step: Step,
    one: Observation,
    seen: Sequence[Unknown],
    places: Mapping[str, set[str | None]],
) -> bool:
    """Whether another object of the deployment is in this one or refers to it, or this one to another.

    Nobody else can be in it by copied tags alone, unless they copied all of the stack.
    """
    needed = {id for need in step.needs for id in places[need] if id is not None}
    if any(_mentions(one.facts, id) for id in needed):
        return True
    users = {other.kind for other in record.steps.values() if step.name in other.needs}
    return any(_mentions(other.facts, one.aws_id) for kind, other in seen if kind in users)


def _mentions(value: Any, aws_id: str) -> bool:
    """Whether a fact is or contains an AWS id."""
    if isinstance(value, Mapping):
        return any(_mentions(one, aws_id) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions(one, aws_id) for one in value)
    return bool(value == aws_id)


def _made_for(equipment: Equipment, record: Record, row: Resource, seen: Sequence[Unknown]) -> Iterator[str]:
    """Yield what a row without an id may have: its create was recorded, and not yet its reply."""
    if row.aws_id is None and not was_never_made(record, row):
        yield from (
            one.aws_id for kind, one in seen if kind == row.kind and _owns(equipment, record, row, one)
        )


def _fitting(
    equipment: Equipment, record: Record, step: Step, seen: Observation, places: Mapping[str, set[str | None]]
) -> Resource | None:
    """Return the row of an object that the step creates under this name, in what the step's other objects
    are in. One without a tag of its own must show what it is in.
    """
    tagged_as = seen.tags.get(TAG_RESOURCE)
    deployed_as = seen.tags.get(TAG_NAME, record.deployment.name)
    if tagged_as is not None and seen.tags.get("Name") != f"{deployed_as}-{step.name}":
        return None
    there = _there(equipment, step, seen)
    if not all(seen.facts[fact] in places[of] for fact, (_, of) in there.items()):
        return None
    if tagged_as is None and not there:
        return None
    id = equipment.new_id()
    request = {**_literal(step.inputs), **{member: seen.facts[fact] for fact, (member, _) in there.items()}}
    now, tag = equipment.clock.now(), tagged_as or id
    row = found_beside(step, seen, id=id, name=step.name, tagged_as=tag, request=request, now=now)
    if not _owns(equipment, record, row, seen):
        return None
    # A kind reads a request as a whole: of a tagged one, what it is in was only compared.
    return row if tagged_as is None else replace(row, request=_literal(step.inputs))


def _there(equipment: Equipment, step: Step, seen: Observation) -> dict[str, tuple[str, str]]:
    """Return what an object shows of what it is in: by fact, the member of the inputs and its step.

    Of a tagged one only what no call can change; the rest may have been changed since.
    """
    fixed = equipment.registry.kinds[step.kind].fixed
    shown = dict(fixed) if TAG_RESOURCE in seen.tags else {one: one for one in step.inputs}
    return {
        fact: (member, str(value[REF]).partition(".")[0])
        for fact, member in shown.items()
        if isinstance(value := step.inputs.get(member), Mapping) and REF in value
        if seen.facts.get(fact) is not None
    }


def _literal(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in inputs.items() if isinstance(value, str)}


def _owns(equipment: Equipment, record: Record, row: Resource, seen: Observation) -> bool:
    kind = equipment.registry.kinds[row.kind]
    return kind.owns(target_of(row, record.deployment, equipment.store.database_id), seen)


_OWN: Mapping[str, Any] = {"state": ResourceState.CREATING, "deleted_at": None}


def _named(record: Record, rows: Sequence[Resource]) -> Iterator[Resource]:
    """Yield the rows with their names: the resource of its step has the id that the later state gave it."""
    taken = {row.name for row in record.resources.values()}
    free = {r.tagged_as: r for r in record.resources.values() if was_never_made(record, r)}
    for row in rows:
        if (old := free.pop(row.tagged_as, None)) is not None:
            columns = ("aws_id", "arn", "facts", "made_at")
            named = with_values(old, {**{column: getattr(row, column) for column in columns}, **_OWN})
        elif row.step not in taken:
            named = with_values(row, {"id": row.tagged_as, "name": row.step, **_OWN})
        else:
            name = next(n for i in range(1, len(taken) + 2) if (n := f"{row.step}~{i}") not in taken)
            named = replace(row, name=name)
        taken.add(named.name)
        yield named
