"""Two kills are equal only if everything that a later process can observe is equal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.simulation.databases import kept
from tests.support.simulation.life import LIVES, Stage, others
from tests.support.simulation.world import VirtualClock, World


def account() -> World:
    world = World(VirtualClock())
    world.things.update({thing.id: thing for thing in others()})
    return world


CHANGES: dict[str, Callable[[World], object]] = {
    "time": lambda world: world.clock.move_to(world.clock.seconds + 0.001),
    "the wall clock": lambda world: setattr(world.clock, "offset", timedelta(seconds=1)),
    "what is about to happen": lambda world: world.clock.after(1.0, lambda: None),
    "a tag": lambda world: world.things["disk-of-user"].tags.update(Name="other"),
    "a setting": lambda world: world.things["net-of-user"].settings.clear(),
    "a deletion": lambda world: world.remove_by_hand(world.things["machine-of-user"]),
    "a thing": lambda world: world.things.pop("net-of-other"),
    "the next id": lambda world: next(world.numbers),
    "a fault": lambda world: world.before.append(lambda *_: None),
    "what is seen late": lambda world: setattr(world, "visible_after", 3.0),
    "a create that was executed": lambda world: world.executed_creates.update(tag=1),
    "a configuration that was executed": lambda world: world.executed_sets.update({("net-1", "dns"): 1}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_accounts_that_differ_in_anything_are_not_equal(what: str) -> None:
    """A copy is equal until something changes, and the original does not change with it."""
    world = account()
    before, other = world.whole, world.copied()
    assert other.whole == before
    CHANGES[what](other)
    assert other.whole != before
    assert world.whole == before


def test_a_read_leaves_the_account_equal() -> None:
    """It is in the log of calls, which no later process can see."""
    world = account()
    before = world.whole
    world.execute("look", {})
    assert world.calls
    assert world.whole == before


def test_every_row_of_a_snapshot_is_restored(sqlite_template: Path) -> None:
    """This holds whatever commands did to the database since."""
    first = Stage.set(LIVES["deploy"], sqlite_template, 3.0)
    moments = first.moments(first.life.command)
    database = kept("crash", sqlite_template)
    assert database.committed() != moments[0].rows
    for moment in (moments[-1], moments[0], moments[len(moments) // 2]):
        stage = first.killed_at(moment)
        assert database.committed() == moment.rows
        assert stage.rig.world.whole.partition("before")[0] == moment.world.whole.partition("before")[0]


def test_snapshots_around_a_commit_or_an_executed_call_differ(sqlite_template: Path) -> None:
    """They are equal only around something that has not happened yet."""
    first = Stage.set(LIVES["deploy"], sqlite_template, 3.0)
    moments = first.moments(first.life.command)
    for one, other in itertools.pairwise(moments):
        if one.left == other.left:
            assert other.instant.startswith("before ")
    assert len({moment.left for moment in moments}) < len(moments)
