"""Every changing call of the real command, through botocore: its reply is lost in each way, or its process
killed.

The commands are a deployment, the rollback after a refused launch, and a destroy. `make crash` runs each once
with every call disturbed and a driver that survives, and once as a chain of processes, each of which is
killed at the first call at which none was killed yet. `make crash-points` kills at one call in each run. A
sample always runs.
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
"""A reply that comes after this many seconds is late."""

LOST: dict[str, Act] = {
    "reset": cut_before,
    "cut": cut_after,
    "500": failed_after,
    "late": answered_late,
}
"""The ways to lose a reply: reset before AWS has the call; cut off, a 500, or past the read time-out after
it.
"""


# --- what is done, and how it has to end


# --- the rules


class Once:
    """Apply an act to the first call of each operation on each resource, among the selected calls."""

    def __init__(self, meant: Callable[[Call], bool], act: Callable[[Call], Act]) -> None:
        self.meant, self.act = meant, act
        self.met: set[tuple[str, str]] = set()

    def __call__(self, call: Call) -> Act | None:
        if not self.meant(call) or (call.operation, call.subject) in self.met:
            return None
        self.met.add((call.operation, call.subject))
        return self.act(call)


class KillingOnce:
    """Like `Once`, and kill the process that made the call; `another` process then meets the next act. No
    other call of a dying process reaches AWS, so that no call is skipped.

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
        """Begin the next process."""
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
            with suppress(ConnectionError):  # the driver has abandoned the call and ignores its reply
                OUTLIVED[moment](exchange)
            self.doomed = True

        return lambda _: outlived


KILLED: dict[str, Callable[[Callable[[], object]], Act]] = {
    "before": killed_before,
    "after": killed_after,
    "overtaken": executed_after_kill,
}
"""A process is killed before AWS has its call, after AWS executed it, or while AWS is still to execute it."""
OUTLIVED: dict[str, Act] = {"after a 500": failed_after, "after a late reply": answered_late}
"""The driver records the outcome as unknown and is killed at its next call."""


# --- run by `make crash`


@pytest.mark.promise(2)
@walked
@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("way", LOST)
def test_every_first_reply_may_be_lost_in_any_way(
    stage: Stage, undisturbed: Undisturbed, way: str, life: str, record_property: Record
) -> None:
    """In one run each changing call loses its reply: the goal is reached, and nothing is created twice."""
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
    """Each process is killed at a call at which none was killed yet; the last one survives."""
    stage.settings |= IMPATIENT
    (stage.folder / "spec.yaml").write_text(PATIENT)
    LIVES[life].prepare(stage)
    deadly = KillingOnce(stage, LIVES[life].means, moment)
    deaths, done = killed_until_it_lives(stage, LIVES[life], deadly)
    assert deaths > 1
    LIVES[life].check(stage, undisturbed, done)
    record_property("points", deaths)


def killed_until_it_lives(
    stage: Stage, life: Life, deadly: KillingOnce, lost: Rule = lambda call: None
) -> tuple[int, Result]:
    """Run the command and a resume after each kill; return how many were killed, and how the last one ended.

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
def test_an_automatic_rollback_may_be_killed(stage: Stage, record_property: Record) -> None:
    """The rollback and then its resume are killed after a deletion; the next resume completes it."""
    deadly = KillingOnce(stage, lambda call: call.operation in ("DeleteFileSystem", "DeleteVpc"), "after")
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
    """Each call has a run of its own. `tests.processes.test_killed_and_refused` has those of a deployment."""
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
    """Run the command and kill it at the call of that number, among the selected calls."""
    life.prepare(stage)
    met: list[Call] = []

    def is_it(call: Call) -> bool:
        if life.means(call):
            met.append(call)
        return life.means(call) and len(met) == number

    stage.proxy.rule = life.rule(KillingOnce(stage, is_it, moment))
    return life.command(stage)


# --- the sample that always runs


ZONES = 2
"""Operations that are called for each subnet."""
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
    """A deployment and its destroy each lose four replies; the destroy is killed as well."""
    stage.settings |= IMPATIENT
    ways = FORWARD | BACK
    lost = Once(lambda call: call.operation in ways, lambda call: LOST[ways[call.operation]])
    deadly = KillingOnce(stage, lambda call: call.operation == "DeleteSubnet", "after")
    stage.proxy.rule = lost
    deployed(stage)
    deaths, done = killed_until_it_lives(stage, LIVES["destroy"], deadly, lost)
    assert deaths == ZONES
    check_destroyed(stage, None, done)
    assert {operation for operation, _ in lost.met} == ways.keys()
    record_property("points", len(lost.met) + deaths)
