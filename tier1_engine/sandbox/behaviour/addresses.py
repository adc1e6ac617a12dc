"""Public addresses of instances come from loopback: 127.B.x.y, each assigned to one instance at a time.

The sandbox reserves the block B while it runs, so that two sandboxes on one host serve different addresses.
On a host with only 127.0.0.1 (macOS), instances get an address at which nothing is served. Source of the
behaviour: EC2 user guide, "Instance IP addressing": assigned when the instance starts, released when it stops
or terminates.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Any

from moto.ec2.models import elastic_network_interfaces
from moto.ec2.models.elastic_network_interfaces import NetworkInterface

from tier1_engine.sandbox.behaviour.patching import around, at_end, put

FIRST_BLOCK = 64
BLOCKS = 128
GUARD_PORT = 61_127
"""The guard port, bound on the block's first address, so that another sandbox uses another block."""

log = logging.getLogger(__name__)


class Addresses:
    """The public addresses of one sandbox."""

    def __init__(self) -> None:
        self._guard: socket.socket | None = None
        self._block: int | None = None
        self._given: set[str] = set()
        self._last = 0

    def claim(self) -> None:
        """Reserve a block that no other sandbox on this host uses."""
        for block in range(FIRST_BLOCK, FIRST_BLOCK + BLOCKS):
            guard = socket.socket()
            try:
                guard.bind((f"127.{block}.0.1", GUARD_PORT))
            except OSError as error:
                guard.close()
                refused = error
                continue
            self._guard, self._block = guard, block
            return
        log.warning("No address of 127.0.0.0/8 can be bound (%s): services are not served.", refused)

    @property
    def served(self) -> bool:
        """Whether a service can listen on the assigned addresses."""
        return self._block is not None

    def take(self) -> str:
        """Assign a free address. Without a block, it comes from the benchmarking range, where nothing
        answers.
        """
        network = ipaddress.ip_network(f"127.{self._block}.0.0/16" if self.served else "198.18.0.0/16")
        for _ in range(network.num_addresses):
            self._last = self._last % (network.num_addresses - 2) + 1
            address = str(network[self._last])
            # The guard has the first one; addresses that end in 0 or 255 confuse people.
            if self._last > 1 and address not in self._given and self._last % 256 not in (0, 255):
                self._given.add(address)
                return address
        raise RuntimeError("65,000 instances are running: the sandbox has no address left")

    def release(self, address: str | None) -> None:
        """Make the address available again."""
        self._given.discard(address or "")

    def clear(self) -> None:
        """Release all addresses."""
        self._given.clear()

    def close(self) -> None:
        """Release the block."""
        if self._guard is not None:
            self._guard.close()


def install() -> Addresses:
    """Assign a loopback address to interfaces that request a public one, while their instance runs."""
    addresses = Addresses()
    addresses.claim()
    at_end(addresses.close)
    put(elastic_network_interfaces, "random_public_ip", addresses.take)

    @around(NetworkInterface, "check_auto_public_ip")
    def check_auto_public_ip(before: Callable[..., None], interface: Any) -> None:
        if interface.instance is not None and interface.instance.is_running() and not interface.public_ip:
            before(interface)

    @around(NetworkInterface, "stop")
    def stop(before: Callable[..., None], interface: Any) -> None:
        had = interface.public_ip
        before(interface)
        if interface.public_ip is None:
            addresses.release(had)

    return addresses
