"""The benchmark of the commands' start measures them all, and what it measures is what is promised."""

from __future__ import annotations

import json

import pytest

from benchmarks import start


@pytest.mark.long
def test_a_guide_takes_at_most_one_and_a_half_times_the_start_of_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the least of a few runs in turns, which a busy machine hardly touches. Without coverage, which
    weighs more on what is ours than on what is imported; `test_startup_imports` holds the same always.
    """
    code = start.main(["--runs", "5"])
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"limit", *start.COMMANDS}
    assert found["list"]["ratio_least"] == 1.0
    assert code == 0, found
