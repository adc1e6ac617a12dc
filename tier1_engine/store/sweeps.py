"""The queries of sweeps: the deployments to check, their protection, and the sweeps' own rows.

A few queries read everything that a sweep must know of all deployments, however many there are. Owns no
decision: `sweep.rules` decides, and `sweep.sweep` acts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from tier1_engine.contract.kind import COMPANIONS
from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.record import Deployment, Resource
from tier1_engine.deployment.states import Action, Goal, Mode, Outcome, ResourceState
from tier1_engine.errors import NoSuchDeployment
from tier1_engine.store import database, statements
from tier1_engine.store.mapping import ATTEMPTS, DEPLOYMENTS, EVENTS, RESOURCES, STEPS, SWEEPS, item_of
from tier1_engine.store.store import Store, remains
from tier1_engine.store.transactions import Transaction

REVIEWED = "reviewed"
"""The key in a sweep's plan for the digest of the file that an operator applied."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The row of one sweep.

    Attributes:
        plan: the plan, as `sweep.plan` writes it.
        results: the result of each item.
        exit_code: None while it is running, or if it was killed.
    """

    id: str
    begun_at: datetime
    host: str
    pid: int
    plan: Mapping[str, Any]
    results: Sequence[Mapping[str, Any]] = ()
    marked: int = 0
    deleted: int = 0
    skipped: int = 0
    remained: int = 0
    reported: int = 0
    ended_at: datetime | None = None
    exit_code: int | None = None


DescribeDriver = Callable[[Mapping[str, Any] | None, datetime | None], str | None]
"""Describes the driver, given the holder and the end of the lease in a row; None if it is not alive."""


def all_known(store: Store, driver: DescribeDriver, only: str | None = None) -> list[Known]:
    """Return every deployment (or only one) with everything that the rules need."""
    last = (
        select(EVENTS.c.deployment_id, func.max(EVENTS.c.id).label("id"))
        .group_by(EVENTS.c.deployment_id)
        .subquery()
    )
    deployments = (
        select(DEPLOYMENTS, EVENTS.c.id.label("last_event"), EVENTS.c.at.label("last_event_at"))
        .join(last, last.c.deployment_id == DEPLOYMENTS.c.id)
        .join(EVENTS, EVENTS.c.id == last.c.id)
    )
    rows = select(RESOURCES, STEPS.c.position, remains().label("remains"), _open().label("open")).join(
        STEPS, (STEPS.c.deployment_id == RESOURCES.c.deployment_id) & (STEPS.c.name == RESOURCES.c.step)
    )
    living = rows.where(RESOURCES.c.state != ResourceState.DELETED)
    made = (
        select(STEPS.c.deployment_id, STEPS.c.kind, func.max(STEPS.c.position).label("position"))
        .where(STEPS.c.mode == Mode.CREATE)
        .group_by(STEPS.c.deployment_id, STEPS.c.kind)
    )
    if only is not None:
        deployments = deployments.where(DEPLOYMENTS.c.id == only)
        living = living.where(RESOURCES.c.deployment_id == only)
        made = made.where(STEPS.c.deployment_id == only)
    with database.translated(store.engine), store.reading() as connection:
        found = connection.execute(deployments).all()
        resources = connection.execute(living.order_by(STEPS.c.position.desc(), RESOURCES.c.name)).all()
        positions: dict[str, dict[str, int]] = defaultdict(dict)
        for row in connection.execute(made):
            positions[row.deployment_id][row.kind] = row.position
    of: dict[str, list[Any]] = defaultdict(list)
    for row in resources:
        of[row.deployment_id].append(row)
    return [
        Known(
            deployment=item_of(Deployment, row),
            last_event=row.last_event,
            last_event_at=row.last_event_at,
            driver=driver(row.holder, row.lease_expires_at),
            remaining=tuple(item_of(Resource, r) for r in of[row.id] if r.remains),
            holds={pair: r.request for r in of[row.id] for pair in _held_by(r)},
            expects=frozenset((r.kind, r.tagged_as) for r in of[row.id] if not r.aws_id and r.open),
            positions=positions[row.id],
            retains=any(r.state is ResourceState.RETAINED for r in of[row.id]),
        )
        for row in found
    ]


def _held_by(row: Any) -> Iterator[tuple[str, str]]:
    """Yield the kind and AWS id of a row, and of what AWS made together with it."""
    if row.aws_id:
        yield row.kind, row.aws_id
    for kind, ids in row.facts.get(COMPANIONS, {}).items():
        yield from ((kind, aws_id) for aws_id in ids)


def _open() -> Any:
    """Select resources with a create whose result is unknown: AWS may have acted, or may still act."""
    return (
        select(ATTEMPTS.c.id)
        .where(
            ATTEMPTS.c.deployment_id == RESOURCES.c.deployment_id,
            ATTEMPTS.c.resource_id == RESOURCES.c.id,
            ATTEMPTS.c.action == Action.CREATE,
            ATTEMPTS.c.outcome.is_(None) | (ATTEMPTS.c.outcome == Outcome.UNKNOWN),
        )
        .exists()
    )


def database_time(store: Store, host: datetime) -> datetime:
    """Return the earlier time of the host's and the database's clocks, so that no age is overestimated."""
    if store.engine.dialect.name != "postgresql":
        return host
    with database.translated(store.engine), store.reading() as connection:
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return min(host, now)


# --- a sweep's claim


def claim(
    store: Store,
    deployment_id: str,
    sweep_id: str,
    goal: Goal | None,
    allowed: Callable[[Deployment, int], None],
    now: datetime,
    actor: Actor | None = None,
) -> None:
    """Record that a sweep takes a deployment down, in one transaction guarded by its row.

    The caller holds the lease, so no other process drives it meanwhile. What other commands may write (target
    state, protection, expiry) is checked again here.

    Args:
        goal: the new target state; None leaves it unchanged.
        allowed: called with the locked deployment and the id of its last event; raises if it forbids this.
    """
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        row = statements.first(transaction, _LOCK_WHOLE, {"of": deployment_id})
        deployment = item_of(Deployment, row)
        allowed(deployment, statements.first(transaction, _LAST_EVENT, {"of": deployment_id}).id)
        values = {"goal": goal or deployment.goal, "swept_by": sweep_id, "updated_at": now}
        statements.change(transaction, DEPLOYMENTS, {"id": deployment_id}, values)
        event = _asked_for(deployment_id, sweep_id, goal or deployment.goal, now, actor)
        statements.add(transaction, EVENTS, [event])


def take(
    store: Store,
    deployment_id: str,
    sweep_id: str,
    what: str,
    now: datetime,
    actor: Actor | None = None,
) -> None:
    """Record that a sweep works on a deployment without changing its target state."""
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        statements.add(transaction, EVENTS, [_asked_for(deployment_id, sweep_id, what, now, actor)])


def taken_since(store: Store, deployment_id: str, last_event: int, sweeps: Collection[str]) -> bool:
    """Whether the first event of a deployment after `last_event` belongs to one of these sweeps."""
    query = (
        select(EVENTS.c.sweep_id)
        .where(EVENTS.c.deployment_id == deployment_id, EVENTS.c.id > last_event)
        .order_by(EVENTS.c.id)
        .limit(1)
    )
    with database.translated(store.engine), store.reading() as connection:
        return connection.execute(query).scalar() in sweeps


def _asked_for(
    deployment_id: str, sweep_id: str, what: str, now: datetime, actor: Actor | None
) -> dict[str, Any]:
    message = f"asked for by sweep {sweep_id}: {what}"
    event = {"deployment_id": deployment_id, "at": now, "message": message}
    return {**event, "sweep_id": sweep_id, "actor": actor}


_LOCK_WHOLE = select(DEPLOYMENTS).where(DEPLOYMENTS.c.id == bindparam("of")).with_for_update()
_LAST_EVENT = select(func.max(EVENTS.c.id).label("id")).where(EVENTS.c.deployment_id == bindparam("of"))


# --- protection


def protect(
    store: Store,
    deployment_id: str,
    change: Callable[[Deployment], tuple[Mapping[str, Any], str]],
    now: datetime,
    actor: Actor | None = None,
) -> Deployment:
    """Set the protection of a deployment, in one transaction guarded by its row.

    Args:
        change: returns, for the locked deployment, the columns to set and the message for the timeline;
            raises `Refused` if that is not possible.

    Raises:
        NoSuchDeployment: no deployment has this id.
    """
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        row = statements.first(transaction, _LOCK_WHOLE, {"of": deployment_id})
        if row is None:
            raise NoSuchDeployment(f"There is no deployment {deployment_id}: see `tier1 list`.")
        deployment = item_of(Deployment, row)
        changed, message = change(deployment)
        values = {**changed, "asked_by": actor}
        statements.change(transaction, DEPLOYMENTS, {"id": deployment_id}, values)
        event = {"deployment_id": deployment_id, "at": now, "message": message, "actor": actor}
        statements.add(transaction, EVENTS, [event])
    return replace(deployment, **values)


# --- the sweeps' own rows


def begin(store: Store, sweep: Sweep) -> None:
    """Record a sweep before it deletes anything."""
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        values = {field.name: getattr(sweep, field.name) for field in fields(sweep)}
        statements.add(transaction, SWEEPS, [{**values, "results": list(sweep.results)}])


def update(store: Store, sweep_id: str, values: Mapping[str, Any]) -> None:
    """Record the results of a sweep so far."""
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        statements.change(transaction, SWEEPS, {"id": sweep_id}, values)


def applied(store: Store, digest: str, since: datetime) -> frozenset[str]:
    """Return the ids of the sweeps that were started with the reviewed plan of this digest."""
    query = select(SWEEPS.c.id, SWEEPS.c.plan).where(SWEEPS.c.begun_at >= since)
    with database.translated(store.engine), store.reading() as connection:
        return frozenset(row.id for row in connection.execute(query) if row.plan.get(REVIEWED) == digest)


def history(store: Store, limit: int) -> list[Sweep]:
    """Return the recorded sweeps, newest first."""
    query = select(SWEEPS).order_by(SWEEPS.c.begun_at.desc(), SWEEPS.c.id.desc()).limit(limit)
    with database.translated(store.engine), store.reading() as connection:
        rows = connection.execute(query).all()
    return [Sweep(**row._asdict()) for row in rows]
