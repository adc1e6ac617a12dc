"""The log file has JSON lines, is private, and never stops a command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.rows import AT, deployment, resource, step
from tier1_engine.cli.screen.log_file import Both, LogFile, opened
from tier1_engine.deployment.record import (
    Attempt,
    AttemptAdd,
    AttemptSet,
    Change,
    DeploymentSet,
    Move,
    Note,
    Record,
    ResourceAdd,
    ResourceSet,
    StepSet,
)
from tier1_engine.deployment.states import Action, Goal, Outcome, ResourceState, State, StepState, Trigger
from tier1_engine.errors import ConfigurationError, NameInUse


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_turn_is_a_line_for_each_change(tmp_path: Path) -> None:
    """Transitions, notes, steps, resources and ended attempts have one; counters have none."""
    attempt = Attempt("a1", "d1", "net", Action.CREATE, AT, 1, "r1", "r1-1-0")
    end = {"ended_at": AT, "outcome": Outcome.REFUSED, "code": "No", "operation": "CreateNet"}
    changes: list[Change] = [
        Move(Trigger.START, State.PENDING, State.PROVISIONING_NETWORK, Goal.ACTIVE),
        ResourceAdd(resource()),
        AttemptAdd(attempt),
        AttemptSet("a1", end),
        StepSet("net", {"state": StepState.RUNNING}),
        StepSet("net", {"driven_seconds": 1.0}),
        ResourceSet("r1", {"state": ResourceState.DELETED, "deleted_at": AT}),
        ResourceSet("r1", {"driven_seconds": 1.0}),
        Note("see http://me:hidden@here/", "net"),
        DeploymentSet({"failure": None}),
    ]
    record = Record(deployment(), {"net": step()}, {}, {}).apply(changes)
    path = tmp_path / "log"
    log = LogFile(path)
    Both(log, log).turn(record, changes, {})
    log.close()
    found = lines(path)
    half = found[: len(found) // 2]
    assert [line["kind"] for line in half] == [
        "move",
        "resource",
        "attempt",
        "attempt",
        "step",
        "resource",
        "note",
    ]
    assert all(line["deployment"] == "d1" and line["pid"] == os.getpid() for line in found)
    assert half[3]["attempt"]["code"] == "No"
    assert half[6]["message"] == "see http://me:***@here/"


def test_it_is_private_and_appended_to(tmp_path: Path) -> None:
    """A file that others could read becomes private, and its content stays."""
    path = tmp_path / "log"
    path.write_text('{"kind": "old"}\n', encoding="utf-8")
    path.chmod(0o644)
    with opened(path) as log:
        assert log is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert [line["kind"] for line in lines(path)] == ["old", "begin"]


def test_a_refusal_is_its_last_line(tmp_path: Path) -> None:
    """It has the exit code, and the error is raised again."""
    path = tmp_path / "log"
    with pytest.raises(NameInUse), opened(path):
        raise NameInUse("The name is in use.")
    assert lines(path)[-1]["message"] == "The name is in use."
    assert lines(path)[-1]["exit_code"] == 2


def test_one_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """The command does nothing else first."""
    with pytest.raises(ConfigurationError, match="cannot be written"), opened(tmp_path / "no" / "log"):
        pass
    with opened(None) as nothing:
        assert nothing is None


def test_a_full_disk_is_reported_once_and_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """/dev/full accepts no byte."""
    log = LogFile(Path("/dev/full"))
    log.write("first")
    log.write("second")
    log.close()
    assert capsys.readouterr().err.count("warning: the log file /dev/full is incomplete from here on") == 1
