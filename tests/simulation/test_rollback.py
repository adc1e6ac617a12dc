"""Rollback and destroy: what they wait for, what remains, what they report, and how they continue."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.support.simulation.faults import break_new, fail
from tests.support.simulation.rig import Rig, error_of, failure_of, plan
from tests.support.simulation.world import Thing, World, refused, unknown
from tier1_engine.cli.screen.outcome import exit_code
from tier1_engine.contract.kind import TAG_RESOURCE, Observation, Presence, Problem
from tier1_engine.deployment.creation import DeploymentRequest
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import Change, Record, Resource
from tier1_engine.deployment.states import Action, Goal, Outcome, ResourceState, State
from tier1_engine.engine import engine
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.engine.engine import Ended, Resume
from tier1_engine.errors import Refused

pytestmark = pytest.mark.promise(4, 5, 8)


def row(ended: Ended, name: str) -> Resource:
    found = ended.record.resource_of(name)
    assert found is not None
    return found


def error(ended: Ended, name: str) -> Error:
    return error_of(row(ended, name))


def active(rig: Rig) -> str:
    return rig.deploy().record.deployment.id


# --- order and proof


def test_deletion_goes_in_reverse_order_of_need(rig: Rig) -> None:
    """The machine goes first, then doors and disk, and the net last."""
    ended = rig.ask(active(rig), Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    kinds = [id.partition("-")[0] for id in rig.world.executed("delete")]
    assert (kinds[0], sorted(kinds[1:4]), kinds[4]) == ("machine", ["disk", "door", "door"], "net")


@pytest.mark.field_case("a replaced script: the report listed deletions that nobody had confirmed")
def test_a_deletion_is_recorded_only_after_a_read_shows_it(rig: Rig) -> None:
    """At no commit is a row `deleted` while AWS still has the object."""
    rig.world.gone_after = 45.0
    id = active(rig)
    rig.observer = NothingTooEarly(rig)
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.DESTROYED


@pytest.mark.parametrize("operation", ["describe", "delete"])
def test_a_failed_call_proves_no_deletion(rig: Rig, operation: str) -> None:
    """Throttling before or after the delete says nothing about the object."""
    rig.world.gone_after = 45.0
    id = active(rig)
    rig.observer = NothingTooEarly(rig)
    rig.world.before.append(fail(operation, "disk", error=lambda: refused("Throttling"), times=5))
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.DESTROYED


class NothingTooEarly:
    """A store that checks that no row is `deleted` while its object exists."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
        living = {t.id for t in self._rig.world.living()}
        gone = {r.aws_id for r in record.resources.values() if r.state is ResourceState.DELETED}
        assert not living & gone


def test_a_resource_that_is_already_gone_is_no_error(rig: Rig) -> None:
    """The machine was deleted by hand: it is old, so NotFound is proof."""
    id = active(rig)
    rig.clock.seconds += 1000.0
    rig.world.remove_by_hand(rig.world.of("machine")[0])
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert not [name for name in rig.world.executed("delete") if name.startswith("machine")]


@pytest.mark.field_case("a replaced script: NotFound counted as an error of a deletion")
def test_a_resource_that_vanishes_before_its_delete_is_gone(rig: Rig) -> None:
    """The delete itself answers NotFound, which the kind declares."""
    id = active(rig)
    rig.clock.seconds += 1000.0

    def vanish(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "delete":
            world.remove_by_hand(world.things[parameters["id"]])

    rig.world.before.append(vanish)
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert {r.error is None for r in ended.record.resources.values()} == {True}


def test_not_found_right_after_a_create_is_no_proof(rig: Rig) -> None:
    """A rollback right after the creates waits until AWS shows the resources, and deletes each."""
    rig.world.visible_after = 15.0
    rig.world.before.append(fail("create", "disk"))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()
    assert all(thing.deleting_since for thing in rig.world.things.values())


def test_a_deletion_that_aws_accepts_and_forgets_is_requested_again(rig: Rig) -> None:
    """The resource still exists after the grace as if no delete had been sent."""
    id = active(rig)
    machine = rig.world.of("machine")[0]
    rig.world.deaf_to[machine.id] = 1
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert rig.world.executed("delete").count(machine.id) == 2


@pytest.mark.field_case(
    "skypilot-org/skypilot#3688: security groups stay because termination is asynchronous"
)
@pytest.mark.field_case("a replaced script: a DependencyViolation was never retried")
def test_a_resource_in_use_is_waited_for(rig: Rig) -> None:
    """An interface lingers for two minutes after the machine is gone: the door is retried until then."""
    id = active(rig)
    door = rig.world.of("door-1")[0]
    interface = rig.world.lingering_interface(door)
    rig.clock.after(120.0, lambda: rig.world.remove_by_hand(interface))
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    tries = [a for a in rig.store.attempts(id) if a.step == "door-1" and a.action is Action.DELETE]
    assert {a.code for a in tries[:-1]} == {"DependencyViolation"}
    assert tries[-1].outcome is Outcome.DONE


# --- what could not be deleted


def stalled(rig: Rig) -> tuple[Ended, Thing]:
    """A rollback after a refused machine, in which an interface never leaves the first door."""
    rig.world.before.append(fail("create", "machine"))
    id = rig.create()
    interface: list[Thing] = []

    def linger(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "create" and parameters["step"] == "door-1":
            interface.append(world.lingering_interface(world.of("door-1")[0]))

    rig.world.after.append(linger)
    return rig.drive(id), interface[0]


def test_a_stalled_deletion_names_what_depends_on_it_and_keeps_the_first_cause(rig: Rig) -> None:
    """Everything else is gone; the failure is still the machine's; the command exits with 5."""
    started = rig.clock.seconds
    ended, _ = stalled(rig)
    assert (ended.record.deployment.state, ended.record.deployment.goal) == (State.FAILED, Goal.ROLLED_BACK)
    assert failure_of(ended).step == "machine"
    assert exit_code(ended, Goal.ACTIVE) == 5
    assert {t.kind for t in rig.world.living()} == {"eni", "door", "net"}
    assert error(ended, "door-1").code == "DependencyViolation"
    assert error(ended, "door-1").stuck
    assert error(ended, "net") == Error("BlockedBy", "blocked by door-1, which could not be deleted.")
    assert 600.0 <= rig.clock.seconds - started < 700.0


@pytest.mark.field_case("a replaced script: a destroy deleted the state although deletions had failed")
def test_a_stalled_deletion_continues_at_a_resume(rig: Rig) -> None:
    """It gets its whole deadline again; once the interface is gone, it ends clean."""
    ended, interface = stalled(rig)
    id = ended.record.deployment.id
    again = engine.resume(rig.equipment, id)
    assert again.record.deployment.state is State.FAILED
    rig.world.remove_by_hand(interface)
    ended = engine.resume(rig.equipment, id)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()
    assert failure_of(ended).step == "machine"


@pytest.mark.parametrize("destroys", [True, False])
def test_what_stalled_a_deletion_is_no_failure_once_it_is_done(rig: Rig, destroys: bool) -> None:
    """What ended the deployment before stays on record, and only that."""
    if destroys:
        id = rig.deploy().record.deployment.id
    else:
        rig.world.before.append(fail("create", "machine", times=1))
        id = rig.deploy(rollback_enabled=False).record.deployment.id
    rig.world.before.append(fail("delete", "net", times=1))
    engine.request(rig.equipment, id, Goal.DESTROYED)
    assert engine.drive(rig.equipment, id).record.deployment.state is State.FAILED
    ended = engine.drive(rig.equipment, id).record.deployment
    assert ended.state is (State.DESTROYED if destroys else State.ROLLED_BACK)
    assert (None if ended.failure is None else ended.failure.step) == (None if destroys else "machine")


@pytest.mark.parametrize("how", [Resume.RETRY, Resume.CONTINUE])
def test_a_stalled_deletion_cannot_be_turned_into_a_deployment(rig: Rig, how: Resume) -> None:
    """The goal never returns to `active`."""
    id = stalled(rig)[0].record.deployment.id
    with pytest.raises(Refused, match="is being deleted"):
        engine.resume(rig.equipment, id, how)


def test_the_command_for_what_holds_a_resource_is_for_the_aws_of_the_deployment(rig: Rig) -> None:
    """Field case: a line about a mount target of a local AWS, run as printed, reached AWS itself."""
    place = Place("123456789012", "us-east-1", "my work", "http://127.0.0.1:5000")
    whole = DeploymentRequest(name="demo", spec={"name": "demo"})
    id = engine.deploy(rig.equipment, whole, plan(), place).record.deployment.id
    rig.world.things["guest"] = Thing("guest", "machine", {}, "", 0.0, (rig.world.of("net")[0].id,))
    ended = rig.ask(id, Goal.DESTROYED)
    line = "--region us-east-1 --profile 'my work' --endpoint-url http://127.0.0.1:5000 sim remove --id guest"
    assert f"guest (`aws {line}`)" in error(ended, "net").message
    reported = [a.message or "" for a in rig.store.attempts(id)]
    assert any("sim remove" in text for text in reported)
    assert not [text for text in reported if "sim remove" in text and line not in text]


def test_an_undeletable_machine_remains_with_everything_it_needs(rig: Rig) -> None:
    """The deadline of its dependencies does not begin before it is gone."""
    rig.world.gone_after = math.inf
    ended = rig.ask(active(rig), Goal.DESTROYED)
    assert ended.record.deployment.state is State.FAILED
    assert error(ended, "machine").stuck
    assert {error(ended, name).code for name in ("net", "door-1", "door-2", "disk")} == {"BlockedBy"}
    assert failure_of(ended).step == "machine"


@pytest.mark.field_case("a replaced script: the failure of one subnet skipped the rest of the deletions")
def test_a_refused_deletion_does_not_stop_the_others(rig: Rig) -> None:
    """Permission to delete the disk is missing, and everything else is deleted."""
    id = active(rig)
    rig.world.before.append(fail("delete", "disk"))
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.FAILED
    assert [t.kind for t in rig.world.living()] == ["disk"]
    assert error(ended, "disk").code == "UnauthorizedOperation"
    assert exit_code(ended, Goal.DESTROYED) == 5


def test_a_kind_that_is_not_installed_is_named_and_remains(rig: Rig) -> None:
    """The other resources are deleted; a host with the kind completes the destroy."""
    id = active(rig)
    rig.missing = ("disk",)
    ended = rig.ask(id, Goal.DESTROYED)
    assert [t.kind for t in rig.world.living()] == ["disk"]
    assert "The kind disk is not installed" in error(ended, "disk").message
    rig.missing = ()
    assert engine.resume(rig.equipment, id).record.deployment.state is State.DESTROYED


@pytest.mark.field_case(
    "aws-cloudformation/cloudformation-coverage-roadmap#744: an orphan after three attempts at a deletion"
)
def test_throttled_deletions_are_retried_until_the_deadline(rig: Rig) -> None:
    """They get more attempts than a create, because giving up leaves something behind."""
    id = active(rig)
    rig.world.before.append(fail("delete", "disk", error=lambda: refused("Throttling"), times=20))
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.DESTROYED


def test_a_delete_whose_reply_was_lost_is_read_back(rig: Rig) -> None:
    """The next read shows it as leaving, which is no error."""
    id = active(rig)
    rig.world.gone_after = 30.0
    rig.world.after.append(fail("delete", error=unknown, times=3))
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.DESTROYED


# --- blocked


@pytest.mark.parametrize("goal", [Goal.ROLLED_BACK, Goal.DESTROYED])
def test_expired_credentials_during_the_rollback_change_no_state(rig: Rig, goal: Goal) -> None:
    """No trigger fires: the command exits with 7, and a resume continues after sign-in."""
    was_active = goal is Goal.DESTROYED
    refuse = fail("create", "machine")
    if not was_active:
        rig.world.before.append(refuse)
    id = rig.deploy(rollback_enabled=False).record.deployment.id
    expired = fail("delete", error=lambda: refused("ExpiredToken"))
    rig.world.before.append(expired)
    ended = rig.ask(id, goal)
    assert ended.why is EndReason.BLOCKED
    assert ended.blocked is not None
    assert ended.blocked.code == "ExpiredToken"
    assert ended.record.deployment.state in (State.ROLLING_BACK, State.DESTROYING)
    assert exit_code(ended, goal) == 7
    rig.world.before.remove(expired)
    ended = engine.resume(rig.equipment, id)
    assert ended.record.deployment.state.value == goal.value
    assert not rig.world.living()


# --- retain


def test_what_is_retained_stays_with_everything_it_needs(rig: Rig) -> None:
    """Retaining a door retains its net; the census ignores both; everything else is deleted."""
    ended = rig.ask(active(rig), Goal.DESTROYED, retain=("door-1",))
    assert ended.record.deployment.state is State.DESTROYED
    assert ended.record.deployment.retain == ("door-1", "net")
    assert {row(ended, n).state for n in ("door-1", "net")} == {ResourceState.RETAINED}
    assert {t.id for t in rig.world.living()} == {row(ended, "door-1").aws_id, row(ended, "net").aws_id}


def test_only_resources_of_the_deployment_can_be_retained(rig: Rig) -> None:
    """The sentence lists them, and nothing is recorded."""
    id = active(rig)
    with pytest.raises(Refused, match="has no resource cellar to retain; it has: disk, door-1"):
        engine.request(rig.equipment, id, Goal.DESTROYED, retain=("cellar",))
    assert rig.store.load(id).deployment.goal is Goal.ACTIVE


def test_a_retain_requested_during_the_destroy_is_obeyed(rig: Rig) -> None:
    """The same goal with more to retain reaches the driver; what is not yet deleted stays."""
    id = active(rig)
    rig.world.gone_after = 60.0

    def keep_the_disk() -> None:
        engine.request(rig.equipment, id, Goal.DESTROYED, retain=("disk",))

    rig.clock.after(10.0, keep_the_disk)
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert row(ended, "disk").state is ResourceState.RETAINED
    assert [t.kind for t in rig.world.living()] == ["disk"]


# --- the console


@pytest.mark.field_case("aws/copilot-cli#2811: a rollback deletes the logs that explain it")
def test_the_console_is_archived_before_a_rollback_terminates_the_machine(rig: Rig) -> None:
    """A rollback must not delete what explains the failure."""
    rig.world.ready_after = 30.0
    rig.world.after.append(break_new("machine", "Dead"))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    machine = row(ended, "machine")
    operations = [
        op for op, name in rig.world.calls if name == machine.aws_id and op in ("console", "delete")
    ]
    assert operations == ["console", "delete"]
    assert rig.store.console(machine.deployment_id, machine.id) == f"console of {machine.aws_id}"


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "Throttling", "InvalidAction"])
def test_reading_the_console_is_attempted_a_bounded_number_of_times(rig: Rig, code: str) -> None:
    """Then the machine is terminated, and each attempt is recorded."""
    rig.world.after.append(break_new("machine", "Dead"))
    rig.world.ready_after = 30.0
    rig.world.before.append(fail("console", error=lambda: refused(code)))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert len(rig.world.executed("console")) == 3
    tries = [a for a in rig.store.attempts(ended.record.deployment.id) if a.action is Action.ARCHIVE]
    assert [a.code for a in tries] == [code] * 3


def test_the_console_of_a_missing_machine_is_requested_once(rig: Rig) -> None:
    """The machine was deleted by hand: there is nothing to read, and the rollback does not wait."""
    rig.check.answers = [Observation(Presence.BROKEN, problem=Problem("HttpStatus", "answered 500"))]
    id = rig.deploy().record.deployment.id
    rig.clock.move_to(rig.clock.seconds + rig.settings.visibility_grace_seconds)
    (machine,) = rig.world.of("machine")
    rig.world.remove_by_hand(machine)
    ended = engine.resume(rig.equipment, id, Resume.ROLL_BACK)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert rig.world.executed("console") == [machine.id]
    assert row(ended, "machine").state is ResourceState.DELETED


def test_the_console_of_a_young_machine_is_requested_again_after_not_found(rig: Rig) -> None:
    """Within the grace since its create NotFound is no proof: its output may yet be readable."""
    rig.world.after.append(break_new("machine", "Dead"))
    rig.world.before.append(fail("console", error=lambda: refused("Thing.NotFound"), times=1))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    machine = row(ended, "machine")
    assert rig.world.executed("console") == [machine.aws_id] * 2
    assert rig.store.console(machine.deployment_id, machine.id) == f"console of {machine.aws_id}"


def test_a_destroy_archives_no_console(rig: Rig) -> None:
    """Nothing failed, so there is nothing to explain."""
    rig.ask(active(rig), Goal.DESTROYED)
    assert not rig.world.executed("console")


# --- the census


def censuses(rig: Rig) -> list[float]:
    """The times at which a census listed nets, from now on."""
    times: list[float] = []

    def note(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "find" and parameters["kind"] == "net" and TAG_RESOURCE not in parameters["tags"]:
            times.append(world.clock.seconds)

    rig.world.before.append(note)
    return times


def test_one_census_proves_a_clean_end_when_every_create_was_answered(rig: Rig) -> None:
    """Nothing can appear later."""
    id = active(rig)
    times = censuses(rig)
    rig.ask(id, Goal.DESTROYED)
    assert len(times) == 1


def test_after_an_unknown_create_two_censuses_a_grace_apart_prove_it(rig: Rig) -> None:
    """A create that AWS executes late needs time to become visible."""
    rig.world.after.append(fail("create", "net", error=unknown, times=1))
    rig.world.before.append(fail("create", "machine"))
    times = censuses(rig)
    assert rig.deploy().record.deployment.state is State.ROLLED_BACK
    assert len(times) == 2
    assert times[1] - times[0] >= rig.settings.visibility_grace_seconds


def test_a_create_executed_between_the_two_censuses_is_deleted(rig: Rig) -> None:
    """It is executed when every known resource is gone, and the second census finds it."""
    rig.world.before.append(fail("create", "machine"))
    rig.world.before.append(fail("create", "net", error=unknown, times=1))
    times = censuses(rig)

    def late(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if len(times) == 1 and not rig.world.of("late"):
            net = rig.world.of("net")[0]
            tags = {**net.tags, "Name": "demo-late"}
            world.clock.after(
                5.0, lambda: world.things.update(late=Thing("late", "net", tags, net.key, 0.0, ()))
            )

    rig.world.after.append(late)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert len(times) >= 3
    assert rig.world.of("late")
    assert not rig.world.living()


def test_a_late_create_that_blocks_a_deletion_is_found_and_deleted(rig: Rig) -> None:
    """A door without a row blocks its net: once that lasts for the grace, a census searches for it."""
    id = with_a_lost_door(rig)
    standing_in(rig, "net")
    times, began = censuses(rig), rig.clock.seconds
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert not rig.world.living()
    assert row(ended, "door-1~1").state is ResourceState.DELETED
    assert len(times) == 3  # for what blocks the deletion, and two for the proof of the end
    assert rig.clock.seconds - began < ended.record.deployment.delete_seconds / 2


def test_a_resource_that_appears_at_the_end_is_deleted_and_the_rest_gets_its_deadline_again(rig: Rig) -> None:
    """AWS creates it after the first census: before a rollback gives up, it searches once more."""
    id = with_a_lost_door(rig)
    deadline = rig.store.load(id).deployment.delete_seconds
    in_use = fail("delete", "net", error=lambda: refused("DependencyViolation"))
    rig.world.before.append(in_use)

    def late() -> None:
        rig.world.before.remove(in_use)
        standing_in(rig, "net")

    rig.clock.after(deadline - 1.0, late)
    times = censuses(rig)
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert not rig.world.living()
    assert len(times) == 4  # for what blocks the deletion, twice, and two for the proof of the end


@pytest.mark.field_case("ekristen/aws-nuke#394: what blocks a deletion is not named")
def test_what_a_foreign_object_holds_is_given_up_within_minutes_and_the_object_is_named(rig: Rig) -> None:
    """It does not leave by itself: waiting for the whole deadline would help nobody."""
    id = active(rig)
    (door,) = rig.world.of("door-1")
    guest = Thing("guest", "machine", {}, "", rig.clock.seconds, (door.id,))
    rig.world.things[guest.id] = guest
    began = rig.clock.seconds
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.FAILED
    assert "guest" in error(ended, "door-1").message
    assert "which this deployment did not create" in failure_of(ended).message
    assert rig.clock.seconds - began < 6 * rig.equipment.settings.visibility_grace_seconds
    assert rig.world.living() == [*(t for t in rig.world.living() if t.kind == "net"), door, guest]
    rig.world.remove_by_hand(guest)
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.DESTROYED


def test_a_foreign_object_that_leaves_by_itself_is_waited_for(rig: Rig) -> None:
    """AWS deletes the interface of a function or a load balancer some time after its owner."""
    id = active(rig)
    (door,) = rig.world.of("door-1")
    guest = Thing("guest", "machine", {}, "", rig.clock.seconds, (door.id,))
    rig.world.things[guest.id] = guest
    grace = rig.equipment.settings.visibility_grace_seconds
    rig.clock.after(3 * grace, lambda: rig.world.remove_by_hand(guest))
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.DESTROYED


def test_a_denied_search_does_not_keep_a_rollback_from_its_end(rig: Rig) -> None:
    """What blocks the deletion cannot be listed: a warning says so, and the result names what remains."""
    id = active(rig)
    rig.world.before.append(fail("delete", "net", error=lambda: refused("DependencyViolation")))
    times = censuses(rig)
    rig.world.before.append(fail("find", "net"))
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.FAILED
    assert row(ended, "net").stuck
    assert failure_of(ended).code == "DependencyViolation"
    assert "could not be deleted" in failure_of(ended).message
    assert len(times) == 2
    reported = [event.message for event in rig.store.events(id)]
    assert sum("what may block the deletion could not be listed" in text for text in reported) == 2


def with_a_lost_door(rig: Rig) -> str:
    """An active deployment: AWS may still execute a create of a door that it did not answer."""
    rig.world.before.append(fail("create", "door-1", error=unknown, times=1))
    return active(rig)


def standing_in(rig: Rig, step: str) -> None:
    """A door of this deployment without a row, inside what was created for `step`."""
    parent, door = rig.world.of(step)[0], rig.world.of("door-1")[0]
    tags = {**door.tags, "Name": "demo-late"}
    rig.world.things["late"] = Thing("late", "door", tags, door.key, rig.clock.seconds, (parent.id,))


def test_a_census_that_this_endpoint_does_not_support_is_a_warning(rig: Rig) -> None:
    """An emulator without a list call does not keep a deployment from its end."""
    id = active(rig)
    rig.world.before.append(fail("find", "door", error=lambda: refused("InvalidAction")))
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert ended.record.deployment.warnings == (
        "AWS does not list door here: what is left of them would not be found",
    )


@pytest.mark.parametrize(("code", "tries"), [("UnauthorizedOperation", 1), ("Throttling", 5)])
def test_a_failed_census_leaves_the_end_unproven(rig: Rig, code: str, tries: int) -> None:
    """Every known resource is gone, but the end is not called clean; with permission to list, a resume
    completes it.
    """
    id = active(rig)
    denied = fail("find", "net", error=lambda: refused(code))
    times = censuses(rig)
    rig.world.before.append(denied)
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.FAILED
    assert "the census failed" in failure_of(ended).message
    assert len(times) == tries
    rig.world.before.remove(denied)
    assert engine.resume(rig.equipment, id).record.deployment.state is State.DESTROYED


def test_a_failed_census_during_provisioning_is_a_warning(rig: Rig) -> None:
    """A healthy stack is active, and the warning says what was not proven."""
    rig.world.after.append(fail("create", "net", error=unknown, times=1))

    def deny(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "find" and TAG_RESOURCE not in parameters["tags"]:
            raise refused("UnauthorizedOperation")

    rig.world.before.append(deny)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert "could not be listed" in ended.record.deployment.warnings[0]


def test_expired_credentials_during_the_census_block(rig: Rig) -> None:
    """Nothing is called clean without a census."""
    id = active(rig)
    rig.world.before.append(fail("find", "net", error=lambda: refused("ExpiredToken")))
    ended = rig.ask(id, Goal.DESTROYED)
    assert (ended.why, ended.record.deployment.state) == (EndReason.BLOCKED, State.DESTROYING)


def test_a_deleted_resource_that_is_listed_again_is_deleted_again(rig: Rig) -> None:
    """AWS shows it again, and its row returns to `deleting`."""
    id = active(rig)
    net = rig.world.of("net")[0]
    back: list[bool] = []

    def resurrect(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "find" and not back and net.deleting_since is not None:
            back.append(True)
            net.deleting_since = None

    rig.world.before.append(resurrect)
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert back
    assert not rig.world.living()


def test_an_outdated_list_is_waited_for_and_reported_once(rig: Rig) -> None:
    """A resource that a read showed as gone is neither deleted again nor called clean while AWS lists it."""
    id = active(rig)
    rig.world.listed_gone = 15.0
    gone_after = rig.clock.seconds
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert rig.clock.seconds - gone_after >= 15.0
    deleted = rig.world.executed("delete")
    assert len(deleted) == len(set(deleted)) == 5
    said = [event.message for event in rig.store.events(id) if "still lists" in event.message]
    assert len(said) == len(set(said)) > 0
    assert not [event for event in rig.store.events(id) if "still exists" in event.message]


def test_errors_of_the_rollback_do_not_replace_its_cause(rig: Rig) -> None:
    """The failure stays that of the provisioning; the error of a deletion is stored with its resource."""
    rig.world.before.append(fail("create", "machine", error=lambda: refused("VpcLimitExceeded")))
    rig.world.before.append(fail("delete", "disk"))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.FAILED
    assert failure_of(ended).code == "VpcLimitExceeded"
    assert error(ended, "disk").code == "UnauthorizedOperation"
