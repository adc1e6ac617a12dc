"""The real command as a process, on a local AWS of the worker's own and a database of the test's own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import tier1_engine
from tests.support import warm
from tests.support.census import WATCH
from tests.support.command import Command, Warm
from tests.support.environment import CREDENTIALS, on_plain_moto
from tests.support.forked_aws import ForkedAws
from tests.support.measuring import unmeasured_processes
from tests.support.stages import Stages
from tier1_engine.sandbox.process import remote, server

WARMING_UP = (("deploy", "warm.yaml"), ("destroy", "warm", "--yes"))
"""Every model that the commands need is loaded after these."""


@contextmanager
def forked_aws(directory: Path, *, strict: bool) -> Iterator[ForkedAws]:
    """A local AWS that refuses instance types that do not exist."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        with unmeasured_processes():
            started = ForkedAws(Path(folder), directory, strict=strict)
        try:
            yield started
        finally:
            started.end()


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory, warm_tier1: Warm) -> Iterator[ForkedAws]:
    """What a test's local AWS is forked from."""
    directory = tmp_path_factory.mktemp("local-aws")
    with forked_aws(directory, strict=not on_plain_moto()) as started:
        started.serve(started.empty)
        command = Command(directory, environment_for(started.endpoint, directory), warm_tier1)
        command.spec("warm")
        with unmeasured_processes():
            for arguments in WARMING_UP:
                done = command.unwatched(*arguments)
                assert done.code == 0, done
        remote.reset(started.directory)
        started.empty = started.freeze()
        yield started


@pytest.fixture(scope="session")
def stages(local_aws: ForkedAws) -> Stages | None:
    """The states made in it so far; None for a plain one, whose faults cannot be listed."""
    return None if on_plain_moto() else Stages(local_aws)


@pytest.fixture
def aws(local_aws: ForkedAws) -> Iterator[str]:
    """The endpoint of an account with nothing in it; what a test leaves there is compared at its end."""
    local_aws.serve(local_aws.empty)
    WATCH.sandbox(local_aws.directory)
    yield local_aws.endpoint
    local_aws.stop()


def environment_for(endpoint: str, folder: Path) -> dict[str, str]:
    """That of an operator who is signed in there."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TIER1_")},
        **CREDENTIALS,
        "PYTHONPATH": str(Path(tier1_engine.__file__).parent.parent),
        "AWS_ENDPOINT_URL": endpoint,
        "XDG_STATE_HOME": str(folder / "state"),
        "TIER1_POLL_SECONDS": "0.05",
        "TIER1_VISIBILITY_GRACE_SECONDS": "0.3",
        "TIER1_LEASE_SECONDS": "60",
        "TIER1_CALL_TIMEOUT_SECONDS": "10",
    }


@pytest.fixture
def newcomer(aws: str, stages: Stages | None, tmp_path: Path, warm_tier1: Warm) -> Iterator[Command]:
    """The command of an operator who is signed in to that account, and has no database yet."""
    command = Command(tmp_path, environment_for(aws, tmp_path), warm_tier1, stages)
    yield command
    for process in command.begun:
        process.kill()
        process.wait()


@pytest.fixture
def tier1(newcomer: Command, sqlite_template: Path) -> Command:
    """The same with a database, which saves each test the making of one."""
    newcomer.database.parent.mkdir(parents=True)
    shutil.copyfile(sqlite_template, newcomer.database)
    return newcomer


@pytest.fixture
def tier1_here(tier1: Command) -> Command:
    """The same command line in this process, for tests of output, reads and refusals."""
    return tier1.here


@pytest.fixture(scope="session")
def closed_port() -> Iterator[int]:
    """A port that takes no connection until the test listens there. It is always the same: see `stages`."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.fixture(scope="session")
def warm_tier1() -> Iterator[Warm]:
    """`tier1`, loaded already."""
    kept = Warm()
    yield kept
    kept.end()


@pytest.fixture(scope="session")
def warm_aws() -> Iterator[Path]:
    """The socket of an `aws` that is loaded already."""
    with _loaded("aws") as socket:
        yield socket


@pytest.fixture(scope="session")
def warm_sandbox() -> Iterator[dict[str, str]]:
    """The variable that has `tier1` start its sandbox as a fork of one that is loaded already."""
    with _loaded("sandbox") as socket:
        yield {warm.SANDBOX: str(socket)}


@pytest.fixture
def forked_sandboxes(monkeypatch: pytest.MonkeyPatch, warm_sandbox: dict[str, str]) -> None:
    """What this process starts itself are forks of it."""
    monkeypatch.setattr(server, "SERVE", warm.sandbox_forked_at(warm_sandbox[warm.SANDBOX]))


@contextmanager
def _loaded(program: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        socket = Path(folder) / program
        with unmeasured_processes():
            process = subprocess.Popen(
                [sys.executable, warm.__file__, "serve", program, str(socket)],
                env={**os.environ, "PYTHONPATH": str(Path(tier1_engine.__file__).parent.parent)},
                stdout=subprocess.PIPE,
            )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield socket
        process.kill()
        process.communicate()
