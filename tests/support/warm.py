"""`aws`, `tier1` and the process of its sandbox, kept warm: each call runs the program's own `main` in a fork
of a process that has it loaded already. Starting any of them takes longer than most calls.

    python warm.py serve aws|tier1|sandbox SOCKET    what a fixture starts
    python warm.py call SOCKET ...                   what the `aws` on a test's path does

It is a program of its own, so that the side that calls can start in a few milliseconds.
Standard streams, folder and environment are the caller's, and a call ends as its process would: threads
joined, streams flushed. Nothing of the programs is replaced; only botocore's models are read once.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LENGTH_BYTES = 8
STREAMS_LIMIT = 4
NOT_LOADED = ("tier1_engine.sandbox.", "tier1_engine.cli.__main__")
"""moto takes a second; the other runs when it is imported."""
SANDBOX = "WARM_SANDBOX"
"""In the environment of a call of `tier1`: the socket of the warm sandbox that it forks to start its own."""
DETACH = "--detach"
"""The option of the sandbox's process that names a file descriptor, which it inherits."""


def serve(program: str, path: str) -> None:
    """Answer calls until the fixture ends this process."""
    main, kept = {"aws": _aws, "tier1": _tier1, "sandbox": _sandbox}[program]()
    gc.collect()
    gc.freeze()
    gc.disable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    os.write(1, b"ready\n")
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            arguments, environment, folder = _become(connection)
            if (child := os.fork()) == 0:
                connection.close()
                os.environ.clear()
                os.environ.update(environment, **kept)
                _start_sandboxes_warm(os.environ.pop(SANDBOX, None))
                time.tzset()
                os.chdir(folder)
                sys.argv = [program, *arguments]
                gc.enable()
                sys.exit(main())
            connection.sendall(f"{child}\n".encode())
            _, status = os.waitpid(child, 0)
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)
        connection.close()


def _aws() -> tuple[Callable[[], int | None], Mapping[str, str]]:
    from awscli import clidriver
    from awscli.botocore import loaders

    _read_once(loaders.JSONFileLoader)
    warm = clidriver.create_clidriver().session
    for service in ("ec2", "efs", "iam", "sts"):
        warm.get_service_model(service)
    return clidriver.main, {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}  # awscli set it at its start


def _tier1() -> tuple[Callable[[], int | None], Mapping[str, str]]:
    import botocore.client
    import botocore.session
    from botocore import loaders

    import tier1_engine

    for module in pkgutil.walk_packages(tier1_engine.__path__, "tier1_engine."):
        if not module.name.startswith(NOT_LOADED):
            importlib.import_module(module.name)
    _read_once(loaders.JSONFileLoader)
    _keep(loaders.Loader, "list_available_services")
    _keep(botocore.client.ClientCreator, "_load_service_model")
    warm = botocore.session.get_session()
    for service in ("ec2", "efs", "iam", "ssm", "sts"):
        warm.create_client(
            service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
        ).close()
    return importlib.import_module("tier1_engine.cli.main").main, {}


def _sandbox() -> tuple[Callable[[], int | None], Mapping[str, str]]:
    from moto import backends
    from moto.moto_server import werkzeug_app

    from tier1_engine.sandbox.behaviour import calls, objects
    from tier1_engine.sandbox.process import control, layer, region, serve
    from tier1_engine.sandbox.wire.operations import OWN_SERVICES

    assert all(
        (calls, control, layer, objects, region)
    )  # loaded; what they change in moto, each call changes
    for service in OWN_SERVICES:
        backends.get_backend(service)
        werkzeug_app.create_backend_app(service)

    def main() -> None:
        os.setsid()  # as if it had been started
        serve.main()

    return main, {}


def _start_sandboxes_warm(path: str | None) -> None:
    if path is not None:
        from tier1_engine.sandbox.process import server

        server.SERVE = sandbox_forked_at(path)


def sandbox_forked_at(path: str) -> tuple[str, ...]:
    """What becomes the sandbox's process, for `sandbox.process.server.SERVE`."""
    return (sys.executable, "-IS", __file__, "call", path)


def _read_once(reader: Any) -> None:
    """Keep what `botocore.loaders.JSONFileLoader` read; each call makes one of its own."""
    from functools import cache

    read, known = reader._load_file, reader()  # noqa: SLF001
    files = cache(lambda *where: read(known, *where))
    reader._load_file = lambda _, *where: files(*where)  # noqa: SLF001


def _keep(owner: Any, name: str) -> None:
    """Keep what a method answered, whichever object was asked: it only says what botocore has."""
    find, found = getattr(owner, name), {}

    def kept(asked: Any, *arguments: Any) -> Any:
        if arguments not in found:
            found[arguments] = find(asked, *arguments)
        return found[arguments]

    setattr(owner, name, kept)


def _become(connection: socket.socket) -> Any:
    """Take the caller's streams under its numbers; answer its arguments, environment and folder."""
    head, fds, _, _ = socket.recv_fds(connection, LENGTH_BYTES, STREAMS_LIMIT)
    body = b""
    while len(body) < int(head):
        body += connection.recv(1 << 16)
    *asked, numbers = json.loads(body)
    # None of them may be taken for another before it has been moved.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, max(numbers) + 1) for fd in fds]
    for fd in fds:
        os.close(fd)
    for number, fd in zip(numbers, moved, strict=True):
        os.dup2(fd, number)
        os.close(fd)
    return asked


def call(
    path: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: str,
    streams: Sequence[int] = (0, 1, 2),
    seconds: float | None = None,
) -> int:
    """Have the warm process make the call; answer its exit code, less than 0 for a signal.

    Raises:
        TimeoutError: it took longer, and was killed.
    """
    inherited = [int(arguments[arguments.index(DETACH) + 1])] if DETACH in arguments else []
    numbers = [*range(len(streams)), *inherited]
    body = json.dumps([arguments, dict(environment), folder, numbers]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(path)
        socket.send_fds(connection, [str(len(body)).rjust(LENGTH_BYTES).encode()], [*streams, *inherited])
        connection.sendall(body)
        with connection.makefile("r") as said:
            child = int(said.readline())
            try:
                return int(said.readline())
            except TimeoutError:
                os.kill(child, signal.SIGKILL)
                raise


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        sys.exit(call(sys.argv[2], sys.argv[3:], os.environ, str(Path.cwd())))
