"""A driver that sleeps past its lease at any of its instants is replaced, and wakes (promise 6).

The new driver runs to the end in between, in the same thread, so that each instant is hit exactly.
`tests/processes` covers a few points with two real processes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.points import at_point
from tests.support.simulation.life import LIVES, SETTINGS, WAYS_OUT, Stage, check, check_time_line, instants
from tests.support.simulation.operator import BEFORE_COMMIT, Operator
from tier1_engine.deployment.states import State
from tier1_engine.engine import engine
from tier1_engine.errors import LeaseLost
from tier1_engine.store.holder import this_process

pytestmark = pytest.mark.crash
LATE = 3.0
END = {"deploy": State.ACTIVE, "rollback": State.ROLLED_BACK, "destroy": State.DESTROYED}
SENT_LATE = ("before create of net", "before create of door-1", "before create of door-2")
"""The driver had checked its lease and slept before it sent a create without a token. AWS knows of no lease
and may create a second one. It is not lost: a sweep, which runs here, finds it.
"""
SET_LATE = "before set of "
"""The same for a configuration: AWS answers that it is already so, and a laxer API makes a second one."""


@pytest.mark.promise(6)
@pytest.mark.parametrize("life", LIVES)
def test_a_replaced_driver_changes_nothing_when_it_wakes(
    life: str, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """The result of the new driver stays, and nothing is created twice."""
    whole = instants(LIVES[life], sqlite_template, LATE)
    # Before a commit it holds the row, so nobody can take over: a takeover waits and comes right after.
    points = [n for n, instant in enumerate(whole, start=1) if instant != BEFORE_COMMIT]
    for at in points:
        with at_point(f"replaced at instant {at} of {len(whole)}: {whole[at - 1]}"):
            sleep_and_wake(life, sqlite_template, at, whole[at - 1])
    record_property("points", len(points))


def sleep_and_wake(life: str, source: Path, at: int, instant: str) -> None:
    sleeper = Operator(at=at)
    stage = Stage.set(LIVES[life], source, LATE, sleeper, holder=this_process)
    reached: list[State] = []

    def replace_it() -> None:
        stage.rig.clock.move_to(stage.rig.clock.seconds + SETTINGS.lease_seconds + 1.0)
        with stage.another_process() as other:
            reached.append(engine.resume(other.equipment, stage.id).record.deployment.state)

    sleeper.ask = replace_it
    with suppress(LeaseLost):  # not raised if it had nothing left to do
        stage.play(LIVES[life].command)
    assert reached == [END[life]]
    if instant in SENT_LATE:
        WAYS_OUT["sweep back"](stage.rig, stage.id)
        check_time_line(stage, stage.rig.store.load(stage.id))
        made = len(stage.rig.world.living()) - len(stage.others)
        assert made == (5 if life == "deploy" else 0)
    else:
        check(stage, (END[life],), set_late=instant.startswith(SET_LATE))
    stage.close()
