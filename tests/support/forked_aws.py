"""A local AWS that is forked for each test: empty, or in the state that some commands left.

    python -m tests.support.forked_aws CONTROL [--plain]

Loading moto takes seconds, and emptying it half a second. Here one process loads it, and forks serve the
tests. A fork stops serving at SIGUSR1, and can then be forked itself, so a test can begin with an existing
stack. All of them listen on one port, one at a time.

Owns these processes and their end. The sandbox's own `process.local` assembles the AWS.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tier1_engine.sandbox.process.control import controlled
from tier1_engine.sandbox.process.guard import for_programs
from tier1_engine.sandbox.process.local import LocalAws, draw_seed, new_world, plain, strict
from tier1_engine.sandbox.process.state import Record, process_started, write

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
BACKLOG = 128
JOIN_SECONDS = 10.0
LIMIT_SECONDS = 60.0
SOCKET_KEY = "werkzeug.socket"
REFUSED_TYPE = "t2.nano"
"""It passes every check, and is refused at the launch, when everything else exists: AWS offers it no more."""


class ForkedAws:
    """The side of the tests.

    Attributes:
        directory: the state directory of whichever serves.
        endpoint: its URL, which never changes.
        origin: what the one that serves was forked from.
    """

    def __init__(self, folder: Path, directory: Path, *, strict: bool = True) -> None:
        self.directory = directory
        self._folder = folder  # a socket's path must be short
        self._numbers = 0
        self._serving: tuple[int, socket.socket, str] | None = None
        self.empty = self._next()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, self.empty, *([] if strict else ["--plain"])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true"},
            text=True,
        )
        assert self._process.stdout is not None
        self.endpoint = self._process.stdout.readline().strip()
        assert self.endpoint, "the local AWS did not start"
        self.origin = self.empty

    def serve(self, origin: str) -> None:
        """Fork from `empty`, or from a result of `freeze`; the current server is ended."""
        self.stop()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(LIMIT_SECONDS)
        connection.connect(origin)
        following = self._next()
        connection.sendall(json.dumps([str(self.directory), self.endpoint, following]).encode() + b"\n")
        with connection.makefile() as said:
            self._serving = int(said.readline()), connection, following
        self.origin = origin

    def freeze(self) -> str:
        """Stop the current server; its state can then be forked."""
        assert self._serving is not None
        pid, connection, following = self._serving
        os.kill(pid, signal.SIGUSR1)
        assert connection.recv(1) == b""  # it serves no more
        connection.close()
        self._serving = None
        return following

    def stop(self) -> None:
        """Nothing serves on return."""
        if self._serving is not None:
            pid, connection, _ = self._serving
            os.kill(pid, signal.SIGKILL)
            connection.recv(1)
            connection.close()
            self._serving = None

    def end(self) -> None:
        """End all of these processes: they share the standard input of the first."""
        self.stop()
        self._process.communicate(timeout=LIMIT_SECONDS)

    def _next(self) -> str:
        self._numbers += 1
        return str(self._folder / f"{self._numbers}")


# --- the side of the processes


class Frozen(BaseException):
    """The tests freeze this server's state. Like KeyboardInterrupt, it must not be caught."""


def main(control: str, *options: str) -> None:
    """Load moto, report where it will be served, and wait for requests."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    listening = socket.create_server((HOST, 0), backlog=BACKLOG)
    seed = draw_seed()
    aws = plain(seed) if "--plain" in options else strict(new_world(seed))
    _withdraw(REFUSED_TYPE)
    offered = _offered(control)
    os.write(1, f"http://{HOST}:{listening.getsockname()[1]}\n".encode())
    while select.select([offered, sys.stdin], [], [])[0] == [offered]:  # what ends the tests closes the other
        connection, _ = offered.accept()
        with connection, connection.makefile() as said:
            directory, endpoint, following = json.loads(said.readline())
            if os.fork() != 0:
                continue
            offered.close()
            offered = _offered(following)
            _serve(aws, listening, Path(directory), endpoint, connection)
    os._exit(0)  # taking moto apart object by object takes a second


def _withdraw(instance_type: str) -> None:
    """Let moto refuse the launch of a type that it describes, as its validation of types does."""
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    for offers in INSTANCE_TYPE_OFFERINGS["region"].values():
        offers[:] = [one for one in offers if one["InstanceType"] != instance_type]


def _offered(path: str) -> socket.socket:
    offered = socket.socket(socket.AF_UNIX)
    offered.bind(path)
    offered.listen()
    return offered


def _serve(
    aws: LocalAws, listening: socket.socket, directory: Path, endpoint: str, connection: socket.socket
) -> None:
    """Serve until this is frozen or killed."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    pid = os.getpid()
    record = Record(
        endpoint,
        pid,
        process_started(pid) or "",
        secrets.token_hex(16),
        seed=aws.world.dice.seed if aws.world else None,
        strict=aws.world is not None,
        token=secrets.token_hex(16),
    )
    connections = Connections(for_programs(controlled(aws, record.token)))
    server = make_server(
        HOST, 0, connections, threaded=True, request_handler=MotoRequestHandler, fd=listening.fileno()
    )
    signal.signal(signal.SIGUSR1, _freeze)
    write(directory, record)
    connection.sendall(f"{pid}\n".encode())
    try:
        server.serve_forever()
    except Frozen:
        connections.end()
        server.server_close()


def _freeze(*_: Any) -> None:
    raise Frozen


class Connections:
    """An application that knows its clients, so that none of them speaks to what is frozen."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._sockets: set[socket.socket] = set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if isinstance(client := environ.get(SOCKET_KEY), socket.socket):
            self._sockets.add(client)
        return self._application(environ, start_response)

    def end(self) -> None:
        """Close all connections; no thread remains."""
        for client in self._sockets:
            with suppress(OSError):  # it has hung up already
                client.shutdown(socket.SHUT_RDWR)
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(JOIN_SECONDS)
        assert threading.active_count() == 1


if __name__ == "__main__":
    main(*sys.argv[1:])
