"""Tags can be copied: only a recorded id, a key, or a create without a known outcome proves an owner.

Field case: an auto-tagger copies the tags of a VPC to everything inside it, whoever created that. A sweep
of orphans deleted a user's subnet and route table for it, and a destroy what had an unknown resource tag.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simulation.databases import fast_store
from tests.support.simulation.estate import Estate
from tests.support.simulation.faults import act, executed_late, fail
from tests.support.simulation.rig import Rig
from tests.support.simulation.world import Crash, Thing, unknown
from tier1_engine.contract.kind import TAG_RESOURCE
from tier1_engine.deployment.states import Goal, ResourceState, State

pytestmark = pytest.mark.promise(3)


@pytest.fixture
def estate(sqlite_template: Path) -> Estate:
    made = Estate(Rig(fast_store("copies", sqlite_template)))
    made.world()
    return made


def tagged_like(rig: Rig, step: str, kind: str, *, resource: str | None = None) -> None:
    """Somebody's own object, which a tool gave the tags of the object of a step."""
    tags = dict(rig.world.of(step)[0].tags)
    if resource is not None:
        tags[TAG_RESOURCE] = resource
    copy = Thing("copy", kind, tags, "", rig.clock.seconds, ())
    rig.world.things[copy.id] = copy


COPIES = [("net", "net", None), ("net", "door", None), ("door-1", "door", None), ("net", "net", "unheard-of")]


@pytest.mark.field_case("a trial: an auto-tagger copied the tags of a VPC, and a sweep deleted what had them")
@pytest.mark.parametrize(("step", "kind", "resource"), COPIES)
def test_a_destroy_names_a_copy_and_leaves_it(rig: Rig, step: str, kind: str, resource: str | None) -> None:
    """Neither the exact tags of a resource nor those of another kind or of an unknown one prove anything."""
    id = rig.deploy().record.deployment.id
    tagged_like(rig, step, kind, resource=resource)
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert [thing.id for thing in rig.world.living()] == ["copy"]
    rig.world.remove_by_hand(rig.world.things["copy"])
    (warning,) = ended.record.deployment.warnings
    assert warning == (
        "copy has the tags of this deployment, but no create on record proves that it is its own: "
        "it is not touched"
    )


def test_an_adopted_object_accounts_for_the_lost_reply(rig: Rig) -> None:
    """One create had no reply, and its object is known: a copy is not what it made."""
    rig.world.after.append(fail("create", "net", error=unknown, times=1))
    id = rig.deploy().record.deployment.id
    tagged_like(rig, "net", "net")
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.DESTROYED
    assert [thing.id for thing in rig.world.living()] == ["copy"]
    rig.world.remove_by_hand(rig.world.things["copy"])


@pytest.mark.parametrize("killed", [False, True], ids=["continued", "resumed"])
def test_of_more_objects_than_lost_creates_none_is_adopted(rig: Rig, killed: bool) -> None:
    """Field case: a VPC was created, its reply lost, and a tool gave its tags to a user's. The search adopted
    one, and deleted the other as a duplicate.
    """
    rig.world.after += [
        act("create", "net", lambda: tagged_like(rig, "net", "net")),
        fail("create", "net", error=Crash if killed else unknown, times=1),  # type: ignore[arg-type]
    ]
    if killed:
        with pytest.raises(Crash):
            rig.deploy()
        ended = rig.drive(rig.store.summaries()[0].deployment.id)
    else:
        ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    net = ended.record.resource_of("net")
    assert net is not None
    ours = {net.aws_id}
    standing = {thing.id for thing in rig.world.living() if thing.kind == "net"}
    assert len(standing) == 3
    assert "copy" in standing
    assert len([one for one in ended.record.deployment.warnings if "it is not touched" in one]) == 2
    rig.ask(ended.record.deployment.id, Goal.DESTROYED)
    assert {thing.id for thing in rig.world.living()} == standing - ours
    for thing in rig.world.living():
        rig.world.remove_by_hand(thing)


def test_a_rollback_after_a_lost_create_deletes_no_copy(rig: Rig) -> None:
    """Which of the two is ours cannot be told: both are named, and stay."""
    rig.world.after.append(fail("create", "net", error=Crash, times=1))  # type: ignore[arg-type]
    with pytest.raises(Crash):
        rig.deploy()
    tagged_like(rig, "net", "net")
    before = {thing.id for thing in rig.world.living()}
    ended = rig.ask(rig.store.summaries()[0].deployment.id, Goal.ROLLED_BACK)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert {thing.id for thing in rig.world.living()} == before
    assert len(ended.record.deployment.warnings) == 2
    for thing in rig.world.living():
        rig.world.remove_by_hand(thing)


def test_of_more_objects_than_lost_replies_none_is_deleted(rig: Rig) -> None:
    """Which of them AWS made late cannot be told: both are named."""
    rig.world.before.append(executed_late(rig.world, "net", 300.0, unknown))
    id = rig.deploy().record.deployment.id
    rig.clock.move_to(rig.clock.seconds + 301.0)
    (late,) = rig.world.of("net")[1:]
    tagged_like(rig, "net", "net")
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert {thing.id for thing in rig.world.living()} == {late.id, "copy"}
    assert len(ended.record.deployment.warnings) == 2
    rig.world.remove_by_hand(late)
    rig.world.remove_by_hand(rig.world.things["copy"])


def test_a_copy_is_never_adopted_in_place_of_a_missing_resource(rig: Rig) -> None:
    """It would be deleted with the deployment: a new one is created beside it."""
    rig.world.ready_after = 300.0
    rig.clock.after(10.0, lambda: tagged_like(rig, "net", "net"))
    rig.clock.after(11.0, lambda: rig.world.remove_by_hand(rig.world.things["net-0001"]))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    net = ended.record.resource_of("net")
    assert net is not None
    assert (net.generation, net.aws_id != "copy") == (2, True)
    rig.world.remove_by_hand(rig.world.things["copy"])


@pytest.mark.field_case("a trial: an auto-tagger copied the tags of a VPC, and a sweep deleted what had them")
@pytest.mark.parametrize("copied_from", ["disk", "net"])
@pytest.mark.parametrize("state", [State.ACTIVE, State.FAILED])
def test_a_sweep_reports_a_copy_and_leaves_it(estate: Estate, state: State, copied_from: str) -> None:
    """Its exact tags, or those of a resource of another kind, prove nothing."""
    whole = estate.plant(state, age_hours=1, owned=("net", "disk"))
    row = next(r for r in estate.rig.store.load(whole.id).resources.values() if r.name == copied_from)
    copies = [estate.copy(whole, name, **{TAG_RESOURCE: row.tagged_as}) for name in ("disk", "door-1")]
    before = estate.living
    swept = estate.sweep(orphans=True)
    assert (swept.counts["marked"], swept.counts["deleted"], swept.exit_code) == (0, 0, 0)
    assert {item.aws_id for item in swept.plan.marking.reported} == {copy.id for copy in copies}
    assert all(
        "no create on record proves that it is its own" in item.reason for item in swept.plan.marking.reported
    )
    assert estate.living == before
    for copy in copies:
        estate.world().remove_by_hand(copy)


@pytest.mark.field_case(
    "a trial: after three minutes without a describe call a second object was made, and stayed"
)
def test_what_reappears_after_it_was_recreated_is_deleted_before_the_deployment_is_active(rig: Rig) -> None:
    """AWS did not show it for longer than any delay, so there are two; the recorded id proves the first."""
    rig.world.ready_after = 400.0
    rig.clock.after(1.0, lambda: rig.world.hide("net", 250.0))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert ended.record.resource_of("net").generation == 2  # type: ignore[union-attr]
    assert [row.state for row in ended.record.resources.values() if row.is_duplicate] == [
        ResourceState.DELETED
    ]
    assert len(rig.world.living()) == len([r for r in ended.record.resources.values() if not r.settled])
