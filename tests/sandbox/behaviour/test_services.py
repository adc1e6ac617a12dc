"""An instance's services listen at its public address from when they are up until the instance ends."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from tests.support.young_account import Stage, user_data
from tier1_engine.checks.http import Http
from tier1_engine.contract.kind import Presence
from tier1_engine.sandbox.behaviour.addresses import Addresses
from tier1_engine.sandbox.behaviour.figures import FIGURES
from tier1_engine.sandbox.behaviour.services import RANGE_LIMIT_PORTS

REAL_SECONDS = 10.0
"""How long a thread may take to react after it was woken."""
PORT = 18_080
UP = FIGURES["service.up"].most + FIGURES["boot.begin"].most


def soon(holds: Callable[[], bool]) -> bool:
    """Whether the condition becomes true within a bound."""
    deadline = time.monotonic() + REAL_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def open_at(address: str, port: int = PORT) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def look(stage: Stage) -> None:
    """Make any call: what is due happens, and listeners are opened and closed."""
    stage.ec2.describe_regions(RegionNames=["us-east-1"])


def running(stage: Stage, *ports: int | tuple[int, int], **more: str) -> tuple[str, str]:
    """An instance that lets those ports in, and its address."""
    vpc_id = stage.vpc()
    made = stage.launch(stage.subnet(vpc_id), stage.group(vpc_id, *ports), **more)
    stage.reach(made, "running")
    return made, str(stage.instance(made)["PublicIpAddress"])


@pytest.fixture
def up(stage: Stage) -> Iterator[str]:
    """The address of an instance whose services are up at `PORT`."""
    made, address = running(stage, PORT)
    stage.clock.turn(UP)
    look(stage)
    assert soon(lambda: open_at(address))
    yield address
    stage.ec2.terminate_instances(InstanceIds=[made])


def test_nothing_listens_before_it_is_up_or_after_its_end(stage: Stage) -> None:
    """It listens on its loopback address from a drawn time after it runs until it shuts down."""
    made, address = running(stage, PORT)
    assert address.startswith("127.")
    assert not open_at(address)
    stage.clock.turn(UP)
    look(stage)
    assert soon(lambda: open_at(address))
    assert not open_at(address, PORT + 1)
    assert not open_at("127.0.0.1")
    stage.ec2.terminate_instances(InstanceIds=[made])
    assert soon(lambda: not open_at(address))


def test_it_answers_the_health_check(up: str) -> None:
    """It answers HTTP 200 to any path, to the health check of tier1 and to a second client at once."""
    observation = Http().look(None, {"url": f"http://{up}:{PORT}/healthz"})  # type: ignore[arg-type]
    assert observation.presence is Presence.READY
    with closing(http.client.HTTPConnection(up, PORT, timeout=5)) as client:
        client.request("GET", "/any/path?at=all")
        reply = client.getresponse()
        assert (reply.status, reply.read()) == (200, b"ok\n")


def test_misbehaving_clients_do_no_harm(up: str) -> None:
    """One sends nothing, one disconnects midway, one sends without end."""
    with socket.create_connection((up, PORT)) as silent, socket.create_connection((up, PORT)) as rude:
        rude.sendall(b"GET / HT")
        rude.close()
        with socket.create_connection((up, PORT)) as endless:
            endless.sendall(b"x" * 20_000)
            endless.settimeout(5)
            with suppress(ConnectionError):  # orderly or not, the connection ends
                while endless.recv(100):
                    pass
        assert silent.fileno() >= 0
        with socket.create_connection((up, PORT)) as polite:
            polite.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert polite.recv(100).startswith(b"HTTP/1.1 200 ")


def test_it_waits_for_the_boot_and_stays_down_if_that_failed(stage: Stage) -> None:
    """The user data starts the service: without its success there is none."""
    _, address = running(stage, PORT, UserData=user_data("fs-01234567"))
    stage.clock.turn(UP)
    look(stage)
    stage.clock.turn(3600)
    look(stage)
    assert not soon_open(address)


def soon_open(address: str) -> bool:
    """Whether it opens although it should not, after the thread had time to react."""
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        if open_at(address):
            return True
        time.sleep(0.02)
    return False


def test_it_may_never_come_up_or_flap(stage: Stage) -> None:
    """The scenario decides which, by the clock and for how long."""
    assert isinstance(stage.world.wrong, dict)
    stage.world.wrong["service"] = "never"
    made, address = running(stage, PORT)
    stage.clock.turn(UP)
    look(stage)
    assert not soon_open(address)
    stage.world.wrong["service"] = "flaps"
    seen = set()
    for _ in range(200):
        look(stage)
        time.sleep(0.005)
        seen.add(open_at(address))
        if seen == {True, False}:
            break
        stage.clock.turn(5)
    assert seen == {True, False}
    stage.ec2.terminate_instances(InstanceIds=[made])


def test_small_ranges_are_served_and_wide_ones_are_not(stage: Stage) -> None:
    """A wide range is for clients, not a list of services; a later change of the group counts at once."""
    made, address = running(stage, (PORT, PORT + 2), (20_000, 20_000 + RANGE_LIMIT_PORTS))
    stage.clock.turn(UP)
    look(stage)
    assert soon(lambda: all(open_at(address, PORT + offset) for offset in range(3)))
    assert not open_at(address, 20_000)
    group_id = stage.instance(made)["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    stage.ec2.authorize_security_group_ingress(
        GroupId=group_id, IpPermissions=[rule | {"FromPort": 19_999, "ToPort": 19_999}]
    )
    assert soon(lambda: open_at(address, 19_999))
    stage.ec2.authorize_security_group_ingress(
        GroupId=group_id,
        IpPermissions=[{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": rule["IpRanges"]}],
    )
    assert not open_at(address, 53)
    stage.ec2.terminate_instances(InstanceIds=[made])


def test_a_port_in_use_is_skipped_with_a_line_in_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """The other ports are served."""
    made, address = running(stage, PORT, PORT + 1)
    with socket.socket() as taken:
        taken.bind((address, PORT))
        stage.clock.turn(UP)
        look(stage)
        assert soon(lambda: f"{address}:{PORT} cannot be served" in caplog.text)
        assert soon(lambda: open_at(address, PORT + 1))
    stage.ec2.terminate_instances(InstanceIds=[made])


def test_each_sandbox_has_a_block_of_its_own() -> None:
    """Two on one host never assign the same address."""
    first, second = Addresses(), Addresses()
    first.claim()
    second.claim()
    try:
        given = {pool.take() for pool in (first, second) for _ in range(600)}
        assert len(given) == 1200
        assert all(one.startswith("127.") and not one.endswith((".0", ".255")) for one in given)
    finally:
        first.close()
        second.close()


def test_an_address_is_reused_only_when_it_is_free() -> None:
    """Without a block, as on macOS, addresses come from a range in which nothing answers."""
    addresses = Addresses()
    assert not addresses.served
    first = addresses.take()
    assert first.startswith("198.18.")
    assert addresses.take() != first
    addresses.release(first)
    addresses.release(None)
    addresses.clear()
    assert addresses.take() not in (first, None)


def test_a_host_without_the_loopback_block_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The sandbox works; only its services are not served."""

    class Refusing(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(socket, "socket", Refusing)
    addresses = Addresses()
    addresses.claim()
    assert not addresses.served
    assert caplog.text.count("services are not served") == 1
    addresses.close()
