"""The real command on a database that cannot be written: its disk is full, or another program locks the file.

`tests.simulation.storage.test_full_or_locked` covers every change of every command, in one process and on a
virtual clock.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.support.command import Result
from tests.support.processes import limited
from tests.support.processes.checks import PREFIXES, check_gone, check_once, id_of
from tests.support.processes.proxy import executed_then
from tests.support.processes.rules import at, times
from tests.support.processes.stage import EVENT_SECONDS, Stage
from tests.support.simulation.databases import make_pages_small

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.promise(1)]

QUICK_LEASE = {"TIER1_LEASE_SECONDS": "3", "TIER1_CALL_TIMEOUT_SECONDS": "1"}
"""How long the command keeps trying to commit what it has received."""
BUSY_SECONDS = 0.1
FULL = "has no space to grow (database or disk is full)"
DEPLOYED_HALF_PAGES = 40
DESTROYED_HALF_PAGES = 5
"""The smallest number of pages; a destroy writes about thirteen."""
Record = Callable[[str, object], None]


INTENDED = {
    "create": set(PREFIXES) | {"CreateRole", "CreateInstanceProfile"},
    "delete": {"TerminateInstances", "DeleteFileSystem", "DeleteMountTarget", "DeleteSubnet", "DeleteVpc"},
}
"""Calls that each have an attempt of their own."""


def limits(pages: int | str = limited.UNLIMITED, seconds: float | str = limited.UNLIMITED) -> tuple[str, ...]:
    return (str(limited.__file__), str(pages), str(seconds))


def check_stopped(stage: Stage, done: Result, *words: str) -> None:
    """Assert exit code 9 and the advice; each executed call has its intent, and each AWS id is recorded or
    printed.
    """
    assert done.code == 9, done.err
    for word in words:
        assert word in done.err
    executed = [call.operation for call, _ in stage.proxy.executed]
    for action, operations in INTENDED.items():
        intents = stage.stored(f"SELECT id FROM attempts WHERE action = '{action}'")  # noqa: S608
        assert len(intents) >= sum(operation in operations for operation in executed)
    made = {id_of(call, reply) for call, reply in stage.proxy.executed if call.making}
    known = set(stage.stored("SELECT aws_id FROM resources WHERE aws_id IS NOT NULL"))
    assert {id for id in made if id not in done.err} <= known


def check_active(stage: Stage) -> None:
    done = stage.resume()
    assert (done.code, done.json["state"]) == (0, "active"), done.err
    check_once(stage)


def test_a_full_disk_stops_a_deployment_and_a_destruction(stage: Stage, record_property: Record) -> None:
    """It stops each of them midway; once there is room, a resume completes it."""
    stage.settings |= QUICK_LEASE
    make_pages_small(stage.database)
    stage.script = limits(pages=DEPLOYED_HALF_PAGES)
    check_stopped(stage, stage.deploy(), FULL, "free space on its disk")
    assert stage.proxy.made
    stage.script = ()
    check_active(stage)
    stage.script = limits(pages=DESTROYED_HALF_PAGES)
    check_stopped(stage, stage.destroy(), FULL, "free space on its disk")
    assert "TerminateInstances" in {call.operation for call, _ in stage.proxy.executed}
    stage.script = ()
    assert stage.resume().code == 0
    check_gone(stage)
    record_property("points", 2)


@pytest.mark.skipif(not os.environ.get("TIER1_TEST_PROCESSES"), reason="`make crash` runs it")
def test_a_file_locked_by_another_program_stops_a_deployment(stage: Stage, record_property: Record) -> None:
    """The lock outlasts busy time-out and lease; the program is named, and a resume completes it."""
    stage.settings |= QUICK_LEASE
    stage.script = limits(seconds=BUSY_SECONDS)
    locks: list[sqlite3.Connection] = []

    def lock() -> None:
        held = sqlite3.connect(stage.database, EVENT_SECONDS, isolation_level=None, check_same_thread=False)
        held.execute("BEGIN IMMEDIATE")
        locks.append(held)

    stage.proxy.rule = times(1, at("CreateVpc"), executed_then(lock))
    done = stage.deploy()
    (held,) = locks
    with closing(held):
        check_stopped(stage, done, "is locked by another process for more than 0.1 s", str(os.getpid()))
    stage.script = ()
    check_active(stage)
    record_property("points", 1)
