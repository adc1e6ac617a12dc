"""A rollback takes little longer than AWS needs for the longest chain of deletions."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rollback_time import LIMIT, measure
from tier1_engine.settings import Settings

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 17))]


@pytest.mark.parametrize(
    "launched", [True, pytest.param(False, marks=pytest.mark.long)], ids=["whole-stack", "launch-refused"]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_rollback_takes_at_most_1_2_times_the_longest_chain(
    tmp_path: Path, seed: int, launched: bool
) -> None:
    """The limit holds on AWS's clock with the default settings, whatever the sandbox drew."""
    found = measure(seed, tmp_path, launched=launched)
    assert 1.0 <= found.ratio <= LIMIT, found


def test_a_rollback_that_polls_too_rarely_takes_longer(tmp_path: Path) -> None:
    """The limit does test tier1: with a first interval of half a minute it does not hold."""
    found = measure(1, tmp_path, launched=False, settings=Settings(poll_seconds=30.0))
    assert found.ratio > LIMIT, found
