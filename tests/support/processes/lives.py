"""Whole lives of a deployment by the real command, and how each has to end."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.support.command import Result
from tests.support.processes.checks import DELETING, Undisturbed, check_gone, check_whole
from tests.support.processes.proxy import Act, Call, Rule, refused
from tests.support.processes.stage import SPEC, Stage

walked = pytest.mark.skipif(not os.environ.get("TIER1_TEST_PROCESSES"), reason="`make crash` runs it")


one_by_one = pytest.mark.skipif(
    not os.environ.get("TIER1_TEST_ALL_POINTS"), reason="`make crash-points` runs it"
)


MAX_DEATHS = 120


PATIENT = SPEC + "policy: {max_attempts: 20}\n"
"""A pending call during each of a dozen kills has been attempted as often."""


Record = Callable[[str, object], None]


@dataclass(frozen=True)
class Life:
    """What is spoiled: a command, what comes before it, and which of its calls are meant.

    Attributes:
        launch_is_refused: which turns a deployment around.
    """

    prepare: Callable[[Stage], None]
    command: Callable[[Stage], Result]
    check: Callable[[Stage, Undisturbed | None, Result], None]
    launch_is_refused: bool = False

    def rule(self, spoil: Rule) -> Rule:
        """The launch is refused where that belongs to the life; the calls that are meant are spoiled."""

        def rule(call: Call) -> Act | None:
            if self.launch_is_refused and call.operation == "RunInstances":
                return refused(403, "UnauthorizedOperation")
            return spoil(call)

        return rule

    def means(self, call: Call) -> bool:
        """For a rollback, only the calls of the rollback: the others are covered by the deployment."""
        return call.operation.startswith(DELETING) if self.launch_is_refused else call.changing


def nothing(_: Stage) -> None:
    """The command is the first that is run."""


def deployed(stage: Stage) -> None:
    done = stage.deploy()
    assert done.code == 0, done.err


def check_active(stage: Stage, undisturbed: Undisturbed | None, done: Result) -> None:
    assert undisturbed is not None
    check_whole(stage, done, undisturbed)


def check_rolled_back(stage: Stage, _: Undisturbed | None, done: Result) -> None:
    assert (done.code in (0, 3), done.json["state"]) == (True, "rolled_back"), done.err
    check_gone(stage)


def check_destroyed(stage: Stage, _: Undisturbed | None, done: Result) -> None:
    assert (done.code, done.json["state"]) == (0, "destroyed"), done.err
    check_gone(stage)


LIVES = {
    "deploy": Life(nothing, Stage.deploy, check_active),
    "rollback": Life(nothing, Stage.deploy, check_rolled_back, launch_is_refused=True),
    "destroy": Life(deployed, Stage.destroy, check_destroyed),
}


LIVES_AND_PROMISES = [
    pytest.param(name, marks=pytest.mark.promise(2 if name == "deploy" else 5)) for name in LIVES
]
"""The parameters of a test that kills each of them: what a deployment holds is another promise."""
