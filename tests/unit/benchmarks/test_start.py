"""The benchmark of the commands' start-up measures all of them, and the promised limit holds."""

from __future__ import annotations

import json

import pytest

from benchmarks import start


@pytest.mark.long
def test_a_guide_takes_at_most_one_and_a_half_times_the_start_of_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It compares the fastest of a few alternating runs, which a busy machine hardly affects. Coverage is
    off, because it slows tier1's own code more than imports; `test_startup_imports` checks the imports.
    """
    code = start.main(["--runs", "5"])
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"limit", *start.COMMANDS}
    assert found["list"]["ratio_least"] == 1.0
    assert code == 0, found
