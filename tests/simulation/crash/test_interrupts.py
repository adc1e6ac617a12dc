"""A signal at every instant of a deployment, a rollback, a destroy and a resume.

The first signal ends the calls in flight and records them; a second one has the effect of a kill
(`test_matrix`). `tests/processes/test_interrupts.py` and `tests/commands/test_interrupted.py` cover real
signals and a closed terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.points import at_point
from tests.support.simulation.life import LIVES, WAYS_OUT, Command, Life, Stage, check
from tests.support.simulation.operator import Operator
from tier1_engine.engine.equipment import Stop

pytestmark = pytest.mark.crash
CUT_BEFORE_A_RESUME = 25
"""The instant at which the driver is killed that the interrupted resume replaces."""
LATE = 3.0


def beginning(life: Life, source: Path, *, resumed: bool) -> tuple[Callable[[Operator], Stage], Command]:
    """Return how to prepare the account, and the command that is interrupted: the life's own, or a resume
    after a kill.
    """
    if not resumed:
        return lambda operator: Stage.set(life, source, LATE, operator), life.command
    first = Stage.set(life, source, LATE)
    cut = first.moments(life.command)[CUT_BEFORE_A_RESUME - 1]
    return lambda operator: first.killed_at(cut, operator), WAYS_OUT["resume"]


@pytest.mark.promise(2)
@pytest.mark.parametrize("resumed", [False, True], ids=["itself", "its resume"])
@pytest.mark.parametrize("life", LIVES)
def test_a_signal_at_any_instant_leaves_a_resumable_deployment(
    life: str, resumed: bool, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """No attempt stays open, the lease is released, nothing starts afterwards, and a resume completes it."""
    begun, command = beginning(LIVES[life], sqlite_template, resumed=resumed)
    undisturbed = Operator()
    assert begun(undisturbed).play(command)
    whole = undisturbed.instants
    for at, instant in enumerate(whole, start=1):
        with at_point(f"signal at instant {at} of {len(whole)}: {instant}"):
            operator = Operator(at=at)
            stage = begun(operator)
            operator.ask = stage.rig.stop.ask
            assert stage.play(command)
            check_stopped(stage, operator, at)
            stage.rig.stop = Stop()
            assert stage.play(WAYS_OUT["resume"])
            check(stage, LIVES[life].ends["resume"])
    record_property("points", len(whole))


def check_stopped(stage: Stage, operator: Operator, at: int) -> None:
    """Assert that everything is recorded, the lease is free, and no create or delete was sent after the
    signal.
    """
    (seen,) = stage.rig.store.summaries()
    assert seen.holder is None
    assert not [a for a in stage.rig.store.attempts(stage.id) if a.ended_at is None]
    later = [what for what in operator.instants[at:] if what.startswith("before ") and "commit" not in what]
    assert later == []
