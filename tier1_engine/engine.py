"""The façade: create, drive, retry, accept, ask for a rollback or a destruction, follow.

Every command that acts on a deployment comes through here. It owns who may ask for what, and the
opening move of each request; the driving itself is `driver`, the decisions are `decide`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from tier1_engine import amendment as amendments
from tier1_engine import lease as leases
from tier1_engine import openings
from tier1_engine.amendment import Amendment
from tier1_engine.blueprint import Plan, ordered
from tier1_engine.clock import new_deployment_id
from tier1_engine.decision import Why
from tier1_engine.driver import Driver, Opening, Parts
from tier1_engine.errors import DatabaseUnavailable, DrivenByAnother, LeaseLost, NoSuchDeployment, Refused
from tier1_engine.record import Deployment, Record, Step
from tier1_engine.states import (
    ENDED,
    FailureClass,
    Goal,
    State,
)

FOLLOW_SECONDS = 0.5
"""How often a follower looks whether the driver is done or gone."""


class Resume(StrEnum):
    """What `resume` is asked to do with a deployment that failed on the way forward."""

    GO_ON = "go on"
    RETRY = "retry"
    CONTINUE = "continue"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deployment lives; remembered, so that every later command talks to the same AWS."""

    account_id: str
    region: str
    profile: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What `deploy` asks for beside the plan."""

    name: str
    spec: Mapping[str, Any]
    rollback_enabled: bool = True
    on_recoverable: str = "stop"
    ttl_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a drive ended."""

    record: Record
    why: Why


def create(parts: Parts, wish: Wish, plan: Plan, place: Place) -> str:
    """Write a new deployment, `pending`, with its whole plan; answer its id.

    Raises:
        NameInUse: a living deployment of this account and region has the name.
        Refused: the plan does not hold together.
    """
    now = parts.clock.now()
    deployment = Deployment(
        id=new_deployment_id(),
        name=wish.name,
        blueprint=plan.blueprint,
        blueprint_version=plan.version,
        region=place.region,
        profile=place.profile,
        endpoint=place.endpoint,
        account_id=place.account_id,
        state=State.PENDING,
        goal=Goal.ACTIVE,
        spec=wish.spec,
        tags=plan.tags,
        output_templates=plan.outputs,
        delete_seconds=plan.delete_seconds,
        max_attempts=plan.max_attempts,
        rollback_enabled=wish.rollback_enabled,
        on_recoverable=wish.on_recoverable,
        created_at=now,
        updated_at=now,
        expires_at=None if wish.ttl_seconds is None else now + timedelta(seconds=wish.ttl_seconds),
    )
    steps = [
        Step(
            deployment_id=deployment.id,
            name=step.name,
            position=position,
            phase=step.phase,
            kind=step.kind,
            mode=step.mode,
            needs=step.needs,
            inputs=step.inputs,
            deadline_seconds=step.deadline_seconds,
            on_failure=step.on_failure,
        )
        for position, step in enumerate(ordered(plan.steps))
    ]
    parts.store.create(deployment, steps, f"asked for: {wish.name} in {place.region}")
    return deployment.id


def drive(parts: Parts, deployment_id: str, opening: Opening | None = None) -> Ended:
    """Take the lease and drive until there is nothing more to do.

    Raises:
        DrivenByAnother: a live driver holds it; LeaseLost: we were replaced.
        DatabaseUnavailable: a turn could not be committed.
        Refused: the opening was refused; nothing was changed.
    """
    holder = leases.this_process()
    lease = leases.take(parts.store, deployment_id, holder, parts.settings.lease_seconds, parts.clock)
    try:
        driver = Driver(parts, lease)
        why = driver.run(opening or openings.go_on)
        return Ended(driver.record, why)
    finally:
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
        amendment: of a retry: a mended spec with its plan.

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
        Refused: of an active deployment a rollback, of an ended one another end, an unknown resource
            to retain.
        NoSuchDeployment: there is none of this id.
    """
    record = parts.store.load(deployment_id)
    closed = closure(record, retain)
    if goal is Goal.DESTROYED and record.deployment.activated_at is None:
        goal = Goal.ROLLED_BACK

    def allowed(deployment: Deployment) -> None:
        if goal is Goal.ROLLED_BACK and deployment.activated_at is not None:
            raise Refused(
                f"{deployment.name} became active, so there is nothing to roll back: "
                f"use `tier1 destroy {deployment.id}`."
            )
        if deployment.state in ENDED and (closed or deployment.state.value != goal.value):
            raise Refused(
                f"{deployment.name} is {deployment.state} already: nothing of it is left to act on."
            )

    try:
        return parts.store.request_goal(
            deployment_id, goal, retain=closed, allowed=allowed, now=parts.clock.now()
        )
    except Refused:
        # It may have become active between our look and the lock: then it is to be destroyed.
        again = parts.store.load(deployment_id).deployment
        if goal is Goal.ROLLED_BACK and record.deployment.activated_at is None and again.activated_at:
            return request(parts, deployment_id, Goal.DESTROYED, retain=retain)
        raise


def closure(record: Record, retain: Iterable[str]) -> tuple[str, ...]:
    """The names to retain with all that they need: what is kept cannot stand on what is deleted.

    Raises:
        Refused: a name is not a resource of the deployment.
    """
    owned = {r.name for r in record.resources.values() if r.owned}
    named = dict.fromkeys(retain)
    for name in named:
        if name not in owned:
            known = ", ".join(sorted(owned)) or "none"
            raise Refused(f"{record.deployment.name} has no resource {name} to retain; it has: {known}.")
    frontier = list(named)
    while frontier:
        row = record.resource_of(frontier.pop())
        for need in record.steps[row.step].needs if row else ():
            if need in owned and need not in named:
                named[need] = None
                frontier.append(need)
    return tuple(named)


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
                tell(str(error))
                told = True
        if not wait(FOLLOW_SECONDS):
            return Ended(record, Why.STOPPED)


# --- names


def find(parts_store: Any, reference: str, *, to_change: bool) -> Deployment:
    """The deployment that an operator means by an id, a unique prefix of one, or a name.

    A name means the living deployment of that name first, else the newest.

    Raises:
        NoSuchDeployment: nothing fits.
        Refused: several fit, and the command changes something.
    """
    fitting: list[Deployment] = parts_store.matching(reference)
    exact = [d for d in fitting if d.id == reference]
    if exact:
        return exact[0]
    if not fitting:
        raise NoSuchDeployment(f"There is no deployment {reference}: see `tier1 list`.")
    named = [d for d in fitting if d.name == reference]
    living = [d for d in named if d.state not in ENDED]
    prefixed = [d for d in fitting if d.name != reference]
    candidates = (living or named[:1]) + prefixed
    if len(candidates) > 1 and to_change:
        which = ", ".join(f"{d.id} ({d.name}, {d.state})" for d in candidates[:5])
        raise Refused(f"{reference} fits several deployments: {which}. Name one by its whole id.")
    return candidates[0]


def exit_code(ended: Ended, asked: Goal) -> int:
    """The contract's exit code for a drive that was asked to reach `asked`."""
    deployment = ended.record.deployment
    state, goal = deployment.state, deployment.goal
    if ended.why is Why.STOPPED:
        return 130
    if ended.why is Why.BLOCKED:
        return 7
    if state.value == asked.value:
        return 0
    if state is State.FAILED:
        if goal is not Goal.ACTIVE:
            return 5
        return 7 if (deployment.failure or {}).get("class") == FailureClass.BLOCKED else 4
    if state in ENDED:
        return 3 if asked is Goal.ACTIVE else 0
    return 4
