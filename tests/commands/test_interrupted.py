"""Signals, kills and several processes at one deployment: always resumable, and never made twice."""

from __future__ import annotations

import signal
import socket
import threading

import pytest

from tests.support.account import WHOLE, standing
from tests.support.command import Command
from tests.support.gated_service import listening, waits_for
from tests.support.loopback import endpoint


def test_sigterm_ends_a_deploy_and_resume_needs_no_spec(tier1: Command, aws: str, closed_port: int) -> None:
    """130 and interrupted; then 0, with one of everything."""
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
def test_other_signals_end_it_alike(tier1: Command, number: signal.Signals) -> None:
    """Early too: whatever is on its way is on record."""
    running = tier1.begin("deploy", tier1.spec())
    running.hear("vpc: started")
    running.signal(number)
    assert running.end().code == 130
    assert tier1("rollback", "demo").code == 0


def test_a_signal_before_anything_is_on_record_ends_it_too(tier1: Command) -> None:
    """130, and there is nothing to resume."""
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


def test_the_second_signal_leaves_at_once(tier1: Command) -> None:
    """130 while a call hangs; the lease of the process that left is taken over at once."""
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


def test_a_killed_deploy_is_resumed_without_a_second_of_anything(tier1: Command, aws: str) -> None:
    """SIGKILL leaves a lease behind, which ends with its process."""
    running = tier1.begin("deploy", tier1.spec())
    running.hear("instance: started")
    running.signal(signal.SIGKILL)
    assert running.end().code == -signal.SIGKILL
    assert tier1.show("demo")["interrupted"] is True
    resumed = tier1("resume", "demo", "-o", "json")
    assert (resumed.code, resumed.json["state"]) == (0, "active")
    assert standing(aws) == WHOLE


def test_who_drives_is_named_and_a_rollback_is_followed(tier1: Command, aws: str, closed_port: int) -> None:
    """`resume` is refused with 6; a rollback turns the driver around: it ends 3, the follower 0."""
    running = tier1.begin("deploy", tier1.spec(more=waits_for(closed_port)))
    running.hear("service-door: started")
    tier1("resume", "demo").refused(6, str(running.process.pid), socket.gethostname())
    follower = tier1("rollback", "demo")
    assert follower.code == 0
    assert str(running.process.pid) in follower.err
    assert running.end().code == 3
    assert standing(aws) == {}


def test_a_follower_is_detached_by_a_signal_and_the_request_stands(tier1: Command, aws: str) -> None:
    """The one that drives sees it through, as soon as its call in flight has ended."""
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
    """4, and each way on is printed: retry fails again, continue ends 0 with a warning."""
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
def test_the_policy_decides_where_nobody_can_be_asked(
    tier1: Command, closed_port: int, policy: str, code: int, state: str
) -> None:
    """`retry` ends after a bounded number of tries."""
    more = waits_for(closed_port, "1s") + "policy: {max_attempts: 2}\n"
    done = tier1("deploy", tier1.spec(more=more), "--on-recoverable", policy, "-o", "json")
    assert (done.code, done.json["state"]) == (code, state)


def test_resume_with_rollback_asks_for_the_rollback(tier1: Command, closed_port: int) -> None:
    """0: that goal is what this command asked for."""
    assert tier1.staged("deploy", tier1.spec(more=waits_for(closed_port, "1s"))).code == 4
    done = tier1("resume", "demo", "--rollback", "-o", "json")
    assert (done.code, done.json["state"]) == (0, "rolled_back")
