"""What an adopted copy of the database takes for its own, by what an object is in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.backups import back_up
from tests.support.simulation.faults import fail
from tests.support.simulation.kinds import SimKind
from tests.support.simulation.rig import Rig, plan
from tests.support.simulation.world import Thing
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import TAG_RESOURCE, Observation, Registry
from tier1_engine.deployment.creation import DeploymentRequest
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.plan import Plan, StepPlan, ref
from tier1_engine.deployment.states import Goal, Phase, State
from tier1_engine.engine import engine
from tier1_engine.engine.engine import Resume
from tier1_engine.engine.equipment import Equipment
from tier1_engine.errors import DatabaseBehind
from tier1_engine.store.store import Store
from tier1_engine.store.witness import Witness
from tier1_engine.survey.adoption import Adopted, adopt
from tier1_engine.survey.history import History

pytestmark = pytest.mark.promise(3)


class Table(SimKind):
    """Like a route table: no call can change the net that it is in."""

    fixed: ClassVar = {"net": "net"}

    def _observation(self, cloud: Cloud, thing: Thing) -> Observation:
        return replace(super()._observation(cloud, thing), facts={"net": thing.needs[0]})


class Mount(SimKind):
    """Like a mount target: it has no tag of its own, and shows what it is in and what it is of."""

    def _observation(self, cloud: Cloud, thing: Thing) -> Observation:
        seen = super()._observation(cloud, thing)
        tags = {name: value for name, value in seen.tags.items() if name not in {TAG_RESOURCE, "Name"}}
        return replace(seen, tags=tags, facts=dict(zip(("disk", "net"), thing.needs, strict=True)))

    def owns(self, target: Any, observation: Observation) -> bool:
        return super().owns(
            target, replace(observation, tags={**observation.tags, TAG_RESOURCE: target.resource_id})
        )


def placed() -> Plan:
    """net -> a table in it, and a mount of the disk in it."""
    steps = (
        StepPlan("net", Phase.NETWORK, "net"),
        StepPlan(
            "table", Phase.NETWORK, "table", needs=("net",), inputs={"net": ref("net"), "needs": [ref("net")]}
        ),
        StepPlan("disk", Phase.EFS, "disk"),
        StepPlan(
            "mount",
            Phase.EFS,
            "mount",
            needs=("net", "disk"),
            inputs={"disk": ref("disk"), "net": ref("net"), "needs": [ref("disk"), ref("net")]},
        ),
    )
    return replace(plan(), steps=steps, outputs={})


@dataclass
class Restored:
    """A deployment that became active, a backup from before its first create, and what stands beside it."""

    rig: Rig
    folder: Path
    copy: Store
    id: str

    @property
    def equipment(self) -> Equipment:
        history = History(Witness(self.folder / self.copy.database_id))
        return equipped(replace(self.rig.equipment, store=self.copy, history=history))

    def adopt(self) -> Adopted:
        return adopt(self.equipment, Witness(self.folder / self.copy.database_id), self.id)

    def roll_back(self) -> State:
        return engine.resume(self.equipment, self.id, Resume.ROLL_BACK).record.deployment.state

    def theirs(self, kind: str, tags: dict[str, str], *needs: str) -> Thing:
        thing = Thing(f"their-{kind}", kind, dict(tags), "", self.rig.clock.seconds, needs)
        self.rig.world.things[thing.id] = thing
        return thing

    @property
    def standing(self) -> list[str]:
        return sorted(thing.id for thing in self.rig.world.living())


def equipped(equipment: Equipment) -> Equipment:
    more = {"table": Table("table"), "mount": Mount("mount")}
    known = equipment.registry
    return replace(equipment, registry=Registry({**known.kinds, **more}, known.checks))


def restored(rig: Rig, folder: Path) -> Restored:
    path = folder / "copy.db"
    request = DeploymentRequest(name="demo", spec={"name": "demo"})
    id = engine.create(equipped(rig.equipment), request, placed(), Place("123456789012", "us-east-1"))
    back_up(str(rig.store.engine.url.database), path)
    assert engine.drive(equipped(rig.equipment), id).record.deployment.state is State.ACTIVE
    rig.clock.move_to(rig.clock.seconds + 2 * rig.settings.lease_seconds)
    return Restored(rig, folder, Store.open(f"sqlite:///{path}"), id)


def test_what_is_in_another_place_is_not_adopted(rig: Rig, tmp_path: Path) -> None:
    case = restored(rig, tmp_path)
    (ours,) = rig.world.of("table")
    case.theirs("net", {})
    theirs = case.theirs("table", ours.tags, "their-net")
    found = case.adopt()
    assert ours.id in {row.aws_id for row in found.rows}
    assert theirs.id not in {row.aws_id for row in found.rows}
    assert case.roll_back() is State.ROLLED_BACK
    assert case.standing == ["their-net", "their-table"]
    rig.world.remove_by_hand(theirs)


def test_a_copy_of_tags_outlives_what_it_was_copied_from(rig: Rig, tmp_path: Path) -> None:
    """The original deleted all of it since: what still has the tags is not tier1's, and is named."""
    case = restored(rig, tmp_path)
    (ours,) = rig.world.of("table")
    case.theirs("net", {})
    theirs = case.theirs("table", ours.tags, "their-net")
    for thing in rig.world.living():
        if not thing.id.startswith("their-"):
            rig.world.remove_by_hand(thing)
    found = case.adopt()
    assert found.rows == ()
    assert theirs.id in str(found)
    theirs.tags.clear()
    case.adopt()
    assert case.roll_back() is State.ROLLED_BACK
    assert case.standing == ["their-net", "their-table"]
    rig.world.remove_by_hand(theirs)


def test_a_mount_is_adopted_with_what_it_is_in(rig: Rig, tmp_path: Path) -> None:
    case = restored(rig, tmp_path)
    assert {row.step for row in case.adopt().rows} == {"net", "table", "disk", "mount"}
    assert case.roll_back() is State.ROLLED_BACK
    assert case.standing == []


def test_resume_continues_with_what_was_made(rig: Rig, tmp_path: Path) -> None:
    """Nothing is made twice: what a later state made is used, and configured with what the steps say."""
    case = restored(rig, tmp_path)
    before, created = case.standing, rig.world.executed("create")
    found = case.adopt()
    assert {row.name for row in found.rows} == {row.step for row in found.rows}
    ended = engine.resume(case.equipment, case.id).record
    assert ended.deployment.state is State.ACTIVE
    assert (case.standing, rig.world.executed("create")) == (before, created)
    table = ended.resource_of("table")
    assert table is not None
    assert table.request["net"] == rig.world.of("net")[0].id


@pytest.mark.field_case("a trial: what had copied tags was adopted once the original was gone, and deleted")
@pytest.mark.leaves("somebody copied our tags", "unknown")
def test_a_lone_object_with_copied_tags_is_not_adopted(rig: Rig, tmp_path: Path) -> None:
    """The original destroyed its own since, and nothing else of the deployment is in this one."""
    case = restored(rig, tmp_path)
    (ours,) = rig.world.of("net")
    case.theirs("net", ours.tags)
    engine.request(equipped(rig.equipment), case.id, Goal.DESTROYED)
    engine.drive(equipped(rig.equipment), case.id)
    found = case.adopt()
    assert (found.rows, [one.aws_id for _, one in found.alone]) == ((), ["their-net"])
    with pytest.raises(DatabaseBehind):
        case.roll_back()
    assert case.standing == ["their-net"]


def test_a_resource_that_aws_had_refused_is_learned_when_a_later_state_created_it(
    rig: Rig, tmp_path: Path
) -> None:
    """The retry gave its object the tag of the row that the copy has; the copy alone knows that, too."""
    path = tmp_path / "copy.db"
    rig.world.before.append(fail("create", "door-2", times=1))
    id = rig.deploy(rollback_enabled=False).record.deployment.id
    back_up(str(rig.store.engine.url.database), path)
    assert engine.resume(rig.equipment, id, Resume.RETRY).record.deployment.state is State.ACTIVE
    rig.clock.move_to(rig.clock.seconds + 2 * rig.settings.lease_seconds)
    before = sorted(thing.id for thing in rig.world.living())
    copy = Store.open(f"sqlite:///{path}")
    witness = Witness(tmp_path / copy.database_id)
    here = replace(rig.equipment, store=copy, history=History(witness))
    with pytest.raises(DatabaseBehind, match="adopt-copy"):
        engine.resume(here, id, Resume.RETRY)
    assert {row.name for row in adopt(here, witness, id).rows} >= {"door-2"}
    here = replace(here, history=History(witness))
    assert engine.resume(here, id, Resume.RETRY).record.deployment.state is State.ACTIVE
    assert sorted(thing.id for thing in rig.world.living()) == before
    copy.close()
