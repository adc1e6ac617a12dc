"""The command of an operator and a local AWS, and failures made on the way between the two."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.command import Command
from tests.support.processes.proxy import Proxy, proxy


@pytest.fixture
def line(aws: str) -> Iterator[Proxy]:
    """The line to the local AWS; a test may spoil calls on it."""
    with proxy(aws) as it:
        yield it


@pytest.fixture
def operator(tier1: Command, line: Proxy) -> Command:
    """The command, on that line."""
    return tier1.with_(AWS_ENDPOINT_URL=line.url)
