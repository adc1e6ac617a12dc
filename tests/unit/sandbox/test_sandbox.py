"""The local AWS as a process: it starts, identifies itself and ends, and never ends another process."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.environment import hear_signals
from tests.support.young_account import TRUST
from tier1_engine.errors import Refused, Tier1Error
from tier1_engine.sandbox.process import routes, server, state
from tier1_engine.sandbox.process.state import (
    STATE_FILE,
    Options,
    Record,
    process_started,
    read,
    write,
)

IMAGES = [
    f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{machine}"
    for machine in ("x86_64", "arm64")
]
SEED = 7
LATER_REGION = "mx-central-1"
"""A region that moto knows without images."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, state.Status]]:
    """A running sandbox, for tests that only read."""
    directory = tmp_path_factory.mktemp("sandbox")
    found = server.start(directory, options=Options(seed=SEED))
    yield directory, found
    server.stop(directory)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A private state directory whose sandbox is stopped afterwards."""
    place = tmp_path / "state"
    yield place
    server.stop(place)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is unrelated to the sandbox."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


def client(service: str, endpoint: str | None, region: str = "us-east-1") -> Any:
    import boto3

    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def a_record(**changes: Any) -> Record:
    """The record of a sandbox that is gone: nothing listens on port 1."""
    return replace(Record("http://127.0.0.1:1", 2_000_000_000, "never", "00"), **changes)


def put(place: Path, record: Record) -> None:
    place.mkdir(mode=0o700, exist_ok=True)
    write(place, record)


def test_it_answers_as_soon_as_start_returns(running: tuple[Path, state.Status]) -> None:
    """A client with a short time-out gets an answer at once, because everything is loaded."""
    _, found = running
    assert found.running
    assert client("sts", found.endpoint).get_caller_identity()["Account"] == "123456789012"


def test_it_listens_on_loopback_only(running: tuple[Path, state.Status]) -> None:
    """No other address of this machine reaches it."""
    _, found = running
    port = int(str(found.endpoint).rpartition(":")[2])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", port)) != 0
    assert str(found.endpoint).startswith("http://127.0.0.1:")


def test_status_agrees_with_start(running: tuple[Path, state.Status]) -> None:
    """Every process sees the same endpoint, process and settings."""
    directory, found = running
    assert server.status(directory) == found
    assert asdict(found) == {
        "running": True,
        "endpoint": found.endpoint,
        "pid": found.pid,
        "speed": "max",
        "seed": SEED,
        "scenario": None,
        "strict": True,
        "any_ami": False,
    }


def test_a_second_start_says_that_it_runs(running: tuple[Path, state.Status]) -> None:
    """It starts no second one, whatever port it requests."""
    directory, found = running
    assert server.start(directory) == found
    assert server.start(directory, port=1) == found
    assert server.start(directory, foreground=True) == found


def test_its_files_are_private(running: tuple[Path, state.Status]) -> None:
    """State, lock and log are private, and no temporary file remains."""
    directory, _ = running
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert files == dict.fromkeys(("sandbox.json", "sandbox.lock", "sandbox.log"), 0o600)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("region", ["us-east-1", LATER_REGION])
def test_the_default_image_resolves(running: tuple[Path, state.Status], region: str, name: str) -> None:
    """Its public parameter names an existing image, also where moto has none."""
    _, found = running
    image = client("ssm", found.endpoint, region).get_parameter(Name=name)["Parameter"]["Value"]
    images = client("ec2", found.endpoint, region).describe_images(ImageIds=[image])["Images"]
    assert [name.endswith(image["Architecture"]) for image in images] == [True]


def test_a_policy_of_aws_can_be_attached(running: tuple[Path, state.Status]) -> None:
    """A role gets the policy that Systems Manager needs."""
    _, found = running
    iam = client("iam", found.endpoint)
    iam.create_role(RoleName="probe", AssumeRolePolicyDocument=TRUST)
    policy = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    iam.attach_role_policy(RoleName="probe", PolicyArn=policy)
    attached = iam.list_attached_role_policies(RoleName="probe")["AttachedPolicies"]
    assert [entry["PolicyArn"] for entry in attached] == [policy]


def test_a_key_created_in_it_belongs_to_its_account(running: tuple[Path, state.Status]) -> None:
    """The fast look-up of a key finds the same account."""
    import boto3

    _, found = running
    iam = client("iam", found.endpoint)
    iam.create_user(UserName="probe")
    key = iam.create_access_key(UserName="probe")["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    assert (
        session.client("sts", endpoint_url=found.endpoint).get_caller_identity()["Arn"].endswith("user/probe")
    )


def test_the_default_vpc_counts_in_the_quota(running: tuple[Path, state.Status]) -> None:
    """A region has room for four more; the fifth is refused with AWS's own code."""
    from botocore.exceptions import ClientError

    _, found = running
    ec2 = client("ec2", found.endpoint, "eu-west-3")
    assert [vpc["IsDefault"] for vpc in ec2.describe_vpcs()["Vpcs"]] == [True]
    for _number in range(4):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    with pytest.raises(ClientError) as refusal:
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert refusal.value.response["Error"]["Code"] == "VpcLimitExceeded"


@pytest.mark.usefixtures("forked_sandboxes")
def test_two_can_run_at_the_same_time(running: tuple[Path, state.Status], directory: Path) -> None:
    """Another state directory is another AWS; stopping one leaves the other."""
    first, found = running
    other = server.start(directory)
    assert other.endpoint != found.endpoint
    client("ec2", other.endpoint).create_key_pair(KeyName="only-here")
    assert client("ec2", found.endpoint).describe_key_pairs()["KeyPairs"] == []
    assert server.stop(directory) == state.Status(running=False)
    assert process_started(other.pid or 0) is None
    assert not (directory / STATE_FILE).exists()
    assert server.status(first) == found


@pytest.mark.usefixtures("forked_sandboxes")
def test_two_concurrent_starts_make_one(directory: Path) -> None:
    """Both return and name the same process."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: server.start(directory), range(2))
    assert first == second


def test_a_port_in_use_is_refused(directory: Path) -> None:
    """It exits with 2 and one sentence, and leaves nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"The port {port} is in use"):
            server.start(directory, port=port)
        with pytest.raises(Refused, match=f"The port {port} is in use"):
            server.start(directory, port=port, foreground=True)
    assert server.status(directory) == state.Status(running=False)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_an_invalid_port_is_refused(directory: Path, port: int) -> None:
    """Nothing is created first, not even the state directory."""
    with pytest.raises(Refused, match=f"The port {port} is not valid"):
        server.start(directory, port=port)
    assert not directory.exists()


def test_a_state_directory_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    """The sentence names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"The state directory .*file/below cannot be written"):
        server.start(tmp_path / "file" / "below")


def test_without_a_sandbox_stop_and_status_say_so(tmp_path: Path) -> None:
    """They create no state directory."""
    absent = tmp_path / "absent"
    assert server.stop(absent) == server.status(absent) == state.Status(running=False)
    assert not absent.exists()


@pytest.mark.usefixtures("forked_sandboxes")
def test_the_files_of_a_killed_one_are_removed(directory: Path) -> None:
    """After a SIGKILL the state file is cleaned up, and the next start is a new one."""
    dead = server.start(directory)
    os.kill(dead.pid or 0, signal.SIGKILL)
    assert _gone(dead.pid or 0)
    assert server.status(directory) == state.Status(running=False)
    assert not (directory / STATE_FILE).exists()
    again = server.start(directory)
    assert again.running
    assert again.pid != dead.pid


@pytest.mark.parametrize("operation", [server.stop, server.status])
def test_a_stale_process_id_is_left_alone(
    directory: Path, bystander: subprocess.Popen[bytes], operation: Any
) -> None:
    """The id belongs to another program by now, which started at another time."""
    put(directory, a_record(pid=bystander.pid))
    assert operation(directory) == state.Status(running=False)
    assert bystander.poll() is None
    assert not (directory / STATE_FILE).exists()


def test_a_server_with_another_token_is_left_alone(
    running: tuple[Path, state.Status], directory: Path
) -> None:
    """Another sandbox has the port and even the process id, and must not be ended."""
    first, found = running
    theirs = read(first)
    assert theirs is not None
    put(directory, replace(theirs, token="00", started="never"))
    assert server.stop(directory) == state.Status(running=False)
    assert server.status(first) == found


@pytest.mark.usefixtures("forked_sandboxes")
def test_one_that_does_not_answer_is_named_and_can_be_stopped(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspended process wrote the file: start refuses, stop ends it."""
    monkeypatch.setattr(server, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(server, "TERMINATE_SECONDS", 0.2)
    found = server.start(directory)
    os.kill(found.pid or 0, signal.SIGSTOP)
    assert server.status(directory) == replace(found, running=False)
    with pytest.raises(Refused, match=f"as process {found.pid}, but does not respond"):
        server.start(directory)
    server.stop(directory)
    assert process_started(found.pid or 0) is None


def test_one_that_dies_before_it_answers_is_reported(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the log, which has the reason."""
    broken = tmp_path / "broken" / "moto"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('broken on purpose')")
    monkeypatch.setenv("PYTHONPATH", f"{broken.parent}{os.pathsep}{Path(server.__file__).parents[3]}")
    with pytest.raises(Tier1Error, match=r"exited before it responded: its log .*sandbox\.log says why"):
        server.start(directory)
    assert "broken on purpose" in (directory / "sandbox.log").read_text()


def test_without_moto_the_sentence_says_what_to_install(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is named, and the exit code is 2."""
    absent = tmp_path / "absent" / "moto"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ModuleNotFoundError('moto')")
    monkeypatch.setenv("PYTHONPATH", f"{absent.parent}{os.pathsep}{Path(server.__file__).parents[3]}")
    with pytest.raises(Refused, match=r"tier1-engine\[sandbox\]"):
        server.start(directory)


@pytest.mark.parametrize(
    "ending",
    [pytest.param(one, marks=pytest.mark.long) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)],
)
def test_in_the_foreground_it_runs_until_a_signal(directory: Path, ending: signal.Signals) -> None:
    """It announces itself once it answers, and cleans up at the end."""
    program = (
        "import json, sys; from dataclasses import asdict; from pathlib import Path\n"
        "from tier1_engine import sandbox\n"
        "found = sandbox.start(Path(sys.argv[1]), foreground=True,\n"
        "    announce=lambda status: print(json.dumps(asdict(status)), flush=True))\n"
        "print(found.running)\n"
    )
    command = [sys.executable, "-c", program, str(directory)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        cwd=Path(server.__file__).parents[3],
        preexec_fn=hear_signals,  # noqa: PLW1509 - no other thread of this process holds a lock there
    ) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert announced["pid"] == process.pid
        assert server.status(directory).running
        process.send_signal(ending)
        assert process.stdout.read() == b"False\n"
    assert process.returncode == 0
    assert not (directory / STATE_FILE).exists()


def test_stop_ends_one_in_the_foreground(directory: Path) -> None:
    """The lock is not held while it runs."""
    program = (
        "import sys; from pathlib import Path; from tier1_engine import sandbox\n"
        "sandbox.start(Path(sys.argv[1]), foreground=True, announce=lambda status: print('up', flush=True))\n"
    )
    command = [sys.executable, "-c", program, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(server.__file__).parents[3]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        # The process is this test's child, so it is gone only after a wait.
        threading.Thread(target=process.wait, daemon=True).start()
        assert server.stop(directory) == state.Status(running=False)
    assert process.returncode == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"endpoint": "http://127.0.0.1:1", "pid": -1, "started": "", "nonce": ""}',
        '{"endpoint": "http://127.0.0.1:1", "pid": "1", "started": "", "nonce": ""}',
        '{"endpoint": "http://192.0.2.1:1", "pid": 22, "started": "", "nonce": ""}',
        '{"endpoint": "http://127.0.0.1:1", "pid": 22, "started": null, "nonce": ""}',
        '{"endpoint": "http://127.0.0.1:x", "pid": 2000000000, "started": "", "nonce": ""}',
        '{"endpoint": "http://127.0.0.1:1", "pid": 22, "started": "", "nonce": "", "more": 1}',
    ],
)
def test_an_invalid_state_file_counts_as_none(directory: Path, content: str) -> None:
    """It causes no call, no end of a process and no error."""
    directory.mkdir()
    (directory / STATE_FILE).write_text(content)
    assert server.status(directory) == server.stop(directory) == state.Status(running=False)


def test_it_tells_a_stranger_nothing_about_itself(running: tuple[Path, state.Status]) -> None:
    """Neither its process nor its seed is public: who cannot sign is refused, at every path of its own."""
    _, found = running
    for path in (routes.IDENTITY_PATH, routes.FAULTS_PATH, routes.CENSUS_PATH):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{found.endpoint}{path}")  # noqa: S310 - ours
        assert refused.value.code == 403
        assert str(found.pid) not in refused.value.read().decode()


def test_a_process_is_identified_by_its_start() -> None:
    """The own process has a constant one; an unused id has none."""
    assert process_started(os.getpid()) == process_started(os.getpid()) is not None
    assert process_started(2_000_000_000) is None


def test_a_zombie_is_no_process() -> None:
    """It neither listens nor can be ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert _gone(child.pid)
    assert child.wait() == 0


def _gone(pid: int) -> bool:
    """Wait, with a limit, until the process is gone."""
    for _ in range(500):
        if process_started(pid) is None:
            return True
        threading.Event().wait(0.01)
    return False
