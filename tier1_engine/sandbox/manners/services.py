"""What runs on an instance is served on its public address, from a while after its boot until its end.

Each TCP port that its security groups let in (single ports and small ranges) answers HTTP 200, on
loopback. One thread serves them all; it sleeps until something is due, a call changed something, or
somebody connects. It ends with the sandbox. A port that cannot be bound is skipped with a line in the log.
Source: `tier1_engine/checks/http.py` and `tcp.py` for what is asked of a service.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tier1_engine.sandbox.manners.agenda import Agenda
from tier1_engine.sandbox.manners.boot import Boot, Boots
from tier1_engine.sandbox.manners.instances import Lives
from tier1_engine.sandbox.manners.mending import at_end
from tier1_engine.sandbox.world import World

RANGE_LIMIT_PORTS = 16
"""A rule that lets in more than this is a range for clients, not services."""
INSTANCE_LIMIT_PORTS = 32
CONNECTIONS_LIMIT = 256
REQUEST_SECONDS = 10.0
"""Of ours: how long a connection may take to ask."""
REQUEST_LIMIT_BYTES = 8192
IDLE_SECONDS = 5.0
"""Of ours: the longest sleep, should nothing be due."""
JOIN_SECONDS = 5.0
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"

NEVER, FLAPS = "never", "flaps"
"""In `World.wrong["service"]`."""

Place = tuple[str, int]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """When the services of one instance are up.

    Attributes:
        up_at: AWS second from which they are.
        flap_seconds: where they flap, how long each spell of being up, then down, lasts.
    """

    up_at: float
    flap_seconds: float

    def is_up(self, now: float, *, flaps: bool) -> bool:
        """Whether they answer at this AWS second."""
        return now >= self.up_at and (not flaps or int((now - self.up_at) / self.flap_seconds) % 2 == 0)

    def turns_at(self, now: float, *, flaps: bool) -> float | None:
        """The AWS second at which that changes next; None when it does not."""
        if now < self.up_at:
            return self.up_at
        if not flaps:
            return None
        return self.up_at + (int((now - self.up_at) / self.flap_seconds) + 1) * self.flap_seconds


class Services:
    """The services of all instances whose boot ended well, by instance id."""

    def __init__(self, world: World, agenda: Agenda, lives: Lives) -> None:
        self.by_id: dict[str, Service] = {}
        self._world = world
        self._agenda = agenda
        self._lives = lives

    def begin(self, boot: Boot) -> None:
        """A boot ended: what it started comes up after a while."""
        if boot.failed:
            return
        up_at = (boot.life.ran_at or 0.0) + self._world.takes("service.up")
        self.by_id[boot.life.instance.id] = Service(
            max(self._agenda.now, up_at), self._world.takes("service.flap")
        )

    def forget(self, instance_id: str) -> None:
        """AWS no longer shows the instance."""
        self.by_id.pop(instance_id, None)

    def wanted(self) -> set[Place]:
        """Where something listens now."""
        if self._world.wrong.get("service") == NEVER:
            return set()
        up = [
            self._lives.by_id[instance_id]
            for instance_id, service in self.by_id.items()
            if service.is_up(self._agenda.now, flaps=self._flaps)
        ]
        running = [life.instance for life in up if life.runs and life.instance.public_ip]
        return {(instance.public_ip, port) for instance in running for port in ports_of(instance)}

    def next_turn(self) -> float | None:
        """The AWS second at which `wanted` may change next; None when only a call can change it."""
        turns = [one.turns_at(self._agenda.now, flaps=self._flaps) for one in self.by_id.values()]
        return min((turn for turn in (*turns, self._agenda.next_due) if turn is not None), default=None)

    @property
    def _flaps(self) -> bool:
        return self._world.wrong.get("service") == FLAPS


class Doors:
    """The sockets of the services, and the thread that answers at them."""

    def __init__(self, world: World, agenda: Agenda, services: Services) -> None:
        self._world = world
        self._agenda = agenda
        self._services = services
        self._selector = selectors.DefaultSelector()
        self._listening: dict[Place, socket.socket] = {}
        self._refused: set[Place] = set()
        self._asking: dict[socket.socket, tuple[float, bytes]] = {}
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="sandbox-services", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving: afterwards nothing listens and no thread is left."""
        self._ends.set()
        self.wake()
        self._thread.join(JOIN_SECONDS)
        for held in [*self._listening.values(), *self._asking, self._woken, self._waker]:
            held.close()
        self._selector.close()

    def clear(self) -> None:
        """The account is empty again."""
        self._services.by_id.clear()
        self.wake()

    def wake(self) -> None:
        """Have a look at once: something changed."""
        with suppress(BlockingIOError):
            self._waker.send(b"!")

    def _serve(self) -> None:
        while not self._ends.is_set():
            for key, _ in self._selector.select(self._settle()):
                self._attend(key.fileobj)
            self._drop_slow()

    def _settle(self) -> float:
        """Open and close what is due, and say how many seconds of ours until the next look."""
        with self._world.lock:
            self._agenda.settle()
            wanted = self._services.wanted()
            turn = self._services.next_turn()
            now = self._agenda.now
        for place in self._listening.keys() - wanted:
            self._shut(place)
        for place in wanted - self._listening.keys() - self._refused:
            self._open(place)
        self._refused &= wanted
        if turn is None:
            return IDLE_SECONDS
        return min(IDLE_SECONDS, max(0.0, self._world.clock.ours(turn - now)))

    def _open(self, place: Place) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(place)
            listening.listen()
        except OSError as error:
            listening.close()
            self._refused.add(place)
            log.warning("%s:%d cannot be served (%s): skipped.", *place, error.strerror)
            return
        listening.setblocking(False)
        self._listening[place] = listening
        self._selector.register(listening, selectors.EVENT_READ)

    def _shut(self, place: Place) -> None:
        listening = self._listening.pop(place)
        self._selector.unregister(listening)
        listening.close()

    def _attend(self, ready: Any) -> None:
        if ready is self._woken:
            with suppress(BlockingIOError):
                self._woken.recv(REQUEST_LIMIT_BYTES)
        elif ready in self._asking:
            self._answer(ready)
        else:
            self._accept(ready)

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):  # who connected is gone again
            connection, _ = listening.accept()
            connection.setblocking(False)
            if len(self._asking) >= CONNECTIONS_LIMIT:
                connection.close()
                return
            self._asking[connection] = (time.monotonic(), b"")
            self._selector.register(connection, selectors.EVENT_READ)

    def _answer(self, connection: socket.socket) -> None:
        """Read on; with the whole request there, answer it and close."""
        since, asked = self._asking[connection]
        try:
            piece = connection.recv(REQUEST_LIMIT_BYTES)
            asked += piece
            if piece and b"\r\n\r\n" not in asked and len(asked) < REQUEST_LIMIT_BYTES:
                self._asking[connection] = (since, asked)
                return
            if asked:
                connection.send(REPLY)
        except OSError:
            log.debug("A client of a service went away.")
        self._drop(connection)

    def _drop_slow(self) -> None:
        late = time.monotonic() - REQUEST_SECONDS
        for connection in [one for one, (since, _) in self._asking.items() if since < late]:
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        del self._asking[connection]
        self._selector.unregister(connection)
        connection.close()


def install(world: World, agenda: Agenda, lives: Lives, boots: Boots) -> Doors:
    """Serve, until the manners are taken out."""
    services = Services(world, agenda, lives)
    boots.on_ended.append(services.begin)
    lives.on_purged.append(services.forget)
    doors = Doors(world, agenda, services)
    doors.start()
    at_end(doors.close)
    return doors


def ports_of(instance: Any) -> list[int]:
    """The TCP ports that the instance's security groups let in, the lowest first, within bounds."""
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
