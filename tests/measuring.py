"""Where coverage is measured: not where the same code is walked again and again.

What is named here proves what the engine does when it is killed, cut or refused, thousands of times, or
what commands do that others run as well. Measuring makes that up to twice as long, and shows no line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import coverage
import pytest

FOLDERS = frozenset({"acceptance", "conformance", "crash", "drivers", "packaging", "storage"})
MODULES = frozenset(
    {
        "test_cli_guide",
        "test_cli_interrupted",
        "test_cli_life_on_plain_moto",
        "test_cli_one_driver",
        "test_cli_sweep_trouble",
        "test_examples_sweep",
        "test_guide_of_scenarios",
        "test_scenarios",
        "test_sweep_throttled",
    }
)
INHERITED = "COVERAGE_PROCESS_CONFIG"
"""Tells a child process to measure itself (coverage's `patch = subprocess`)."""


@contextmanager
def unmeasured_processes() -> Iterator[None]:
    """What is started meanwhile does not measure itself."""
    inherited = os.environ.pop(INHERITED, None)
    try:
        yield
    finally:
        if inherited is not None:
            os.environ[INHERITED] = inherited


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Stop measuring for a test that is named here, its fixtures and its processes included."""
    measuring = coverage.Coverage.current()
    path = Path(item.location[0])
    if measuring is None or not (FOLDERS & set(path.parts) or path.stem in MODULES):
        return (yield)
    measuring.stop()
    try:
        with unmeasured_processes():
            return (yield)
    finally:
        measuring.start()
