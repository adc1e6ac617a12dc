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
from typing import Any

from tier1_engine import lease as leases
from tier1_engine.blueprint import Plan, ordered
from tier1_engine.clock import new_deployment_id
from tier1_engine.decide import decide as whole_life
from tier1_engine.decision import Why, may_have_acted, move, turn_back
from tier1_engine.driver import Decide, Driver, Opening, Parts
from tier1_engine.errors import DatabaseUnavailable, DrivenByAnother, LeaseLost, Refused
from tier1_engine.forward import activated
from tier1_engine.names import find as find
from tier1_engine.pace import Pacer
from tier1_engine.record import Change, Deployment, DeploymentSet, Record, ResourceSet, Step, StepSet
from tier1_engine.states import (
    ENDED,
    FailureClass,
    Goal,
    State,
    StepState,
    Trigger,
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
    holder = leases.this_process()
    lease = leases.take(parts.store, deployment_id, holder, parts.settings.lease_seconds, parts.clock)
    try:
        first()
        driver = Driver(parts, lease, decide)
        why = driver.run(opening or _go_on)
        return Ended(driver.record, why)
    finally:
        _release(parts, lease)


def _release(parts: Parts, lease: leases.Lease) -> None:
    """Give the lease back; where the database is gone it ends by itself."""
    with suppress(DatabaseUnavailable):
        leases.release(parts.store, lease)


# --- resume


def resume(parts: Parts, deployment_id: str, how: Resume = Resume.GO_ON) -> Ended:
    """Go on from the database, whatever the goal is.

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
    opening: Opening = {Resume.RETRY: _retry, Resume.CONTINUE: _accept}.get(how, _go_on)
    return drive(parts, deployment_id, opening)


def _settled(record: Record, how: Resume) -> Ended:
    if how is not Resume.GO_ON:
        raise Refused(f"{record.deployment.name} is {record.deployment.state}: there is nothing to {how}.")
    return Ended(record, Why.SETTLED)


def _go_on(record: Record, pacer: Pacer) -> Sequence[Change]:
    """The opening of a bare resume: a stalled deletion begins again, a blocked failure is retried."""
    deployment = record.deployment
    if deployment.state is not State.FAILED:
        return ()
    if deployment.goal is not Goal.ACTIVE:
        changes = turn_back(record, pacer.view(0.0, deployment.updated_at))
        pacer.turn_back()
        return changes
    if (deployment.failure or {}).get("class") == FailureClass.BLOCKED:
        return _retry(record, pacer)
    return ()


def _retry(record: Record, pacer: Pacer) -> Sequence[Change]:
    """Reopen all failed steps, with new tries, new deadlines and, where settled, a new key."""
    deployment = record.deployment
    if deployment.state is not State.FAILED or deployment.goal is not Goal.ACTIVE:
        raise Refused(_cannot(deployment, "--retry"))
    changes: list[Change] = []
    for step in record.steps.values():
        if step.state is StepState.FAILED:
            changes += _reopen(record, step)
    reopened = record.apply(changes)
    if reopened.earliest_incomplete is None:
        raise Refused(f"{deployment.name} has no step to retry: use `tier1 rollback {deployment.id}`.")
    return [*changes, move(reopened, Trigger.RETRY), DeploymentSet({"failure": None, "finished_at": None})]


def _reopen(record: Record, step: Step) -> list[Change]:
    resource = record.resource_of(step.name)
    begun = resource is not None and (resource.aws_id is not None or may_have_acted(record, resource))
    state = StepState.RUNNING if begun else StepState.WAITING
    values = {"state": state, "finished_at": None, "error": None, "tries": 0, "driven_seconds": 0.0}
    changes: list[Change] = [StepSet(step.name, values)]
    if resource is not None and not begun:
        anew = {"generation": resource.generation + 1, "candidate": 0, "error": None}
        changes.append(ResourceSet(resource.id, anew))
    return changes


def _accept(record: Record, pacer: Pacer) -> Sequence[Change]:
    """Go on with a warning: every failed step is recoverable and nothing else is incomplete."""
    deployment = record.deployment
    if deployment.state is not State.FAILED or deployment.goal is not Goal.ACTIVE:
        raise Refused(_cannot(deployment, "--continue"))
    open_steps = [step for step in record.steps.values() if not step.complete]
    if hard := [s for s in open_steps if s.state is not StepState.FAILED or not _recoverable(s)]:
        why = (hard[0].error or {}).get("code", "it is not complete")
        raise Refused(
            f"{deployment.name} cannot go on without {hard[0].name} ({why}), which the stack needs: "
            f"use `tier1 resume {deployment.id} --retry` or `tier1 rollback {deployment.id}`."
        )
    skipped = [StepSet(step.name, {"state": StepState.SKIPPED}) for step in open_steps]
    warnings = [
        f"{step.name} was accepted as failed: {(step.error or {}).get('message', '')}" for step in open_steps
    ]
    whole = {
        "warnings": (*deployment.warnings, *warnings),
        "failure": None,
        **activated(record, deployment.updated_at),
    }
    return [*skipped, DeploymentSet(whole), move(record, Trigger.ACCEPT, "; ".join(warnings))]


def _recoverable(step: Step) -> bool:
    return bool(step.error) and step.error.get("class") == FailureClass.RECOVERABLE  # type: ignore[union-attr]


def _cannot(deployment: Deployment, flag: str) -> str:
    if deployment.goal is not Goal.ACTIVE:
        return (
            f"{deployment.name} is being taken down (its goal is {deployment.goal}), so {flag} cannot be: "
            f"use `tier1 resume {deployment.id}`."
        )
    return f"{deployment.name} is {deployment.state}, not failed: {flag} is for what has failed."


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


# --- the end


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
