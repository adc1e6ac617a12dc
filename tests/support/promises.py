"""Counts the points at which a run verified each promise: `@promise(2)` on a test, a class or a module.

    pytest --points FILE      writes the numbers down (`make guarantees`)

A test verifies the promises of its nearest marker, at as many points as it records
(`record_property("points", n)`), else at one; when it was skipped or failed it counts nothing. The counts of
a whole run are printed at its end. A pytest plugin.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

Numbers = dict[str, dict[str, dict[str, int]]]
"""By promise and file: `tests` that passed, and the `points` that they recorded."""
PROMISE, POINTS = "promise", "points"
NUMBERS = pytest.StashKey["Counted"]()


class Counted:
    """The points of the tests that passed."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Those of the workers are heard, too: they are sent to the process that counts."""
        if report.when != "call" or not report.passed:
            return
        said = dict(report.user_properties)
        for number in {str(value) for name, value in report.user_properties if name == PROMISE}:
            entry = self._entries[number][report.nodeid.partition("::")[0]]
            entry.update(tests=1, points=int(str(said.get(POINTS, 1))))

    @property
    def numbers(self) -> Numbers:
        return {
            number: {path: dict(entry) for path, entry in sorted(self._entries[number].items())}
            for number in sorted(self._entries)
        }

    @property
    def line(self) -> str:
        """The points of each promise."""
        held = {
            number: sum(entry[POINTS] for entry in files.values()) for number, files in self.numbers.items()
        }
        return "points per promise: " + ", ".join(f"{number}: {points}" for number, points in held.items())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--points", metavar="FILE", type=Path, help="write down what was held of each promise")


def pytest_configure(config: pytest.Config) -> None:
    """Start with zero points."""
    config.stash[NUMBERS] = Counted()
    config.pluginmanager.register(config.stash[NUMBERS])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Add the promises of the test to its report."""
    if marker := item.get_closest_marker(PROMISE):
        item.user_properties += [(PROMISE, number) for number in marker.args]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the counts, and write them to the file if one is given."""
    counted = config.stash[NUMBERS]
    if counted.numbers:
        terminalreporter.line(counted.line)
    if path := config.getoption("--points"):
        path.write_text(json.dumps(counted.numbers, indent=2) + "\n", encoding="utf-8")
