"""Where coverage is measured: not where the same code is walked again and again.

What is named here proves what the engine does when it is killed, cut or refused, thousands of times, or
what commands do that others run as well. Measuring makes that up to twice as long, and shows no line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import coverage
import pytest

UNMEASURED = (
    "tests/commands/story/",
    "tests/commands/test_examples_sweep.py",
    "tests/commands/test_guide.py",
    "tests/commands/test_interrupted.py",
    "tests/commands/test_life_on_plain_moto.py",
    "tests/commands/test_one_driver.py",
    "tests/commands/test_sweep_throttled.py",
    "tests/commands/test_sweep_trouble.py",
    "tests/conformance/",
    "tests/packaging/",
    "tests/processes/",
    "tests/sandbox/test_guide_of_scenarios.py",
    "tests/sandbox/test_scenarios.py",
    "tests/simulation/crash/",
    "tests/simulation/storage/",
)
"""Folders and files, as pytest names them."""
INHERITED = "COVERAGE_PROCESS_CONFIG"
"""Tells a child process to measure itself (coverage's `patch = subprocess`)."""
FOR_CHILDREN = pytest.StashKey[str | None]()


@contextmanager
def unmeasured_processes() -> Iterator[None]:
    """What is started meanwhile does not measure itself."""
    inherited = os.environ.pop(INHERITED, None)
    try:
        yield
    finally:
        if inherited is not None:
            os.environ[INHERITED] = inherited


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """A worker does not measure itself as a child process: pytest-cov measures it already."""
    config.stash[FOR_CHILDREN] = os.environ.pop(INHERITED, None)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Its child processes do."""
    node.workerinput[INHERITED] = node.config.stash[FOR_CHILDREN]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """A worker is measured once.

    pytest-cov begins to measure each when it starts, and again, on top of that, when its session starts: what
    is not to be measured would be measured by the other. The first one's lines are those of the imports.
    """
    if (workerinput := getattr(session.config, "workerinput", None)) is not None:
        while (earlier := coverage.Coverage.current()) is not None:
            earlier.stop()
            earlier.save()
        if inherited := workerinput[INHERITED]:
            os.environ[INHERITED] = inherited


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Stop measuring for a test that is named here, its fixtures and its processes included."""
    measuring = coverage.Coverage.current()
    if measuring is None or not item.nodeid.startswith(UNMEASURED):
        return (yield)
    measuring.stop()
    try:
        with unmeasured_processes():
            return (yield)
    finally:
        measuring.start()
