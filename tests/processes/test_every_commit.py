"""Every commit of the real command: its process is killed just before it, and just after it.

The commands are a deployment, the rollback after a refused launch, and a destroy. `make crash-points` kills
at one commit in each run; `make crash` runs chains of processes, each of which is killed a few commits after
the last, and two of these chains always run.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from itertools import count

import pytest

from tests.support.command import Result
from tests.support.points import at_point
from tests.support.processes import mortal
from tests.support.processes.checks import Undisturbed, check_gone
from tests.support.processes.lives import (
    LIVES,
    LIVES_AND_PROMISES,
    MAX_DEATHS,
    PATIENT,
    Life,
    Record,
    one_by_one,
    walked,
)
from tests.support.processes.stage import Stage

pytestmark = [pytest.mark.crash, pytest.mark.slow]

GOALS = {"deploy": "active", "rollback": "rolled_back", "destroy": "destroyed"}
COMMITS_OF_A_LIFE = {"deploy": 11, "rollback": 13, "destroy": 9}
"""The numbers of commits after which each process of a chain is killed. They share no factor, so that the
kills fall everywhere.
"""


def dying(stage: Stage, moment: str, number: int, command: Callable[[Stage], Result]) -> Result:
    """Run a command that is killed at its commit of that number."""
    stage.script = (mortal.__file__, moment, str(number))
    try:
        return command(stage)
    finally:
        stage.script = ()


def continued(stage: Stage, life: Life, goal: str) -> Result:
    """Run what an operator types next: a resume, or the same command again if no row exists."""
    if stage.stored("SELECT id FROM deployments") == []:
        check_gone(stage)
        return life.command(stage)
    if goal == "destroyed" and stage.stored("SELECT goal FROM deployments") == ["active"]:
        return life.command(stage)
    if stage.stored("SELECT state FROM deployments") == [goal]:
        return stage.run("show", stage.listed()["id"], "-o", "json")
    return stage.resume()


@one_by_one
@pytest.mark.parametrize("name", LIVES_AND_PROMISES)
@pytest.mark.parametrize("moment", mortal.MOMENTS)
def test_a_kill_at_each_commit_alone_is_recovered(
    new_stage: Callable[[], Stage], undisturbed: Undisturbed, moment: str, name: str, record_property: Record
) -> None:
    """Each commit has a run of its own, until a run has fewer commits."""
    life = LIVES[name]
    for number in count(1):
        stage = new_stage()
        with at_point(f"killed {moment} commit {number}, in a {name}"):
            life.prepare(stage)
            stage.proxy.rule = life.rule(lambda call: None)
            done = dying(stage, moment, number, life.command)
            dead = done.code == -signal.SIGKILL
            life.check(stage, undisturbed, continued(stage, life, GOALS[name]) if dead else done)
        if not dead:
            break
    assert number > COMMITS_OF_A_LIFE[name]
    record_property("points", number - 1)


@pytest.mark.field_case(
    "dstackai/dstack#3453: a kill between create and commit leaves a machine without a record"
)
@pytest.mark.parametrize(
    ("moment", "name"),
    [
        pytest.param("after", "deploy", marks=pytest.mark.promise(2)),
        pytest.param("before", "destroy", marks=pytest.mark.promise(5)),
        pytest.param("before", "deploy", marks=[walked, pytest.mark.promise(2)]),
        *(
            pytest.param(moment, name, marks=[walked, pytest.mark.promise(5)])
            for moment, name in [("before", "rollback"), ("after", "rollback"), ("after", "destroy")]
        ),
    ],
)
def test_each_process_of_a_chain_may_be_killed(
    stage: Stage, undisturbed: Undisturbed, moment: str, name: str, record_property: Record
) -> None:
    """One process after another is killed, until one has fewer commits left."""
    life, number = LIVES[name], COMMITS_OF_A_LIFE[name]
    (stage.folder / "spec.yaml").write_text(PATIENT)
    life.prepare(stage)
    stage.proxy.rule = life.rule(lambda call: None)
    done, deaths = dying(stage, moment, number, life.command), 0
    while done.code == -signal.SIGKILL:
        deaths += 1
        assert deaths < MAX_DEATHS
        done = dying(stage, moment, number, lambda stage: continued(stage, life, GOALS[name]))
    assert deaths > 1
    life.check(stage, undisturbed, done)
    record_property("points", deaths)
