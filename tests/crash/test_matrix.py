"""Whole lives, killed at every instant and recovered by every way out (DESIGN promises 1, 2, 4 and 5).

The process is simulated (see `tests.crash.process`); processes that are really killed are in the
acceptance tests.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.life import LIVES, MAX_SECOND_INSTANT, WAYS_OUT, cut_and_recover, instants

pytestmark = pytest.mark.crash
SEED = 20260101
AT_ONCE, LATE = 0.0, 3.0
"""When what was made is seen; less than the grace, so that it can always be found."""

# A destruction of what never was active is a rollback: one visibility of it is enough.
MATRIX = [
    ("deploy", "resume", AT_ONCE),
    ("deploy", "resume", LATE),
    ("deploy", "rollback", AT_ONCE),
    ("deploy", "rollback", LATE),
    ("deploy", "destroy", LATE),
    ("rollback", "resume", AT_ONCE),
    ("rollback", "resume", LATE),
    ("rollback", "destroy", AT_ONCE),
    ("destroy", "resume", AT_ONCE),
    ("destroy", "destroy", LATE),
]
EVERY = [(life, way, seen) for life in LIVES for way in WAYS_OUT for seen in (AT_ONCE, LATE)]


@pytest.mark.parametrize(("life", "way", "seen_after"), MATRIX)
def test_a_kill_at_any_instant_can_be_recovered(
    life: str, way: str, seen_after: float, sqlite_template: Path
) -> None:
    """The goal is reached, nothing is left or made twice, and the cut attempt is shown as such."""
    whole = instants(LIVES[life], sqlite_template, seen_after)
    for number, instant in enumerate(whole, start=1):
        with told(f"killed at instant {number} of {len(whole)}: {instant}"):
            cut_and_recover(LIVES[life], way, sqlite_template, seen_after, [number])


def recover_twice(source: Path, samples: int | None) -> None:
    """Kill lives and then their recoveries, at instants of a seeded sample, or with None at all."""
    rng = random.Random(SEED)  # noqa: S311 - a sample
    cases = [
        (life, way, seen, first, second)
        for life, way, seen in EVERY
        for first in range(1, len(instants(LIVES[life], source, seen)) + 1)
        for second in range(1, MAX_SECOND_INSTANT + 1)
    ]
    for life, way, seen, first, second in cases if samples is None else rng.sample(cases, samples):
        with told(f"{life}, {way}, seen after {seen} s, killed at {first} and then at {second}"):
            cut_and_recover(LIVES[life], way, source, seen, [first, second])


@contextmanager
def told(where: str) -> Iterator[None]:
    """Say at which kill an assertion failed."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise


def test_a_kill_within_the_recovery_can_be_recovered(sqlite_template: Path) -> None:
    """The same holds for a recovery that is killed itself (a seeded sample of all pairs)."""
    recover_twice(sqlite_template, samples=60)


@pytest.mark.skipif(
    "TIER1_TEST_ALL_CRASHES" not in os.environ, reason="hours; TIER1_TEST_ALL_CRASHES=1 runs it"
)
def test_every_pair_of_kills_can_be_recovered(sqlite_template: Path) -> None:
    """The same for all pairs of instants."""
    recover_twice(sqlite_template, samples=None)
