"""A signal at every instant of a deployment, a rollback, a destruction and a resume.

The first signal ends what is under way and records it (what a second one does is a kill: `test_matrix`).
That real signals, and a closed terminal, become this stop is `test_processes` and `test_cli_interrupted`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.points import told
from tests.support.simulation.life import LIVES, WAYS_OUT, Life, Stage, check
from tests.support.simulation.operator import Operator
from tier1_engine.engine.equipment import Stop

pytestmark = pytest.mark.crash
CUT_BEFORE_A_RESUME = 25
"""The instant at which the driver is killed that the interrupted resume takes the place of."""
LATE = 3.0


def begun(
    life: Life, source: Path, operator: Operator, *, resumed: bool
) -> tuple[Stage, Callable[..., None]]:
    """A stage, and the command that is interrupted: the life's own, or the resume of one that was killed."""
    stage = Stage.set(life, source, LATE, operator)
    if not resumed:
        return stage, life.command
    assert not stage.play(life.command, CUT_BEFORE_A_RESUME)
    return stage, WAYS_OUT["resume"]


@pytest.mark.parametrize("resumed", [False, True], ids=["itself", "its resume"])
@pytest.mark.parametrize("life", LIVES)
def test_a_signal_at_any_instant_leaves_something_to_resume(
    life: str, resumed: bool, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """No attempt stays open, the lease is given back, nothing is begun after it; a resume ends it."""
    undisturbed = Operator()
    stage, command = begun(LIVES[life], sqlite_template, undisturbed, resumed=resumed)
    assert stage.play(command)
    stage.close()
    whole = undisturbed.instants
    for at, instant in enumerate(whole, start=1):
        with told(f"signal at instant {at} of {len(whole)}: {instant}"):
            operator = Operator()
            stage, command = begun(LIVES[life], sqlite_template, operator, resumed=resumed)
            operator.at, operator.ask = at, stage.rig.stop.ask
            assert stage.play(command)
            check_stopped(stage, operator, at)
            stage.rig.stop = Stop()
            assert stage.play(WAYS_OUT["resume"])
            check(stage, LIVES[life].ends["resume"])
            stage.close()
    record_property("promise", 2)
    record_property("points", len(whole))


def check_stopped(stage: Stage, operator: Operator, at: int) -> None:
    """Everything is on record, nobody drives, and no create or deletion went out after the signal."""
    (seen,) = stage.rig.store.summaries()
    assert seen.holder is None
    assert not [a for a in stage.rig.store.attempts(stage.id) if a.ended_at is None]
    later = [what for what in operator.instants[at:] if what.startswith("before ") and "commit" not in what]
    assert later == []
