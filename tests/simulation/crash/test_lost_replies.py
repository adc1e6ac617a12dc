"""Every create and every delete loses its reply, in every way in which a reply can be lost.

The driver survives, or is killed at that very moment. A create without a natural key that AWS executes after
the grace is made twice: the documented promise is then that a sweep finds it, and the last tests show that
window.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.points import at_point
from tests.support.simulation.faults import name_of
from tests.support.simulation.life import LIVES, OUT, SETTINGS, WAYS_OUT, Stage, check, sweep_later
from tests.support.simulation.rig import plan
from tests.support.simulation.world import Crash, Fault, World, unknown
from tier1_engine.deployment.states import Goal, Mode, State
from tier1_engine.engine import engine
from tier1_engine.errors import Acted, CallError

pytestmark = pytest.mark.crash
STEPS = tuple(step.name for step in plan().steps if step.mode is Mode.CREATE)
WITH_TOKEN = ("disk", "machine")
LATE = SETTINGS.visibility_grace_seconds * 4
SOON_SECONDS = 1.0
"""The delays, in seconds, of an execution within the grace; the object is visible 3 s later."""
SET = ("net", "door-1", "door-2")
OPERATIONS = [
    *(("create", step) for step in STEPS),
    *(("set", step) for step in SET),
    *(("delete", step) for step in STEPS),
]
Where = tuple[str, str]
Lose = Callable[[CallError], BaseException]
"""The exception raised in place of a reply: the driver's error, or the end of its process."""


def once(where: Where, do: Callable[[World, Mapping[str, Any]], None]) -> Fault:
    """Apply an act to the first call of an operation for a step."""
    met: list[bool] = []

    def fault(world: World, called: str, parameters: Mapping[str, Any]) -> None:
        if not met and (called, name_of(world, parameters)) == where:
            met.append(True)
            do(world, parameters)

    return fault


def cut(world: World, where: Where, lose: Lose) -> None:
    """AWS executes the call, and the connection is cut before the reply."""

    def do(*_: object) -> None:
        raise lose(unknown())

    world.after.append(once(where, do))


def delayed(world: World, where: Where, lose: Lose) -> None:
    """AWS executes the call, and the reply comes after the read time-out."""

    def do(world: World, _: object) -> None:
        world.clock.move_to(world.clock.seconds + SETTINGS.call_timeout_seconds)
        raise lose(unknown("CallTimeout"))

    world.after.append(once(where, do))


def server_error(world: World, where: Where, lose: Lose) -> None:
    """AWS executes the call and answers with a 500."""

    def do(*_: object) -> None:
        raise lose(CallError("InternalError", "oh", operation="Sim", acted=Acted.UNKNOWN, http_status=500))

    world.after.append(once(where, do))


def reset(world: World, where: Where, lose: Lose) -> None:
    """The connection is reset before anything was sent, which the driver cannot know."""

    def do(*_: object) -> None:
        raise lose(unknown())

    world.before.append(once(where, do))


def soon(world: World, where: Where, lose: Lose) -> None:
    """There is no reply, as for a call in flight at a kill; AWS executes it within the grace."""
    _execute_after(SOON_SECONDS, world, where, lose)


def late(world: World, where: Where, lose: Lose) -> None:
    """There is no reply; AWS executes the call long after the grace."""
    _execute_after(LATE, world, where, lose)


def _execute_after(seconds: float, world: World, where: Where, lose: Lose) -> None:
    def do(world: World, parameters: Mapping[str, Any]) -> None:
        asked = dict(parameters)
        world.clock.after(seconds, lambda: execute_late(world, where[0], asked))
        raise lose(unknown())

    world.before.append(once(where, do))


def execute_late(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
    """Execute the call as AWS does: it refuses one that refers to something deleted."""
    if operation == "create":
        with suppress(CallError):
            world.make(parameters)
    elif operation == "set":
        world.set(parameters["id"], parameters["setting"])
    elif (thing := world.things[parameters["id"]]).deleting_since is None:
        thing.deleting_since = world.clock.seconds


WAYS = {way.__name__: way for way in (cut, delayed, server_error, reset, soon, late)}


def lost(source: Path, way: str, where: Where, *, killed: bool) -> Stage:
    """Run a life that loses the reply to its end, after a kill by a resume."""
    life = LIVES["destroy" if where[0] == "delete" else "deploy"]
    stage = Stage.set(life, source, visible_after=3.0)

    def lose(error: CallError) -> BaseException:
        if not killed:
            return error
        stage.killer.dead = True
        return Crash("in the place of a reply")

    WAYS[way](stage.rig.world, where, lose)
    assert stage.play(life.command) is not killed
    if killed:
        assert stage.play(WAYS_OUT["resume"])
    return stage


@pytest.mark.field_case(
    "crossplane/crossplane#3037: a create without a known outcome is stuck until somebody removes a marker"
)
@pytest.mark.promise(2)
@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
@pytest.mark.parametrize("way", WAYS)
def test_a_lost_reply_creates_nothing_twice_and_leaves_nothing(
    way: str, killed: bool, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """This covers every create and configuration of a deployment and every delete of a destroy. The next test
    covers a create without a key that is executed late. A laxer API than AWS's makes a second association or
    route of a configuration that is sent again: none is within the grace.
    """
    wheres = [where for where in OPERATIONS if (way, where[0]) != ("late", "create") or has_key(where)]
    for where in wheres:
        with at_point(f"{way}: {where}"):
            stage = lost(sqlite_template, way, where, killed=killed)
            stage.rig.clock.move_to(stage.rig.clock.seconds + 2 * LATE)
            ends = State.DESTROYED if where[0] == "delete" else State.ACTIVE
            check(stage, (ends,), set_late=(way, where[0]) == ("late", "set"))
            stage.close()
    record_property("points", len(wheres))


def has_key(where: Where) -> bool:
    return where[1] in WITH_TOKEN


@pytest.mark.promise(7)
@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
@pytest.mark.parametrize("step", [step for step in STEPS if step not in WITH_TOKEN])
def test_a_create_without_a_key_executed_after_the_grace_is_found_by_a_sweep(
    step: str, killed: bool, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """The window: until the next sweep there are two, and no other command sees the second. The sweep deletes
    exactly that one.
    """
    stage = lost(sqlite_template, "late", ("create", step), killed=killed)
    world = stage.rig.world
    record = stage.rig.store.load(stage.id)
    wanted = {row.aws_id for row in record.resources.values()} | {thing.id for thing in stage.others}
    assert record.deployment.state is State.ACTIVE
    assert {thing.id for thing in world.living()} == wanted

    stage.rig.clock.move_to(stage.rig.clock.seconds + 2 * LATE)
    assert stage.play(WAYS_OUT["resume"])
    (second,) = [thing for thing in world.living() if thing.id not in wanted]
    assert name_of(world, {"id": second.id}) == step

    sweep_later(stage.rig)
    assert {thing.id for thing in world.living()} == wanted
    assert stage.rig.store.load(stage.id).deployment.state is State.ACTIVE
    record_property("points", 1)


@pytest.mark.field_case("skypilot-org/skypilot#4431: a machine appears after its record was deleted")
@pytest.mark.promise(7)
@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_a_create_executed_after_the_rollback_is_found_by_a_sweep(
    killed: bool, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """The window: until the next sweep the resource exists although all was rolled back, with a key or
    without. AWS refuses a create that refers to something deleted.
    """
    stood = {step: rolled_back_before(step, sqlite_template, killed=killed) for step in STEPS}
    assert {step for step, later in stood.items() if later} == {"net", "disk"}
    record_property("points", len(STEPS))


def rolled_back_before(step: str, source: Path, *, killed: bool) -> list[str]:
    """Roll back while a create is under way that AWS executes afterwards; return what then existed."""
    stage = Stage.set(LIVES["deploy"], source, visible_after=3.0)

    def lose(error: CallError) -> BaseException:
        engine.request(stage.rig.equipment, stage.id, Goal.ROLLED_BACK)
        stage.killer.dead = killed
        return Crash("in the place of a reply") if killed else error

    _execute_after(LATE * 10, stage.rig.world, ("create", step), lose)
    assert stage.play(LIVES["deploy"].command) is not killed
    with at_point(f"late, after the rollback: {step}"):
        assert stage.play(WAYS_OUT["resume"])
        check(stage, OUT)
        stage.rig.clock.move_to(stage.rig.clock.seconds + LATE * 20)
        ours = [thing for thing in stage.rig.world.living() if thing not in stage.others]
        assert all(thing.tags["Name"].endswith(f"-{step}") for thing in ours)
        sweep_later(stage.rig)
        check(stage, OUT)
    stage.close()
    return [thing.id for thing in ours]


@pytest.mark.promise(2)
def test_a_create_executed_during_the_rollback_is_deleted_with_it(
    sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """A door is created late in a net that is being deleted. The net is not deleted while the door exists,
    and no row has the door once the grace is over. Whenever it appears, neither remains.
    """
    points = next(k for k in itertools.count() if not rolled_back_around(k, sqlite_template))
    assert points > 30
    record_property("points", points)


def rolled_back_around(instant: int, source: Path) -> bool:
    """Roll back while a create is under way that AWS executes at the call of that number; return whether it
    did.
    """
    stage = Stage.set(LIVES["deploy"], source, visible_after=3.0)
    world, left = stage.rig.world, [instant]
    world.gone_after = SETTINGS.visibility_grace_seconds * 2

    def lose(error: CallError) -> BaseException:
        engine.request(stage.rig.equipment, stage.id, Goal.ROLLED_BACK)
        return error

    def lost(world: World, parameters: Mapping[str, Any]) -> None:
        asked = dict(parameters)

        def count(world: World, *_: object) -> None:
            left[0] -= 1
            if left[0] == -1:
                execute_late(world, "create", asked)

        world.before.append(count)
        raise lose(unknown())

    world.before.append(once(("create", "door-1"), lost))
    with at_point(f"executed at call {instant} of the rollback"):
        stage.play(LIVES["deploy"].command)
        check(stage, OUT)
    stage.close()
    return left[0] < 0
