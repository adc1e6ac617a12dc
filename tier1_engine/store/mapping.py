"""Maps records to rows and back, and writes the changes of a turn. No queries.

Owns the tables as `store` and `lease` use them. The caller provides the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Table

from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.record import (
    FIELDS,
    Attempt,
    AttemptAdd,
    AttemptSet,
    Change,
    Console,
    Deployment,
    DeploymentSet,
    Move,
    Note,
    Resource,
    ResourceAdd,
    ResourceSet,
    Step,
    StepAdd,
    StepSet,
)
from tier1_engine.store import statements
from tier1_engine.store.tables import (
    AttemptRow,
    ConsoleRow,
    DeploymentRow,
    EventRow,
    ResourceRow,
    StepRow,
    SweepRow,
)
from tier1_engine.store.transactions import Transaction

DEPLOYMENTS: Table = DeploymentRow.__table__  # type: ignore[assignment]  # declared as FromClause
STEPS: Table = StepRow.__table__  # type: ignore[assignment]
RESOURCES: Table = ResourceRow.__table__  # type: ignore[assignment]
ATTEMPTS: Table = AttemptRow.__table__  # type: ignore[assignment]
EVENTS: Table = EventRow.__table__  # type: ignore[assignment]
CONSOLES: Table = ConsoleRow.__table__  # type: ignore[assignment]
SWEEPS: Table = SweepRow.__table__  # type: ignore[assignment]

Item = TypeVar("Item", Deployment, Step, Resource, Attempt)


def values_of(item: Deployment | Step | Resource | Attempt) -> dict[str, Any]:
    """Return the columns of a record."""
    return {name: getattr(item, name) for name in FIELDS[type(item)]}


def item_of(kind: type[Item], row: Any) -> Item:
    """Build the record of a row, without `__init__` for speed, as `with_values` does."""
    made = object.__new__(kind)
    values = made.__dict__
    values.update(zip(FIELDS[kind], _IN_ORDER[kind](row), strict=True))
    for name in _TUPLES[kind]:
        values[name] = tuple(values[name])
    return made


_IN_ORDER = {kind: attrgetter(*names) for kind, names in FIELDS.items()}
_TUPLES = {
    kind: [known.name for known in fields(kind) if str(known.type).startswith("tuple")] for kind in FIELDS
}
"""The tuple fields of each record, which JSON stores as lists."""


def write(
    transaction: Transaction,
    deployment_id: str,
    changes: Sequence[Change],
    now: datetime,
    actor: Actor | None = None,
) -> None:
    """Write all changes of a turn, with one UPDATE for the deployment. `actor`: who runs the driver."""
    for change in _merged(changes):
        _write_row(transaction, deployment_id, change, now)
    if events := [_event_of(c, deployment_id, now, actor) for c in changes if isinstance(c, Move | Note)]:
        statements.add(transaction, EVENTS, events)
    of_deployment: dict[str, Any] = {}
    for change in changes:
        if isinstance(change, DeploymentSet):
            of_deployment |= change.values
        elif isinstance(change, Move):
            of_deployment |= {"state": change.target, "goal": change.goal}
    statements.change(transaction, DEPLOYMENTS, {"id": deployment_id}, of_deployment)


def _write_row(transaction: Transaction, deployment_id: str, change: Change, now: datetime) -> None:
    """Write one change of a step, resource, attempt or console; `write` then writes the others together."""
    match change:
        case StepAdd(step):
            statements.add(transaction, STEPS, [values_of(step)])
        case StepSet(name, values):
            statements.change(transaction, STEPS, {"deployment_id": deployment_id, "name": name}, values)
        case ResourceAdd(resource):
            statements.add(transaction, RESOURCES, [values_of(resource)])
        case ResourceSet(id, values):
            statements.change(transaction, RESOURCES, {"deployment_id": deployment_id, "id": id}, values)
        case AttemptAdd(attempt):
            statements.add(transaction, ATTEMPTS, [values_of(attempt)])
        case AttemptSet(id, values):
            statements.change(transaction, ATTEMPTS, {"deployment_id": deployment_id, "id": id}, values)
        case Console(resource_id, text):
            kept = {"resource_id": resource_id, "deployment_id": deployment_id}
            statements.add(transaction, CONSOLES, [{**kept, "captured_at": now, "text": text}])


def _merged(changes: Sequence[Change]) -> list[Change]:
    """Merge consecutive changes of one row into one UPDATE.

    Only neighbours among the changes of one table are merged, so that its constraints apply in the original
    order.
    """
    merged: list[Change] = []
    last: dict[Table, int] = {}
    for change in changes:
        table = _TABLE_OF.get(type(change))
        if table is None:
            merged.append(change)
        elif table in last and (both := _both(merged[last[table]], change)) is not None:
            merged[last[table]] = both
        else:
            last[table] = len(merged)
            merged.append(change)
    return merged


_TABLE_OF: dict[type[Change], Table] = {
    StepAdd: STEPS,
    StepSet: STEPS,
    ResourceAdd: RESOURCES,
    ResourceSet: RESOURCES,
    AttemptAdd: ATTEMPTS,
    AttemptSet: ATTEMPTS,
}


def _both(first: Change, second: Change) -> Change | None:
    """Return one change that does both, if both set values of one row."""
    match first, second:
        case StepSet(), StepSet() if first.name == second.name:
            return StepSet(first.name, {**first.values, **second.values})
        case ResourceSet(), ResourceSet() if first.id == second.id:
            return ResourceSet(first.id, {**first.values, **second.values})
        case AttemptSet(), AttemptSet() if first.id == second.id:
            return AttemptSet(first.id, {**first.values, **second.values})
    return None


def _event_of(change: Move | Note, deployment_id: str, now: datetime, actor: Actor | None) -> dict[str, Any]:
    event = {"deployment_id": deployment_id, "at": now, "message": change.message, "actor": actor}
    if isinstance(change, Note):
        return {**event, "trigger": None, "from_state": None, "to_state": None, "step": change.step}
    move = {"trigger": change.trigger, "from_state": change.source, "to_state": change.target}
    return {**event, **move, "step": None}
