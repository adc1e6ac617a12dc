"""The real command as a process, on a local AWS of the worker's own and a database of the test's own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import tier1_engine
from tests.census import WATCH
from tests.environment import on_plain_moto
from tests.integration import warm
from tests.integration.command import Command, Warm
from tests.measuring import unmeasured_processes
from tier1_engine.sandbox.process import server
from tier1_engine.sandbox.process.state import Options

ON_PLAIN_MOTO = on_plain_moto()
FOLDERS: dict[str, Path] = {}
"""The state directory of each local AWS, by its endpoint."""


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a local AWS that refuses instance types that do not exist."""
    directory = tmp_path_factory.mktemp("local-aws")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true")
        with unmeasured_processes():
            started = server.start(directory, options=Options(strict=not ON_PLAIN_MOTO))
    FOLDERS[str(started.endpoint)] = directory
    yield str(started.endpoint)
    server.stop(directory)


@pytest.fixture
def aws(local_aws: str) -> str:
    """The endpoint of an account with nothing in it; what a test leaves there is compared at its end."""
    request = urllib.request.Request(f"{local_aws}/moto-api/reset", method="POST")  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310
        assert reply.status == 200
    WATCH.sandbox(FOLDERS[local_aws])
    return local_aws


@pytest.fixture
def newcomer(aws: str, tmp_path: Path, warm_tier1: Warm) -> Iterator[Command]:
    """The command of an operator who is signed in to that account, and has no database yet."""
    command = Command(
        folder=tmp_path,
        warm=warm_tier1,
        environment={
            **{name: value for name, value in os.environ.items() if not name.startswith("TIER1_")},
            "PYTHONPATH": str(Path(tier1_engine.__file__).parent.parent),
            "AWS_ENDPOINT_URL": aws,
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "TIER1_POLL_SECONDS": "0.05",
            "TIER1_VISIBILITY_GRACE_SECONDS": "0.3",
            "TIER1_LEASE_SECONDS": "60",
            "TIER1_CALL_TIMEOUT_SECONDS": "10",
        },
    )
    yield command
    for process in command.begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def tier1(newcomer: Command, sqlite_template: Path) -> Command:
    """The same with a database, which saves each test the making of one."""
    newcomer.database.parent.mkdir(parents=True)
    shutil.copyfile(sqlite_template, newcomer.database)
    return newcomer


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is the test's, and takes no connection until the test listens there."""
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
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        socket = Path(folder) / "aws"
        process = subprocess.Popen(
            [sys.executable, warm.__file__, "serve", "aws", str(socket)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield socket
        process.kill()
        process.communicate()
