"""Each named scenario ends as its file says, with the real command and a sandbox and a database of
its own.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import Command, Running, Warm
from tier1_engine.sandbox.faults import scenarios
from tier1_engine.sandbox.process.state import process_started
from tier1_engine.sandbox.rehearsal import rehearsal
from tier1_engine.sandbox.rehearsal.rehearsal_spec import RehearsalSpec

pytestmark = pytest.mark.slow

COLUMNS = ["scenario", "outcome", "exit_code", "seconds", "calls", "left", "ok"]
WRONGLY_EXPECTED = """\
title: Nothing happens, and nobody is told so
expected: {state: rolled_back, exit_code: 3, left: 0, code: Nothing}
"""
ELSEWHERE = "name: mine\nregion: eu-west-1\n"


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder in which a rehearsal makes its folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def operator(tmp_path: Path, temporary: Path, warm_tier1: Warm) -> Command:
    """An operator with a spec and no credentials, database or sandbox."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIER1_"))}
    root = Path(rehearsal.__file__).parents[2]
    return Command(tmp_path, {**own, "PYTHONPATH": str(root), "TMPDIR": str(temporary)}, warm_tier1)


def processes_of(folder: Path) -> list[str]:
    """The command lines of running processes that name something in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and process_started(int(entry.name)) is not None:
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(folder) in line:
                found.append(line)
    return found


SAMPLE = ("lost-reply",)
"""The scenarios that always run: a refusal and a lost reply. The guide tests sample resources that block a
deletion.
"""


@pytest.mark.usefixtures("forked_sandboxes")
@pytest.mark.parametrize(
    "name",
    [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.long) for name in scenarios.names()],
)
def test_a_deployment_ends_in_it_as_its_file_says(name: str, temporary: Path) -> None:
    """State, exit code, failure code and remaining resources match; once it was ended, nothing remains."""
    [played] = rehearsal.rehearse(RehearsalSpec(), [scenarios.load(name)])
    assert (played.unexpected, played.remains, played.ok) == ((), (), True)
    assert played.calls > 10
    assert played.seconds > 60
    assert list(temporary.iterdir()) == []


def test_a_user_rehearses_a_spec_of_their_own(operator: Command, tmp_path: Path) -> None:
    """It has its own region and script; the scenario affects none of its resources, so it becomes active."""
    (tmp_path / "boot.sh").write_text("#!/bin/sh\ntrue\n")
    spec = tmp_path / "mine.yaml"
    spec.write_text(ELSEWHERE + "instance: {user_data: ./boot.sh}\n")
    done = operator("sandbox", "rehearse", "mine.yaml", "--scenario", "service-never-healthy", "-o", "json")
    assert done.code == 0, done.err
    [played] = done.json
    assert list(played) == COLUMNS
    assert (played["outcome"], played["exit_code"], played["ok"]) == ("active", 0, True)
    assert "service-never-healthy: active, exit code 0, as expected (1 of 1)" in done.err


@pytest.mark.long
def test_an_unexpected_end_exits_with_4_and_is_saved(
    operator: Command, tmp_path: Path, temporary: Path
) -> None:
    """Output, spec, database and every call can be read afterwards."""
    (tmp_path / "wrong.yaml").write_text(WRONGLY_EXPECTED)
    done = operator("sandbox", "rehearse", "--scenario", "wrong.yaml")
    assert done.code == 4, done.err
    assert "wrong: exit code 0 instead of 3." in done.err
    assert "wrong: failure none instead of Nothing." in done.err
    assert "NO" in done.out
    [home] = temporary.iterdir()
    kept = home / "wrong"
    assert f"are in {kept}" in done.err
    assert {"1-deploy.err", "spec.yaml", "calls.jsonl", "state"} <= {path.name for path in kept.iterdir()}
    first = json.loads((kept / "calls.jsonl").read_text().splitlines()[0])
    assert first["operation"] == "GetCallerIdentity"
    assert (kept / "state" / "tier1" / "tier1.db").exists()
    assert processes_of(home) == []


@pytest.mark.parametrize(
    "mark", [pytest.param("1-deploy.err", marks=pytest.mark.long), "state/tier1/sandbox.json"]
)
def test_ctrl_c_ends_everything_that_was_started(operator: Command, temporary: Path, mark: str) -> None:
    """It exits with 130 and leaves no process or folder, in mid-deploy and right after the sandbox
    started.
    """
    running = operator.begin("sandbox", "rehearse", "--scenario", "brownout", "--scenario", "capacity")
    _until(lambda: len(list(temporary.glob(f"tier1-rehearsal-*/*/{mark}"))) == 2, running)
    running.signal(signal.SIGINT)
    done = running.end()
    assert done.code == 130, done
    assert done.out == ""
    assert "everything it started has been stopped" in done.err
    assert processes_of(temporary) == []
    assert list(temporary.iterdir()) == []


def _until(holds: Callable[[], bool], running: Running) -> None:
    """Wait until the condition holds while the command runs."""
    end = time.monotonic() + 60
    while not holds():
        assert running.process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_impossible_rehearsal_is_refused_before_anything_starts(
    operator: Command, tmp_path: Path, temporary: Path
) -> None:
    """It exits with 2 for a missing scenario, one without an expected end, and a missing spec."""
    (tmp_path / "open.yaml").write_text("title: t\n")
    operator("sandbox", "rehearse", "--scenario", "lost-repply").refused(2, "did you mean lost-reply?")
    operator("sandbox", "rehearse", "--scenario", "open.yaml").refused(2, "how it ends")
    operator("sandbox", "rehearse", "no-such.yaml", "--scenario", "capacity").refused(2, "no such file")
    operator("sandbox", "census").refused(2, "tier1 sandbox start")
    assert list(temporary.iterdir()) == []
