"""The runner of every pair of kills: it distributes the work, resumes, and reports what failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simulation import full
from tests.support.simulation.full import Walk, Walked

pytestmark = pytest.mark.crash
SHORT = [Walk("destroy", "resume", 0.0, 20), Walk("deploy", "resume", 0.0, 34)]
"""Lives whose recovery is short."""


@pytest.mark.long
def test_two_workers_run_and_a_second_start_continues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has its own databases. Only a pair whose line was cut by a kill runs again."""
    full.empty_database(tmp_path)
    progress = tmp_path / "progress.jsonl"
    found = full.go_on(SHORT, progress, tmp_path, workers=2)
    assert {walk: one.failed for walk, one in found.items()} == dict.fromkeys(SHORT, ())
    assert min(one.pairs for one in found.values()) > 0
    whole = progress.read_text()
    progress.write_text(whole[:-20])
    again = full.go_on(SHORT, progress, tmp_path, workers=1)
    assert {walk: one.pairs for walk, one in again.items()} == {w: one.pairs for w, one in found.items()}
    assert "1 of 2 walks were done before" in capsys.readouterr().err


def test_a_failed_pair_is_reported_with_the_command_that_repeats_it() -> None:
    """The table has one row for each life and way out, and one for all."""
    clean = Walked(Walk("deploy", "sweep", 3.0, 1), 30, (), 1.0)
    failed = Walked(Walk("deploy", "sweep back", 3.0, 7), 20, ((4, "AssertionError: two"),), 2.0)
    rows = [line.split() for line in full.table([clean, failed])]
    assert rows[1] == ["deploy", "3", "sweep", "1", "30", "30", "0", "0", "1"]
    assert rows[-1] == ["all", "2", "50", "49", "1", "0", "3"]
    assert list(full.failures([clean, failed])) == [
        "FAILED AssertionError: two",
        "  python -m tests.support.simulation.full --replay deploy 'sweep back' 3.0 7 4",
    ]
