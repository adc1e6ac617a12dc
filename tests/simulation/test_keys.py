"""Keys, generations, visibility and ownership: what AWS shows late, twice, dead, or under another owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.simulation.faults import act, executed_late, fail
from tests.support.simulation.rig import Rig, error_of, failure_of, plan
from tests.support.simulation.world import Thing, World, refused, unknown
from tier1_engine.cli.screen.outcome import exit_code
from tier1_engine.deployment.plan import Plan, StepPlan, ref
from tier1_engine.deployment.record import Resource
from tier1_engine.deployment.states import Goal, Mode, Phase, ResourceState, State
from tier1_engine.engine import engine
from tier1_engine.engine.engine import Ended

pytestmark = pytest.mark.promise(2, 3)


def resource(ended: Ended, name: str) -> Resource:
    row = ended.record.resource_of(name)
    assert row is not None
    return row


def remove(rig: Rig, step: str) -> None:
    rig.world.remove_by_hand(rig.world.of(step)[-1])


def test_a_resource_deleted_by_hand_before_it_is_ready_is_recreated(rig: Rig) -> None:
    """AWS still shows it as ended: the next key creates another, and the step completes."""
    rig.world.ready_after, rig.world.shown_gone = 60.0, 1e9
    rig.clock.after(30.0, lambda: remove(rig, "disk"))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert resource(ended, "disk").generation == 2
    assert len(rig.world.of("disk")) == 2
    assert resource(ended, "disk").aws_id == rig.world.of("disk")[1].id


@pytest.mark.field_case(
    "hashicorp/terraform-provider-aws#21829: a route table that was not visible yet was made again"
)
def test_not_found_right_after_a_create_proves_nothing(rig: Rig) -> None:
    """A resource that becomes visible after two minutes is not created again."""
    rig.world.visible_after = 120.0
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}


def test_not_found_of_an_old_resource_means_that_it_was_deleted(rig: Rig) -> None:
    """After the consistency deadline it counts as gone and is recreated."""
    rig.world.ready_after = 300.0
    rig.clock.after(250.0, lambda: remove(rig, "disk"))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert resource(ended, "disk").generation == 2


def test_a_spent_token_is_never_sent_again(rig: Rig) -> None:
    """The machine was terminated by hand: its token would return the dead machine for ever."""
    rig.world.shown_gone = 1e9
    rig.world.after.append(act("create", "machine", lambda: remove(rig, "machine")))
    rig.world.after.append(fail("create", "machine", error=unknown, times=1))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    keys = [t.key for t in rig.world.of("machine")]
    assert len(set(keys)) == 2
    assert resource(ended, "machine").generation == 2


def test_a_spent_token_that_returns_a_terminated_instance_raises_the_generation(rig: Rig) -> None:
    """No read shows the terminated machine any more, but RunInstances returns it."""
    rig.world.after.append(act("create", "machine", lambda: remove(rig, "machine")))
    rig.world.after.append(fail("create", "machine", error=unknown, times=1))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert resource(ended, "machine").generation == 2


def test_a_spent_token_that_is_refused_raises_the_generation(rig: Rig) -> None:
    """EC2 answers some accounts like this: the code is recorded, and the next key creates the machine."""
    rig.world.after.append(act("create", "machine", lambda: remove(rig, "machine")))
    rig.world.after.append(fail("create", "machine", error=unknown, times=1))

    def refuse_the_first_key(_: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "create" and parameters["key"] in {t.key for t in rig.world.of("machine")}:
            raise refused("TokenSpent")

    rig.world.before.append(refuse_the_first_key)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert resource(ended, "machine").generation == 2
    assert [a.code for a in rig.store.attempts(ended.record.deployment.id) if a.code] == [
        "ConnectionReset",
        "TokenSpent",
    ]


def test_a_resource_that_keeps_vanishing_is_recreated_a_bounded_number_of_times(rig: Rig) -> None:
    """Every disk is deleted by hand: after three the step fails and says why."""
    rig.world.shown_gone = 1e9
    rig.world.ready_after = 10.0

    def remove_each() -> None:
        for thing in rig.world.of("disk"):
            if rig.world.exists(thing):
                rig.world.remove_by_hand(thing)
        rig.clock.after(5.0, remove_each)

    rig.clock.after(5.0, remove_each)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).code == "GoneByHand"
    assert len(rig.world.of("disk")) == 3


def test_a_resource_that_exists_already_is_searched_for_and_adopted(rig: Rig) -> None:
    """The lost create becomes visible only after the grace; the second one meets AWS's own conflict."""
    rig.world.natural = frozenset({"net"})
    rig.world.visible_after = 50.0
    rig.world.after.append(fail("create", "net", error=unknown, times=1))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert rig.world.executed("create").count("net") >= 2
    assert set(rig.world.executed_creates.values()) == {1}


def test_a_conflict_that_is_never_shown_to_be_owned_is_critical(rig: Rig) -> None:
    """After the visibility deadline it counts as foreign, and nothing of it is changed."""
    rig.world.before.append(fail("create", "door-1", error=lambda: refused("AlreadyExists")))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).code == "AlreadyExists"


def test_a_token_mismatch_leads_back_to_a_read_with_the_same_key(rig: Rig) -> None:
    """An earlier call succeeded: its resource is found, and no other key is used."""
    rig.world.visible_after = 45.0
    rig.world.after.append(fail("create", "machine", error=unknown, times=1))
    left = [0]

    def mismatch_after_the_first(_: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "create" and parameters["step"] == "machine":
            left[0] += 1
            if left[0] > 1:
                raise refused("IdempotentParameterMismatch")

    rig.world.before.append(mismatch_after_the_first)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert resource(ended, "machine").generation == 1
    assert len(rig.world.of("machine")) == 1


def test_of_two_resources_with_one_key_the_oldest_is_adopted_and_the_other_deleted(rig: Rig) -> None:
    """One read shows both: the duplicate gets its own row and ends as deleted."""

    def twice() -> None:
        first = rig.world.of("disk")[0]
        twin = Thing("disk-twin", "disk", dict(first.tags), first.key, rig.clock.seconds + 0.5, ())
        rig.world.things[twin.id] = twin

    rig.world.after.append(act("create", "disk", twice))
    rig.world.after.append(fail("create", "disk", error=unknown, times=1))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert resource(ended, "disk").aws_id == "disk-0002"
    assert resource(ended, "disk~1").state is ResourceState.DELETED
    assert not rig.world.exists(rig.world.things["disk-twin"])


@pytest.mark.leaves("a stray that would not delete yet", "twice")
def test_a_duplicate_is_never_adopted_in_place_of_a_missing_resource(rig: Rig) -> None:
    """It is undeletable and has the same tag, but the missing disk is recreated all the same."""
    rig.world.ready_after, rig.world.shown_gone = 30.0, 1e9

    def twice() -> None:
        first = rig.world.of("disk")[0]
        twin = Thing("disk-twin", "disk", dict(first.tags), first.key, rig.clock.seconds + 0.5, ())
        rig.world.things[twin.id] = twin

    rig.world.after.append(act("create", "disk", twice))
    rig.world.after.append(fail("create", "disk", error=unknown, times=1))
    rig.world.before.append(fail("delete"))
    rig.clock.after(10.0, lambda: rig.world.remove_by_hand(rig.world.things["disk-0002"]))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert (resource(ended, "disk").generation, resource(ended, "disk~1").aws_id) == (2, "disk-twin")
    assert resource(ended, "disk").aws_id not in ("disk-0002", "disk-twin")


def test_a_duplicate_that_could_not_be_deleted_is_a_warning_of_the_active_deployment(rig: Rig) -> None:
    """The stack works; the warning gives the extra cost, and the destroy tries again."""
    rig.world.ready_after = 90.0
    rig.world.before.append(executed_late(rig.world, "net", 60.0, unknown))
    denied = fail("delete")
    rig.world.before.append(denied)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    stray = resource(ended, "net~1")
    denial = "UnauthorizedOperation: UnauthorizedOperation"  # the code, and the message
    assert ended.record.deployment.warnings == (
        f"{stray.aws_id} is a duplicate of net that could not be deleted: {denial}",
    )
    rig.world.before.remove(denied)
    rig.ask(ended.record.deployment.id, Goal.DESTROYED)
    assert not rig.world.living()


@pytest.mark.leaves("a stray that would not delete", "twice")
def test_the_deletion_of_a_duplicate_has_the_usual_deadline(rig: Rig) -> None:
    """It stays in use: after the deadline it remains, with a warning."""
    rig.world.ready_after = 90.0
    rig.world.before.append(executed_late(rig.world, "net", 60.0, unknown))
    rig.clock.after(65.0, lambda: linger_on(rig, rig.world.of("net")[-1]))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    (warning,) = ended.record.deployment.warnings
    assert ": DependencyViolation: could not be deleted within 600 s. Last seen: net-" in warning


def linger_on(rig: Rig, thing: Thing) -> None:
    rig.world.lingering_interface(thing)


def test_a_create_executed_after_the_grace_is_found_by_the_census(rig: Rig) -> None:
    """The second one counts; the late first one is deleted before the deployment becomes active."""
    rig.world.ready_after = 90.0
    rig.world.before.append(executed_late(rig.world, "net", 60.0, unknown))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    nets = rig.world.of("net")
    assert len(nets) == 2
    assert [t.id for t in nets if rig.world.exists(t)] == [resource(ended, "net").aws_id]
    assert resource(ended, "net~1").state is ResourceState.DELETED


# --- provided by the user


def brought(reference: str) -> Plan:
    """The plan with a disk that is only referenced."""
    whole = plan()
    steps = tuple(
        replace(s, mode=Mode.REFERENCE, inputs={"reference": reference}) if s.name == "disk" else s
        for s in whole.steps
    )
    return replace(whole, steps=steps)


def users_disk(rig: Rig) -> Thing:
    disk = Thing("disk-of-user", "disk", {"Name": "mine"}, "", 0.0, ())
    rig.world.things[disk.id] = disk
    return disk


def test_a_referenced_resource_is_used_and_never_changed(rig: Rig) -> None:
    """Its row is not owned; neither deployment nor destroy changes or deletes it."""
    disk = users_disk(rig)
    ended = rig.deploy(the_plan=brought(disk.id))
    assert ended.record.deployment.state is State.ACTIVE
    assert (resource(ended, "disk").owned, resource(ended, "disk").aws_id) == (False, disk.id)
    ended = rig.ask(ended.record.deployment.id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert rig.world.living() == [disk]
    assert (disk.tags, disk.settings) == ({"Name": "mine"}, set())


@pytest.mark.parametrize("reference", ["disk-nobody-has", "disk-of-user"])
def test_an_unusable_referenced_resource_fails_its_step(rig: Rig, reference: str) -> None:
    """It is absent or broken: the deployment is rolled back with the reason, and the resource is not
    changed.
    """
    disk = users_disk(rig)
    disk.broken = "WrongNetwork"
    ended = rig.deploy(the_plan=brought(reference))
    assert ended.record.deployment.state is State.ROLLED_BACK
    code = "WrongNetwork" if reference == disk.id else "absent"
    assert failure_of(ended).code == code
    assert rig.world.living() == [disk]


def with_outlet() -> Plan:
    whole = plan()
    outlet = StepPlan("outlet", Phase.EFS, "outlet", needs=("disk",), inputs={"needs": [ref("disk")]})
    return replace(whole, steps=(*whole.steps, outlet))


def test_a_foreign_resource_found_in_place_of_an_owned_one_is_referenced(rig: Rig) -> None:
    """An example is another's mount target in the zone: it is used and never deleted."""
    other = Thing("outlet-of-other", "outlet", {}, "", 0.0, ())
    rig.world.things[other.id] = other
    ended = rig.deploy(the_plan=with_outlet())
    assert ended.record.deployment.state is State.ACTIVE
    assert (resource(ended, "outlet").owned, resource(ended, "outlet").aws_id) == (False, other.id)
    rig.ask(ended.record.deployment.id, Goal.DESTROYED)
    assert rig.world.living() == [other]


def test_a_created_resource_of_that_kind_is_owned(rig: Rig) -> None:
    """There was no foreign one."""
    ended = rig.deploy(the_plan=with_outlet())
    assert resource(ended, "outlet").owned
    rig.ask(ended.record.deployment.id, Goal.DESTROYED)
    assert not rig.world.living()


def test_finding_a_foreign_resource_settles_a_rollback_without_deleting_it(rig: Rig) -> None:
    """The create was lost and never executed; what is found in its place is not owned."""
    other = Thing("outlet-of-other", "outlet", {}, "", 0.0, ())

    def appears() -> None:
        rig.world.things[other.id] = other

    id = rig.create(the_plan=with_outlet())
    rig.world.before.append(act("create", "outlet", appears))
    rig.world.before.append(act("create", "outlet", lambda: asked(rig, id)))
    rig.world.before.append(fail("create", "outlet", error=unknown))
    ended = rig.drive(id)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert rig.world.living() == [other]


def asked(rig: Rig, id: str) -> None:
    engine.request(rig.equipment, id, Goal.ROLLED_BACK)


# --- not owned


def strip(rig: Rig, step: str) -> None:
    rig.world.of(step)[-1].tags.clear()


def test_a_resource_that_lost_its_tags_is_neither_configured_nor_deleted(rig: Rig) -> None:
    """It is no longer owned: the step fails, the rest is rolled back, and it is named as remaining."""
    rig.world.ready_after = 20.0
    door: list[Thing] = []

    def take_tags() -> None:
        door.append(rig.world.of("door-1")[-1])
        door[0].tags.clear()

    rig.world.after.append(act("create", "door-1", take_tags))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.FAILED
    assert failure_of(ended).code == "NotOurs"
    assert exit_code(ended, Goal.ACTIVE) == 5
    assert not door[0].settings
    assert door[0].deleting_since is None
    assert {t.kind for t in rig.world.living()} == {"door", "net"}
    assert error_of(resource(ended, "door-1")).stuck


def test_late_tags_are_waited_for(rig: Rig) -> None:
    """An object may become visible before its tags do."""
    tags: dict[str, str] = {}

    def hide() -> None:
        thing = rig.world.of("net")[-1]
        tags.update(thing.tags)
        thing.tags.clear()
        rig.clock.after(15.0, lambda: thing.tags.update(tags))

    rig.world.after.append(act("create", "net", hide))
    assert rig.deploy().record.deployment.state is State.ACTIVE


def test_a_destroy_leaves_a_resource_that_lost_its_tags(rig: Rig) -> None:
    """It is reported, its dependencies wait for it, and the rest is gone."""
    id = rig.deploy().record.deployment.id
    disk = rig.world.of("disk")[0]
    disk.tags.clear()
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.FAILED
    assert [t.id for t in rig.world.living()] == [disk.id]
    assert error_of(resource(ended, "disk")).code == "NotOurs"
    assert exit_code(ended, Goal.DESTROYED) == 5
