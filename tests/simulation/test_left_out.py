"""A place that AWS does not offer: the deployment continues without it, if another place remains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.points import at_point
from tests.support.simulation.faults import executed_late, fail
from tests.support.simulation.life import LIVES, WAYS_OUT, Stage, check
from tests.support.simulation.moments import told_apart
from tests.support.simulation.rig import Rig, failure_of, placed_plan
from tests.support.simulation.world import refused, unknown
from tier1_engine.deployment.plan import Plan
from tier1_engine.deployment.states import Action, Goal, Outcome, ResourceState, State, StepState
from tier1_engine.engine import engine
from tier1_engine.engine.decide.amendment import Amendment, with_left_out
from tier1_engine.engine.engine import Ended, Resume

WARNING = "door-2 was left out, because AWS does not offer it in b (NotOffered): it only had a"


def not_offered(rig: Rig, *doors: str) -> None:
    for door in doors:
        rig.world.before.append(fail("create", door, error=lambda: refused("NotOffered")))


def creates(rig: Rig, ended: Ended, step: str) -> list[tuple[Outcome | None, str | None]]:
    tried = rig.store.attempts(ended.record.deployment.id)
    return [(a.outcome, a.code) for a in tried if a.step == step and a.action is Action.CREATE]


def test_a_place_that_is_not_offered_is_left_out_with_a_warning(rig: Rig) -> None:
    """One call, recorded with its answer; the machine is created without that door, and all of it goes."""
    not_offered(rig, "door-2")
    ended = rig.deploy(the_plan=placed_plan())
    record = ended.record
    assert (record.deployment.state, record.deployment.failure) == (State.ACTIVE, None)
    assert record.deployment.warnings == (WARNING,)
    assert creates(rig, ended, "door-2") == [(Outcome.REFUSED, "NotOffered")]
    left_out, machine = record.resource_of("door-2"), record.resource_of("machine")
    assert left_out is not None
    assert machine is not None
    assert (record.steps["door-2"].state, left_out.state) == (StepState.SKIPPED, ResourceState.DELETED)
    assert list(machine.request["doors"]) == ["a"]
    notes = [event.message for event in rig.store.events(record.deployment.id) if event.step == "door-2"]
    assert "NotOffered: not b; continuing without door-2" in notes
    assert rig.ask(record.deployment.id, Goal.DESTROYED).record.deployment.state is State.DESTROYED
    assert not rig.world.living()


def test_without_any_place_the_failure_names_all_of_them(rig: Rig) -> None:
    """Both answers arrive in one turn: the second door is the last one, so it is not left out, too."""
    not_offered(rig, "door-1", "door-2")
    ended = rig.deploy(the_plan=placed_plan())
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).code == "NotOffered"
    assert "(refused: a, b)" in failure_of(ended).message
    assert not rig.world.living()


def test_a_step_that_another_one_cannot_do_without_fails(rig: Rig) -> None:
    """Without another place in the plan there is no choice of tier1's to revise."""
    not_offered(rig, "door-2")
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).step == "door-2"


def test_what_may_have_been_created_is_searched_for_before_its_place_is_left_out(rig: Rig) -> None:
    """The first create was executed and its reply lost: it is adopted, not left out."""
    rig.world.after.append(fail("create", "door-2", error=lambda: unknown("CallTimeout"), times=1))
    ended = rig.deploy(the_plan=placed_plan())
    assert ended.record.steps["door-2"].state is StepState.DONE
    assert ended.record.deployment.warnings == ()


def test_a_retry_keeps_what_was_left_out(rig: Rig) -> None:
    """The corrected plan still has both doors: the machine is created without the one that is not offered."""
    not_offered(rig, "door-2")
    rig.world.before.append(fail("create", "machine", times=1))
    failed = rig.deploy(the_plan=placed_plan(), rollback_enabled=False).record
    id = failed.deployment.id
    wanted: Plan = with_left_out(placed_plan(), failed, rig.equipment.registry.kinds)
    ended = engine.resume(rig.equipment, id, Resume.RETRY, Amendment({"name": "demo"}, wanted))
    assert ended.record.deployment.state is State.ACTIVE
    machine = ended.record.resource_of("machine")
    assert machine is not None
    assert list(machine.request["doors"]) == ["a"]
    assert creates(rig, ended, "door-2") == [(Outcome.REFUSED, "NotOffered")]


@pytest.mark.crash
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.promise(2)) for way in ("resume", "rollback")]
)
def test_a_kill_at_any_instant_comes_to_the_same_choice(
    way: str, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """Nothing is lost or created twice, and the warning is on record once."""
    life = replace(LIVES["deploy"], name="left out", place_is_refused=True)
    first = Stage.set(life, sqlite_template, 3.0)
    moments = first.moments(life.command)
    for number, moment in told_apart(moments):
        with at_point(f"killed at instant {number}: {moment.instant}"):
            stage = first.killed_at(moment)
            assert stage.play(WAYS_OUT[way])
            check(stage, life.ends[way])
            record = stage.rig.store.load(stage.id)
            assert record.deployment.warnings in ((WARNING,), *([()] if way == "rollback" else []))
    record_property("points", len(moments))


def test_a_create_executed_after_its_place_was_left_out_is_found_and_deleted(rig: Rig) -> None:
    """Its row has ended by then: the census before `active` finds the object."""
    late = executed_late(rig.world, "door-2", 24.5, lambda: unknown("CallTimeout"))
    rig.world.before.append(late)
    not_offered(rig, "door-2")
    rig.world.ready_after = 30.0
    ended = rig.deploy(the_plan=placed_plan())
    assert ended.record.deployment.state is State.ACTIVE
    assert creates(rig, ended, "door-2") == [
        (Outcome.UNKNOWN, "CallTimeout"),
        (Outcome.REFUSED, "NotOffered"),
    ]
    made = [thing.tags["Name"] for thing in rig.world.things.values()]
    assert made.count("demo-door-2") == 1
    assert len(rig.world.living()) == 4
