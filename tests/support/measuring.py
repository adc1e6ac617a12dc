"""Selects where coverage is measured: not where tests run the same code many times.

The tests named here verify what the engine does when it is killed, cut off or refused, thousands of times, or
what commands do that other tests run as well, or read the code instead of running it. Measuring makes them up
to twice as long, and adds no line.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import coverage
import pytest

import tier1_engine

UNMEASURED = (
    "tests/commands/",
    "tests/conformance/",
    "tests/migration/test_old_databases.py",
    "tests/packaging/",
    "tests/processes/",
    "tests/sandbox/behaviour/test_boot.py::test_a_terminated_instance",
    "tests/sandbox/behaviour/test_footprint.py",
    "tests/sandbox/behaviour/test_in_use.py::test_a_terminated_instance",
    "tests/sandbox/behaviour/test_rollback_time.py",
    "tests/sandbox/test_faults.py::test_a_late_reply",
    "tests/sandbox/test_faults.py::test_connections_are_really_cut",
    "tests/sandbox/test_faults.py::test_the_same_seed",
    "tests/sandbox/test_guide_of_scenarios.py",
    "tests/sandbox/test_scenarios.py",
    "tests/sandbox/test_start_and_stop.py",
    "tests/simulation/crash/",
    "tests/simulation/storage/",
    "tests/simulation/test_adoption.py",
    "tests/simulation/test_copied_database.py",
    "tests/simulation/test_copied_tags.py",
    "tests/simulation/test_engine.py",
    "tests/simulation/test_late_tags.py",
    "tests/simulation/test_sweep_property.py",
    "tests/simulation/test_time.py::test_a_driver_renews_its_lease",
    "tests/unit/benchmarks/",
    "tests/unit/boot/test_userdata.py",
    "tests/unit/cli/test_startup_imports.py",
    "tests/unit/deployment/test_states.py::test_a_move_is_written",
    "tests/unit/engine/decide/test_decide.py",
    "tests/unit/failures/test_codes.py",
    "tests/unit/failures/test_failures.py",
    "tests/unit/guidance/test_guidance.py::test_each_remedy",
    "tests/unit/harness/test_census_of_moto.py",
    "tests/unit/harness/test_plumbing.py",
    "tests/unit/sandbox/test_guard.py",
    "tests/unit/sandbox/test_sandbox.py::test_two_can_run",
    "tests/unit/sandbox/test_scenario_effects.py::TestExpiredCredentials::test_each_service",
    "tests/unit/sandbox/test_scenario_effects.py::TestTheSameAgain::test_two_runs",
    "tests/unit/scripts/test_docs.py",
    "tests/unit/store/test_store.py::test_an_invalid",
    "tests/unit/test_glossary.py",
    "tests/unit/test_layers.py",
)
"""Folders and files, as pytest names them."""
MEASURED = (
    "tests/commands/story/test_secrets_are_masked.py",
    "tests/commands/test_copied_database.py::test_a_copy_is_refused",
    "tests/commands/test_db.py",
    "tests/commands/test_reading.py",
    "tests/commands/test_refusals.py::TestBeforeARowExists",
    "tests/commands/test_refusals.py::TestTheSpec",
    "tests/commands/test_sweep.py::test_a_failed_one_is_read_refused_and_swept",
    "tests/commands/test_sweep.py::test_a_reviewed_plan",
    "tests/commands/test_sweep.py::test_foreign_resources",
    "tests/commands/test_sweep.py::test_invalid_arguments",
    "tests/commands/test_terminal.py",
)
"""Those of them that walk what nothing else does."""
RUN_WHEN_IMPORTED = ("tier1_engine.cli.__main__",)
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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Iterator[Any]:
    """Measure the import of every module at once, and nothing while the tests are collected.

    Collecting them runs little else of ours, and measuring makes it twice as long.
    """
    measuring = coverage.Coverage.current()
    if measuring is None or not hasattr(session.config, "workerinput"):
        return (yield)
    for module in pkgutil.walk_packages(tier1_engine.__path__, "tier1_engine."):
        if module.name not in RUN_WHEN_IMPORTED:
            importlib.import_module(module.name)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()


def is_unmeasured(nodeid: str) -> bool:
    """Whether a test is walked again and again, by pytest's name for it."""
    return nodeid.startswith(UNMEASURED) and not nodeid.startswith(MEASURED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Stop measuring for a test that is named here, its fixtures and its processes included."""
    measuring = coverage.Coverage.current()
    if measuring is None or not is_unmeasured(item.nodeid):
        return (yield)
    measuring.stop()
    try:
        with unmeasured_processes():
            return (yield)
    finally:
        measuring.start()
