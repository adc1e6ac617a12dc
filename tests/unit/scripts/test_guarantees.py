"""The page of guarantees says what the suites' own report says, and nothing that is not there."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from scripts import guarantees

REPORT = """<testsuites><testsuite>
<testcase file="tests/simulation/crash/test_matrix.py" name="a"><properties>
<property name="promise" value="2"/><property name="points" value="40"/></properties></testcase>
<testcase file="tests/simulation/crash/test_matrix.py" name="b"/>
<testcase file="tests/simulation/crash/test_matrix.py" name="c"><skipped/></testcase>
<testcase file="tests/simulation/crash/test_lost_replies.py" name="d"><properties>
<property name="promise" value="1"/></properties></testcase>
</testsuite></testsuites>"""


def cases() -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(REPORT).iter("testcase"))  # noqa: S314 - it stands above


def test_points_are_those_that_the_tests_record() -> None:
    """A test that records none is one; a skipped one is none; a promise is named by file or by the test."""
    numbers = guarantees.counted(cases())
    assert numbers["2"]["tests/simulation/crash/test_matrix.py"] == {"tests": 2, "points": 41}
    assert numbers["5"]["tests/simulation/crash/test_matrix.py"] == {"tests": 1, "points": 1}
    assert numbers["1"] == {"tests/simulation/crash/test_lost_replies.py": {"tests": 1, "points": 1}}


def test_every_promise_of_the_design_is_on_the_page() -> None:
    """Nine of them, each with its words and its number of points."""
    text = guarantees.page(guarantees.counted(cases()))
    assert [promise.number for promise in guarantees.PROMISES] == list(range(1, 10))
    for promise in guarantees.PROMISES:
        assert f"## {promise.number}. {promise.title}" in text
        assert promise.promised in text
        assert promise.not_promised in text
    assert "Held at 41 points" in text


def test_the_page_is_current() -> None:
    """It is what follows from the stored numbers, and the tests that it names exist."""
    assert guarantees.findings() == []


def test_a_stale_page_and_a_test_that_is_gone_are_told(tmp_path: Path) -> None:
    """Each by its name."""
    assert "missing" in guarantees.findings(tmp_path)[0]
    (tmp_path / "docs").mkdir()
    numbers = guarantees.stored()
    numbers["1"]["tests/gone.py"] = {"tests": 1, "points": 1}
    (tmp_path / guarantees.NUMBERS).write_text(json.dumps(numbers))
    (tmp_path / guarantees.PAGE).write_text("old")
    told = guarantees.findings(tmp_path)
    assert "is stale" in told[0]
    assert any("tests/gone.py, which is not there" in one for one in told)
