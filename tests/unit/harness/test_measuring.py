"""The lists of unmeasured and measured tests name tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.measuring import MEASURED, UNMEASURED, is_unmeasured

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("named", [*UNMEASURED, *MEASURED])
def test_every_listed_name_exists(named: str) -> None:
    """Otherwise moving or renaming a test would silently change what is measured."""
    path, _, test = named.partition("::")
    assert (ROOT / path).exists()
    if test:
        assert f" {test.rpartition('::')[2]}" in (ROOT / path).read_text(encoding="utf-8")


def test_every_exception_is_within_an_unmeasured_folder_or_file() -> None:
    """Otherwise it would be no exception."""
    assert not [named for named in MEASURED if not named.startswith(UNMEASURED)]
    assert not [named for named in MEASURED if is_unmeasured(named)]
    assert is_unmeasured("tests/simulation/crash/test_matrix.py::test_a_kill")
