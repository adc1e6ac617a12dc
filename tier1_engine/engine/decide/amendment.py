"""A corrected spec for a failed deployment: which parts of the stored plan it may still change. Pure.

Owns the comparison of the stored plan with a new one. A step may change as long as no resource exists that
it, or a step that needs it, created: existing resources are never recreated here. The driver commits the
changes together with the retry, in one fenced transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tier1_engine.contract.kind import Kind
from tier1_engine.deployment import standing as standing_module
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.plan import Plan, StepPlan, ordered
from tier1_engine.deployment.record import (
    Change,
    Deployment,
    DeploymentSet,
    Note,
    Record,
    Resource,
    ResourceSet,
    Step,
    StepAdd,
    StepSet,
)
from tier1_engine.deployment.standing import is_left_out, may_have_acted
from tier1_engine.deployment.states import Mode, ResourceState, StepState
from tier1_engine.engine.decide import openings
from tier1_engine.engine.pace import Pace
from tier1_engine.errors import Refused

REMOVED = "Removed"
"""The error code of a step that the corrected spec no longer has. The step stays on record as skipped."""


@dataclass(frozen=True, slots=True)
class Amendment:
    """A corrected spec and its plan.

    Attributes:
        spec: as it will be stored. plan: the plan compiled from it.
        values: columns of the deployment that the corrected spec changes.
    """

    spec: Mapping[str, Any]
    plan: Plan
    values: Mapping[str, Any] = field(default_factory=dict)


def with_left_out(plan: Plan, record: Record, kinds: Mapping[str, Kind]) -> Plan:
    """Return the plan without what AWS does not offer where the deployment is, as its stored plan is.

    A step that the plan still has unchanged stays left out; one that it moves elsewhere starts over.
    """
    steps = {step.name: step for step in plan.steps}
    for stored in record.steps.values():
        kind, planned = kinds.get(stored.kind), steps.get(stored.name)
        if kind is None or planned is None or not is_left_out(stored, kind.not_offered):
            continue
        if _differs(stored, planned, retagged=False):
            continue
        for name, other in steps.items():
            needing = kinds.get(other.kind) if stored.name in other.needs else None
            if needing is not None and (does := needing.without(other.inputs, stored.inputs)) is not None:
                steps[name] = replace(other, inputs=does[0])
    return replace(plan, steps=tuple(steps.values()))


def retry(record: Record, pace: Pace, amendment: Amendment) -> Sequence[Change]:
    """Return the first changes of a retry with a corrected spec.

    Raises:
        Refused: the deployment has not failed, or an existing resource would have to be recreated.
    """
    openings.check_retry(record.deployment)
    changes = _amend(record, amendment)
    amended = record.apply(changes)
    if amended.earliest_incomplete is None:
        return [*changes, *openings.accept(amended, pace)]
    return [*changes, *openings.retry(amended, pace)]


def _amend(record: Record, amendment: Amendment) -> list[Change]:
    plan = {step.name: step for step in ordered(amendment.plan.steps)}
    retagged = dict(amendment.plan.tags) != dict(record.deployment.tags)
    what = {name: _differs(step, plan.get(name), retagged) for name, step in record.steps.items()}
    touched = {name: keys for name, keys in what.items() if keys}
    _refuse_what_exists(record, touched)
    # A resolved request names the resources it needs: steps that need a changed step also start over.
    anew = {*touched, *(other for name in touched for other in _standing_on(record, name))}
    changes: list[Change] = []
    for position, step in enumerate(plan.values()):
        stored = record.steps.get(step.name)
        if stored is None:
            changes.append(StepAdd(_new(record.deployment.id, step, position)))
            continue
        values: dict[str, Any] = {"position": position, **_terms(step)}
        if step.name in anew:
            values |= {**_planned(step), **_FROM_THE_START}
            changes += _let_go(record, step.name)
        changes.append(StepSet(step.name, values))
    gone = [name for name in record.steps if name not in plan]
    for number, name in enumerate(gone):
        changes += [StepSet(name, _removed(record, len(plan) + number)), *_let_go(record, name)]
    whole = {
        "spec": dict(amendment.spec),
        "tags": dict(amendment.plan.tags),
        "output_templates": dict(amendment.plan.outputs),
        "delete_seconds": amendment.plan.delete_seconds,
        "max_attempts": amendment.plan.max_attempts,
        "blueprint_version": amendment.plan.version,
        **amendment.values,
        **_expiry(record.deployment, amendment.values),
    }
    return [*changes, DeploymentSet(whole), Note(_change_message(record, plan, touched))]


def _expiry(deployment: Deployment, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the later end if an operator has extended the deployment and the spec has another `ttl` now.

    An extension is an explicit request: a spec ends it only where it removes the `ttl`.
    """
    wanted, current = values.get("expires_at"), deployment.expires_at
    ttl = deployment.spec.get("ttl")
    planned = None if ttl is None else deployment.created_at + timedelta(seconds=ttl)
    if wanted is None or current is None or current == planned:
        return {}
    return {"expires_at": max(wanted, current)}


# --- comparison


def _differs(stored: Step, wanted: StepPlan | None, retagged: bool) -> list[str]:
    """Name what the new plan changes in a step; empty if it is the same."""
    if wanted is None:
        return [] if _is_removed(stored) else ["the step itself"]
    if _is_removed(stored):
        return ["the step itself"]
    before, after = _plain(stored.inputs), _plain(wanted.inputs)
    found = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    if (stored.kind, stored.mode) != (wanted.kind, wanted.mode):
        found.append("its kind")
    if set(stored.needs) != set(wanted.needs):
        found.append("what it needs")
    if retagged and wanted.mode is Mode.CREATE:
        found.append("its tags")
    return found


def _is_removed(step: Step) -> bool:
    return step.state is StepState.SKIPPED and step.error is not None and step.error.code == REMOVED


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as the database returns them."""
    plain: dict[str, Any] = json.loads(json.dumps(inputs))
    return plain


def _refuse_what_exists(record: Record, touched: Mapping[str, Sequence[str]]) -> None:
    """Refuse changes of steps whose resources exist.

    Raises:
        Refused: one sentence for each such step, with everything that would have to be recreated.
    """
    sentences: list[str] = []
    for name, keys in touched.items():
        rows = [record.resource_of(step) for step in (name, *_standing_on(record, name))]
        if standing := [_named(record, row) for row in rows if row is not None and _stands(record, row)]:
            sentences.append(
                f"{name} can no longer change ({', '.join(keys)}): "
                f"{', '.join(standing)} would have to be recreated."
            )
    if sentences:
        id = record.deployment.id
        last = f"Nothing was changed: undo this in the spec, or use `tier1 rollback {id}` and deploy again."
        raise Refused("\n".join([*sentences, last]))


def _named(record: Record, row: Resource) -> str:
    return f"{row.name} ({row.aws_id or 'an earlier attempt may have created it'})"


def _stands(record: Record, row: Resource) -> bool:
    """Whether the resource is owned, and exists or may exist."""
    living = row.owned and row.state is not ResourceState.DELETED
    return living and (row.aws_id is not None or may_have_acted(record, row))


def _standing_on(record: Record, name: str) -> list[str]:
    """Return the steps that need this one, directly or through others."""
    return [step.name for step in record.steps.values() if name in standing_module.all_needs(record, step)]


# --- changes


_FROM_THE_START: Mapping[str, Any] = {
    "state": StepState.WAITING,
    "finished_at": None,
    "error": None,
    "tries": 0,
    "driven_seconds": 0.0,
}
"""The columns to reset in a changed step; its attempts so far stay on record."""


def _terms(step: StepPlan) -> dict[str, Any]:
    """Return the columns that may change at any time, because they affect no resource."""
    return {"deadline_seconds": step.deadline_seconds, "on_failure": step.on_failure}


def _planned(step: StepPlan) -> dict[str, Any]:
    """Return the columns that the plan sets in a step."""
    return {
        "phase": step.phase,
        "kind": step.kind,
        "mode": step.mode,
        "needs": tuple(step.needs),
        "inputs": dict(step.inputs),
    }


def _new(deployment_id: str, step: StepPlan, position: int) -> Step:
    return Step(
        deployment_id=deployment_id, name=step.name, position=position, **_planned(step), **_terms(step)
    )


def _removed(record: Record, position: int) -> dict[str, Any]:
    error = Error(REMOVED, "it is no longer in the corrected spec")
    at = record.deployment.updated_at
    return {"position": position, "state": StepState.SKIPPED, "finished_at": at, "error": error}


def _let_go(record: Record, name: str) -> list[Change]:
    """Free the name of a row whose resource does not exist; its attempts stay with the row."""
    row = record.resource_of(name)
    if row is None:
        return []
    taken = {resource.name for resource in record.resources.values()}
    number = next(n for n in range(1, len(taken) + 2) if f"{name}~{n}" not in taken)
    values: dict[str, Any] = {"name": f"{name}~{number}"}
    if row.owned and row.state is not ResourceState.DELETED:
        at = record.deployment.updated_at
        values |= {"state": ResourceState.DELETED, "deleted_at": at, "error": None}
    return [ResourceSet(row.id, values)]


def _change_message(record: Record, plan: Iterable[str], touched: Mapping[str, Sequence[str]]) -> str:
    """Describe the correction for the timeline."""
    names = list(plan)
    parts = [f"{name} ({', '.join(keys)})" for name, keys in touched.items() if name in names]
    parts += [f"{name} (new)" for name in names if name not in record.steps]
    parts += [f"{name} (removed)" for name in touched if name not in names]
    return f"the spec was corrected: {'; '.join(parts) or 'no step changed'}"
