"""Services of an instance respond on its public address, from some time after boot until it terminates.

Each TCP port that its security groups allow (single ports and small ranges) answers HTTP 200. Owns when and
where; `doors` has the sockets. Source: `tier1_engine/checks/http.py` and `tcp.py` for the requests of checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.boot import Boot, Boots
from tier1_engine.sandbox.behaviour.instances import Lives
from tier1_engine.sandbox.world import World

LOOPBACK = "127."
RANGE_LIMIT_PORTS = 16
"""A rule with more ports than this is a range for clients, not for services."""
INSTANCE_LIMIT_PORTS = 32
NEVER, FLAPS = "never", "flaps"
"""Values in `World.wrong["service"]`."""

Place = tuple[str, int]


@dataclass(frozen=True)
class Service:
    """When the services of one instance are up.

    Attributes:
        up_at: AWS second from which they are up.
        flap_seconds: the length of each period of being up, then down, when they flap.
    """

    up_at: float
    flap_seconds: float

    def is_up(self, now: float, *, flaps: bool) -> bool:
        """Whether they answer at this AWS second."""
        return now >= self.up_at and (not flaps or int((now - self.up_at) / self.flap_seconds) % 2 == 0)

    def turns_at(self, now: float, *, flaps: bool) -> float | None:
        """The AWS second of the next change; None when there is none."""
        if now < self.up_at:
            return self.up_at
        if not flaps:
            return None
        return self.up_at + (int((now - self.up_at) / self.flap_seconds) + 1) * self.flap_seconds


class Services:
    """The services of all instances whose boot succeeded, by instance id."""

    def __init__(self, world: World, agenda: Agenda, lives: Lives) -> None:
        self.by_id: dict[str, Service] = {}
        self._world = world
        self._agenda = agenda
        self._lives = lives

    def begin(self, boot: Boot) -> None:
        """Schedule the start of the services when a boot ends."""
        if boot.failed:
            return
        up_at = (boot.life.ran_at or 0.0) + self._world.takes("service.up")
        self.by_id[boot.life.instance.id] = Service(
            max(self._agenda.now, up_at), max(1.0, self._world.takes("service.flap"))
        )

    def forget(self, instance_id: str) -> None:
        """Remove an instance that AWS no longer shows."""
        self.by_id.pop(instance_id, None)

    def wanted(self) -> set[Place]:
        """The addresses and ports that should be listening now."""
        if self._world.wrong.get("service") == NEVER:
            return set()
        up = [
            self._lives.by_id[instance_id]
            for instance_id, service in self.by_id.items()
            if service.is_up(self._agenda.now, flaps=self._flaps)
        ]
        there = [life.instance for life in up if life.runs]
        return {
            (instance.public_ip, port)
            for instance in there
            if (instance.public_ip or "").startswith(LOOPBACK)
            for port in ports_of(instance)
        }

    def next_turn(self) -> float | None:
        """The AWS second at which `wanted` may change next; None when only a call can change it."""
        turns = [one.turns_at(self._agenda.now, flaps=self._flaps) for one in self.by_id.values()]
        return min((turn for turn in (*turns, self._agenda.next_due) if turn is not None), default=None)

    @property
    def _flaps(self) -> bool:
        return self._world.wrong.get("service") == FLAPS


def install(world: World, agenda: Agenda, lives: Lives, boots: Boots) -> Services:
    """Start services on instances whose boot succeeded."""
    services = Services(world, agenda, lives)
    boots.on_ended.append(services.begin)
    lives.on_purged.append(services.forget)
    return services


def ports_of(instance: Any) -> list[int]:
    """The TCP ports that the instance's security groups allow, the lowest first, up to a limit."""
    groups = {group.id: group for one in instance.nics.values() for group in one.group_set}
    ports: set[int] = set()
    for group in groups.values():
        for rule in group.ingress_rules:
            ports.update(_ports(rule))
    return sorted(ports)[:INSTANCE_LIMIT_PORTS]


def _ports(rule: Any) -> Iterator[int]:
    if str(rule.ip_protocol) not in ("tcp", "6") or not rule.from_port:
        return
    first, last = int(rule.from_port), int(rule.to_port or rule.from_port)
    if last - first < RANGE_LIMIT_PORTS:
        yield from range(first, last + 1)
