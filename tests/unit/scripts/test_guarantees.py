"""The page of guarantees agrees with the report of the tests and names only files that exist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import guarantees

NUMBERS = {
    "2": {
        "tests/simulation/crash/test_matrix.py": {"tests": 1, "points": 40},
        "tests/simulation/test_keys.py": {"tests": 1, "points": 1},
    }
}
TESTS = """
import pytest

@pytest.mark.promise(2)
@pytest.mark.parametrize("count", [3, 4])
def test_records(count, record_property):
    record_property("points", count)

@pytest.mark.promise(2, 5)
def test_records_none(): pass

@pytest.mark.promise(2)
def test_skips(): pytest.skip("elsewhere")

def test_promises_nothing(): pass
"""


def test_points_are_those_that_the_tests_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A test without points is one, and counts for each promise that it names; a skipped one does
    not count.
    """
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = promise")
    written = tmp_path / "numbers.json"
    options = ["-p", "tests.support.promises", "-p", "no:cacheprovider", "--points", str(written)]
    assert pytest.main([*options, "-c", str(tmp_path / "pytest.ini"), str(tmp_path)]) == pytest.ExitCode.OK
    (of_two,), (of_five,) = (guarantees.read(written)[number].values() for number in ("2", "5"))
    assert (of_two, of_five) == ({"tests": 3, "points": 8}, {"tests": 1, "points": 1})
    assert "points per promise: 2: 8, 5: 1" in capsys.readouterr().out


def test_every_promise_of_the_design_is_on_the_page() -> None:
    """There are nine, each with its text and number of points."""
    text = guarantees.page(NUMBERS)
    assert [promise.number for promise in guarantees.PROMISES] == list(range(1, 10))
    for promise in guarantees.PROMISES:
        assert f"## {promise.number}. {promise.title}" in text
        assert promise.promised in text
        assert promise.not_promised in text
    assert "Held at 41 points" in text


def test_the_page_is_current() -> None:
    """It follows from the stored numbers, and the tests that it names exist."""
    assert guarantees.findings() == []


def test_a_stale_page_and_a_missing_test_are_reported(tmp_path: Path) -> None:
    """Each is named."""
    assert "missing" in guarantees.findings(tmp_path)[0]
    (tmp_path / "docs").mkdir()
    numbers = {**guarantees.stored(), "1": {"tests/gone.py": {"tests": 1, "points": 1}}, "2": {}}
    (tmp_path / guarantees.NUMBERS).write_text(json.dumps(numbers))
    (tmp_path / guarantees.PAGE).write_text("old")
    reported = guarantees.findings(tmp_path)
    assert "is stale" in reported[0]
    assert any("tests/gone.py, which is not there" in one for one in reported)
    assert "No test holds promise 2." in reported
