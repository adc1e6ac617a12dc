"""The duration of a test run by folder: a table at its end, as `make test` prints it.

A pytest plugin. With several workers it adds up their seconds, each test with its fixtures.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

import pytest

FOLDER_DEPTH = 2
"""`tests/commands/story/test_x.py` belongs to `tests/commands`."""


class Table:
    """The seconds and tests of each folder."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.tests: dict[str, set[str]] = defaultdict(set)

    def add(self, nodeid: str, seconds: float) -> None:
        """One phase of one test: set-up, call or tear-down."""
        path = PurePosixPath(nodeid.partition("::")[0])
        folder = "/".join(path.parts[:-1][:FOLDER_DEPTH]) or "."
        self.seconds[folder] += seconds
        self.tests[folder].add(nodeid)

    def lines(self) -> list[str]:
        """The slowest folder first, and the sum."""
        slowest_first = sorted(self.seconds, key=lambda folder: -self.seconds[folder])
        rows = [(folder, self.seconds[folder], len(self.tests[folder])) for folder in slowest_first]
        rows.append(("all", sum(self.seconds.values()), sum(map(len, self.tests.values()))))
        width = max(len(folder) for folder, _, _ in rows)
        head = f"{'':{width}}  seconds  tests"
        return [head, *(f"{folder:{width}}  {seconds:7.0f}  {tests:5}" for folder, seconds, tests in rows)]


TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    """Nothing has run yet."""
    config.stash[TABLE] = Table()
    config.pluginmanager.register(_Listener(config.stash[TABLE]))


class _Listener:
    """Hears every report, those of the workers included: they are sent to the process that prints."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._table.add(report.nodeid, report.duration)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print it where more than one folder ran."""
    table = config.stash[TABLE]
    if len(table.seconds) > 1:
        terminalreporter.section("by folder, all workers together")
        for line in table.lines():
            terminalreporter.line(line)
