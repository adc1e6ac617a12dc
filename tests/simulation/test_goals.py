"""Goals asked for while somebody drives, followers, names, and the exit codes of it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support import rows
from tests.support.simulation.faults import act, fail
from tests.support.simulation.rig import Rig
from tier1_engine.cli.screen.outcome import exit_code
from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import FailureClass, Goal, ResourceState, State
from tier1_engine.engine import engine
from tier1_engine.engine.decide.decision import Why
from tier1_engine.engine.engine import Ended
from tier1_engine.errors import DrivenByAnother, LeaseLost, NameInUse, NoSuchDeployment, Refused
from tier1_engine.store import holder, lease, names
from tier1_engine.store.store import Store

pytestmark = pytest.mark.promise(6)


def asks(rig: Rig, id: str, goal: Goal) -> Callable[[], None]:
    """What an operator types in another terminal."""

    def ask() -> None:
        engine.request(rig.equipment, id, goal)

    return ask


@pytest.mark.parametrize("step", ["net", "door-2", "disk", "machine"])
def test_a_rollback_asked_for_while_a_create_is_under_way_wins(rig: Rig, step: str) -> None:
    """The answer of that create is not lost: what it made is deleted, and the deploying command ends 3."""
    id = rig.create()
    rig.world.after.append(act("create", step, asks(rig, id, Goal.ROLLED_BACK)))
    ended = rig.drive(id)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()
    assert rig.world.of(step)
    assert exit_code(ended, Goal.ACTIVE) == 3


def test_a_rollback_asked_for_at_the_last_read_wins_over_active(rig: Rig) -> None:
    """The check passes and the goal changes before that is committed: it never was active."""
    id = rig.create()
    looks = [0]

    def ask_at_the_check() -> None:
        looks[0] += 1
        if rig.world.of("machine"):
            engine.request(rig.equipment, id, Goal.ROLLED_BACK)

    for at in (1, 2):
        rig.world.before.append(act("look", None, ask_at_the_check, at=at))
    ended = rig.drive(id)
    assert looks[0] == 2
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert ended.record.deployment.activated_at is None
    assert State.ACTIVE not in [e.to_state for e in rig.store.events(id)]


def test_a_driver_that_only_waits_sees_another_goal_within_seconds(rig: Rig) -> None:
    """It waits minutes for a file system; a rollback begins at once all the same."""
    rig.world.ready_after = 500.0
    id = rig.create()
    rig.clock.after(100.0, asks(rig, id, Goal.ROLLED_BACK))
    rig.drive(id)
    begun = next(e.at for e in rig.store.events(id) if e.to_state is State.ROLLING_BACK)
    asked = next(e.at for e in rig.store.events(id) if e.message.startswith("requested: rolled_back"))
    assert (begun - asked).total_seconds() <= 2.0


def test_what_was_never_begun_is_rolled_back_without_a_create(rig: Rig) -> None:
    """A pending deployment ends rolled back."""
    ended = rig.ask(rig.create(), Goal.ROLLED_BACK)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.executed("create")


def test_a_destruction_of_what_was_never_active_is_a_rollback(rig: Rig) -> None:
    """The goal that is written says so."""
    id = rig.create()
    assert engine.request(rig.equipment, id, Goal.DESTROYED).goal is Goal.ROLLED_BACK


def test_a_rollback_of_what_is_active_names_the_command_to_use(rig: Rig) -> None:
    """Nothing is written."""
    id = rig.deploy().record.deployment.id
    with pytest.raises(Refused, match=f"use `tier1 destroy {id}`"):
        engine.request(rig.equipment, id, Goal.ROLLED_BACK)
    assert rig.store.load(id).deployment.goal is Goal.ACTIVE


@pytest.mark.parametrize("retain", [(), ("disk",)])
def test_what_has_ended_gets_no_other_end(rig: Rig, retain: tuple[str, ...]) -> None:
    """The same end is a success; anything else is refused."""
    id = rig.deploy().record.deployment.id
    rig.ask(id, Goal.DESTROYED)
    if retain:
        with pytest.raises(Refused, match="is already destroyed"):
            engine.request(rig.equipment, id, Goal.DESTROYED, retain=retain)
    else:
        assert engine.request(rig.equipment, id, Goal.DESTROYED).state is State.DESTROYED


def test_a_destruction_of_what_becomes_active_meanwhile_stays_a_destruction(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not active at the look, and is at the lock: `destroyed` is written, not `rolled_back`."""
    id = rig.create()
    load = Store.load

    def load_then_another_drives(store: Store, deployment_id: str) -> Record:
        record = load(store, deployment_id)
        monkeypatch.undo()
        rig.drive(id)
        return record

    monkeypatch.setattr(Store, "load", load_then_another_drives)
    assert engine.request(rig.equipment, id, Goal.DESTROYED).goal is Goal.DESTROYED


# --- followers


def follow(rig: Rig, id: str, goal: Goal, *, waits: Callable[[float], bool]) -> tuple[Ended, list[str]]:
    told: list[str] = []
    return engine.follow(rig.equipment, id, goal, tell=told.append, wait=waits), told


def held_by_another(rig: Rig, id: str) -> lease.Lease:
    return lease.take(rig.store, id, holder.this_process(), 60.0, rig.clock)


def test_a_request_that_nobody_drives_is_driven_by_whoever_asked(rig: Rig) -> None:
    """There is nobody to follow."""
    id = rig.deploy().record.deployment.id
    engine.request(rig.equipment, id, Goal.DESTROYED)
    ended, told = follow(rig, id, Goal.DESTROYED, waits=lambda _: pytest.fail("waited"))
    assert (ended.record.deployment.state, told) == (State.DESTROYED, [])


def test_a_follower_names_the_driver_once_and_takes_over_when_it_stops(rig: Rig) -> None:
    """It waits out the lease of the stopped driver, and ends 0."""
    id = rig.deploy().record.deployment.id
    held_by_another(rig, id)
    engine.request(rig.equipment, id, Goal.DESTROYED)

    def wait(seconds: float) -> bool:
        rig.clock.seconds += seconds
        return True

    ended, told = follow(rig, id, Goal.DESTROYED, waits=wait)
    assert exit_code(ended, Goal.DESTROYED) == 0
    assert len(told) == 1
    assert "(pid " in told[0]
    assert "run the command again" not in told[0]  # there is nothing to do but to watch


def test_a_follower_that_is_interrupted_only_detaches(rig: Rig) -> None:
    """The request stands; the driver goes on."""
    id = rig.deploy().record.deployment.id
    held_by_another(rig, id)
    engine.request(rig.equipment, id, Goal.DESTROYED)
    ended, _ = follow(rig, id, Goal.DESTROYED, waits=lambda _: False)
    assert exit_code(ended, Goal.DESTROYED) == 130
    assert rig.store.load(id).deployment.goal is Goal.DESTROYED


@pytest.mark.parametrize("stalls", [False, True])
def test_a_follower_ends_with_the_driver(rig: Rig, stalls: bool) -> None:
    """It reports what the driver reached, a stalled deletion included, and does not begin it again."""
    id = rig.deploy().record.deployment.id
    held = held_by_another(rig, id)
    engine.request(rig.equipment, id, Goal.DESTROYED)
    if stalls:
        rig.world.before.append(fail("delete", "disk"))

    def the_driver_ends(_: float) -> bool:
        lease.release(rig.store, held)
        rig.drive(id)
        return True

    ended, _ = follow(rig, id, Goal.DESTROYED, waits=the_driver_ends)
    assert exit_code(ended, Goal.DESTROYED) == (5 if stalls else 0)
    assert ended.why is Why.SETTLED


def test_a_follower_that_drove_and_was_replaced_says_so(rig: Rig) -> None:
    """Losing the lease ends the command; it is no reason to follow."""
    id = rig.deploy().record.deployment.id
    engine.request(rig.equipment, id, Goal.DESTROYED)

    def another_takes_over() -> None:
        rig.clock.seconds += 1000.0
        held_by_another(rig, id)

    rig.world.before.append(act("delete", None, another_takes_over))
    with pytest.raises(LeaseLost):
        follow(rig, id, Goal.DESTROYED, waits=lambda _: pytest.fail("waited"))


def test_a_resume_of_what_somebody_drives_is_refused(rig: Rig) -> None:
    """Host and process are named; nothing is changed."""
    id = rig.create()
    held_by_another(rig, id)
    with pytest.raises(DrivenByAnother, match=r"is locked by \S+ \(pid [0-9]+\)"):
        engine.resume(rig.equipment, id)
    assert not rig.world.calls


# --- names


def test_a_name_is_free_again_once_its_deployment_has_ended(rig: Rig) -> None:
    """While one lives, a second is refused with its id, its state and both ways on."""
    first = rig.deploy().record.deployment.id
    with pytest.raises(NameInUse, match=rf"in use by {first}, which is active.*tier1 destroy demo"):
        rig.create()
    rig.ask(first, Goal.DESTROYED)
    assert rig.create() != first


def test_a_name_means_the_living_deployment_else_the_newest(rig: Rig) -> None:
    """Ids and unique prefixes of ids do as well."""
    first = rig.create()
    rig.ask(first, Goal.ROLLED_BACK)
    rig.clock.seconds += 1.0
    second = rig.create()
    assert names.find(rig.store, "demo", to_change=True).id == second
    rig.ask(second, Goal.ROLLED_BACK)
    assert names.find(rig.store, "demo", to_change=True).id == second
    assert names.find(rig.store, first, to_change=True).id == first
    prefix = next(first[:n] for n in range(1, 13) if not second.startswith(first[:n]))
    assert names.find(rig.store, prefix, to_change=True).id == first


def test_what_fits_nothing_or_several_is_refused(rig: Rig) -> None:
    """A command that only reads gets the first that fits."""
    with pytest.raises(NoSuchDeployment, match="no deployment demo: see `tier1 list`"):
        names.find(rig.store, "demo", to_change=False)
    first = rig.create()
    second = rig.create(first[:3])
    with pytest.raises(Refused, match="matches several deployments"):
        names.find(rig.store, first[:3], to_change=True)
    assert names.find(rig.store, first[:3], to_change=False).id == second


# --- exit codes


@pytest.mark.parametrize(
    ("why", "state", "goal", "asked", "failure_class", "code"),
    [
        (Why.STOPPED, State.ROLLING_BACK, Goal.ROLLED_BACK, Goal.ACTIVE, None, 130),
        (Why.BLOCKED, State.DESTROYING, Goal.DESTROYED, Goal.DESTROYED, None, 7),
        (Why.SETTLED, State.ACTIVE, Goal.ACTIVE, Goal.ACTIVE, None, 0),
        (Why.SETTLED, State.ROLLED_BACK, Goal.ROLLED_BACK, Goal.ACTIVE, "critical", 3),
        (Why.SETTLED, State.ROLLED_BACK, Goal.ROLLED_BACK, Goal.ROLLED_BACK, "critical", 0),
        (Why.SETTLED, State.ROLLED_BACK, Goal.ROLLED_BACK, Goal.DESTROYED, None, 0),
        (Why.SETTLED, State.DESTROYED, Goal.DESTROYED, Goal.ACTIVE, None, 3),
        (Why.SETTLED, State.FAILED, Goal.ACTIVE, Goal.ACTIVE, "recoverable", 4),
        (Why.SETTLED, State.FAILED, Goal.ACTIVE, Goal.ACTIVE, "blocked", 7),
        (Why.SETTLED, State.FAILED, Goal.ROLLED_BACK, Goal.ACTIVE, "critical", 5),
        (Why.SETTLED, State.ACTIVE, Goal.ACTIVE, Goal.DESTROYED, None, 4),
    ],
)
def test_every_end_has_its_exit_code(
    rig: Rig, why: Why, state: State, goal: Goal, asked: Goal, failure_class: str | None, code: int
) -> None:
    """The contract's table."""
    record = rig.store.load(rig.create())
    failure = rows.failure(failure_class=FailureClass(failure_class)) if failure_class else None
    deployment = replace(record.deployment, state=state, goal=goal, failure=failure)
    assert exit_code(Ended(replace(record, deployment=deployment), why), asked) == code


def test_a_time_to_live_is_an_expiry(rig: Rig) -> None:
    """Seconds from the moment it was asked for."""
    deployment = rig.store.load(rig.create(ttl_seconds=60.0)).deployment
    assert deployment.expires_at is not None
    assert (deployment.expires_at - deployment.created_at).total_seconds() == 60.0


def test_resources_end_as_the_rows_say(rig: Rig) -> None:
    """A summary counts what is ours and not yet gone."""
    id = rig.deploy().record.deployment.id
    assert rig.store.summaries(deployment_id=id)[0].remaining == 5
    rig.ask(id, Goal.DESTROYED, retain=("disk",))
    assert rig.store.summaries(deployment_id=id)[0].remaining == 0
    states = [r.state for r in rig.store.load(id).resources.values()]
    assert states.count(ResourceState.RETAINED) == 1
