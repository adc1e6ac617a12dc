"""The real command on a Postgres that freezes in the middle of a deployment."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.postgres_server import OwnServer, own_server
from tests.support.processes.checks import check_once, id_of
from tests.support.processes.proxy import executed_then
from tests.support.processes.rules import at, times
from tests.support.processes.stage import Stage
from tests.support.simulation.failing import stored_on

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.postgres, pytest.mark.promise(1)]

LEASE_SECONDS = 6.0
CALL_SECONDS = 2.0
MARGIN_SECONDS = 2.0
"""For a busy machine, and the end of the process."""


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with own_server() as own, stored_on(own.url):
        yield own


@pytest.mark.field_case("a trial: a frozen database server kept a command for ever")
def test_a_frozen_server_ends_a_deployment_within_its_lease_and_one_call(
    stage: Stage, server: OwnServer
) -> None:
    """It exits with 9 and prints the id of what it has just created; a resume completes it."""
    stage.url = server.url
    stage.settings |= {
        "TIER1_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
        "TIER1_CALL_TIMEOUT_SECONDS": f"{CALL_SECONDS:g}",
    }
    frozen_at: list[float] = []

    def freeze() -> None:
        server.freeze()
        frozen_at.append(time.monotonic())

    stage.proxy.rule = times(1, at("CreateVpc"), executed_then(freeze))
    done = stage.deploy()
    took = time.monotonic() - frozen_at[0]
    assert done.code == 9, done.err
    assert took <= LEASE_SECONDS + CALL_SECONDS + MARGIN_SECONDS
    (vpc,) = [id_of(call, reply) for call, reply in stage.proxy.executed if call.operation == "CreateVpc"]
    assert vpc in done.err
    server.thaw()
    done = stage.resume()
    assert (done.code, done.json["state"]) == (0, "active"), done.err
    check_once(stage)
