"""The façade of the engine: create, drive, resume, request a rollback or a destruction, follow.

Every command that acts on a deployment enters here. This module owns which request is allowed and how each
request begins; `driver` runs the loop and `decide` makes the decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from tier1_engine.contract.kind import Problem
from tier1_engine.deployment.creation import DeploymentRequest, asked_for, new_deployment
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.plan import Plan
from tier1_engine.deployment.record import Attempt, Deployment, Record
from tier1_engine.deployment.standing import closure
from tier1_engine.deployment.states import ENDED, Action, Goal, Outcome, ResourceState, State
from tier1_engine.engine.decide import amendment as amendments
from tier1_engine.engine.decide import openings
from tier1_engine.engine.decide.amendment import Amendment
from tier1_engine.engine.decide.decide import decide as whole_life
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.engine.driver import Driver
from tier1_engine.engine.equipment import Decide, Equipment, Opening
from tier1_engine.engine.protocol.assignment import refuse_without_code
from tier1_engine.errors import DatabaseUnavailable, DrivenByAnother, LeaseLost, Refused
from tier1_engine.store import lease as leases

FOLLOW_SECONDS = 0.5
"""How often a follower checks whether the driver has finished or died."""
MAX_REQUEST_TRIES = 100
"""How often a request with `retain` is repeated because the driver has committed a turn since the read."""


class Resume(StrEnum):
    """What `resume` does with a deployment that failed during provisioning."""

    GO_ON = "resume"
    RETRY = "retry"
    CONTINUE = "continue"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True)
class Ended:
    """The record at the end of a drive, and why it ended.

    Attributes:
        blocked: what refused access, if that ended the drive: without a call there is no attempt with it.
    """

    record: Record
    why: EndReason
    blocked: Problem | None = None


def deploy(
    equipment: Equipment,
    request: DeploymentRequest,
    plan: Plan,
    place: Place,
    *,
    created: Callable[[str], None] = lambda deployment_id: None,
) -> Ended:
    """Create a new deployment together with its lease, and drive it.

    This process has just read `place` from AWS, so the engine does not check the account again.

    Args:
        created: called with the id as soon as there is a row that can be resumed.

    Raises:
        NameInUse: an existing deployment in this account and region has this name.
        Refused: the plan is not consistent.
        LeaseLost, DatabaseUnavailable: see `drive`.
    """
    seconds, holder = equipment.settings.lease_seconds, equipment.holder()
    deployment, steps = new_deployment(request, plan, place, equipment.clock.now(), holder.actor)
    message = asked_for(request, place)
    lease = leases.take_with(equipment.store, deployment, steps, message, holder, seconds, equipment.clock)
    record = Record(deployment, {step.name: step for step in steps}, {}, {})

    def made() -> Driver:
        created(deployment.id)
        return Driver(equipment, lease, record, identified=True)

    return _drive(equipment, lease, made, openings.go_on)


def create(equipment: Equipment, request: DeploymentRequest, plan: Plan, place: Place) -> str:
    """Create a `pending` deployment with its whole plan for another process to drive; return its id.

    Raises:
        NameInUse: an existing deployment in this account and region has this name.
        Refused: the plan is not consistent.
    """
    deployment, steps = new_deployment(request, plan, place, equipment.clock.now(), equipment.holder().actor)
    equipment.store.create(deployment, steps, asked_for(request, place))
    return deployment.id


def drive(
    equipment: Equipment,
    deployment_id: str,
    opening: Opening | None = None,
    *,
    first: Callable[[], object] = lambda: None,
    decide: Decide = whole_life,
) -> Ended:
    """Acquire the lease and drive until there is nothing more to do.

    Args:
        first: called under the lease, before the record is read; an exception from it ends the drive.
        decide: chooses the next actions; the default covers the whole life of a deployment.

    Raises:
        DrivenByAnother: a live driver holds the lease.
        DatabaseBehind: this database is a copy or a backup of an earlier time.
        LeaseLost: another driver took the lease over during the drive.
        DatabaseUnavailable: a turn could not be committed.
        Refused: the opening was refused; nothing was changed.
    """
    seconds = equipment.settings.lease_seconds
    lease = leases.take(equipment.store, deployment_id, equipment.holder(), seconds, equipment.clock)

    def made() -> Driver:
        equipment.history.check(equipment, deployment_id)
        first()
        return Driver(equipment, lease, equipment.store.load(deployment_id), decide=decide)

    return _drive(equipment, lease, made, opening or openings.go_on)


def _drive(equipment: Equipment, lease: leases.Lease, made: Callable[[], Driver], opening: Opening) -> Ended:
    driver, keeps = None, False
    try:
        driver = made()
        why = driver.run(opening)
        return Ended(driver.record, why, driver.pace.blocked)
    except DatabaseUnavailable:
        keeps = driver is not None  # it has tried until the lease ended
        raise
    finally:
        if driver is not None:
            equipment.history.note(driver.record.deployment)
        if driver is None or not (driver.gave_back or keeps):
            _release(equipment, lease)


def _release(equipment: Equipment, lease: leases.Lease) -> None:
    """Release the lease; if the database is unavailable, it expires by itself."""
    with suppress(DatabaseUnavailable):
        leases.release(equipment.store, lease)


# --- resume


def resume(
    equipment: Equipment, deployment_id: str, how: Resume = Resume.GO_ON, amendment: Amendment | None = None
) -> Ended:
    """Continue a deployment from its record towards its target state.

    Args:
        amendment: for a retry, a corrected spec with its plan.

    Raises:
        Refused: the deployment does not allow this request; the message says why and what it allows.
        DrivenByAnother: another process is running it.
    """
    if how is Resume.ROLL_BACK:
        request(equipment, deployment_id, Goal.ROLLED_BACK)
        return drive(equipment, deployment_id)
    record = equipment.store.load(deployment_id)
    if (
        record.deployment.state in (*ENDED, State.ACTIVE)
        and record.deployment.goal.value == record.deployment.state.value
    ):
        return _settled(record, how)
    if record.deployment.goal is Goal.ACTIVE:
        refuse_without_code(record, equipment.registry)
    opening: Opening = {Resume.RETRY: openings.retry, Resume.CONTINUE: openings.accept}.get(
        how, openings.go_on
    )
    if amendment is not None:
        opening = partial(amendments.retry, amendment=amendment)
    return drive(equipment, deployment_id, opening)


def _settled(record: Record, how: Resume) -> Ended:
    if how is not Resume.GO_ON:
        raise Refused(f"{record.deployment.name} is {record.deployment.state}: there is nothing to {how}.")
    return Ended(record, EndReason.SETTLED)


# --- rollback and destroy


def request(
    equipment: Equipment, deployment_id: str, goal: Goal, *, retain: Sequence[str] = ()
) -> Deployment:
    """Write the target state if the current state allows it.

    For a deployment that was never active, `destroyed` becomes `rolled_back`.

    Raises:
        Refused: a rollback of an active deployment, a different end for an ended one, or a resource to
            retain that is unknown or already being deleted.
        DatabaseBehind: this database is a copy or a backup of an earlier time.
        NoSuchDeployment: no deployment has this id.
    """
    equipment.history.check(equipment, deployment_id)
    actor = equipment.holder().actor
    for _ in range(MAX_REQUEST_TRIES):
        record = equipment.store.load(deployment_id)
        closed = closure(record, retain)
        deleting = (
            _already_being_deleted(record, equipment.store.attempts(deployment_id), closed) if closed else []
        )

        def choice(locked: Deployment) -> Goal | None:
            if closed and locked.revision != record.deployment.revision:  # noqa: B023 - called at once
                return None  # a driver has committed a turn since: read again which resources it deletes
            return _granted(goal, record.deployment, locked, closed, deleting)  # noqa: B023

        now = equipment.clock.now()
        asked = equipment.store.request_goal(deployment_id, choice, retain=closed, now=now, actor=actor)
        if asked is not None:
            return asked
    raise Refused(f"{deployment_id} is being changed too quickly to read: run the command again.")


def _granted(
    goal: Goal, seen: Deployment, locked: Deployment, retain: Sequence[str], deleting: Sequence[str]
) -> Goal:
    """Return the target state to write.

    Args:
        seen: the deployment as read before the request.
        locked: the same row, read under its lock.
        deleting: names to retain that can no longer be retained.
    """
    if goal is Goal.DESTROYED and locked.activated_at is None:
        goal = Goal.ROLLED_BACK
    elif goal is Goal.ROLLED_BACK and locked.activated_at is not None:
        if seen.activated_at is not None:
            raise Refused(
                f"{locked.name} became active, so it cannot be rolled back: use `tier1 destroy {locked.id}`."
            )
        goal = Goal.DESTROYED  # it became active between the read and the lock
    if locked.state in ENDED and (retain or locked.state.value != goal.value):
        raise Refused(f"{locked.name} is already {locked.state}: there is nothing left to do.")
    if deleting:
        raise Refused(f"{', '.join(deleting)}: already being deleted; omit it from --retain.")
    return goal


def _already_being_deleted(record: Record, attempts: Iterable[Attempt], names: Sequence[str]) -> list[str]:
    """Return the names that can no longer be retained: a delete was sent, and AWS did not refuse it."""
    asked = {
        a.resource_id for a in attempts if a.action is Action.DELETE and a.outcome is not Outcome.REFUSED
    }
    rows = [record.resource_of(name) for name in names]
    return [row.name for row in rows if row and (row.id in asked or row.state is ResourceState.DELETED)]


def follow(
    equipment: Equipment,
    deployment_id: str,
    goal: Goal,
    *,
    tell: Callable[[str], None],
    wait: Callable[[float], bool],
) -> Ended:
    """See a request through: drive it as soon as the lease is free, and wait while another driver holds it.

    Args:
        tell: called once with a description of the driver.
        wait: sleeps for some seconds; returns False when a signal asks to stop (this only detaches).
    """
    reported = False
    while True:
        record = equipment.store.load(deployment_id)
        reached = record.deployment.state.value == goal.value
        if reached or (reported and record.deployment.state is State.FAILED):
            return Ended(record, EndReason.SETTLED)
        try:
            return drive(equipment, deployment_id)
        except DrivenByAnother as error:
            if isinstance(error, LeaseLost):
                raise
            if not reported:
                tell(error.driver)
                reported = True
        if not wait(FOLLOW_SECONDS):
            return Ended(record, EndReason.STOPPED)


# --- the end
