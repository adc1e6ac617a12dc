"""Every create and every deletion whose reply does not come, in every way in which it can fail to come.

With a driver that lives on, and with one that is killed at that very moment. What AWS executes later
than the grace, and has no key of its own for, is made twice: the documented promise is then that a
sweep finds it, and the last test shows its window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.crash.life import DAY_SECONDS, LIVES, SETTINGS, WAYS_OUT, Stage, check
from tests.crash.test_matrix import told
from tests.simulation.estate import Estate
from tests.simulation.faults import name_of
from tests.simulation.world import Crash, Fault, World, unknown
from tier1_engine.errors import Acted, CallError
from tier1_engine.states import State

pytestmark = pytest.mark.crash
STEPS = ("net", "door-1", "door-2", "disk", "machine")
WITH_TOKEN = ("disk", "machine")
LATE = SETTINGS.visibility_grace_seconds * 4
OPERATIONS = [("create", step) for step in STEPS] + [("delete", step) for step in STEPS]
Where = tuple[str, str]
Lose = Callable[[CallError], BaseException]
"""What is raised in the place of a reply: the error that the driver gets, or the end of its process."""


def once(where: Where, do: Callable[[World, Mapping[str, Any]], None]) -> Fault:
    """Do something at the first call of an operation for a step."""
    met: list[bool] = []

    def fault(world: World, called: str, parameters: Mapping[str, Any]) -> None:
        if not met and (called, name_of(world, parameters)) == where:
            met.append(True)
            do(world, parameters)

    return fault


def cut(world: World, where: Where, lose: Lose) -> None:
    """Executed, and the connection is cut before the reply."""

    def do(*_: object) -> None:
        raise lose(unknown())

    world.after.append(once(where, do))


def delayed(world: World, where: Where, lose: Lose) -> None:
    """Executed, and the reply comes after the read time-out."""

    def do(world: World, _: object) -> None:
        world.clock.move_to(world.clock.seconds + SETTINGS.call_timeout_seconds)
        raise lose(unknown("CallTimeout"))

    world.after.append(once(where, do))


def server_error(world: World, where: Where, lose: Lose) -> None:
    """Executed, and answered with a 500."""

    def do(*_: object) -> None:
        raise lose(CallError("InternalError", "oh", operation="Sim", acted=Acted.UNKNOWN, http_status=500))

    world.after.append(once(where, do))


def reset(world: World, where: Where, lose: Lose) -> None:
    """The connection is reset before anything was sent, which nobody can know."""

    def do(*_: object) -> None:
        raise lose(unknown())

    world.before.append(once(where, do))


def late(world: World, where: Where, lose: Lose) -> None:
    """No reply; AWS executes it when the grace is long over."""

    def do(world: World, parameters: Mapping[str, Any]) -> None:
        asked = dict(parameters)
        world.clock.after(LATE, lambda: execute_late(world, where[0], asked))
        raise lose(unknown())

    world.before.append(once(where, do))


def execute_late(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
    if operation == "create":
        world.make(parameters)
    elif (thing := world.things[parameters["id"]]).deleting_since is None:
        thing.deleting_since = world.clock.seconds


WAYS = {way.__name__: way for way in (cut, delayed, server_error, reset, late)}


def lost(source: Path, way: str, where: Where, *, killed: bool) -> Stage:
    """A life that loses the reply, and goes on to its end; after a kill by a resume."""
    life = LIVES["deploy" if where[0] == "create" else "destroy"]
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


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
@pytest.mark.parametrize("way", WAYS)
def test_whatever_becomes_of_a_reply_nothing_is_made_twice_or_left(
    way: str, killed: bool, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """Every create of a deployment, every deletion of a destruction. What is executed late without a key
    is the next test's.
    """
    wheres = [where for where in OPERATIONS if (way, where[0]) != ("late", "create") or has_key(where)]
    for where in wheres:
        with told(f"{way}: {where}"):
            stage = lost(sqlite_template, way, where, killed=killed)
            stage.rig.clock.move_to(stage.rig.clock.seconds + 2 * LATE)
            check(stage, (State.ACTIVE if where[0] == "create" else State.DESTROYED,))
            stage.close()
    record_property("promise", 2)
    record_property("points", len(wheres))


def has_key(where: Where) -> bool:
    return where[1] in WITH_TOKEN


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
@pytest.mark.parametrize("step", [step for step in STEPS if step not in WITH_TOKEN])
def test_what_is_executed_after_the_grace_without_a_key_is_found_by_a_sweep(
    step: str, killed: bool, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """The window: from its late execution to the next sweep there are two, and no command but a sweep
    sees the second. The sweep takes exactly that one.
    """
    stage = lost(sqlite_template, "late", ("create", step), killed=killed)
    world = stage.rig.world
    record = stage.rig.store.load(stage.id)
    wanted = {row.aws_id for row in record.resources.values()}
    assert record.deployment.state is State.ACTIVE
    assert {thing.id for thing in world.living()} == wanted

    stage.rig.clock.move_to(stage.rig.clock.seconds + 2 * LATE)
    assert stage.play(WAYS_OUT["resume"])
    (second,) = [thing for thing in world.living() if thing.id not in wanted]
    assert name_of(world, {"id": second.id}) == step

    stage.rig.clock.move_to(stage.rig.clock.seconds + DAY_SECONDS)
    estate = Estate(stage.rig)
    estate.world()
    estate.sweep(orphans=True)
    assert {thing.id for thing in world.living()} == wanted
    assert stage.rig.store.load(stage.id).deployment.state is State.ACTIVE
    record_property("promise", 7)
    record_property("points", 1)
