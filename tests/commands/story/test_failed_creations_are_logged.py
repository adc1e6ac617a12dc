"""Criterion: every attempt of a failed creation is logged with all that AWS support asks for."""

from __future__ import annotations

import json
import signal

from tests.support.command import Command
from tests.support.gated_service import listening
from tests.support.processes.proxy import Proxy
from tests.support.story import failed, refuses, waits_for
from tests.support.terminal import Terminal


def test_every_attempt_of_a_create_and_a_delete_is_logged(operator: Command, line: Proxy) -> None:
    """Time, duration, operation, key, outcome, code, message and request id are logged, in order."""
    line.rule = refuses("CreateFileSystem", code="ThrottlingException", times=2)
    failed(operator)
    attempts = operator.here("log", "demo", "-o", "json").json["attempts"]
    tries = [a for a in attempts if a["step"] == "file-system" and a["action"] == "create"]
    assert [(a["outcome"], a["code"]) for a in tries] == [
        ("refused", "ThrottlingException"),
        ("refused", "ThrottlingException"),
        ("done", None),
    ]
    for one in tries:
        assert one["operation"] == "CreateFileSystem"
        assert one["key"]
        assert one["request_id"]
        assert one["begun_at"] <= one["ended_at"]
        assert one["seconds"] is not None
    assert tries[0]["message"] == "The proxy says ThrottlingException."

    lines = [json.loads(text) for text in operator.here("log", "demo", "-o", "jsonl").out.splitlines()]
    times = [one.get("begun_at") or one["at"] for one in lines]
    assert times == sorted(times)
    assert sum(one["type"] == "attempt" for one in lines) == len(attempts)
    table = operator.here("log", "demo", "--resource", "file-system", "--failed").out.splitlines()
    assert len(table) == 2
    assert all("CreateFileSystem: ThrottlingException" in text for text in table)
    (launch,) = [
        one
        for text in operator.here("log", "demo", "--failed", "-o", "jsonl").out.splitlines()
        if (one := json.loads(text))["type"] == "attempt" and one["step"] == "instance"
    ]
    assert (launch["action"], launch["operation"]) == ("create", "RunInstances")
    assert operator.here("log", "demo", "--since", "1h").out == operator.here("log", "demo").out
    assert operator.here("log", "demo", "--since", times[-1]).out.count("\n") < len(lines)
    assert operator.here("log", "demo", "--since", "2099-01-01", "-o", "json").json == {
        "attempts": [],
        "events": [],
    }
    operator.here("log", "demo", "--since", "tea").refused(2, "'tea'", "10m")
    operator.here("log", "demo", "--resource", "cellar").refused(2, "cellar", "file-system")
    operator.here("log", "demo", "--follow", "-o", "json").refused(2, "jsonl")
    with Terminal(operator, "log", "demo", "--failed") as terminal:
        assert terminal.end() == 0
    assert "CreateFileSystem: ThrottlingException" in terminal.screen


def test_a_log_file_has_the_same_entries_deletions_included(operator: Command, line: Proxy) -> None:
    """The file holds JSON lines, is private, and later commands append to it."""
    log_file = operator.folder / "run.jsonl"
    failed(operator, "demo", "--log-file", str(log_file))
    attempts = operator.here("log", "demo", "-o", "json").json["attempts"]
    written = [json.loads(text) for text in log_file.read_text(encoding="utf-8").splitlines()]
    assert log_file.stat().st_mode & 0o777 == 0o600
    assert (written[0]["kind"], written[-1]["kind"]) == ("begin", "end")
    assert (written[-1]["state"], written[-1]["exit_code"]) == ("failed", 4)
    ended = [one["attempt"] for one in written if one["kind"] == "attempt" and one["attempt"]["ended_at"]]
    assert {one["id"] for one in ended} == {one["id"] for one in attempts}
    assert operator("rollback", "demo", "--log-file", str(log_file)).code == 0
    log = operator.here("log", "demo", "--resource", "file-system", "-o", "json").json["attempts"]
    deletes = [a for a in log if a["action"] == "delete"]
    assert [(a["operation"], a["outcome"], bool(a["request_id"])) for a in deletes] == [
        ("DeleteFileSystem", "done", True)
    ]
    assert len(log_file.read_text(encoding="utf-8").splitlines()) > len(written)


def test_log_follow_prints_entries_while_a_command_runs(tier1: Command, closed_port: int) -> None:
    """It prints each entry once, an attempt when it ends, and exits when the running command does."""
    running = tier1.begin("deploy", tier1.spec(more=waits_for(closed_port, "50s")))
    running.hear("service-door: started")
    following = tier1.begin("log", "demo", "--follow", "-o", "jsonl")
    with listening(closed_port):
        assert running.end().code == 0
    followed = following.end()
    assert followed.code == 0
    lines = [json.loads(text) for text in followed.out.splitlines()]
    attempts = [one for one in lines if one["type"] == "attempt"]
    assert len({one["id"] for one in attempts}) == len(attempts)
    assert all(one["ended_at"] for one in attempts)
    assert lines[-1]["to"] == "active"
    assert len(lines) == len(tier1.here("log", "demo", "-o", "jsonl").out.splitlines())


def test_an_interrupted_attempt_is_shown_as_interrupted(operator: Command, line: Proxy) -> None:
    """A process killed during a create leaves an open attempt; the next process marks it as interrupted."""
    running = operator.begin("deploy", operator.spec())
    running.hear("vpc: started")
    running.signal(signal.SIGKILL)
    running.end()
    assert operator("rollback", "demo").code == 0
    log = operator.here("log", "demo", "-o", "json").json["attempts"]
    assert all(one["ended_at"] for one in log)
    assert all(one["code"] == "Cut" for one in log if one["outcome"] == "unknown")
