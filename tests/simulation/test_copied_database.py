"""A copy of the database, or a restored backup, while the deployment moved on: it changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.backups import back_up
from tests.support.simulation.faults import act, fail
from tests.support.simulation.rig import Rig, plan
from tests.support.simulation.world import Thing, refused
from tier1_engine.contract.kind import TAG_RESOURCE
from tier1_engine.deployment.creation import DeploymentRequest
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import Deployment
from tier1_engine.deployment.states import Goal, State
from tier1_engine.engine import engine
from tier1_engine.engine.engine import Resume
from tier1_engine.engine.equipment import Equipment
from tier1_engine.errors import Blocked, DatabaseBehind
from tier1_engine.store.store import Store
from tier1_engine.store.witness import Witness
from tier1_engine.survey.access import Access
from tier1_engine.survey.adoption import adopt
from tier1_engine.survey.history import History
from tier1_engine.sweep.outcome import ItemOutcome
from tier1_engine.sweep.rules import Choice, Interrupted
from tier1_engine.sweep.sweep import SweepSetup, carry_out, survey

pytestmark = pytest.mark.promise(3)

CHANGING = ("create", "set", "delete")
ELSEWHERE = "another host"


@dataclass
class Case:
    """A deployment, and a copy of its database from the middle of it.

    Attributes:
        copy: the copy's store, on this host or another.
    """

    rig: Rig
    folder: Path
    copy: Store
    id: str

    def equipment(self, store: Store, host: str = "here") -> Equipment:
        """What a new command has on a host, with the real check."""
        history = History(Witness(self.folder / host / store.database_id))
        return replace(self.rig.equipment, store=store, history=history)

    @property
    def changed(self) -> int:
        return sum(call in CHANGING for call, _ in self.rig.world.calls)


@pytest.fixture
def copied_at(rig: Rig, tmp_path: Path) -> Callable[..., Case]:
    """Deploy, and copy the database at a call of the deployment; the original becomes active."""

    def copied(operation: str, step: str | None) -> Case:
        path = tmp_path / "copy.db"

        def copy() -> str:
            back_up(str(rig.store.engine.url.database), path)
            return f"sqlite:///{path}"

        return active_with_copy(rig, tmp_path, copy, operation, step)

    return copied


def active_with_copy(
    rig: Rig, folder: Path, copy: Callable[[], str], operation: str, step: str | None
) -> Case:
    """Deploy, and copy the database at a call; `copy` tells the URL of the copy."""
    urls: list[str] = []
    rig.world.after.append(act(operation, step, lambda: urls.append(copy())))
    case = Case(rig, folder, rig.store, "")
    ended = deploy(rig, case.equipment(rig.store))
    assert ended.state is State.ACTIVE
    case.id = ended.id
    case.copy = Store.open(*urls)
    rig.clock.move_to(rig.clock.seconds + 2 * rig.settings.lease_seconds)
    return case


def deploy(rig: Rig, equipment: Equipment) -> Deployment:
    request = DeploymentRequest(name="demo", spec={"name": "demo"})
    place = Place("123456789012", "us-east-1")
    return engine.deploy(equipment, request, plan(), place).record.deployment


def resume(equipment: Equipment, id: str) -> None:
    engine.resume(equipment, id)


def roll_back(equipment: Equipment, id: str) -> None:
    engine.resume(equipment, id, Resume.ROLL_BACK)


def destroy(equipment: Equipment, id: str) -> None:
    engine.request(equipment, id, Goal.DESTROYED)
    engine.drive(equipment, id)


COMMANDS = {"resume": resume, "rollback": roll_back, "destroy": destroy}


@pytest.mark.parametrize("host", ["here", ELSEWHERE])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_copy_from_the_middle_changes_nothing(
    copied_at: Callable[..., Case], command: str, host: str
) -> None:
    """What was created since shows on any host that the database is behind; the rows stay as they are."""
    case = copied_at("create", "door-1")
    before, rows = case.changed, case.copy.load(case.id)
    with pytest.raises(DatabaseBehind, match=r"copy or a backup .* run `tier1 db adopt-copy`") as refusal:
        COMMANDS[command](case.equipment(case.copy, host), case.id)
    assert refusal.value.exit_code == 7
    assert case.changed == before
    assert case.copy.load(case.id).deployment == rows.deployment
    case.copy.close()


@pytest.mark.postgres
def test_a_postgres_that_was_restored_beside_the_original_changes_nothing(
    postgres_url: str, copied_postgres: Callable[[], str], tmp_path: Path
) -> None:
    """Every command is refused on the restored one; once it is adopted, it can delete everything."""
    rig = Rig(Store.open(postgres_url))

    def restored() -> str:
        rig.store.close()  # a database with connections cannot be copied; the next turn connects anew
        return copied_postgres()

    case = active_with_copy(rig, tmp_path, restored, "create", "door-1")
    before = case.changed
    for command in COMMANDS.values():
        with pytest.raises(DatabaseBehind, match=r"copy or a backup .* run `tier1 db adopt-copy`"):
            command(case.equipment(case.copy, ELSEWHERE), case.id)
    assert case.changed == before
    witness = Witness(tmp_path / ELSEWHERE / case.copy.database_id)
    (row,) = adopt(case.equipment(case.copy), witness, case.id).rows
    assert row.step == "machine"
    roll_back(case.equipment(case.copy, ELSEWHERE), case.id)
    assert case.copy.load(case.id).deployment.state is State.ROLLED_BACK
    assert not rig.world.living()
    case.copy.close()
    rig.store.close()


@pytest.mark.field_case("a trial: a sweep on a copy of the database deleted what the original had made since")
@pytest.mark.parametrize("how", Interrupted)
def test_a_sweep_on_a_copy_leaves_the_deployment_alone(
    copied_at: Callable[..., Case], how: Interrupted
) -> None:
    """It is reported as remaining, with the reason; a report stays a report."""
    case = copied_at("create", "door-1")
    equipment = case.equipment(case.copy, ELSEWHERE)
    access = Access(lambda place: equipment, lambda seconds: None, 1)
    ground = SweepSetup(
        case.copy, case.rig.clock, access, equipment.registry, side_by_side=1, new_id=case.rig.ids
    )
    before = case.changed
    choice = Choice(older_than_seconds=0.0, interrupted=how)
    swept = carry_out(ground, survey(ground, choice, [], None))
    assert case.changed == before
    if how is not Interrupted.REPORT:
        assert {result.outcome for result in swept.results} == {ItemOutcome.REMAINED}
        assert all("adopt-copy" in result.why for result in swept.results)
        assert swept.exit_code == 5
    case.copy.close()


def test_a_copy_behind_only_in_its_state_is_known_on_this_host(copied_at: Callable[..., Case]) -> None:
    """Nothing was created since, so AWS does not show it; the host has seen a later revision."""
    case = copied_at("look", None)
    before = case.changed
    with pytest.raises(DatabaseBehind, match="This host has seen revision"):
        roll_back(case.equipment(case.copy), case.id)
    assert case.changed == before
    case.copy.close()


def test_the_original_and_a_file_that_was_moved_continue(copied_at: Callable[..., Case]) -> None:
    """A name is not an identity: the database is the same under another one, and on another host."""
    case = copied_at("create", "door-1")
    case.copy.close()
    url = case.rig.store.engine.url.database or ""
    moved = Path(url).with_name("moved.db")
    case.rig.store.close()
    shutil.move(url, moved)
    store = Store.open(f"sqlite:///{moved}")
    destroy(case.equipment(store, ELSEWHERE), case.id)
    assert store.load(case.id).deployment.state is State.DESTROYED
    assert not case.rig.world.living()
    store.close()
    shutil.move(moved, url)


@pytest.mark.parametrize("command", ["rollback", "resume"])
def test_an_adopted_copy_continues(copied_at: Callable[..., Case], command: str) -> None:
    """What it did not know is recorded: `resume` uses it and makes nothing twice, `rollback` deletes all."""
    case = copied_at("create", "door-1")
    before = {thing.id for thing in case.rig.world.living()}
    equipment = case.equipment(case.copy)
    (row,) = adopt(equipment, Witness(case.folder / "here" / case.copy.database_id), case.id).rows
    assert (row.step, row.name) == ("machine", "machine")
    COMMANDS[command](case.equipment(case.copy), case.id)
    state = case.copy.load(case.id).deployment.state
    assert state is (State.ACTIVE if command == "resume" else State.ROLLED_BACK)
    assert {thing.id for thing in case.rig.world.living()} == (before if command == "resume" else set())
    case.copy.close()


def test_what_was_adopted_and_is_hidden_is_waited_for(copied_at: Callable[..., Case]) -> None:
    """Its age counts from the adoption."""
    case = copied_at("create", "door-1")
    before = {thing.id for thing in case.rig.world.living()}
    adopt(case.equipment(case.copy), Witness(case.folder / "here" / case.copy.database_id), case.id)
    case.rig.world.hide("machine", 6)
    resume(case.equipment(case.copy), case.id)
    assert case.copy.load(case.id).deployment.state is State.ACTIVE
    assert {thing.id for thing in case.rig.world.living()} == before
    case.copy.close()


@pytest.mark.leaves("the original does not know what its copy makes", "unknown")
def test_what_was_adopted_and_then_deleted_by_hand_is_made_anew_once(copied_at: Callable[..., Case]) -> None:
    case = copied_at("create", "door-1")
    adopt(case.equipment(case.copy), Witness(case.folder / "here" / case.copy.database_id), case.id)
    (machine,) = case.rig.world.of("machine")
    case.rig.world.remove_by_hand(machine)
    resume(case.equipment(case.copy), case.id)
    assert case.copy.load(case.id).deployment.state is State.ACTIVE
    (anew,) = (thing for thing in case.rig.world.of("machine") if case.rig.world.exists(thing))
    assert anew.id != machine.id
    assert anew.tags[TAG_RESOURCE] == machine.tags[TAG_RESOURCE]
    case.copy.close()


def tag_like(case: Case, step: str, kind: str) -> Thing:
    """Somebody's own object, which a tool gave the tags of the object of a step."""
    tags = dict(case.rig.world.of(step)[0].tags)
    copy = Thing("theirs", kind, tags, "", case.rig.clock.seconds, ())
    case.rig.world.things[copy.id] = copy
    return copy


@pytest.mark.field_case("a trial: a tool copied the tags of a VPC; an adopted backup deleted a subnet")
@pytest.mark.parametrize("step", ["door-1", "machine"])
def test_an_adoption_takes_no_copy_of_another_kinds_tags(copied_at: Callable[..., Case], step: str) -> None:
    """Its name says that another step made it: it is reported by the next run, and stays."""
    case = copied_at("create", "net")
    theirs = tag_like(case, step, "disk")
    found = adopt(case.equipment(case.copy), Witness(case.folder / "here" / case.copy.database_id), case.id)
    assert theirs.id not in {row.aws_id for row in found.rows}
    assert found.unclear == ()
    COMMANDS["rollback"](case.equipment(case.copy), case.id)
    assert case.copy.load(case.id).deployment.state is State.ROLLED_BACK
    assert [thing.id for thing in case.rig.world.living()] == [theirs.id]
    case.rig.world.remove_by_hand(theirs)
    case.copy.close()


def test_of_two_that_may_be_one_resource_an_adoption_takes_none(copied_at: Callable[..., Case]) -> None:
    """Both are named, and nothing of the deployment is changed until somebody has removed the copied tags."""
    case = copied_at("create", "net")
    (ours,) = case.rig.world.of("door-1")
    theirs = tag_like(case, "door-1", "door")
    witness = Witness(case.folder / "here" / case.copy.database_id)
    found = adopt(case.equipment(case.copy), witness, case.id)
    assert {one.aws_id for _, one in found.unclear} == {ours.id, theirs.id}
    with pytest.raises(DatabaseBehind, match="adopt-copy"):
        COMMANDS["rollback"](case.equipment(case.copy), case.id)
    theirs.tags.clear()
    assert {row.aws_id for row in adopt(case.equipment(case.copy), witness, case.id).rows} == {ours.id}
    COMMANDS["rollback"](case.equipment(case.copy), case.id)
    assert [thing.id for thing in case.rig.world.living()] == [theirs.id]
    case.rig.world.remove_by_hand(theirs)
    case.copy.close()


def test_a_copy_is_adopted_only_when_all_of_it_can_be_listed(copied_at: Callable[..., Case]) -> None:
    """A check without lists proves nothing and passes; a takeover without them would forget something."""
    case = copied_at("create", "door-1")
    case.rig.world.before.append(fail("find", error=lambda: refused("UnauthorizedOperation")))
    witness = Witness(case.folder / ELSEWHERE)
    with pytest.raises(Blocked, match="could not be listed completely"):
        adopt(case.equipment(case.copy), witness, case.id)
    History(witness).check(case.equipment(case.copy), case.id)
    case.copy.close()


@pytest.mark.leaves("somebody copied our tags", "unknown")
@pytest.mark.parametrize("tag", ["known", "their-own", "0123456789abcdef0123456789abcdef"])
def test_a_copied_or_strange_tag_is_no_evidence(rig: Rig, tmp_path: Path, tag: str) -> None:
    """An auto-tagger copies tags of what has a row; nobody has an id of ours by chance."""
    case = Case(rig, tmp_path, rig.store, "")
    case.id = deploy(rig, case.equipment(rig.store)).id
    row = rig.store.load(case.id).resource_of("net")
    assert row is not None
    thing = rig.world.things[str(row.aws_id)]
    tags = {**thing.tags, TAG_RESOURCE: row.id if tag == "known" else tag}
    rig.world.things["theirs"] = Thing("theirs", "door", tags, "", rig.clock.seconds, ())
    destroy(case.equipment(rig.store), case.id)
    assert rig.store.load(case.id).deployment.state is State.DESTROYED
    assert [one.id for one in rig.world.living()] == ["theirs"]
