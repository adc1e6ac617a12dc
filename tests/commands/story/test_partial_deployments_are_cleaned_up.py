"""Criterion: partial deployments are cleaned up: a rollback leaves no orphan, whatever interrupts it."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.support.account import WHOLE, client, standing
from tests.support.command import Command
from tests.support.processes.proxy import Call, Proxy, delayed, passes
from tests.support.story import REFUSED_TYPE, failed, refuses, waits_for
from tests.support.terminal import Terminal


@pytest.mark.field_case("hashicorp/terraform#20478: a failed destroy does not say what it did delete")
def test_a_rollback_continues_past_an_undeletable_resource_and_keeps_the_first_cause(
    operator: Command, line: Proxy, aws: str
) -> None:
    """It exits with 5 and says what remains and why; `resume` tries again and exits with 0."""
    line.rule = refuses("DeleteFileSystem", code="FileSystemLocked")
    done = operator("deploy", operator.spec(type=REFUSED_TYPE))
    assert done.code == 5, done
    assert standing(aws) == {"file_systems": 1}
    shown = operator.show("demo")
    assert (shown["state"], shown["goal"]) == ("failed", "rolled_back")
    assert shown["failure"]["code"] == "InvalidInstanceType.NotFound"
    (left,) = [r for r in shown["resources"] if r["state"] == "deleting"]
    assert (left["name"], left["error"]["code"]) == ("file-system", "FileSystemLocked")
    assert f"file-system {left['aws_id']}: FileSystemLocked" in done.out
    assert f"tier1 resume {shown['id']}" in done.out
    operator("resume", "demo", "--continue").refused(2, "is being deleted", f"tier1 resume {shown['id']}")
    assert operator("resume", "demo").code == 5  # it tries again and meets the same refusal
    line.rule = passes
    assert operator("resume", "demo").code == 0
    assert standing(aws) == {}
    assert operator.show("demo")["failure"]["code"] == "InvalidInstanceType.NotFound"


def test_an_interrupted_rollback_continues(operator: Command, line: Proxy, aws: str) -> None:
    """It exits with 130; `resume` knows that the goal is a rollback, and exits with 0."""
    held, free = threading.Event(), threading.Event()

    def rule(call: Call) -> object:
        if call.operation != "DeleteFileSystem":
            return None
        held.set()
        return delayed(free)

    line.rule = rule  # type: ignore[assignment]
    running = operator.begin("deploy", operator.spec(type=REFUSED_TYPE))
    assert held.wait(50)
    running.signal(signal.SIGTERM)
    running.hear("stopping")
    free.set()
    assert running.end().code == 130
    shown = operator.show("demo")
    assert (shown["state"], shown["interrupted"]) == ("rolling_back", True)
    assert operator("resume", "demo").code == 0
    assert standing(aws) == {}


def test_retained_resources_are_listed_and_untouched(tier1: Command, aws: str) -> None:
    """A terminal shows and confirms them first; the summary and `show` list them with their tags."""
    failed(tier1)
    with Terminal(tier1, "rollback", "demo", "--retain", "file-system") as terminal:
        terminal.see("Continue?")
        assert "To be retained (1)" in terminal.screen
        terminal.enter("y\n")
        assert terminal.end() == 0
    assert standing(aws) == {"file_systems": 1}
    (kept,) = [r for r in tier1.show("demo")["resources"] if r["state"] == "retained"]
    assert f"file-system {kept['aws_id']}" in terminal.screen.partition("except what you retained")[2]
    shown = tier1.here("show", "demo").out
    assert f"file-system {kept['aws_id']}" in shown.partition("retained on request")[2]
    efs = client("efs", aws)
    tags = efs.list_tags_for_resource(ResourceId=kept["aws_id"])["Tags"]
    assert "tier1:deployment" in {tag["Key"] for tag in tags}


def test_the_console_is_archived_before_the_instance_is_terminated(
    tier1: Command, aws: str, closed_port: int
) -> None:
    """`log --console` prints it from the database afterwards; before, it says that there is none."""
    spec = tier1.spec(more=waits_for(closed_port))
    assert tier1("deploy", spec, "--on-recoverable", "stop").code == 4
    assert standing(aws) == WHOLE
    nothing = tier1.here("log", "demo", "--console")
    assert (nothing.code, nothing.out) == (0, "")
    assert "that is done before a rollback terminates" in nothing.err
    assert tier1("rollback", "demo").code == 0
    (kept,) = tier1.here("log", "demo", "--console", "-o", "json", AWS_ENDPOINT_URL="http://127.0.0.1:1").json
    assert kept["resource"] == "instance"
    printed = tier1.here("log", "demo", "--console").out
    assert printed.startswith(f"--- instance {kept['aws_id']}\n")
    assert kept["text"].splitlines()[0].strip() in printed
    assert tier1.here("log", "demo", "--console", "--failed").code == 2
