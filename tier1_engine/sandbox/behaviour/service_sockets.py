"""The sockets at which services are served, and the one thread that answers them.

The thread sleeps until an event is due, a call may have changed something, or a client connects. It ends with
the sandbox. A port that cannot be bound is skipped and logged.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.services import Place, Services
from tier1_engine.sandbox.world import World

CONNECTIONS_LIMIT = 256
REQUEST_SECONDS = 10.0
"""Real seconds that a client may take to send its request."""
REQUEST_LIMIT_BYTES = 8192
IDLE_SECONDS = 5.0
"""Maximum sleep in real seconds when no event is due."""
JOIN_SECONDS = 5.0
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"

log = logging.getLogger(__name__)


class ServiceSockets:
    """The listening sockets of the services, and the thread that answers them."""

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
        """Start serving."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving: afterwards no socket listens and the thread has ended."""
        self._ends.set()
        self.wake()
        self._thread.join(JOIN_SECONDS)
        for held in [*self._listening.values(), *self._asking, self._woken, self._waker]:
            held.close()
        self._selector.close()

    def wake(self) -> None:
        """Check immediately: something changed."""
        with suppress(BlockingIOError):
            self._waker.send(b"!")

    def _serve(self) -> None:
        while not self._ends.is_set():
            for key, _ in self._selector.select(self._settle()):
                self._attend(key.fileobj)
            self._drop_slow()

    def _settle(self) -> float:
        """Open and close sockets that are due; return the real seconds until the next check."""
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
        with suppress(OSError):  # the client has already disconnected
            connection, _ = listening.accept()
            connection.setblocking(False)
            if len(self._asking) >= CONNECTIONS_LIMIT:
                connection.close()
                return
            self._asking[connection] = (time.monotonic(), b"")
            self._selector.register(connection, selectors.EVENT_READ)

    def _answer(self, connection: socket.socket) -> None:
        """Read more of the request; once it is complete, answer it and close."""
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
