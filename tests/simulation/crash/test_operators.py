"""Concurrent operators: what they request while a driver is at any of its instants.

The instants are those of a deployment, a rollback and a destroy: before and after every changing call, and
after every commit. (Before a commit the driver holds the row, so a request waits and comes right after.) The
request comes from another process on the same database; the driver sees it at its next turn, or the
requesting command drives once the driver has ended.

Between two of its transactions a driver does not touch the database. A request that touches nothing else has
the same effect at each of these instants, as long as no time passes: it runs at the first of them and is
counted at each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.points import at_point
from tests.support.simulation.life import LIVES, OUT, WAYS_OUT, Stage, check
from tests.support.simulation.moments import told_apart
from tests.support.simulation.operator import BEFORE_COMMIT, Operator
from tests.support.simulation.rig import Rig
from tier1_engine.deployment.states import Goal, ResourceState, State
from tier1_engine.engine import engine
from tier1_engine.errors import DrivenByAnother, Refused
from tier1_engine.store.holder import this_process

pytestmark = pytest.mark.crash
Ask = Callable[[Rig, str], None]
LATE = 3.0
OWN_END = {"deploy": State.ACTIVE, "rollback": State.ROLLED_BACK, "destroy": State.DESTROYED}


def roll_back(rig: Rig, id: str) -> None:
    engine.request(rig.equipment, id, Goal.ROLLED_BACK)


def destroy(rig: Rig, id: str) -> None:
    engine.request(rig.equipment, id, Goal.DESTROYED)


def roll_back_but_keep(rig: Rig, id: str) -> None:
    engine.request(rig.equipment, id, Goal.ROLLED_BACK, retain=("disk",))


def destroy_but_keep(rig: Rig, id: str) -> None:
    engine.request(rig.equipment, id, Goal.DESTROYED, retain=("disk",))


def roll_back_but_keep_a_door(rig: Rig, id: str) -> None:
    """Retain a door, and so the net that contains it."""
    engine.request(rig.equipment, id, Goal.ROLLED_BACK, retain=("door-1",))


def resume(rig: Rig, id: str) -> None:
    """The resume is refused with the holder's name and changes nothing; once the lease is free, nothing is
    left to do.
    """
    (seen,) = rig.store.summaries(deployment_id=id)
    if seen.holder is None:
        engine.resume(rig.equipment, id)
        return
    with pytest.raises(DrivenByAnother):
        engine.resume(rig.equipment, id)


def two_at_once_one_keeps(rig: Rig, id: str) -> None:
    """One rolls it back and retains the disk, another destroys it: both requests are carried out."""
    roll_back_but_keep(rig, id)
    destroy(rig, id)


KEPT = {
    "roll_back_but_keep": {"disk"},
    "destroy_but_keep": {"disk"},
    "two_at_once_one_keeps": {"disk"},
    "roll_back_but_keep_a_door": {"door-1", "net"},
}
ASKS: dict[str, Ask] = {
    ask.__name__: ask
    for ask in (
        roll_back,
        destroy,
        roll_back_but_keep,
        destroy_but_keep,
        roll_back_but_keep_a_door,
        resume,
        two_at_once_one_keeps,
    )
}


@dataclass(frozen=True)
class Answer:
    """The result of a request.

    Attributes:
        taken: one that cannot hold any more is refused with a sentence.
        quiet: nothing but the database was touched for it, and no time passed.
    """

    taken: bool
    quiet: bool


def answered(ask: Ask, stage: Stage) -> Answer:
    with stage.another_process() as rig:
        before, taken = (rig.world.whole, list(rig.world.calls)), True
        try:
            ask(rig, stage.id)
        except Refused:
            taken = False
        return Answer(taken, quiet=(rig.world.whole, rig.world.calls) == before)


@pytest.mark.promise(6)
@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("life", LIVES)
def test_a_request_at_any_instant_is_carried_out(
    life: str, ask: str, sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """The deployment ends as the last request says, and only what was to be retained remains."""
    first = Stage.set(LIVES[life], sqlite_template, 0.0)
    moments = first.moments(first.life.command)
    points = [n for n, moment in enumerate(moments, start=1) if moment.instant != BEFORE_COMMIT]
    played: set[object] = set()
    for at in points:
        moment = moments[at - 1]
        with at_point(f"{ask} at instant {at} of {len(moments)}: {moment.instant}"):
            if moment.between_transactions in played:
                continue
            operator = Operator(at=at)
            stage = Stage.set(LIVES[life], sqlite_template, 0.0, operator, holder=this_process)
            answers: list[Answer] = []
            operator.ask = lambda: answers.append(answered(ASKS[ask], stage))  # noqa: B023
            assert stage.play(stage.life.command)
            (answer,) = answers
            if answer.quiet:
                played.add(moment.between_transactions)
            assert stage.play(WAYS_OUT["resume"])  # what the requesting command does once the lease is free
            check(stage, (OWN_END[life],) if ask == "resume" or not answer.taken else OUT)
            check_kept(stage, KEPT.get(ask, set()) if answer.taken else set())
    record_property("points", len(points))


@pytest.mark.promise(5)
@pytest.mark.parametrize("ask", ["destroy", "roll_back_but_keep", "two_at_once_one_keeps"])
@pytest.mark.parametrize("life", LIVES)
def test_a_request_made_while_the_driver_was_killed_is_carried_out_by_a_resume(
    life: str,
    ask: str,
    sqlite_template: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """The request is stored in the database, so the next driver sees it."""
    first = Stage.set(LIVES[life], sqlite_template, LATE)
    moments = first.moments(first.life.command)
    points = [moment for moment in moments if moment.instant != BEFORE_COMMIT]
    for at, moment in told_apart(moments):
        with at_point(f"{ask} and a kill at instant {at} of {len(moments)}: {moment.instant}"):
            stage = first.killed_at(moment)  # requested at that instant: no driver survived to see it
            taken = answered(ASKS[ask], stage).taken
            assert stage.play(WAYS_OUT["resume"])
            check(stage, OUT if taken else LIVES[life].ends["resume"])
            check_kept(stage, KEPT.get(ask, set()) if taken else set())
    record_property("points", len(points))


def check_kept(stage: Stage, kept: set[str]) -> None:
    """Assert that exactly what was requested, accepted and ever created is retained."""
    made = {n for n in kept if [t for t in stage.rig.world.of(n) if t not in stage.others]}
    rows = stage.rig.store.load(stage.id).resources.values()
    assert {row.name for row in rows if row.state is ResourceState.RETAINED} == made
