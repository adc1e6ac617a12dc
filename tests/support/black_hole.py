"""A network that can begin to drop every packet: connections stay open, and nothing comes through."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

LOOK_SECONDS = 0.05
CHUNK_BYTES = 65536


@dataclass
class Network:
    """Passes what comes to its port on to a server, until it is cut.

    Attributes:
        port: the one to connect to, on the loopback interface.
    """

    server: tuple[str, int]
    listening: socket.socket
    cut: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        port: int = self.listening.getsockname()[1]
        return port

    def run(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self.listening, selectors.EVENT_READ)
            while not self.ended.is_set():
                for key, _ in ready.select(LOOK_SECONDS):
                    if self.cut.is_set():
                        self.ended.wait(LOOK_SECONDS)
                    elif key.fileobj is self.listening:
                        self._connect(ready)
                    else:
                        self._pass(ready, key)

    def _connect(self, ready: selectors.BaseSelector) -> None:
        client, _ = self.listening.accept()
        server = socket.create_connection(self.server)
        self._open += [client, server]
        ready.register(client, selectors.EVENT_READ, server)
        ready.register(server, selectors.EVENT_READ, client)

    def _pass(self, ready: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        source, target = key.fileobj, key.data
        assert isinstance(source, socket.socket)
        with suppress(OSError):
            if data := source.recv(CHUNK_BYTES):
                target.sendall(data)
                return
        ready.unregister(source)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for one in (self.listening, *self._open):
            one.close()


@contextmanager
def network(host: str, port: int) -> Iterator[Network]:
    """A network in front of a server, for as long as the block lasts."""
    listening = socket.create_server(("127.0.0.1", 0))
    made = Network((host, port), listening)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.ended.set()
        thread.join()
        made.close()
