"""Whole lives, killed at every instant and recovered in every way (promises 1, 2, 4 and 5).

The process is simulated (`tests.support.simulation.process`); the tests in `tests/processes` kill real ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.points import at_point
from tests.support.simulation import full
from tests.support.simulation.full import AT_ONCE, LATE
from tests.support.simulation.life import ALL_LIVES, LIVES, WAYS_OUT, Stage, check, cut_and_recover
from tests.support.simulation.moments import told_apart
from tests.support.simulation.process import KINDS, points

pytestmark = pytest.mark.crash
SEED = 20260101
SAMPLED_WALKS = 60
SAMPLED_SECOND = 40


def held(life: str, way: str) -> int:
    """The promises of docs/guarantees.md that a way out of a life proves."""
    if way.startswith("sweep"):
        return 7
    return 2 if (life, way) == ("deploy", "resume") else 5


def marks(life: str, way: str, seen: float) -> list[pytest.MarkDecorator]:
    """`make long` also sweeps where AWS shows at once what it did, the easier case."""
    alike = seen == AT_ONCE and way.startswith("sweep")
    return [pytest.mark.promise(held(life, way)), *([pytest.mark.long] if alike else [])]


MATRIX = [
    pytest.param(life, way, seen, marks=marks(life, way, seen))
    for life in ALL_LIVES
    for way in WAYS_OUT
    for seen in (AT_ONCE, LATE)
    if life in LIVES or (seen == LATE and way != "destroy")  # never active, so this is a rollback
]


@pytest.mark.field_case(
    "a replaced script: what existed before the first state file was written had no record"
)
@pytest.mark.parametrize(("life", "way", "seen_after"), MATRIX)
def test_a_kill_at_any_instant_can_be_recovered(
    life: str,
    way: str,
    seen_after: float,
    sqlite_template: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """The goal is reached, nothing remains or is created twice, and the cut attempt is shown as such.

    Kills that leave the same state, to the last row and second, are recovered once and each is counted.
    """
    first = Stage.set(ALL_LIVES[life], sqlite_template, seen_after)
    moments = first.moments(first.life.command)
    assert sorted(points([moment.instant for moment in moments])) == sorted(KINDS)
    for number, moment in told_apart(moments):
        with at_point(f"killed at instant {number} of {len(moments)}: {moment.instant}"):
            stage = first.killed_at(moment)
            assert stage.play(WAYS_OUT[way])
            check(stage, stage.life.ends[way])
    record_property("points", len(moments))


@pytest.mark.promise(5)
def test_a_kill_during_the_recovery_can_be_recovered(
    sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """The same holds for a recovery that is killed itself: this is a sample of `make crash-full`."""
    rng = random.Random(SEED)  # noqa: S311 - a sample
    walks = rng.sample(full.walks(sqlite_template), SAMPLED_WALKS)
    for walk in walks:
        second = rng.randint(1, SAMPLED_SECOND)
        with at_point(f"{walk}, its recovery killed at {second}"):
            cut_and_recover(ALL_LIVES[walk.life], walk.way, sqlite_template, walk.seen, [walk.first, second])
    record_property("points", len(walks))
