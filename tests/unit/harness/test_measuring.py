"""What is named as not measured, and as measured after all, is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.measuring import MEASURED, UNMEASURED, is_unmeasured

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("named", [*UNMEASURED, *MEASURED])
def test_what_is_named_exists(named: str) -> None:
    """A file that moved, or a test that was renamed, would be measured, or not, without a word."""
    path, _, test = named.partition("::")
    assert (ROOT / path).exists()
    if test:
        assert f" {test.rpartition('::')[2]}" in (ROOT / path).read_text(encoding="utf-8")


def test_what_is_measured_after_all_is_no_longer_left_out() -> None:
    """Each stands in a folder or file that is left out."""
    assert not [named for named in MEASURED if not named.startswith(UNMEASURED)]
    assert not [named for named in MEASURED if is_unmeasured(named)]
    assert is_unmeasured("tests/simulation/crash/test_matrix.py::test_a_kill")
