"""Goals requested while a driver runs, followers, names, and the exit codes of each."""

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
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.engine.engine import Ended
from tier1_engine.errors import DrivenByAnother, LeaseLost, NameInUse, NoSuchDeployment, Refused
from tier1_engine.store import holder, lease, names
from tier1_engine.store.store import Store

pytestmark = pytest.mark.promise(6)


def asks(rig: Rig, id: str, goal: Goal) -> Callable[[], None]:
    """Request another goal, as an operator in another terminal does."""

    def ask() -> None:
        engine.request(rig.equipment, id, goal)

    return ask


@pytest.mark.parametrize("step", ["net", "door-2", "disk", "machine"])
def test_a_rollback_requested_during_a_create_wins(rig: Rig, step: str) -> None:
    """The reply of that create is not lost: its resource is deleted, and the deploying command exits
    with 3.
    """
    id = rig.create()
    rig.world.after.append(act("create", step, asks(rig, id, Goal.ROLLED_BACK)))
    ended = rig.drive(id)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()
    assert rig.world.of(step)
    assert exit_code(ended, Goal.ACTIVE) == 3


def test_a_rollback_requested_at_the_last_read_wins_over_active(rig: Rig) -> None:
    """The check passes and the goal changes before the commit, so it never was active."""
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


def test_a_waiting_driver_sees_another_goal_within_seconds(rig: Rig) -> None:
    """It would wait minutes for a file system, but the rollback begins at once."""
    rig.world.ready_after = 500.0
    id = rig.create()
    rig.clock.after(100.0, asks(rig, id, Goal.ROLLED_BACK))
    rig.drive(id)
    begun = next(e.at for e in rig.store.events(id) if e.to_state is State.ROLLING_BACK)
    asked = next(e.at for e in rig.store.events(id) if e.message.startswith("requested: rolled_back"))
    assert (begun - asked).total_seconds() <= 2.0


def test_a_deployment_that_never_started_is_rolled_back_without_a_create(rig: Rig) -> None:
    """A pending deployment ends as rolled back."""
    ended = rig.ask(rig.create(), Goal.ROLLED_BACK)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.executed("create")


def test_destroying_a_deployment_that_was_never_active_is_a_rollback(rig: Rig) -> None:
    """The recorded goal says so."""
    id = rig.create()
    assert engine.request(rig.equipment, id, Goal.DESTROYED).goal is Goal.ROLLED_BACK


def test_rolling_back_an_active_deployment_is_refused_with_the_right_command(rig: Rig) -> None:
    """Nothing is recorded."""
    id = rig.deploy().record.deployment.id
    with pytest.raises(Refused, match=f"use `tier1 destroy {id}`"):
        engine.request(rig.equipment, id, Goal.ROLLED_BACK)
    assert rig.store.load(id).deployment.goal is Goal.ACTIVE


@pytest.mark.parametrize("retain", [(), ("disk",)])
def test_an_ended_deployment_gets_no_other_end(rig: Rig, retain: tuple[str, ...]) -> None:
    """The same goal is a success, and any other is refused."""
    id = rig.deploy().record.deployment.id
    rig.ask(id, Goal.DESTROYED)
    if retain:
        with pytest.raises(Refused, match="is already destroyed"):
            engine.request(rig.equipment, id, Goal.DESTROYED, retain=retain)
    else:
        assert engine.request(rig.equipment, id, Goal.DESTROYED).state is State.DESTROYED


def test_destroying_a_deployment_that_becomes_active_meanwhile_remains_a_destroy(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not active when read, but is when locked: `destroyed` is recorded, not `rolled_back`."""
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
    reported: list[str] = []
    return engine.follow(rig.equipment, id, goal, tell=reported.append, wait=waits), reported


def held_by_another(rig: Rig, id: str) -> lease.Lease:
    return lease.take(rig.store, id, holder.this_process(), 60.0, rig.clock)


def test_a_request_for_a_deployment_without_a_driver_is_carried_out_by_its_command(rig: Rig) -> None:
    """There is no driver to follow."""
    id = rig.deploy().record.deployment.id
    engine.request(rig.equipment, id, Goal.DESTROYED)
    ended, reported = follow(rig, id, Goal.DESTROYED, waits=lambda _: pytest.fail("waited"))
    assert (ended.record.deployment.state, reported) == (State.DESTROYED, [])


def test_a_follower_names_the_driver_once_and_takes_over_when_it_stops(rig: Rig) -> None:
    """It waits for the stopped driver's lease to expire, and exits with 0."""
    id = rig.deploy().record.deployment.id
    held_by_another(rig, id)
    engine.request(rig.equipment, id, Goal.DESTROYED)

    def wait(seconds: float) -> bool:
        rig.clock.seconds += seconds
        return True

    ended, reported = follow(rig, id, Goal.DESTROYED, waits=wait)
    assert exit_code(ended, Goal.DESTROYED) == 0
    assert len(reported) == 1
    assert "(pid " in reported[0]
    assert "run the command again" not in reported[0]  # there is nothing to do but to watch


def test_an_interrupted_follower_only_detaches(rig: Rig) -> None:
    """The request remains, and the driver continues."""
    id = rig.deploy().record.deployment.id
    held_by_another(rig, id)
    engine.request(rig.equipment, id, Goal.DESTROYED)
    ended, _ = follow(rig, id, Goal.DESTROYED, waits=lambda _: False)
    assert exit_code(ended, Goal.DESTROYED) == 130
    assert rig.store.load(id).deployment.goal is Goal.DESTROYED


@pytest.mark.parametrize("stalls", [False, True])
def test_a_follower_ends_with_the_driver(rig: Rig, stalls: bool) -> None:
    """It reports what the driver reached, a stalled deletion included, and does not restart it."""
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
    assert ended.why is EndReason.SETTLED


def test_a_replaced_driver_says_so_instead_of_following(rig: Rig) -> None:
    """Losing the lease ends the command."""
    id = rig.deploy().record.deployment.id
    engine.request(rig.equipment, id, Goal.DESTROYED)

    def another_takes_over() -> None:
        rig.clock.seconds += 1000.0
        held_by_another(rig, id)

    rig.world.before.append(act("delete", None, another_takes_over))
    with pytest.raises(LeaseLost):
        follow(rig, id, Goal.DESTROYED, waits=lambda _: pytest.fail("waited"))


def test_a_resume_of_a_running_deployment_is_refused(rig: Rig) -> None:
    """Host and process are named, and nothing is changed."""
    id = rig.create()
    held_by_another(rig, id)
    with pytest.raises(DrivenByAnother, match=r"is locked by \S+ \(pid [0-9]+\)"):
        engine.resume(rig.equipment, id)
    assert not rig.world.calls


# --- names


@pytest.mark.field_case("aws/aws-cdk#901: the name of a failed stack cannot be used again")
def test_a_name_is_free_again_once_its_deployment_has_ended(rig: Rig) -> None:
    """Until then a second deploy is refused with the id, the state and both options."""
    first = rig.deploy().record.deployment.id
    with pytest.raises(NameInUse, match=rf"in use by {first}, which is active.*tier1 destroy demo"):
        rig.create()
    rig.ask(first, Goal.DESTROYED)
    assert rig.create() != first


def test_a_name_means_the_living_deployment_or_else_the_newest(rig: Rig) -> None:
    """Ids and unique prefixes of ids work as well."""
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


def test_an_unknown_or_ambiguous_reference_is_refused(rig: Rig) -> None:
    """A command that only reads uses the newest match."""
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
        (EndReason.STOPPED, State.ROLLING_BACK, Goal.ROLLED_BACK, Goal.ACTIVE, None, 130),
        (EndReason.BLOCKED, State.DESTROYING, Goal.DESTROYED, Goal.DESTROYED, None, 7),
        (EndReason.SETTLED, State.ACTIVE, Goal.ACTIVE, Goal.ACTIVE, None, 0),
        (EndReason.SETTLED, State.ROLLED_BACK, Goal.ROLLED_BACK, Goal.ACTIVE, "critical", 3),
        (EndReason.SETTLED, State.ROLLED_BACK, Goal.ROLLED_BACK, Goal.ROLLED_BACK, "critical", 0),
        (EndReason.SETTLED, State.ROLLED_BACK, Goal.ROLLED_BACK, Goal.DESTROYED, None, 0),
        (EndReason.SETTLED, State.DESTROYED, Goal.DESTROYED, Goal.ACTIVE, None, 3),
        (EndReason.SETTLED, State.FAILED, Goal.ACTIVE, Goal.ACTIVE, "recoverable", 4),
        (EndReason.SETTLED, State.FAILED, Goal.ACTIVE, Goal.ACTIVE, "blocked", 7),
        (EndReason.SETTLED, State.FAILED, Goal.ROLLED_BACK, Goal.ACTIVE, "critical", 5),
        (EndReason.SETTLED, State.ACTIVE, Goal.ACTIVE, Goal.DESTROYED, None, 4),
    ],
)
def test_every_outcome_has_its_exit_code(
    rig: Rig, why: EndReason, state: State, goal: Goal, asked: Goal, failure_class: str | None, code: int
) -> None:
    """The contract's table lists them."""
    record = rig.store.load(rig.create())
    failure = rows.failure(failure_class=FailureClass(failure_class)) if failure_class else None
    deployment = replace(record.deployment, state=state, goal=goal, failure=failure)
    assert exit_code(Ended(replace(record, deployment=deployment), why), asked) == code


def test_a_time_to_live_is_an_expiry(rig: Rig) -> None:
    """It is given in seconds from the moment of the request."""
    deployment = rig.store.load(rig.create(ttl_seconds=60.0)).deployment
    assert deployment.expires_at is not None
    assert (deployment.expires_at - deployment.created_at).total_seconds() == 60.0


def test_a_summary_counts_what_remains(rig: Rig) -> None:
    """It counts owned resources that are not yet deleted."""
    id = rig.deploy().record.deployment.id
    assert rig.store.summaries(deployment_id=id)[0].remaining == 5
    rig.ask(id, Goal.DESTROYED, retain=("disk",))
    assert rig.store.summaries(deployment_id=id)[0].remaining == 0
    states = [r.state for r in rig.store.load(id).resources.values()]
    assert states.count(ResourceState.RETAINED) == 1
