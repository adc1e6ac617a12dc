"""All queries except those of the lease and of sweeps. Each method is one transaction.

`commit` is the only writer of a deployment with a driver: it locks the deployment's row, checks the driver's
fencing token there, and writes all changes of a turn or none. Other commands may write only the target state
(`request_goal`); that is a request, and only the driver changes the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Table, bindparam, exists, func, or_, select
from sqlalchemy.exc import IntegrityError

from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.overview import Event, Summary
from tier1_engine.deployment.record import Attempt, Change, Deployment, DeploymentSet, Record, Resource, Step
from tier1_engine.deployment.states import ENDED, Action, Goal, Outcome, ResourceState, State
from tier1_engine.errors import LeaseLost, NameInUse, NoSuchDeployment, Tier1Error
from tier1_engine.store import database, schema, statements
from tier1_engine.store.fence import NOBODY, Fence, check_fence, was_given_back
from tier1_engine.store.mapping import (
    ATTEMPTS,
    CONSOLES,
    DEPLOYMENTS,
    EVENTS,
    RESOURCES,
    STEPS,
    item_of,
    values_of,
    write,
)
from tier1_engine.store.tables import Installation
from tier1_engine.store.transactions import PooledReadTransaction, ReadTransaction, Transaction, Writers


class GoalChanged(Tier1Error):
    """The target state or the names to retain changed since the driver read them; nothing was committed."""

    def __init__(self, goal: Goal, retain: tuple[str, ...]) -> None:
        super().__init__(f"The target state is now {goal}.")
        self.goal = goal
        self.retain = retain


class Store:
    """The database at the current schema revision."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.writers = Writers(engine)
        self._database_id: str | None = None

    @classmethod
    def open(cls, url: str, *, lease_seconds: float = 60.0) -> Store:
        """Connect, and create, upgrade or check the schema.

        Raises:
            ConfigurationError, SchemaError, DatabaseUnavailable: see `database`.
        """
        engine = database.connect(url, lease_seconds=lease_seconds)
        try:
            schema.ensure_schema(engine)
        except Tier1Error:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        self.writers.close()
        self.engine.dispose()

    def reading(self) -> Any:
        """Return a connection for a read-only transaction."""
        return self.engine.connect().execution_options(reads_only=True)

    @property
    def database_id(self) -> str:
        """Return the id of this database, the value of the tag `tier1:database`."""
        if self._database_id is None:
            with database.translated(self.engine), self.reading() as connection:
                self._database_id = connection.execute(select(Installation.database_id)).scalar_one()
        return self._database_id

    # --- a new deployment

    def create(
        self,
        deployment: Deployment,
        steps: Sequence[Step],
        message: str,
        *,
        held: Callable[[Transaction], Mapping[str, Any]] = lambda _: {"lease_term": 0},
    ) -> None:
        """Create a deployment with its whole plan.

        Args:
            held: returns the columns of its lease, if it starts with a holder.

        Raises:
            NameInUse: an existing deployment in this account and region has this name.
        """
        event = {
            "deployment_id": deployment.id,
            "at": deployment.created_at,
            "message": message,
            "actor": deployment.created_by,
        }
        try:
            with database.translated(self.engine), Transaction(self.writers) as transaction:
                columns = {**values_of(deployment), **held(transaction)}
                statements.add(transaction, DEPLOYMENTS, [columns])
                statements.add(transaction, STEPS, [values_of(step) for step in steps])
                statements.add(transaction, EVENTS, [event])
        except IntegrityError as error:
            raise NameInUse(self._sentence_about_name(deployment)) from error

    def _sentence_about_name(self, wanted: Deployment) -> str:
        living = [s.deployment for s in self.summaries(name=wanted.name) if s.deployment.state not in ENDED]
        who = f"{living[0].id}, which is {living[0].state}" if living else "another deployment"
        return (
            f"The name {wanted.name} is in use by {who}: choose another with --name, or delete it first "
            f"(`tier1 {'destroy' if living and living[0].activated_at else 'rollback'} {wanted.name}`)."
        )

    # --- the driver's reads and writes

    def load(self, deployment_id: str) -> Record:
        """Load everything that decisions about a deployment need.

        Leaves out finished attempts other than creates, adoptions and archives.

        Raises:
            NoSuchDeployment: no deployment has this id.
        """
        its = {"of": deployment_id}
        with database.translated(self.engine), PooledReadTransaction(self.writers) as reading:
            found = statements.first(reading, _THE_DEPLOYMENT, its)
            if found is None:
                raise NoSuchDeployment(f"There is no deployment {deployment_id}: see `tier1 list`.")
            steps = statements.every(reading, _ITS_STEPS, its)
            resources = statements.every(reading, _ITS_RESOURCES, its)
            attempts = statements.every(reading, _ITS_ATTEMPTS, its)
        return Record(
            item_of(Deployment, found),
            {step.name: item_of(Step, step) for step in steps},
            {resource.id: item_of(Resource, resource) for resource in resources},
            {attempt.id: item_of(Attempt, attempt) for attempt in attempts},
        )

    def goal(self, deployment_id: str, fence: Fence) -> tuple[Goal, tuple[str, ...]]:
        """Return the current target state, and the names of resources to retain.

        Raises:
            LeaseLost: another driver has taken over.
        """
        with database.translated(self.engine), ReadTransaction(self.writers) as look:
            row = statements.first(look, _ITS_GOAL, {"of": deployment_id})
        check_fence(deployment_id, row, fence)
        return row.goal, tuple(row.retain)

    def commit(
        self,
        record: Record,
        changes: Sequence[Change],
        fence: Fence,
        now: datetime,
        *,
        gives_back: bool = False,
        actor: Actor | None = None,
    ) -> Record:
        """Write the changes of a turn in one transaction, and return the new record.

        May be repeated with the same arguments if the result of the last call is unknown: the revision shows
        whether it was committed, so it is not applied twice.

        Args:
            gives_back: whether this is the last turn, which also releases the lease.
            actor: who runs the driver.

        Raises:
            LeaseLost: another driver has taken over; nothing was written.
            GoalChanged: the target state or the names to retain differ from `record`; nothing was written.
            DatabaseUnavailable: it may or may not have been written.
        """
        before = record.deployment
        after = record.apply(changes)
        stamped = DeploymentSet({"revision": before.revision + 1, "updated_at": now})
        with database.translated(self.engine), Transaction(self.writers) as transaction:
            row = statements.first(transaction, _LOCK, {"locked": before.id})
            if gives_back and was_given_back(row, fence, before.revision):
                return after.apply([stamped])
            check_fence(before.id, row, fence)
            if row.revision == before.revision:
                if (row.goal, tuple(row.retain)) != (before.goal, before.retain):
                    raise GoalChanged(row.goal, tuple(row.retain))
                if row.state is not before.state:
                    raise LeaseLost(f"The state of {before.id} was changed by another process.")
                released = [DeploymentSet(NOBODY)] if gives_back else []
                write(transaction, before.id, [*changes, stamped, *released], now, actor)
            elif row.revision != before.revision + 1:
                raise LeaseLost(f"The record of {before.id} was changed by another process.")
        return after.apply([stamped])

    # --- requests of other commands

    def request_goal(
        self,
        deployment_id: str,
        choice: Callable[[Deployment], Goal | None],
        *,
        retain: Sequence[str] = (),
        now: datetime,
        actor: Actor | None = None,
    ) -> Deployment | None:
        """Write the target state of a deployment, in one transaction guarded by its state.

        Args:
            choice: returns the target state for the locked deployment; None to write nothing and return None.
                If it raises, nothing is written.
            retain: names of resources to retain, added to those already retained.
            actor: who asks for it.
        """
        with database.translated(self.engine), Transaction(self.writers) as transaction:
            row = statements.first(transaction, _LOCK_WHOLE, {"locked": deployment_id})
            if row is None:
                raise NoSuchDeployment(f"There is no deployment {deployment_id}: see `tier1 list`.")
            deployment = item_of(Deployment, row)
            if (goal := choice(deployment)) is None:
                return None
            kept = tuple(dict.fromkeys((*deployment.retain, *retain)))
            if goal is deployment.goal and kept == deployment.retain:
                return deployment
            values = {"goal": goal, "retain": list(kept), "updated_at": now, "asked_by": actor}
            statements.change(transaction, DEPLOYMENTS, {"id": deployment_id}, values)
            message = f"requested: {goal}" + (f", retaining {', '.join(kept)}" if kept else "")
            event = {"deployment_id": deployment_id, "at": now, "message": message, "actor": actor}
            statements.add(transaction, EVENTS, [event])
        return replace(deployment, goal=goal, retain=kept, asked_by=actor)

    # --- reads for people

    def matching(self, reference: str) -> list[Deployment]:
        """Return deployments whose id begins with `reference` or whose name it is, newest first."""
        fits = or_(DEPLOYMENTS.c.name == reference, DEPLOYMENTS.c.id.startswith(reference, autoescape=True))
        query = select(DEPLOYMENTS).where(fits).order_by(DEPLOYMENTS.c.created_at.desc())
        with database.translated(self.engine), self.reading() as connection:
            return [item_of(Deployment, row) for row in connection.execute(query)]

    def summaries(
        self,
        *,
        states: Iterable[State] = (),
        failed: bool = False,
        limit: int | None = None,
        name: str | None = None,
        deployment_id: str | None = None,
    ) -> list[Summary]:
        """Return deployments, newest first, with their holders and the number of their remaining resources.

        Args:
            failed: only those with a failure on record, whatever their state now.
        """
        remaining = (
            select(func.count())
            .select_from(RESOURCES)
            .where(RESOURCES.c.deployment_id == DEPLOYMENTS.c.id, remains())
            .scalar_subquery()
            .label("remaining")
        )
        query = select(DEPLOYMENTS, remaining).order_by(
            DEPLOYMENTS.c.created_at.desc(), DEPLOYMENTS.c.id.desc()
        )
        if wanted := list(states):
            query = query.where(DEPLOYMENTS.c.state.in_(wanted))
        if failed:
            query = query.where(DEPLOYMENTS.c.failure.is_not(None))
        if name is not None:
            query = query.where(DEPLOYMENTS.c.name == name)
        if deployment_id is not None:
            query = query.where(DEPLOYMENTS.c.id == deployment_id)
        if limit is not None:
            query = query.limit(limit)
        with database.translated(self.engine), self.reading() as connection:
            rows = connection.execute(query).all()
        return [
            Summary(
                item_of(Deployment, row),
                row.holder,
                row.lease_since,
                row.lease_expires_at,
                int(row.remaining),
            )
            for row in rows
        ]

    def left(self, deployment_ids: Sequence[str]) -> dict[str, list[Resource]]:
        """Return the resources that `Summary.remaining` counts, by deployment; omits those without any."""
        query = select(RESOURCES).where(RESOURCES.c.deployment_id.in_(list(deployment_ids)), remains())
        with database.translated(self.engine), self.reading() as connection:
            rows = [item_of(Resource, row) for row in connection.execute(query)]
        found: dict[str, list[Resource]] = {}
        for row in rows:
            found.setdefault(row.deployment_id, []).append(row)
        return found

    def attempts(self, deployment_id: str) -> list[Attempt]:
        """Return all attempts in chronological order."""
        query = _of(ATTEMPTS, deployment_id).order_by(ATTEMPTS.c.begun_at, ATTEMPTS.c.id)
        with database.translated(self.engine), self.reading() as connection:
            return [item_of(Attempt, row) for row in connection.execute(query)]

    def events(self, deployment_id: str, *, after: int = 0) -> list[Event]:
        """Return the timeline in the order in which it was written."""
        query = _of(EVENTS, deployment_id).where(EVENTS.c.id > after).order_by(EVENTS.c.id)
        with database.translated(self.engine), self.reading() as connection:
            rows = connection.execute(query).all()
        return [Event(r.at, r.trigger, r.from_state, r.to_state, r.step, r.message, r.actor) for r in rows]

    def console(self, deployment_id: str, resource_id: str) -> str | None:
        """Return the archived console output of an instance."""
        query = _of(CONSOLES, deployment_id).with_only_columns(CONSOLES.c.text)
        query = query.where(CONSOLES.c.resource_id == resource_id)
        with database.translated(self.engine), self.reading() as connection:
            text: str | None = connection.execute(query).scalar()
        return text


_LOCK_WHOLE = select(DEPLOYMENTS).where(DEPLOYMENTS.c.id == bindparam("locked")).with_for_update()
_LOCK = (
    select(
        DEPLOYMENTS.c.state,
        DEPLOYMENTS.c.goal,
        DEPLOYMENTS.c.retain,
        DEPLOYMENTS.c.revision,
        DEPLOYMENTS.c.lease_term,
        DEPLOYMENTS.c.holder,
    )
    .where(DEPLOYMENTS.c.id == bindparam("locked"))
    .with_for_update()
)
"""Locks the row first: on Postgres, a condition in the UPDATE alone would let a stale writer through."""


def _of(table: Table, deployment_id: Any) -> Any:
    return select(table).where(table.c.deployment_id == deployment_id)


def _matters_to_decisions() -> Any:
    """Select creates (they may have acted), adoptions (they say what a create made), archives (their number
    is limited), and open attempts.
    """
    decisive = (ATTEMPTS.c.action == one for one in (Action.CREATE, Action.ADOPT, Action.ARCHIVE))
    return or_(*decisive, ATTEMPTS.c.ended_at.is_(None))


_THE_DEPLOYMENT = select(DEPLOYMENTS).where(DEPLOYMENTS.c.id == bindparam("of"))
_ITS_GOAL = _THE_DEPLOYMENT.with_only_columns(
    DEPLOYMENTS.c.goal, DEPLOYMENTS.c.retain, DEPLOYMENTS.c.lease_term, DEPLOYMENTS.c.holder
)
_ITS_STEPS = _of(STEPS, bindparam("of")).order_by(STEPS.c.position)
_ITS_RESOURCES = _of(RESOURCES, bindparam("of")).order_by(RESOURCES.c.created_at)
_ITS_ATTEMPTS = _of(ATTEMPTS, bindparam("of")).where(_matters_to_decisions())


def remains() -> Any:
    """Select owned resources that remain: with an AWS id, or with a create that may have acted."""
    may_exist = exists().where(
        ATTEMPTS.c.deployment_id == RESOURCES.c.deployment_id,
        ATTEMPTS.c.resource_id == RESOURCES.c.id,
        ATTEMPTS.c.action == Action.CREATE,
        or_(ATTEMPTS.c.outcome.is_(None), ATTEMPTS.c.outcome == Outcome.UNKNOWN),
        ATTEMPTS.c.settled.is_(False),
    )
    living = RESOURCES.c.state.notin_([ResourceState.DELETED, ResourceState.RETAINED])
    return RESOURCES.c.owned & living & or_(RESOURCES.c.aws_id.is_not(None), may_exist)
