"""What a sweep deletes, spares, reports and completes, on the simulated account."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulation.databases import fast_store
from tests.support.simulation.estate import HOUR, Estate
from tests.support.simulation.faults import act, fail
from tests.support.simulation.rig import Rig
from tests.support.simulation.world import World, refused, unknown
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE
from tier1_engine.deployment.record import FOR_EVER
from tier1_engine.deployment.states import Goal, ResourceState, State
from tier1_engine.engine.equipment import Stop
from tier1_engine.errors import CallError, Refused
from tier1_engine.store import sweeps
from tier1_engine.sweep.outcome import ItemOutcome
from tier1_engine.sweep.plan import narrowed, of_plan, read, written
from tier1_engine.sweep.rules import Act, Interrupted
from tier1_engine.sweep.sweep import carry_out, summary

pytestmark = pytest.mark.promise(7)


@pytest.fixture
def estate(sqlite_template: Path) -> Estate:
    made = Estate(Rig(fast_store("sweep", sqlite_template)))
    made.world()
    return made


# --- failed, interrupted, expired


def test_an_old_failure_that_still_owns_resources_is_rolled_back(estate: Estate) -> None:
    """The engine deletes all of it, the result is recorded, and the summary has the figures."""
    failed = estate.plant()
    swept = estate.sweep()
    assert estate.state(failed) is State.ROLLED_BACK
    assert not estate.living
    assert (swept.exit_code, swept.counts["marked"], swept.counts["deleted"]) == (0, 3, 3)
    assert summary(swept.counts) == "tier1 sweep: marked=3 deleted=3 skipped=0 remained=0 reported=0"
    (row,) = sweeps.history(estate.rig.store, 5)
    assert (row.id, row.exit_code, row.deleted, len(row.results)) == (swept.id, 0, 3, 3)
    assert estate.rig.store.load(failed.id).deployment.swept_by == swept.id


@pytest.mark.parametrize(("age_hours", "older_than", "gone"), [(23, 24, False), (25, 24, True), (0, 0, True)])
def test_only_what_is_older_than_the_limit_is_deleted(
    estate: Estate, age_hours: float, older_than: float, gone: bool
) -> None:
    """The age counts from the last event."""
    estate.plant(age_hours=age_hours)
    estate.sweep(older_than_seconds=older_than * 3600)
    assert (not estate.living) is gone


def test_a_failure_that_owns_nothing_is_left_alone(estate: Estate) -> None:
    """There is nothing to clean up."""
    estate.plant(owned=())
    assert estate.sweep().counts["marked"] == 0


def test_a_deployment_that_was_active_is_destroyed(estate: Estate) -> None:
    """An expired stack is destroyed whatever its age; one that has not expired stays."""
    over = estate.plant(State.ACTIVE, age_hours=0, expires_at=estate.clock.now() - HOUR)
    later = estate.plant(State.ACTIVE, age_hours=99, expires_at=estate.clock.now() + HOUR)
    estate.sweep()
    assert (estate.state(over), estate.state(later)) == (State.DESTROYED, State.ACTIVE)
    assert estate.living == {thing.id for thing in estate.things_of(later)}


@pytest.mark.parametrize(
    ("how", "ends"),
    [
        (None, State.PROVISIONING_NETWORK),
        (Interrupted.REPORT, State.PROVISIONING_NETWORK),
        (Interrupted.ROLLBACK, State.ROLLED_BACK),
        (Interrupted.RESUME, State.ACTIVE),
    ],
)
def test_an_interrupted_provisioning_is_only_reported_by_default(
    estate: Estate, how: Interrupted | None, ends: State
) -> None:
    """The operator's option decides what a sweep does with it."""
    lost = estate.plant(State.PROVISIONING_NETWORK)
    swept = estate.sweep(interrupted=how)
    assert estate.state(lost) is ends
    assert swept.counts["reported"] == (1 if ends is State.PROVISIONING_NETWORK else 0)
    assert swept.exit_code == 0


@pytest.mark.parametrize("applied", [False, True], ids=["at once", "by a reviewed plan"])
def test_a_resumed_deployment_loses_its_duplicates_first(estate: Estate, applied: bool) -> None:
    """Both actions are in the plan, and both are carried out."""
    lost = estate.plant(State.PROVISIONING_NETWORK)
    late = estate.stray(lost)
    plan = estate.mark(orphans=True, interrupted=Interrupted.RESUME)
    swept = carry_out(estate.ground, reviewed(estate, written(plan)) if applied else plan)
    assert {r.item.act: r.outcome for r in swept.results} == {
        Act.CLEAR: ItemOutcome.DELETED,
        Act.RESUME: ItemOutcome.DONE,
    }
    assert (swept.exit_code, estate.state(lost)) == (0, State.ACTIVE)
    assert late.id not in estate.living


def test_a_resumed_deployment_that_rolls_itself_back_does_not_remain(estate: Estate) -> None:
    """It fails for good and leaves nothing, so the sweep exits with 0 and counts no remainder."""
    whole = estate.plant(State.PENDING, owned=())
    estate.rig.world.before.append(fail("create", "machine"))
    swept = estate.sweep(interrupted=Interrupted.RESUME)
    assert estate.state(whole) is State.ROLLED_BACK
    assert not estate.living
    assert (swept.exit_code, swept.counts["remained"]) == (0, 0)


@pytest.mark.parametrize(
    ("how", "ends"), [(None, State.ROLLED_BACK), (Interrupted.REPORT, State.ROLLING_BACK)]
)
def test_an_interrupted_rollback_is_completed(estate: Estate, how: Interrupted | None, ends: State) -> None:
    """Its goal is recorded, so it needs no option of the operator."""
    lost = estate.plant(State.ROLLING_BACK, Goal.ROLLED_BACK)
    estate.sweep(interrupted=how)
    assert estate.state(lost) is ends


def test_a_deployment_without_resources_is_rolled_back_without_a_deletion(estate: Estate) -> None:
    """The deployment itself is the item, and counts as done."""
    lost = estate.plant(State.PENDING, owned=())
    swept = estate.sweep(interrupted=Interrupted.ROLLBACK)
    assert estate.state(lost) is State.ROLLED_BACK
    assert [result.outcome for result in swept.results] == [ItemOutcome.DONE]
    assert swept.plan.deletions == 0


# --- what is spared


@pytest.mark.parametrize(
    "values",
    [{"keep_until": FOR_EVER}, {"keep_until": "later"}, {"spec": {"policy": {"keep": True}}}],
    ids=["kept", "kept until later", "kept by its spec"],
)
@pytest.mark.parametrize("state", [State.FAILED, State.ACTIVE])
@pytest.mark.leaves("the stray of what is kept", "unknown", "twice")
def test_a_protected_deployment_is_only_reported(
    estate: Estate, values: dict[str, Any], state: State
) -> None:
    """This holds when it has expired, and its duplicates stay too."""
    if values.get("keep_until") == "later":
        values = {"keep_until": estate.clock.now() + HOUR}
    kept = estate.plant(state, expires_at=estate.clock.now() - HOUR, **values)
    estate.stray(kept)
    before = estate.living
    swept = estate.sweep(orphans=True)
    assert estate.living == before
    assert all("protected" in item.reason for item in swept.plan.marking.reported)
    assert swept.counts == {"marked": 0, "deleted": 0, "skipped": 0, "remained": 0, "reported": 2}


def test_an_ended_protection_no_longer_protects(estate: Estate) -> None:
    """The deployment is swept like any other."""
    estate.plant(keep_until=estate.clock.now() - HOUR)
    estate.sweep()
    assert not estate.living


@pytest.mark.field_case(
    "github-aws-runners/terraform-aws-github-runner#4391: living machines were taken for orphans"
)
@pytest.mark.leaves("a stray that its driver will find", "unknown", "twice")
def test_a_running_deployment_is_left_alone(estate: Estate) -> None:
    """Not even its duplicates are touched."""
    driven = estate.plant(State.PROVISIONING_NETWORK)
    estate.stray(driven)
    estate.drive_elsewhere(driven)
    before = estate.living
    estate.sweep(orphans=True, interrupted=Interrupted.ROLLBACK)
    assert estate.living == before


def test_a_deployment_locked_between_mark_and_deletion_is_skipped_and_reported(estate: Estate) -> None:
    """The lease decides, and its holder is named."""
    failed = estate.plant()
    plan = estate.mark()
    estate.drive_elsewhere(failed)
    swept = carry_out(estate.ground, plan)
    assert {result.outcome for result in swept.results} == {ItemOutcome.SKIPPED}
    assert all("process" in result.why for result in swept.results)
    assert len(estate.living) == 3
    assert swept.exit_code == 0


def test_a_deployment_protected_between_mark_and_deletion_is_skipped(estate: Estate) -> None:
    """The row is read again under its lock."""
    failed = estate.plant()
    plan = estate.mark()
    sweeps.protect(
        estate.rig.store, failed.id, lambda d: ({"keep_until": FOR_EVER}, "kept"), estate.clock.now()
    )
    assert {r.outcome for r in carry_out(estate.ground, plan).results} == {ItemOutcome.SKIPPED}
    assert len(estate.living) == 3


def test_a_users_resource_in_an_owned_network_stops_the_whole_deletion(estate: Estate) -> None:
    """It is named, nothing of that deployment is deleted, and the others continue."""
    stopped, other = estate.plant(), estate.plant()
    net = next(thing for thing in estate.things_of(stopped) if thing.kind == "net")
    guest = estate.thing("machine", inside=(net.id,))
    swept = estate.sweep()
    assert swept.exit_code == 5
    assert estate.state(stopped) is State.FAILED
    assert estate.state(other) is State.ROLLED_BACK
    assert len(estate.things_of(stopped)) == 3
    remained = [result for result in swept.results if result.outcome is ItemOutcome.REMAINED]
    assert len(remained) == 3
    assert all(guest.id in result.why for result in remained)
    estate.world().remove_by_hand(guest)
    assert estate.sweep().exit_code == 0
    assert not estate.living


def test_a_users_resource_with_copied_tags_stops_the_whole_deletion_too(estate: Estate) -> None:
    """Field case: an auto-tagger copied our tags to it, and everything around it was deleted."""
    stopped = estate.plant()
    net = next(thing for thing in estate.things_of(stopped) if thing.kind == "net")
    guest = estate.thing("machine", dict(net.tags), inside=(net.id,))
    swept = estate.sweep()
    assert swept.exit_code == 5
    assert len(estate.things_of(stopped)) == 4
    assert "delete" not in {operation for operation, _ in estate.world().calls}
    remained = [result for result in swept.results if result.outcome is ItemOutcome.REMAINED]
    assert all(guest.id in result.why for result in remained)
    estate.world().remove_by_hand(guest)


def test_what_a_lost_reply_made_inside_an_owned_network_is_no_foreign_content(estate: Estate) -> None:
    """Its id is not on record yet, but a create without a known outcome is."""
    failed = estate.plant()
    net = next(thing for thing in estate.things_of(failed) if thing.kind == "net")
    late = estate.stray(failed, "door-1")
    late.needs = (net.id,)
    assert estate.sweep().exit_code == 0
    assert estate.state(failed) is State.ROLLED_BACK
    assert not estate.living


def test_a_users_resource_that_appears_during_the_deletion_stops_it(estate: Estate) -> None:
    """The contents are checked again just before each deletion."""
    failed = estate.plant()
    net = next(thing for thing in estate.things_of(failed) if thing.kind == "net")
    moved: list[str] = []

    def move_in(world: World, operation: str, parameters: Any) -> None:
        if operation == "delete" and not moved:
            moved.append(estate.thing("machine", inside=(net.id,)).id)

    estate.world().after.append(move_in)
    swept = estate.sweep()
    assert swept.exit_code == 5
    assert net.id in estate.living
    assert moved[0] in estate.living
    (left,) = [result for result in swept.results if result.outcome is ItemOutcome.REMAINED]
    assert moved[0] in left.why


# --- orphans and duplicates


def test_orphans_of_an_ended_deployment_are_deleted_and_recorded(estate: Estate) -> None:
    """Each gets a row and an attempt under its deployment, which stays ended."""
    ended = estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=())
    orphan = estate.stray(ended)
    assert estate.sweep().counts["marked"] == 0
    assert orphan.id in estate.living
    swept = estate.sweep(orphans=True)
    assert (swept.counts["deleted"], swept.exit_code) == (1, 0)
    assert not estate.living
    record = estate.rig.store.load(ended.id)
    assert record.deployment.state is State.ROLLED_BACK
    assert [row.state for row in record.resources.values()] == [ResourceState.DELETED] * 2
    (row,) = (row for row in record.resources.values() if row.is_duplicate)
    assert row.aws_id == orphan.id
    assert [a.action.value for a in estate.rig.store.attempts(ended.id)] == ["create", "delete"]


def test_an_existing_resource_recorded_as_deleted_is_an_orphan(estate: Estate) -> None:
    """Its row is opened again, and ends again."""
    ended = estate.plant(State.DESTROYED, Goal.DESTROYED, owned=("disk",), once_active=True)
    (row,) = estate.rig.store.load(ended.id).resources.values()
    with estate.rig.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE resources SET state = 'deleted', deleted_at = '2026-01-01'")
    assert estate.sweep(orphans=True).counts["deleted"] == 1
    assert estate.rig.store.load(ended.id).resources[row.id].state is ResourceState.DELETED
    assert not estate.living


def test_a_retained_resource_is_no_orphan(estate: Estate) -> None:
    """An operator asked for it to be retained."""
    ended = estate.plant(State.DESTROYED, Goal.DESTROYED, owned=(), once_active=True)
    kept = estate.own(ended, "disk", ResourceState.RETAINED)
    assert estate.sweep(orphans=True).counts["marked"] == 0
    assert estate.living == {kept.id}


def test_a_duplicate_of_an_active_deployment_is_deleted_and_the_deployment_stays(estate: Estate) -> None:
    """What AWS executed late is deleted, and nothing else."""
    active = estate.plant(State.ACTIVE, owned=("net", "door-1", "door-2", "disk", "machine"))
    mine = estate.living
    estate.stray(active, "machine")
    swept = estate.sweep(orphans=True)
    assert swept.counts["deleted"] == 1
    assert estate.living == mine
    assert estate.state(active) is State.ACTIVE


@pytest.mark.parametrize("executed", [True, False])
def test_the_result_of_a_cut_create_is_one_item_whether_aws_acted_or_not(
    estate: Estate, executed: bool
) -> None:
    """It is marked without an id: if found, it gets one and counts once; if not, it was never created."""
    rig = estate.rig
    cut = [act("create", "disk", rig.stop.ask), fail("create", "disk", error=unknown, times=1)]
    (rig.world.after if executed else rig.world.before).extend(cut)
    ended = rig.drive(rig.create("cut"))
    assert ended.record.resource_of("disk").aws_id is None  # type: ignore[union-attr]
    rig.world.before.clear()
    rig.stop.asked = False
    swept = estate.sweep(older_than_seconds=0.0, interrupted=Interrupted.ROLLBACK)
    (disk,) = [result for result in swept.results if result.item.kind == "disk"]
    wanted = (
        (ItemOutcome.DELETED, True, "") if executed else (ItemOutcome.SKIPPED, False, "AWS never created it")
    )
    assert (disk.outcome, disk.item.aws_id is not None, disk.why) == wanted
    assert swept.counts["marked"] == swept.counts["deleted"] + swept.counts["skipped"]
    assert not estate.living


@pytest.mark.parametrize("applied", [False, True], ids=["at once", "by a reviewed plan"])
def test_a_duplicate_that_blocks_a_deletion_is_deleted_first(estate: Estate, applied: bool) -> None:
    """A late subnet keeps the network, and so the census that would find the subnet."""
    failed = estate.plant(owned=("net", "disk"))
    net = next(thing for thing in estate.things_of(failed) if thing.kind == "net")
    estate.stray(failed, "door-1").needs = (net.id,)
    plan = estate.mark(orphans=True)
    swept = carry_out(estate.ground, reviewed(estate, written(plan)) if applied else plan)
    assert (swept.counts["deleted"], swept.exit_code, estate.living) == (3, 0, set())
    assert estate.state(failed) is State.ROLLED_BACK


def test_a_resource_taken_for_gone_that_blocks_a_deletion_is_deleted_first(estate: Estate) -> None:
    """AWS once answered NotFound for it: its row is opened before the deletion of what contains it."""
    failed = estate.plant(State.ROLLING_BACK, Goal.ROLLED_BACK, owned=("net", "door-1"))
    with estate.rig.store.engine.begin() as connection:
        gone = "UPDATE resources SET state = 'deleted', deleted_at = '2026-01-01' WHERE kind = 'door'"
        connection.exec_driver_sql(gone)
    swept = estate.sweep(orphans=True)
    assert (swept.counts["deleted"], swept.exit_code, estate.living) == (2, 0, set())
    assert estate.state(failed) is State.ROLLED_BACK


@pytest.mark.parametrize("how", [None, Interrupted.RESUME])
@pytest.mark.parametrize("state", [State.ACTIVE, State.FAILED, State.PROVISIONING_EFS])
def test_an_undeletable_duplicate_is_retried_by_the_next_sweep(
    estate: Estate, state: State, how: Interrupted | None
) -> None:
    """It has a row by then, so no census counts it as a duplicate any more."""
    whole = estate.plant(state, age_hours=1, owned=("disk",))
    mine = {thing.id for thing in estate.things_of(whole)}
    late = estate.stray(whole)
    estate.world().before.append(fail("delete", error=lambda: refused("OperationNotPermitted")))
    assert estate.sweep(orphans=True, interrupted=how).exit_code == 5
    assert late.id in estate.living
    estate.world().before.clear()
    assert estate.mark(interrupted=how).items == ()  # not without --orphans
    swept = estate.sweep(orphans=True, interrupted=how)
    assert (swept.counts["deleted"], swept.exit_code) == (1, 0)
    assert estate.living == mine
    assert estate.state(whole) is state


def test_a_resource_of_an_unanswered_create_is_left_to_its_deployment(estate: Estate) -> None:
    """A resume adopts it; deleting it as a duplicate would delete a resource in use."""
    rig = estate.rig
    cut = [act("create", "disk", rig.stop.ask), fail("create", "disk", error=unknown, times=1)]
    rig.world.after.extend(cut)
    id = rig.create("cut")
    ended = rig.drive(id)
    assert [thing.kind for thing in estate.things_of(ended.record.deployment)].count("disk") == 1
    rig.world.before.clear()
    assert ended.record.resource_of("disk") is not None
    assert ended.record.resource_of("disk").aws_id is None  # type: ignore[union-attr]
    rig.stop.asked = False
    before = estate.living
    estate.sweep(orphans=True)
    assert estate.living == before


LIKE_OURS = pytest.mark.leaves("what carries half of our tags", "unknown")


@pytest.mark.parametrize(
    "change",
    [
        lambda tags: {**tags, TAG_DATABASE: "another"},
        pytest.param(lambda tags: {**tags, TAG_DEPLOYMENT: "unknown"}, marks=LIKE_OURS),
        lambda tags: {k: v for k, v in tags.items() if k != TAG_DATABASE},
        pytest.param(lambda tags: {k: v for k, v in tags.items() if k != TAG_RESOURCE}, marks=LIKE_OURS),
    ],
    ids=["another database", "unknown deployment", "no database", "no resource"],
)
def test_tags_that_only_resemble_ours_are_reported(estate: Estate, change: Any) -> None:
    """This holds even under the id of an own deployment."""
    ended = estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=())
    strange = estate.stray(ended)
    strange.tags = change(strange.tags)
    swept = estate.sweep(orphans=True)
    assert (swept.counts["marked"], swept.counts["reported"], swept.exit_code) == (0, 1, 0)
    assert strange.id in estate.living
    assert not estate.mark(orphans=True).marking.items  # no plan names it either


@pytest.mark.leaves("what carries copies of our tags", "unknown")
def test_copied_tags_prove_nothing(estate: Estate) -> None:
    """Neither a sweep nor the census of a rollback deletes it, because its key is not one of the rows'."""
    failed = estate.plant()
    copy = estate.stray(failed, "machine")
    copy.key = "somebody-else"
    swept = estate.sweep(orphans=True)
    assert estate.living == {copy.id}
    assert estate.state(failed) is State.ROLLED_BACK
    assert [item.aws_id for item in swept.plan.marking.reported] == [copy.id]
    assert any(copy.id in text for text in estate.rig.store.load(failed.id).deployment.warnings)


@pytest.mark.field_case("a trial: a long tag on a copy ended every destroy on Postgres")
@pytest.mark.leaves("what carries an altered copy of our tags", "unknown")
def test_a_resource_tag_longer_than_any_of_tier1s_proves_nothing(estate: Estate) -> None:
    """Field case: on Postgres it did not fit its column, and ended every destroy."""
    failed = estate.plant()
    copy = estate.stray(failed, "machine")
    copy.tags[TAG_RESOURCE] += "-copied-by-the-auto-tagger-of-the-platform-team"
    copy.key = f"{copy.tags[TAG_RESOURCE]}-1-0"
    estate.sweep(orphans=True)
    assert estate.state(failed) is State.ROLLED_BACK
    assert estate.living == {copy.id}
    assert any(copy.id in text for text in estate.rig.store.load(failed.id).deployment.warnings)


@pytest.mark.leaves("what carries our tags where we never were", "unknown")
def test_tags_in_a_region_other_than_the_deployments_are_reported(estate: Estate) -> None:
    """A deployment creates nothing in another region."""
    ended = estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=())
    moved = estate.stray(ended, region="eu-west-1")
    assert estate.sweep(orphans=True).counts["reported"] == 0
    swept = estate.sweep(orphans=True, regions=("eu-west-1",))
    assert [item.aws_id for item in swept.plan.marking.reported] == [moved.id]
    assert moved.id in estate.living


@pytest.mark.field_case("a replaced script: the search for orphans used the client of one region for all")
def test_every_region_that_a_deployment_used_is_read(estate: Estate) -> None:
    """Each orphan is deleted in its region."""
    for region in ("us-east-1", "eu-west-1", "ap-south-1"):
        estate.stray(estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=(), region=region))
    assert estate.sweep(orphans=True).counts["deleted"] == 3
    assert not estate.living


# --- foreign


def foreign_plan(estate: Estate, **choice: Any) -> tuple[str, list[str]]:
    things = [
        estate.thing(kind, {TAG_DATABASE: "other", TAG_DEPLOYMENT: "f1", TAG_RESOURCE: f"r{n}"}, f"r{n}-1-0")
        for n, kind in enumerate(("net", "disk"))
    ]
    estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=())
    return written(estate.mark(foreign=True, **choice)), [thing.id for thing in things]


def reviewed(estate: Estate, text: str, max_age_seconds: float = 3600.0) -> Any:
    return read(
        text,
        database_id=estate.rig.store.database_id,
        now=estate.clock.now(),
        max_age_seconds=max_age_seconds,
    )


def test_foreign_resources_are_deleted_only_by_a_reviewed_plan(estate: Estate) -> None:
    """The same plan, applied, deletes them; each deletion is recorded."""
    text, ids = foreign_plan(estate)
    estate.sweep(foreign=True, orphans=True)
    assert estate.living == set(ids)
    swept = carry_out(estate.ground, reviewed(estate, text))
    assert (swept.counts["deleted"], swept.exit_code) == (2, 0)
    assert not estate.living
    stand_in = next(s.deployment for s in estate.rig.store.summaries() if s.deployment.tags_as_deployed)
    assert stand_in.state is State.ROLLED_BACK
    assert {r.state for r in estate.rig.store.load(stand_in.id).resources.values()} == {ResourceState.DELETED}


@pytest.mark.leaves("somebody tags a thing after the review", "changed")
def test_foreign_resources_that_changed_since_the_review_are_skipped(estate: Estate) -> None:
    """Their tags changed, or they are gone."""
    text, (net, disk) = foreign_plan(estate)
    estate.world().things[net].tags["owner"] = "somebody"
    estate.world().remove_by_hand(estate.world().things[disk])
    swept = carry_out(estate.ground, reviewed(estate, text))
    assert {result.outcome for result in swept.results} == {ItemOutcome.SKIPPED}
    assert net in estate.living


# --- plans


@pytest.mark.field_case("ekristen/aws-nuke#969: a sweep should delete exactly the list that was reviewed")
def test_a_reviewed_plan_is_applied_exactly(estate: Estate) -> None:
    """A duplicate created after the review stays, and keeps its deployment from ending."""
    failed = estate.plant()
    text = written(estate.mark())
    late = estate.stray(failed)
    swept = carry_out(estate.ground, reviewed(estate, text))
    assert swept.counts["deleted"] == 3
    assert estate.living == {late.id}
    assert estate.state(failed) is State.ROLLING_BACK
    estate.sweep()
    assert not estate.living
    assert estate.state(failed) is State.ROLLED_BACK


OTHER_ID = pytest.mark.leaves("a row whose id the test has changed", "unknown")


@pytest.mark.parametrize("what", ["resumed", "goal", "event", pytest.param("id", marks=OTHER_ID)])
def test_an_item_that_differs_is_skipped_and_reported(estate: Estate, what: str) -> None:
    """It is left alone unless state, goal, last event and AWS id equal those of the review."""
    failed, other = estate.plant(), estate.plant()
    text = written(estate.mark())
    statement = {
        "resumed": "UPDATE deployments SET state = 'active', activated_at = '2026-01-01' WHERE id = ?",
        "goal": "UPDATE deployments SET goal = 'rolled_back' WHERE id = ?",
        "event": "INSERT INTO events (deployment_id, at, message) VALUES (?, '2026-01-01', 'x')",
        "id": "UPDATE resources SET aws_id = 'net-9' WHERE deployment_id = ? AND kind = 'net'",
    }
    with estate.rig.store.engine.begin() as connection:
        connection.exec_driver_sql(statement[what], (failed.id,))
    swept = carry_out(estate.ground, reviewed(estate, text))
    assert (swept.counts["skipped"], swept.counts["deleted"], swept.exit_code) == (3, 3, 0)
    assert all(r.why for r in swept.results if r.outcome is ItemOutcome.SKIPPED)
    assert len(estate.things_of(failed)) == 3
    assert not estate.things_of(other)


@pytest.mark.parametrize("applied", [False, True], ids=["at once", "by a reviewed plan"])
@pytest.mark.parametrize("kind", ["disk", "net"])
def test_an_item_that_is_already_gone_is_skipped_and_reported(
    estate: Estate, applied: bool, kind: str
) -> None:
    """No report claims a deletion by somebody else; the rest is deleted as planned."""
    failed = estate.plant(owned=("net", "disk"))
    orphan = estate.stray(estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=()), kind)
    plan = estate.mark(orphans=True)
    (thing,) = (one for one in estate.things_of(failed) if one.kind == kind)
    for gone in (thing, orphan):
        estate.world().remove_by_hand(gone)
    swept = carry_out(estate.ground, reviewed(estate, written(plan)) if applied else plan)
    skipped = [result for result in swept.results if result.outcome is ItemOutcome.SKIPPED]
    assert {result.item.aws_id for result in skipped} == {thing.id, orphan.id}
    assert all(result.why for result in skipped)
    assert (swept.counts["deleted"], swept.counts["remained"], swept.exit_code) == (1, 0, 0)
    assert (estate.state(failed), estate.living) == (State.ROLLED_BACK, set())


@pytest.mark.field_case(
    "gruntwork-io/cloud-nuke#846: the real run ignored the tags that its dry run honoured"
)
def test_tags_are_read_again_just_before_each_deletion(estate: Estate) -> None:
    """What is no longer owned stays and is named, also in the middle of a deletion."""
    failed = estate.plant(owned=("net", "door-1", "disk"))
    plan = estate.mark()
    disk, net = (next(t for t in estate.things_of(failed) if t.kind == kind) for kind in ("disk", "net"))
    disk.tags = {"owner": "somebody"}

    def hand_over(world: World, operation: str, parameters: Any) -> None:
        if operation == "delete":
            net.tags = {"owner": "somebody"}

    estate.world().after.append(hand_over)
    swept = carry_out(estate.ground, plan)
    assert estate.living == {disk.id, net.id}
    left = {r.item.aws_id: r.why for r in swept.results if r.outcome is ItemOutcome.REMAINED}
    assert left.keys() == {disk.id, net.id}
    assert all("NotOurs" in why for why in left.values())
    assert (swept.counts["deleted"], swept.exit_code) == (1, 5)


def test_a_plan_that_was_changed_is_refused(estate: Estate) -> None:
    """One character, a cut, another version, another database and age all invalidate it."""
    estate.plant()
    text = written(estate.mark())
    net = next(thing for thing in estate.world().living() if thing.kind == "net")
    other = text.replace('"version": 1', '"version": 2')
    for bad in (text.replace(net.id, "net-7777"), text[:-30], "[]", "{}", other):
        with pytest.raises(Refused):
            reviewed(estate, bad)
    with pytest.raises(Refused, match="database"):
        read(text, database_id="other", now=estate.clock.now(), max_age_seconds=60.0)
    estate.clock.move_to(estate.clock.seconds + 61.0)
    with pytest.raises(Refused, match="longer ago than --plan-max-age"):
        reviewed(estate, text, max_age_seconds=60.0)
    estate.clock.offset = -timedelta(hours=2)
    with pytest.raises(Refused, match="in the future"):
        reviewed(estate, text)


@pytest.mark.leaves("the orphan that the plan names: nothing is swept", "unknown")
def test_a_plan_survives_writing_and_reading(estate: Estate) -> None:
    """It is equal item by item."""
    estate.plant()
    estate.stray(estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=()))
    plan = estate.mark(orphans=True, foreign=True)
    again = reviewed(estate, written(plan))
    assert [replace(i, age_seconds=0.0) for i in again.items] == [
        replace(i, age_seconds=0.0) for i in plan.items
    ]
    assert of_plan(plan)["deletions"] == 4


def test_only_leaves_the_other_kinds_for_the_next_sweep(estate: Estate) -> None:
    """What costs most can be deleted first: the deployment remains rolling back."""
    failed = estate.plant(owned=("net", "door-1", "door-2", "disk", "machine"))
    swept = carry_out(estate.ground, narrowed(estate.mark(), ["machine"], []))
    assert (swept.counts["deleted"], swept.counts["skipped"], swept.exit_code) == (1, 4, 0)
    assert "machine" not in {thing.kind for thing in estate.world().living()}
    assert estate.state(failed) is State.ROLLING_BACK
    assert estate.sweep().counts["deleted"] == 4
    assert not estate.living


def test_an_excluded_resource_stays_with_everything_it_needs(estate: Estate) -> None:
    """An AWS id excludes one resource; a deployment's id or name excludes all of it."""
    one, other = estate.plant(), estate.plant()
    door = next(t for t in estate.things_of(one) if t.kind == "door")
    swept = carry_out(estate.ground, narrowed(estate.mark(), [], [door.id, other.name]))
    assert {t.kind for t in estate.things_of(one)} == {"door", "net"}
    assert len(estate.things_of(other)) == 3
    assert swept.counts["deleted"] == 1
    (held,) = [r for r in swept.results if r.outcome is ItemOutcome.REMAINED]
    assert held.item.kind == "net"


# --- what goes wrong


def test_throttling_is_waited_out(estate: Estate) -> None:
    """It affects reads and deletions."""
    estate.plant()
    estate.stray(estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=()))
    throttled = lambda: refused("RequestLimitExceeded")  # noqa: E731
    estate.world().before += [fail(op, error=throttled, times=2) for op in ("find", "delete", "describe")]
    swept = estate.sweep(orphans=True)
    assert (swept.exit_code, swept.counts["deleted"]) == (0, 4)


def of_kind(kind: str, error: Any) -> Any:
    """Make every read of one kind fail."""

    def fault(world: World, operation: str, parameters: Any) -> None:
        if operation == "find" and parameters["kind"] == kind:
            raise error()

    return fault


@pytest.mark.field_case(
    "github-aws-runners/terraform-aws-github-runner#4724: a failed look-up left orphans for ever"
)
def test_a_kind_that_cannot_be_listed_is_a_gap_and_the_rest_is_deleted(estate: Estate) -> None:
    """Nothing of it is taken for gone; once it can be listed, the next sweep completes."""
    ended = estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=())
    disk, net = estate.stray(ended, "disk"), estate.stray(ended, "net")
    estate.world().before.append(of_kind("disk", lambda: refused("UnauthorizedOperation")))
    swept = estate.sweep(orphans=True)
    assert swept.exit_code == 5
    assert [(gap.kind, gap.code) for gap in swept.plan.gaps] == [("disk", "UnauthorizedOperation")]
    assert disk.id in estate.living
    assert net.id not in estate.living
    estate.world().before.clear()
    assert estate.sweep(orphans=True).exit_code == 0
    assert not estate.living


def test_a_failed_census_remains_for_the_next_sweep(estate: Estate) -> None:
    """Every row is gone and AWS denies the list: that is reported as unplanned and is not forgotten."""
    failed = estate.plant(owned=("disk",))
    late = estate.stray(failed)
    estate.world().before.append(of_kind("disk", lambda: refused("UnauthorizedOperation")))
    swept = estate.sweep()
    assert swept.exit_code == 5
    left = [result for result in swept.results if result.outcome is ItemOutcome.REMAINED]
    assert [result.item.id for result in left] == [failed.id]
    assert "UnauthorizedOperation" in left[0].why
    assert (estate.state(failed), estate.living) == (State.FAILED, {late.id})
    estate.world().before.clear()
    assert estate.sweep().exit_code == 0
    assert (estate.state(failed), estate.living) == (State.ROLLED_BACK, set())


@pytest.mark.leaves("the stray that the sweep did not come to", "unknown")
def test_a_marked_duplicate_that_was_not_reached_remains(estate: Estate) -> None:
    """It was to be deleted with its deployment, whose census failed: it is not reported as gone."""
    failed = estate.plant(owned=("disk",))
    estate.stray(failed)
    plan = estate.mark(orphans=True)
    estate.world().before.append(of_kind("disk", lambda: refused("UnauthorizedOperation")))
    swept = carry_out(estate.ground, plan)
    assert (swept.counts["deleted"], swept.counts["remained"], swept.exit_code) == (1, 1, 5)


def test_an_unreachable_region_is_a_gap_and_the_others_are_swept(estate: Estate) -> None:
    """The failed deployment there stays unchanged on record and in AWS."""
    far = estate.plant(region="eu-west-1")
    near = estate.plant()
    gone = fail("look", error=lambda: CallError("NameNotResolved", "no such host", operation="Sts"))
    estate.world("eu-west-1").before.append(gone)
    swept = estate.sweep(orphans=True)
    assert swept.exit_code == 5
    assert (estate.state(far), estate.state(near)) == (State.FAILED, State.ROLLED_BACK)
    assert {r.outcome for r in swept.results if r.item.owner.deployment == far.id} == {ItemOutcome.REMAINED}
    estate.world("eu-west-1").before.clear()
    assert estate.sweep(orphans=True).exit_code == 0
    assert not estate.living


def test_the_wrong_account_is_never_swept(estate: Estate) -> None:
    """The same ids may name other resources there."""
    failed = estate.plant()
    estate.world().account_id = "999999999999"
    swept = estate.sweep(orphans=True)
    assert swept.exit_code == 7
    assert estate.state(failed) is State.FAILED
    assert len(estate.living) == 3


def test_credentials_that_expire_midway_leave_the_rest_to_the_next_sweep(estate: Estate) -> None:
    """The next sweep completes what was begun, whatever its age; the rest is untouched."""
    first, second = estate.plant(age_hours=40), estate.plant(age_hours=30)
    seen = [0]

    def expire(world: World, operation: str, parameters: Any) -> None:
        seen[0] += operation == "delete"
        if seen[0] > 1:
            raise refused("ExpiredToken")

    estate.world().before.append(expire)
    swept = estate.sweep()
    assert swept.exit_code == 5
    assert (estate.state(first), estate.state(second)) == (State.ROLLING_BACK, State.FAILED)
    assert len(estate.things_of(second)) == 3
    estate.world().before.clear()
    again = estate.sweep()
    assert again.exit_code == 0
    assert not estate.living


def test_an_undeletable_resource_is_named_and_retried_by_the_next_sweep(estate: Estate) -> None:
    """A failure in one deployment does not stop the others."""
    stuck, fine = estate.plant(age_hours=40), estate.plant()
    net = next(thing for thing in estate.things_of(stuck) if thing.kind == "net")
    estate.world().before.append(
        lambda world, op, p: (
            (_ for _ in ()).throw(refused("OperationNotPermitted"))
            if op == "delete" and p["id"] == net.id
            else None
        )
    )
    swept = estate.sweep()
    assert swept.exit_code == 5
    assert (estate.state(stuck), estate.state(fine)) == (State.FAILED, State.ROLLED_BACK)
    (left,) = [result for result in swept.results if result.outcome is ItemOutcome.REMAINED]
    assert "OperationNotPermitted" in left.why
    estate.world().before.clear()
    assert estate.sweep().exit_code == 0
    assert not estate.living


def test_a_slow_wall_clock_makes_nothing_old(estate: Estate) -> None:
    """It is reported, and nothing is deleted."""
    estate.plant(age_hours=0.0)
    estate.clock.offset = -timedelta(hours=3)
    swept = estate.sweep(older_than_seconds=0.0)
    assert swept.counts["marked"] == 0
    assert [gap.code for gap in swept.plan.gaps] == ["ClockSkew"]
    assert len(estate.living) == 3


def test_a_signal_leaves_the_rest_for_the_next_sweep(estate: Estate) -> None:
    """It exits with 130, and the next sweep continues what was begun."""
    estate.plant(age_hours=40), estate.plant()
    estate.world().after.append(act("delete", None, estate.rig.stop.ask))
    assert estate.sweep().exit_code == 130
    estate.world().after.clear()
    estate.rig.stop = Stop()
    assert estate.sweep().exit_code == 0
    assert not estate.living


def test_two_sweeps_of_one_plan_do_not_disturb_each_other(estate: Estate) -> None:
    """The second finds what the first deleted, and says so."""
    estate.plant()
    plan = estate.mark()
    assert carry_out(estate.ground, plan).counts["deleted"] == 3
    second = carry_out(estate.ground, plan)
    assert (second.counts["skipped"], second.counts["deleted"], second.exit_code) == (3, 0, 0)


def test_the_actions_are_those_of_the_contract() -> None:
    """A plan's JSON names them."""
    assert {act.value for act in Act} == {"rollback", "destroy", "finish", "resume", "clear", "foreign"}
