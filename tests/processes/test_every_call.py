"""Every changing call of the real command, through botocore: its reply lost in each way, its process killed.

A deployment, the rollback of one whose launch is refused, and a destruction. `make crash` walks them: once
with every call spoiled and a driver that lives on; and in a chain of processes, each of which dies at the
first call that no process has died at yet. Killed at one call alone, each in a run of its own, is
`make crash-points`. A sample runs always.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.support.command import Result
from tests.support.points import at_point
from tests.support.processes.checks import Undisturbed
from tests.support.processes.lives import (
    LIVES,
    LIVES_AND_PROMISES,
    MAX_DEATHS,
    PATIENT,
    Life,
    Record,
    check_destroyed,
    check_rolled_back,
    deployed,
    one_by_one,
    walked,
)
from tests.support.processes.proxy import (
    Act,
    Call,
    Exchange,
    Rule,
    answered_late,
    cut_after,
    cut_before,
    executed_after_kill,
    failed_after,
    killed_after,
    killed_before,
    never_answered,
)
from tests.support.processes.stage import Stage

pytestmark = [pytest.mark.crash, pytest.mark.slow]

IMPATIENT = {"TIER1_CALL_TIMEOUT_SECONDS": "2"}
"""A late reply is one that comes after this."""

LOST: dict[str, Act] = {
    "reset": cut_before,
    "cut": cut_after,
    "500": failed_after,
    "late": answered_late,
}
"""How a reply is lost: reset before AWS has the call; cut off, a 500 and past the read time-out after it."""


# --- what is done, and how it has to end


# --- the rules


class Once:
    """Of the calls that are meant, the first of each operation on each thing meets an act."""

    def __init__(self, meant: Callable[[Call], bool], act: Callable[[Call], Act]) -> None:
        self.meant, self.act = meant, act
        self.met: set[tuple[str, str]] = set()

    def __call__(self, call: Call) -> Act | None:
        if not self.meant(call) or (call.operation, call.subject) in self.met:
            return None
        self.met.add((call.operation, call.subject))
        return self.act(call)


class Deadly:
    """The same, and the process that made the call dies of it. `another` process then meets the next.

    What else it has under way until it dies does not reach AWS, so that no call is passed over.

    Attributes:
        dying: this process has met its call.
        doomed: it has outlived that, and dies at whatever it asks next.
    """

    def __init__(self, stage: Stage, meant: Callable[[Call], bool], moment: str) -> None:
        self.kill = stage.kill_latest
        self.once = Once(meant, self._act(moment))
        self.another()

    def another(self) -> None:
        """The next process begins."""
        self.dying = self.doomed = False

    def __call__(self, call: Call) -> Act | None:
        if self.doomed:
            self.doomed = False
            return killed_before(self.kill)
        if self.dying:
            return never_answered if self.once.meant(call) else None
        act = self.once(call)
        self.dying = act is not None
        return act

    def _act(self, moment: str) -> Callable[[Call], Act]:
        if moment in KILLED:
            at_once = KILLED[moment](self.kill)
            return lambda _: at_once

        def outlived(exchange: Exchange) -> None:
            with suppress(ConnectionError):  # who has given up does not take the reply any more
                OUTLIVED[moment](exchange)
            self.doomed = True

        return lambda _: outlived


KILLED: dict[str, Callable[[Callable[[], object]], Act]] = {
    "before": killed_before,
    "after": killed_after,
    "overtaken": executed_after_kill,
}
"""A process dies before AWS has its call, after it was executed, or while AWS has still to execute it."""
OUTLIVED: dict[str, Act] = {"after a 500": failed_after, "after a late reply": answered_late}
"""It has heard that nobody knows, and dies at its next call."""


# --- walked by `make crash`


@pytest.mark.promise(2)
@walked
@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("way", LOST)
def test_every_first_reply_may_be_lost_in_any_way(
    stage: Stage, undisturbed: Undisturbed, way: str, life: str, record_property: Record
) -> None:
    """Each call that makes, sets or deletes, in one run: the goal is reached, and nothing is made twice."""
    stage.settings |= IMPATIENT
    LIVES[life].prepare(stage)
    lost = Once(LIVES[life].means, lambda _: LOST[way])
    stage.proxy.rule = LIVES[life].rule(lost)
    LIVES[life].check(stage, undisturbed, LIVES[life].command(stage))
    record_property("points", len(lost.met))


@walked
@pytest.mark.parametrize("life", LIVES_AND_PROMISES)
@pytest.mark.parametrize("moment", [*KILLED, *OUTLIVED])
def test_every_call_may_be_the_last_of_its_process(
    stage: Stage, undisturbed: Undisturbed, moment: str, life: str, record_property: Record
) -> None:
    """One process after the other dies, each at a call at which none has died; the last one lives."""
    stage.settings |= IMPATIENT
    (stage.folder / "spec.yaml").write_text(PATIENT)
    LIVES[life].prepare(stage)
    deadly = Deadly(stage, LIVES[life].means, moment)
    deaths, done = killed_until_it_lives(stage, LIVES[life], deadly)
    assert deaths > 1
    LIVES[life].check(stage, undisturbed, done)
    record_property("points", deaths)


def killed_until_it_lives(
    stage: Stage, life: Life, deadly: Deadly, lost: Rule = lambda call: None
) -> tuple[int, Result]:
    """Run the command, and a resume after each death of it. Answers how many died, and how the last ended.

    Args:
        lost: what becomes of the calls at which nobody dies.
    """
    stage.proxy.rule = life.rule(lambda call: deadly(call) or lost(call))
    done, deaths = life.command(stage), 0
    while done.code == -signal.SIGKILL:
        deaths += 1
        assert deaths < MAX_DEATHS
        deadly.another()
        done = stage.resume()
    return deaths, done


@pytest.mark.promise(5)
@walked
def test_an_automatic_rollback_may_be_cut(stage: Stage, record_property: Record) -> None:
    """SIGKILL after AWS has executed a deletion, of the rollback and of the resume; the next one ends it."""
    deadly = Deadly(stage, lambda call: call.operation in ("DeleteFileSystem", "DeleteVpc"), "after")
    deaths, done = killed_until_it_lives(stage, LIVES["rollback"], deadly)
    assert deaths == 2
    check_rolled_back(stage, None, done)
    record_property("points", deaths)


@pytest.mark.promise(5)
@one_by_one
@pytest.mark.parametrize("life", ["rollback", "destroy"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_each_call_alone_is_recovered(
    new_stage: Callable[[], Stage], moment: str, life: str, record_property: Record
) -> None:
    """Each in a run of its own. A deployment's are in `tests.processes.test_disturbed`."""
    number, done = 0, Result(-signal.SIGKILL, "", "")
    while done.code == -signal.SIGKILL:
        number += 1
        stage = new_stage()
        with at_point(f"killed {moment} call {number}, in a {life}"):
            done = killed_at(stage, LIVES[life], number, moment)
            LIVES[life].check(stage, None, stage.resume() if done.code == -signal.SIGKILL else done)
    assert number > 1
    record_property("points", number - 1)


def killed_at(stage: Stage, life: Life, number: int, moment: str) -> Result:
    """Run the command and kill it at the call of that number, of those that are meant."""
    life.prepare(stage)
    met: list[Call] = []

    def is_it(call: Call) -> bool:
        if life.means(call):
            met.append(call)
        return life.means(call) and len(met) == number

    stage.proxy.rule = life.rule(Deadly(stage, is_it, moment))
    return life.command(stage)


# --- the sample that runs always


ZONES = 2
"""Each has a subnet."""
FORWARD = {
    "CreateVpc": "cut",
    "CreateInternetGateway": "500",
    "CreateFileSystem": "reset",
    "CreateMountTarget": "late",
}
BACK = {
    "TerminateInstances": "late",
    "DeleteMountTarget": "reset",
    "DeleteFileSystem": "500",
    "DeleteVpc": "cut",
}


@pytest.mark.promise(2)
def test_a_reply_of_each_kind_may_be_lost_in_some_way(stage: Stage, record_property: Record) -> None:
    """A deployment and its destruction, each of which loses four; the destruction is killed as well."""
    stage.settings |= IMPATIENT
    ways = FORWARD | BACK
    lost = Once(lambda call: call.operation in ways, lambda call: LOST[ways[call.operation]])
    deadly = Deadly(stage, lambda call: call.operation == "DeleteSubnet", "after")
    stage.proxy.rule = lost
    deployed(stage)
    deaths, done = killed_until_it_lives(stage, LIVES["destroy"], deadly, lost)
    assert deaths == ZONES
    check_destroyed(stage, None, done)
    assert {operation for operation, _ in lost.met} == ways.keys()
    record_property("points", len(lost.met) + deaths)
