"""A rollback takes little longer than AWS itself needs for the deletions that wait for each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rollback_time import LIMIT, measure
from tier1_engine.settings import Settings

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 17))]


@pytest.mark.parametrize("launched", [True, False], ids=["whole-stack", "launch-refused"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_rollback_takes_at_most_1_2_times_the_longest_chain(
    tmp_path: Path, seed: int, launched: bool
) -> None:
    """On AWS's clock, with the default settings, whatever the sandbox drew."""
    found = measure(seed, tmp_path, launched=launched)
    assert 1.0 <= found.ratio <= LIMIT, found


def test_one_that_polls_too_seldom_takes_longer(tmp_path: Path) -> None:
    """So the figure is one of ours: with a first interval of half a minute the limit does not hold."""
    found = measure(1, tmp_path, launched=False, settings=Settings(poll_seconds=30.0))
    assert found.ratio > LIMIT, found
