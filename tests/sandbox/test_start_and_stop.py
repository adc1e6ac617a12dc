"""`tier1 sandbox` and `deploy --sandbox`: a rehearsal by a user who has no AWS account."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.account import client, standing
from tests.support.command import Command
from tier1_engine.settings import state_directory

STATUS = ["running", "endpoint", "pid", "speed", "seed", "scenario"]


@pytest.fixture
def nobody(tier1: Command) -> Iterator[Command]:
    """An operator without credentials, whose environment names another endpoint."""
    command = tier1.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    yield command.with_(AWS_ENDPOINT_URL="http://127.0.0.1:1")
    command("sandbox", "stop")


def test_a_deploy_starts_the_sandbox_and_every_later_command_finds_it(nobody: Command) -> None:
    """Without credentials and with another profile in the environment, the row says which endpoint to use."""
    deployed = nobody("deploy", nobody.spec(), "--sandbox", "-o", "json")
    assert (deployed.code, deployed.json["state"]) == (0, "active")
    status = nobody("sandbox", "status", "-o", "json").json
    assert list(status) == STATUS
    assert status["running"] is True
    assert standing(status["endpoint"])["instances"] == 1
    elsewhere = nobody.with_(AWS_PROFILE="of-real-aws")
    elsewhere("deploy", nobody.spec(), "--sandbox").refused(2, "in use")  # the same sandbox
    assert elsewhere("destroy", "demo").code == 0
    assert standing(status["endpoint"]) == {}
    assert "stopped" in nobody("sandbox", "stop").out


def test_it_is_started_once_and_can_be_stopped_when_none_runs(nobody: Command) -> None:
    """A second start says that it runs; after a stop, resume exits with 7."""
    assert "No local AWS" in nobody("sandbox", "status").out
    first = nobody("sandbox", "start")
    second = nobody("sandbox", "start")
    assert (first.code, second.code) == (0, 0)
    assert "is already running" in second.out
    endpoint = nobody("sandbox", "status", "-o", "json").json["endpoint"]
    assert endpoint in first.out
    nobody.write("aaaa00000001", endpoint=endpoint)
    assert nobody("sandbox", "stop").code == 0
    assert nobody("sandbox", "stop").code == 0
    assert nobody("resume", "aaaa00000001").code == 7


def test_any_image_is_rehearsed_on_request(nobody: Command) -> None:
    """That is said at the start; a call that only observes may be denied, which is said, too."""
    nobody("sandbox", "start", "--any-ami", "--plain").refused(2, "mutually exclusive")
    spec = Path(nobody.spec())
    spec.write_text(spec.read_text().replace("market:", "ami: ami-0123456789abcdef0, market:"))
    started = nobody("sandbox", "start", "--any-ami")
    assert "any AMI" in started.out
    assert "Whether that image exists on AWS and fits the instance type is not checked." in started.err
    fault = ("--operation", "DescribeInstanceTypes", "--code", "UnauthorizedOperation", "--always")
    assert nobody("sandbox", "fault", "add", *fault).code == 0
    done = nobody("deploy", str(spec), "--sandbox")
    assert done.code == 0, done
    assert "warning: DescribeInstanceTypes is denied" in done.err
    assert nobody("destroy", "demo").code == 0


def test_a_port_in_use_is_refused(nobody: Command, aws: str) -> None:
    """It exits with 2 and says what to do."""
    port = aws.rpartition(":")[2]
    nobody("sandbox", "start", "--port", port).refused(2, port, "in use")


def test_in_the_foreground_it_runs_until_it_is_interrupted(nobody: Command) -> None:
    """Ctrl-C ends it with 0."""
    running = nobody.begin("sandbox", "start", "--foreground")
    running.hear("AWS_ENDPOINT_URL=")
    status = nobody("sandbox", "status", "-o", "json").json
    assert status["pid"] == running.process.pid
    assert client("ec2", status["endpoint"]).describe_vpcs()["Vpcs"]
    running.signal(signal.SIGINT)
    assert running.end().code == 0
    assert nobody("sandbox", "status", "-o", "json").json["running"] is False


def test_its_folder_is_the_state_directory() -> None:
    """Two with different state directories run at the same time."""
    assert state_directory({"XDG_STATE_HOME": "/one"}) != state_directory({"XDG_STATE_HOME": "/two"})
