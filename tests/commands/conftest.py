"""Fixtures for the command tests: an operator, a local AWS, and a proxy between them that can inject
faults.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.command import Command
from tests.support.processes.proxy import Proxy, proxy
from tests.support.stages import Stages


@pytest.fixture(scope="session")
def line_port() -> Iterator[int]:
    """The port of every test's proxy: a stack deployed through one proxy can be reused behind the next."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.fixture
def line(aws: str, line_port: int, stages: Stages | None) -> Iterator[Proxy]:
    """The proxy in front of the local AWS; a test may make calls fail on it."""
    with proxy(aws, line_port) as it:
        if stages is not None:
            stages.line = it
        yield it


@pytest.fixture
def operator(tier1: Command, line: Proxy) -> Command:
    """The `tier1` command, pointed at that proxy."""
    return tier1.with_(AWS_ENDPOINT_URL=line.url)
