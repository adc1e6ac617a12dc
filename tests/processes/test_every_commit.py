"""Every commit of the real command: its process killed just before it, and just after it.

A deployment, the rollback of one whose launch is refused, and a destruction. Killed at one commit alone,
each in a run of its own, is `make crash-points`; chains of processes, each of which dies a few commits
after the last, are `make crash`, and two of them run always.
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
"""After so many each process of the chain dies. They share no factor, so that deaths fall everywhere."""


def dying(stage: Stage, moment: str, number: int, command: Callable[[Stage], Result]) -> Result:
    """Run a command that dies at its commit of that number."""
    stage.script = (mortal.__file__, moment, str(number))
    try:
        return command(stage)
    finally:
        stage.script = ()


def gone_on(stage: Stage, life: Life, goal: str) -> Result:
    """What an operator types who finds it dead: a resume, or the same again where it is not on record."""
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
    """Each in a run of its own, until one has fewer commits."""
    life = LIVES[name]
    for number in count(1):
        stage = new_stage()
        with at_point(f"killed {moment} commit {number}, in a {name}"):
            life.prepare(stage)
            stage.proxy.rule = life.rule(lambda call: None)
            done = dying(stage, moment, number, life.command)
            dead = done.code == -signal.SIGKILL
            life.check(stage, undisturbed, gone_on(stage, life, GOALS[name]) if dead else done)
        if not dead:
            break
    assert number > COMMITS_OF_A_LIFE[name]
    record_property("points", number - 1)


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
def test_each_process_may_die_some_commits_after_the_last(
    stage: Stage, undisturbed: Undisturbed, moment: str, name: str, record_property: Record
) -> None:
    """One after the other, until one has fewer commits left to make."""
    life, number = LIVES[name], COMMITS_OF_A_LIFE[name]
    (stage.folder / "spec.yaml").write_text(PATIENT)
    life.prepare(stage)
    stage.proxy.rule = life.rule(lambda call: None)
    done, deaths = dying(stage, moment, number, life.command), 0
    while done.code == -signal.SIGKILL:
        deaths += 1
        assert deaths < MAX_DEATHS
        done = dying(stage, moment, number, lambda stage: gone_on(stage, life, GOALS[name]))
    assert deaths > 1
    life.check(stage, undisturbed, done)
    record_property("points", deaths)
