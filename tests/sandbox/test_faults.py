"""`tier1 sandbox start` with its options, `tier1 sandbox fault`, and a sandbox that is gone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.support import warm
from tests.support.command import Command
from tier1_engine.sandbox.process import remote, routes, server
from tier1_engine.sandbox.process.proof import authorization
from tier1_engine.sandbox.process.state import Options, read

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CIDR = {"CidrBlock": "10.0.0.0/16"}


@pytest.fixture(scope="module")
def state_home(tmp_path_factory: pytest.TempPathFactory, warm_sandbox: dict[str, str]) -> Iterator[Path]:
    """The state directory of one strict sandbox for all tests that only need one."""
    home = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "SERVE", warm.sandbox_forked_at(warm_sandbox[warm.SANDBOX]))
        server.start(home / "tier1", options=Options(record=home / "record"))
    yield home
    server.stop(home / "tier1")


@pytest.fixture
def shared(tier1: Command, state_home: Path) -> Iterator[Command]:
    """An operator with that sandbox, which is empty and without faults before and after each test."""
    command = tier1.with_(XDG_STATE_HOME=str(state_home))
    remote.reset(directory(command))
    yield command
    assert command("sandbox", "fault", "clear").code == 0


def endpoint_of(command: Command) -> str:
    record = read(directory(command))
    assert record is not None
    return record.endpoint


@pytest.fixture
def somebody(tier1: Command, warm_sandbox: dict[str, str]) -> Iterator[Command]:
    """An operator without credentials, whose sandbox is stopped at the end."""
    command = tier1.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    command = command.with_(**warm_sandbox)
    yield command
    command("sandbox", "stop")


def started(command: Command, *options: str) -> dict[str, Any]:
    """Start a sandbox with these options and return its status."""
    done = command("sandbox", "start", *options)
    assert done.code == 0, done
    status: dict[str, Any] = command("sandbox", "status", "-o", "json").json
    return status


def client(service: str, endpoint: str, read_seconds: float = 20) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=read_seconds),
    )


def vpcs(ec2: Any) -> int:
    return len(ec2.describe_vpcs()["Vpcs"]) - 1


def directory(command: Command) -> Path:
    return Path(command.environment["XDG_STATE_HOME"], "tier1")


def test_it_runs_with_the_options_of_its_start(somebody: Command) -> None:
    """The status shows speed and seed; a second start with others names those in use and how to
    change them.
    """
    status = started(somebody, "--speed", "100", "--seed", "7")
    assert (status["speed"], status["seed"], status["scenario"]) == ("100", 7, None)
    second = somebody("sandbox", "start", "--seed", "8")
    assert second.code == 0
    assert "is already running" in second.out
    assert "speed 100, seed 7, strict" in second.out
    assert "to change them, stop it first" in second.err
    same = somebody("sandbox", "start", "--seed", "7", "--speed", "100", "--strict")
    assert "stop it first" not in same.err


def test_without_options_it_is_strict_and_shows_its_drawn_seed(somebody: Command) -> None:
    """Its speed is max, as for one that `deploy --sandbox` starts."""
    done = somebody("sandbox", "start")
    status = somebody("sandbox", "status", "-o", "json").json
    assert status["speed"] == "max"
    assert f"seed {status['seed']}, strict" in done.out
    with pytest.raises(ClientError, match="DryRunOperation"):
        client("ec2", status["endpoint"]).create_vpc(**CIDR, DryRun=True)


def test_plain_it_is_moto_and_accepts_no_faults(somebody: Command) -> None:
    """It says how to start one that does."""
    status = started(somebody, "--plain")
    assert client("ec2", status["endpoint"]).create_vpc(**CIDR, DryRun=True)["Vpc"]
    somebody("sandbox", "fault", "add", "--operation", "CreateVpc", "--cut", "after").refused(2, "--strict")
    assert "plain" in somebody("sandbox", "status").out


def test_a_fault_is_set_listed_and_removed(shared: Command) -> None:
    """The list says how often it matched and applied."""
    endpoint = endpoint_of(shared)
    fault = ("sandbox", "fault")
    assert "No faults are set." in shared(*fault, "list").out
    words = ("--code", "RequestLimitExceeded", "--message", "Not now.", "--times", "2", "--after", "1")
    added = shared(*fault, "add", "--operation", "CreateVpc", *words, "--match", "CidrBlock=10.*")
    assert added.code == 0
    assert "Fault 1 is set: CreateVpc with CidrBlock=10.*: refused with RequestLimitExceeded" in added.out
    ec2 = client("ec2", endpoint)
    ec2.create_vpc(**CIDR)
    with pytest.raises(ClientError, match="Not now"):
        ec2.create_vpc(**CIDR)
    (listed,) = shared(*fault, "list", "-o", "json").json
    assert (listed["number"], listed["seen"], listed["struck"], listed["left"]) == (1, 2, 1, 1)
    assert "affected 1 of 2 calls" in shared(*fault, "list").out
    assert "1 fault removed" in shared(*fault, "clear").out
    ec2.create_vpc(**CIDR)
    assert shared(*fault, "list", "-o", "json").json == []


@pytest.mark.leaves("what the test's own client made: its reply was cut", "unknown")
def test_connections_are_really_cut(shared: Command) -> None:
    """It covers a lost request, a lost reply, and a call that executes after the client has given up."""
    ec2 = client("ec2", endpoint_of(shared))
    for options, made in ((("--cut", "before"), 0), (("--cut", "after"), 1), (("--late", "500"), 2)):
        shared("sandbox", "fault", "add", "--operation", "CreateVpc", *options)
        with pytest.raises(ConnectionClosedError):
            ec2.create_vpc(**CIDR)
        for _ in range(100):
            if vpcs(ec2) == made:
                break
        assert vpcs(ec2) == made


@pytest.mark.leaves("what the test's own client made: its reply came late", "unknown")
def test_a_late_reply_exceeds_a_clients_time_out(somebody: Command) -> None:
    """AWS has acted; other calls are answered meanwhile."""
    endpoint = started(somebody, "--speed", "10")["endpoint"]
    somebody("sandbox", "fault", "add", "--operation", "CreateVpc", "--delay", "30")
    with pytest.raises(ReadTimeoutError):
        client("ec2", endpoint, read_seconds=0.5).create_vpc(**CIDR)
    assert vpcs(client("ec2", endpoint)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--operation", "RunInstence", "--code", "X"), ("RunInstence", "did you mean RunInstances?")),
        (("--operation", "CreateVpc", "--code", "X", "--cut", "after"), ("omit the code",)),
        (("--operation", "CreateVpc", "--code", "X", "--match", "CidrBlock"), ("'CidrBlock'",)),
    ],
)
def test_an_invalid_fault_is_refused(
    shared: Command, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """It exits with 2 and one sentence, and sets nothing."""
    shared("sandbox", "fault", "add", *arguments).refused(2, *words)
    assert shared("sandbox", "fault", "list", "-o", "json").json == []


def test_a_fault_that_can_never_take_effect_is_set_with_a_warning(shared: Command) -> None:
    """It exits with 0, and stderr says why."""
    done = shared("sandbox", "fault", "add", "--operation", "RunInstances", "--match", "InstanceTyp=a")
    assert done.code == 0
    assert "warning: It has no effect" in done.err
    assert "did you mean InstanceType?" in done.err


def test_without_a_sandbox_a_fault_is_refused(somebody: Command) -> None:
    """It exits with 2 and says how to start one."""
    for arguments in (("list",), ("clear",), ("add", "--operation", "CreateVpc", "--cut", "after")):
        somebody("sandbox", "fault", *arguments).refused(2, "tier1 sandbox start")


def test_an_unknown_scenario_is_refused(somebody: Command) -> None:
    """It exits with 2, and no sandbox runs."""
    somebody("sandbox", "start", "--scenario", "no-such-day").refused(2, "no-such-day")
    assert somebody("sandbox", "status", "-o", "json").json["running"] is False


def test_the_control_path_requires_the_token(shared: Command) -> None:
    """Only the private state file contains it."""
    endpoint = endpoint_of(shared)
    record = read(directory(shared))
    assert record is not None

    def ask(path: str, token: str, method: str = "GET") -> int:
        signed = {"Authorization": authorization(token, "00", method, path, b"")}
        request = urllib.request.Request(endpoint + path, method=method, headers=signed)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert ask(routes.FAULTS_PATH, record.token) == 200
    assert ask(routes.FAULTS_PATH, "guessed") == 403
    assert ask(routes.FAULTS_PATH, record.token, "PUT") == 405
    assert ask(routes.FAULTS_PATH, record.token, "POST") == 400
    assert ask(f"{routes.CONTROL_PATH}nothing", record.token) == 404
    assert ask(routes.IDENTITY_PATH, record.token) == 200
    assert ask(routes.IDENTITY_PATH, "") == ask(routes.IDENTITY_PATH, "guessed") == 403


def test_realistic_credentials_are_stored_nowhere(shared: Command) -> None:
    """They are accepted; state, log and record do not contain them, also after a bug in moto."""
    endpoint, record = endpoint_of(shared), directory(shared).parent / "record"
    before = len(record.read_text().splitlines())
    assert client("sts", endpoint).get_caller_identity()["Account"] == "123456789012"
    with pytest.raises(ClientError):
        client("ec2", endpoint).describe_vpcs(VpcIds=["nothing"])
    assert [json.loads(line)["operation"] for line in record.read_text().splitlines()[before:]] == [
        "GetCallerIdentity",
        "DescribeVpcs",
    ]
    for path in (record, *directory(shared).iterdir()):
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content
            assert SECRET.encode() not in content


@pytest.mark.long
@pytest.mark.leaves("what the test's own client made", "unknown")
def test_the_same_seed_gives_the_same_ids_in_every_process(somebody: Command) -> None:
    """Read calls in between make no difference."""

    def answers(seed: str, looks: int) -> list[str]:
        endpoint = started(somebody, "--seed", seed)["endpoint"]
        ec2, efs = client("ec2", endpoint), client("efs", endpoint)
        for _ in range(looks):
            ec2.describe_images(ImageIds=["ami-12c6146b"])
        vpc = ec2.create_vpc(**CIDR)["Vpc"]["VpcId"]
        made = [
            vpc,
            ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"],
            ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"],
            efs.create_file_system(CreationToken="t")["FileSystemId"],
            *(one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]),
        ]
        somebody("sandbox", "stop")
        return made

    first = answers("5", looks=0)
    assert answers("5", looks=3) == first
    assert answers("6", looks=0) != first


def test_a_missing_sandbox_is_named_with_the_command_that_starts_it(somebody: Command) -> None:
    """Every driving command exits with 7; nothing is lost, and the printed command works."""
    endpoint = started(somebody)["endpoint"]
    start = f"tier1 sandbox start --port {endpoint.rpartition(':')[2]}"
    somebody("sandbox", "stop")
    id = somebody.with_(AWS_ENDPOINT_URL=endpoint).active()
    before = somebody.show(id)
    ended = somebody("destroy", id, "--yes")
    assert (ended.code, start in ended.out) == (7, True), ended
    somebody.with_(AWS_ENDPOINT_URL=endpoint)("deploy", somebody.spec("other")).refused(7, start)
    after = somebody.show(id)
    assert (after["state"], after["resources"]) == ("destroying", before["resources"])
    assert somebody(*start.split()[1:]).code == 0
    assert somebody("resume", id).code == 0
    assert somebody.show(id)["state"] == "destroyed"
