"""Signals, kills and concurrent processes leave a deployment resumable, with nothing created twice."""

from __future__ import annotations

import signal
import socket
import threading

import pytest

from tests.support.account import WHOLE, standing
from tests.support.command import Command
from tests.support.gated_service import listening, waits_for
from tests.support.loopback import endpoint


@pytest.mark.field_case("a replaced script: SIGTERM recorded nothing")
def test_sigterm_ends_a_deploy_and_resume_needs_no_spec(tier1: Command, aws: str, closed_port: int) -> None:
    """The deploy exits with 130 as interrupted; the resume exits with 0 and has created each
    resource once.
    """
    running = tier1.begin("deploy", tier1.spec(more=waits_for(closed_port)))
    running.hear("service-door: started")
    assert tier1.show("demo")["holder"]["pid"] == running.process.pid
    running.signal(signal.SIGTERM)
    stopped = running.end()
    assert stopped.code == 130
    assert "stopping" in stopped.err
    assert f"tier1 resume {running.id}" in stopped.out
    shown = tier1.show("demo")
    assert (shown["state"], shown["interrupted"], shown["holder"]) == ("health_check", True, None)
    assert "interrupted" in tier1.here("list").out
    (tier1.folder / "demo.yaml").unlink()
    with listening(closed_port):
        resumed = tier1("resume", "demo", "-o", "json")
    assert (resumed.code, resumed.json["state"]) == (0, "active")
    assert standing(aws) == WHOLE


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_have_the_same_effect(tier1: Command, number: signal.Signals) -> None:
    """This also holds early in a deployment: every call in flight is recorded."""
    running = tier1.begin("deploy", tier1.spec())
    running.hear("vpc: started")
    running.signal(number)
    assert running.end().code == 130
    assert tier1("rollback", "demo").code == 0


def test_a_signal_before_anything_is_recorded_exits_cleanly(tier1: Command) -> None:
    """It exits with 130, and there is nothing to resume."""
    asked = threading.Event()

    def stall(connection: socket.socket) -> None:
        asked.set()
        connection.recv(1)

    with endpoint(stall) as served:
        running = tier1.with_(AWS_ENDPOINT_URL=served.url).begin("deploy", tier1.spec())
        assert asked.wait(30)
        running.signal(signal.SIGTERM)
        assert running.end().code == 130
    assert tier1.here("list", "-o", "json").json == []


def test_a_second_signal_exits_at_once(tier1: Command) -> None:
    """It exits with 130 during a hanging call; the next process acquires its lease at once."""
    asked = threading.Event()

    def stall(connection: socket.socket) -> None:
        asked.set()
        connection.recv(1)

    with endpoint(stall) as served:
        check = f'health: {{services: [{{name: door, url: "{served.url}/"}}]}}\n'
        running = tier1.begin("deploy", tier1.spec(more=check))
        assert asked.wait(30)
        running.signal(signal.SIGTERM)
        running.hear("stopping")
        assert running.process.poll() is None  # the call is in flight
        running.signal(signal.SIGINT)
        assert running.end().code == 130
    assert tier1("rollback", "demo").code == 0


@pytest.mark.field_case(
    "pulumi/pulumi#4265, pulumi/pulumi#3702, anomalyco/sst#6367: pending operations block the next run"
)
def test_a_killed_deploy_is_resumed_without_duplicates(tier1: Command, aws: str) -> None:
    """SIGKILL leaves a lease behind, which is void once its process has ended."""
    running = tier1.begin("deploy", tier1.spec())
    running.hear("instance: started")
    running.signal(signal.SIGKILL)
    assert running.end().code == -signal.SIGKILL
    assert tier1.show("demo")["interrupted"] is True
    resumed = tier1("resume", "demo", "-o", "json")
    assert (resumed.code, resumed.json["state"]) == (0, "active")
    assert standing(aws) == WHOLE


@pytest.mark.field_case("aws/copilot-cli#4892: a deployment that runs cannot be told to roll back")
def test_a_running_command_is_named_and_obeys_a_rollback(tier1: Command, aws: str, closed_port: int) -> None:
    """`resume` is refused with 6; a rollback redirects the running deploy, which exits with 3, the follower
    with 0.
    """
    running = tier1.begin("deploy", tier1.spec(more=waits_for(closed_port)))
    running.hear("service-door: started")
    tier1("resume", "demo").refused(6, str(running.process.pid), socket.gethostname())
    follower = tier1("rollback", "demo")
    assert follower.code == 0
    assert str(running.process.pid) in follower.err
    assert running.end().code == 3
    assert standing(aws) == {}


def test_a_signal_detaches_a_follower_and_the_request_remains(tier1: Command, aws: str) -> None:
    """The running process carries the request out once its call in flight has ended."""
    asked, answer = threading.Event(), threading.Event()

    def stall(connection: socket.socket) -> None:
        asked.set()
        answer.wait(30)

    with endpoint(stall) as served:
        check = f'health: {{services: [{{name: door, url: "{served.url}/"}}]}}\n'
        running = tier1.begin("deploy", tier1.spec(more=check))
        assert asked.wait(30)
        follower = tier1.begin("rollback", "demo")
        follower.hear("following")
        follower.signal(signal.SIGINT)
        detached = follower.end()
        assert detached.code == 130
        assert f"(pid {running.process.pid})" in detached.out
        answer.set()
        assert running.end().code == 3
    assert tier1.show("demo")["state"] == "rolled_back"
    assert standing(aws) == {}


def test_a_service_that_does_not_answer_waits_for_a_decision(
    tier1: Command, aws: str, closed_port: int
) -> None:
    """It exits with 4 and prints each option: retry fails again, continue exits with 0 and a warning."""
    kept = tier1.staged("deploy", tier1.spec(more=waits_for(closed_port, "1s")))
    assert kept.code == 4
    for way in ("--retry", "--continue"):
        assert f"tier1 resume {kept.id} {way}" in kept.out
    assert f"tier1 rollback {kept.id}" in kept.out
    failure = tier1.show("demo")["failure"]
    assert (failure["step"], failure["class"]) == ("service-door", "recoverable")
    assert tier1("resume", "demo").code == 4
    assert tier1("resume", "demo", "--retry").code == 4
    accepted = tier1("resume", "demo", "--continue", "-o", "json")
    assert (accepted.code, accepted.json["state"], accepted.json["failure"]) == (0, "active", None)
    assert any("service-door" in warning for warning in accepted.json["warnings"])
    assert standing(aws) == WHOLE


@pytest.mark.parametrize(
    ("policy", "code", "state"),
    [
        ("continue", 0, "active"),
        pytest.param("rollback", 3, "rolled_back", marks=pytest.mark.long),
        pytest.param("retry", 4, "failed", marks=pytest.mark.long),
    ],
)
def test_the_policy_decides_without_a_terminal(
    tier1: Command, closed_port: int, policy: str, code: int, state: str
) -> None:
    """`retry` ends after a bounded number of attempts."""
    more = waits_for(closed_port, "1s") + "policy: {max_attempts: 2}\n"
    done = tier1("deploy", tier1.spec(more=more), "--on-recoverable", policy, "-o", "json")
    assert (done.code, done.json["state"]) == (code, state)


def test_resume_with_rollback_rolls_back(tier1: Command, closed_port: int) -> None:
    """It exits with 0, because rollback is the goal of this command."""
    assert tier1.staged("deploy", tier1.spec(more=waits_for(closed_port, "1s"))).code == 4
    done = tier1("resume", "demo", "--rollback", "-o", "json")
    assert (done.code, done.json["state"]) == (0, "rolled_back")
