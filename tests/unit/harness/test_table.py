"""The table of seconds at the end of a run."""

from __future__ import annotations

from tests.support.table import Table


def test_a_folder_has_the_seconds_of_all_phases_and_each_test_once() -> None:
    """Deeper folders count for the second level, and the slowest folder comes first."""
    table = Table()
    for phase_seconds in (1.0, 2.0):
        table.add("tests/unit/test_a.py::test_one", phase_seconds)
    table.add("tests/commands/story/test_b.py::test_two[x::y]", 40.0)
    table.add("tests/commands/test_c.py::test_three", 10.0)
    assert table.lines() == [
        "                seconds  tests",
        "tests/commands       50      2",
        "tests/unit            3      1",
        "all                  53      3",
    ]
