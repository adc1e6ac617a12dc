"""The façade: create, drive, retry, accept, ask for a rollback or a destruction, follow.

Every command that acts on a deployment comes through here. It owns who may ask for what, and the
opening move of each request; the driving itself is `driver`, the decisions are `decide`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from tier1_engine.deployment.creation import Wish, asked_for, new_deployment
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.plan import Plan
from tier1_engine.deployment.record import Attempt, Deployment, Record
from tier1_engine.deployment.standing import closure
from tier1_engine.deployment.states import ENDED, Action, Goal, Outcome, ResourceState, State
from tier1_engine.engine.decide import amendment as amendments
from tier1_engine.engine.decide import openings
from tier1_engine.engine.decide.amendment import Amendment
from tier1_engine.engine.decide.decide import decide as whole_life
from tier1_engine.engine.decide.decision import Why
from tier1_engine.engine.driver import Driver
from tier1_engine.engine.equipment import Decide, Opening, Parts
from tier1_engine.engine.protocol.assignment import refuse_without_code
from tier1_engine.errors import DatabaseUnavailable, DrivenByAnother, LeaseLost, Refused
from tier1_engine.store import holder as holder_module
from tier1_engine.store import lease as leases

FOLLOW_SECONDS = 0.5
"""How often a follower looks whether the driver is done or gone."""


class Resume(StrEnum):
    """What `resume` is asked to do with a deployment that failed on the way forward."""

    GO_ON = "resume"
    RETRY = "retry"
    CONTINUE = "continue"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a drive ended."""

    record: Record
    why: Why


def deploy(
    parts: Parts,
    wish: Wish,
    plan: Plan,
    place: Place,
    *,
    created: Callable[[str], None] = lambda deployment_id: None,
) -> Ended:
    """Write a new deployment that is ours from its first moment, and drive it.

    `place` was asked of AWS by this process just now, so it is not asked again whose account it is.

    Args:
        created: told the id as soon as there is a row that can be resumed.

    Raises:
        NameInUse: a living deployment of this account and region has the name.
        Refused: the plan does not hold together.
        LeaseLost, DatabaseUnavailable: as `drive`.
    """
    deployment, steps = new_deployment(wish, plan, place, parts.clock.now())
    seconds, holder = parts.settings.lease_seconds, holder_module.this_process()
    message = asked_for(wish, place)
    lease = leases.take_with(parts.store, deployment, steps, message, holder, seconds, parts.clock)
    record = Record(deployment, {step.name: step for step in steps}, {}, {})

    def driver() -> Driver:
        created(deployment.id)
        return Driver(parts, lease, record, identified=True)

    return _drive(parts, lease, driver, openings.go_on)


def create(parts: Parts, wish: Wish, plan: Plan, place: Place) -> str:
    """Write a new deployment, `pending`, with its whole plan, for somebody else to drive; answer its id.

    Raises:
        NameInUse: a living deployment of this account and region has the name.
        Refused: the plan does not hold together.
    """
    deployment, steps = new_deployment(wish, plan, place, parts.clock.now())
    parts.store.create(deployment, steps, asked_for(wish, place))
    return deployment.id


def drive(
    parts: Parts,
    deployment_id: str,
    opening: Opening | None = None,
    *,
    first: Callable[[], object] = lambda: None,
    decide: Decide = whole_life,
) -> Ended:
    """Take the lease and drive until there is nothing more to do.

    Args:
        first: done under the lease, before the record is read; what it raises ends the drive.
        decide: what to do next, where that is not the whole life of a deployment.

    Raises:
        DrivenByAnother: a live driver holds it; LeaseLost: we were replaced.
        DatabaseUnavailable: a turn could not be committed.
        Refused: the opening was refused; nothing was changed.
    """
    holder = holder_module.this_process()
    lease = leases.take(parts.store, deployment_id, holder, parts.settings.lease_seconds, parts.clock)

    def driver() -> Driver:
        first()
        return Driver(parts, lease, parts.store.load(deployment_id), decide=decide)

    return _drive(parts, lease, driver, opening or openings.go_on)


def _drive(parts: Parts, lease: leases.Lease, made: Callable[[], Driver], opening: Opening) -> Ended:
    driver = None
    try:
        driver = made()
        why = driver.run(opening)
        return Ended(driver.record, why)
    finally:
        if driver is None or not driver.gave_back:
            _release(parts, lease)


def _release(parts: Parts, lease: leases.Lease) -> None:
    """Give the lease back; where the database is gone it ends by itself."""
    with suppress(DatabaseUnavailable):
        leases.release(parts.store, lease)


# --- resume


def resume(
    parts: Parts, deployment_id: str, how: Resume = Resume.GO_ON, amendment: Amendment | None = None
) -> Ended:
    """Go on from the database, whatever the goal is.

    Args:
        amendment: of a retry: a corrected spec with its plan.

    Raises:
        Refused: the way asked for cannot hold; the sentence says why and what can.
        DrivenByAnother: somebody drives it.
    """
    if how is Resume.ROLL_BACK:
        request(parts, deployment_id, Goal.ROLLED_BACK)
        return drive(parts, deployment_id)
    record = parts.store.load(deployment_id)
    if (
        record.deployment.state in (*ENDED, State.ACTIVE)
        and record.deployment.goal.value == record.deployment.state.value
    ):
        return _settled(record, how)
    if record.deployment.goal is Goal.ACTIVE:
        refuse_without_code(record, parts.registry)
    opening: Opening = {Resume.RETRY: openings.retry, Resume.CONTINUE: openings.accept}.get(
        how, openings.go_on
    )
    if amendment is not None:
        opening = partial(amendments.retry, amendment=amendment)
    return drive(parts, deployment_id, opening)


def _settled(record: Record, how: Resume) -> Ended:
    if how is not Resume.GO_ON:
        raise Refused(f"{record.deployment.name} is {record.deployment.state}: there is nothing to {how}.")
    return Ended(record, Why.SETTLED)


# --- rollback and destroy


def request(parts: Parts, deployment_id: str, goal: Goal, *, retain: Sequence[str] = ()) -> Deployment:
    """Write what is wanted, guarded by the state. `destroyed` of what was never active is rolled back.

    Raises:
        Refused: of an active deployment a rollback, of an ended one another end, a resource to retain
            that is unknown or being deleted already.
        NoSuchDeployment: there is none of this id.
    """
    record = parts.store.load(deployment_id)
    closed = closure(record, retain)
    doomed = _doomed(record, parts.store.attempts(deployment_id), closed) if closed else []
    if goal is Goal.DESTROYED and record.deployment.activated_at is None:
        goal = Goal.ROLLED_BACK

    def allowed(deployment: Deployment) -> None:
        if closed and deployment.revision != record.deployment.revision:
            raise _Moved
        if goal is Goal.ROLLED_BACK and deployment.activated_at is not None:
            raise Refused(
                f"{deployment.name} became active, so it cannot be rolled back: "
                f"use `tier1 destroy {deployment.id}`."
            )
        if deployment.state in ENDED and (closed or deployment.state.value != goal.value):
            raise Refused(f"{deployment.name} is already {deployment.state}: there is nothing left to do.")
        if doomed:
            raise Refused(f"{', '.join(doomed)}: already being deleted; omit it from --retain.")

    try:
        return parts.store.request_goal(
            deployment_id, goal, retain=closed, allowed=allowed, now=parts.clock.now()
        )
    except _Moved:
        return request(parts, deployment_id, goal, retain=retain)
    except Refused:
        # It may have become active between our look and the lock: then it is to be destroyed.
        again = parts.store.load(deployment_id).deployment
        if goal is Goal.ROLLED_BACK and record.deployment.activated_at is None and again.activated_at:
            return request(parts, deployment_id, Goal.DESTROYED, retain=retain)
        raise


class _Moved(Exception):
    """The driver committed a turn between our look at what it deletes and the lock."""


def _doomed(record: Record, attempts: Iterable[Attempt], names: Sequence[str]) -> list[str]:
    """Those of the names that can no longer be kept: AWS was asked to delete them, and did not refuse."""
    asked = {
        a.resource_id for a in attempts if a.action is Action.DELETE and a.outcome is not Outcome.REFUSED
    }
    rows = [record.resource_of(name) for name in names]
    return [row.name for row in rows if row and (row.id in asked or row.state is ResourceState.DELETED)]


def follow(
    parts: Parts,
    deployment_id: str,
    goal: Goal,
    *,
    tell: Callable[[str], None],
    wait: Callable[[float], bool],
) -> Ended:
    """See a request through: drive it as soon as nobody else does, else watch the driver do it.

    Args:
        tell: told once who drives.
        wait: sleeps for some seconds; answers False when a signal asks to stop (this only detaches).
    """
    told = False
    while True:
        record = parts.store.load(deployment_id)
        reached = record.deployment.state.value == goal.value
        if reached or (told and record.deployment.state is State.FAILED):
            return Ended(record, Why.SETTLED)
        try:
            return drive(parts, deployment_id)
        except DrivenByAnother as error:
            if isinstance(error, LeaseLost):
                raise
            if not told:
                tell(error.driver)
                told = True
        if not wait(FOLLOW_SECONDS):
            return Ended(record, Why.STOPPED)


# --- the end
