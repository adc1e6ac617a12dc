"""`aws`, `tier1` and the process of its sandbox, preloaded: each call runs the program's own `main` in a fork
of a process that has loaded it. Starting any of them takes longer than most calls.

    python warm.py serve aws|tier1|sandbox SOCKET    what a fixture starts
    python warm.py call SOCKET ...                   what the `aws` on a test's path does

It is a separate program, so that the calling side can start in a few milliseconds. Standard streams, folder
and environment are the caller's, and a call ends as its process would: threads joined, streams flushed. It is
a process like any other: it has an id of its own, hears signals, can be killed and can own a terminal. The
programs run unchanged; only botocore's models are read once.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LENGTH_BYTES = 8
STREAMS = (0, 1, 2)
STREAMS_LIMIT = 4
NOWHERE = "http://127.0.0.1:1"
FIRST_ASKED = (
    ("ec2", "describe-vpcs"),
    ("efs", "describe-file-systems"),
    ("iam", "list-roles"),
    ("sts", "get-caller-identity"),
)
NOT_LOADED = ("tier1_engine.sandbox.", "tier1_engine.cli.__main__")
"""moto takes a second; the other runs when it is imported."""
SANDBOX = "WARM_SANDBOX"
"""In the environment of a call of `tier1`: the socket of the warm sandbox that it forks to start its own."""
DETACH = "--detach"
"""The option of the sandbox's process that names a file descriptor, which it inherits."""


def serve(program: str, path: str) -> None:
    """Answer calls until the fixture ends this process."""
    main, kept = {"aws": _aws, "tier1": _tier1, "sandbox": _sandbox}[program]()
    _measure_forks_quickly()
    gc.collect()
    gc.freeze()
    gc.disable()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    os.write(1, b"ready\n")
    connection = _called(listening)
    asked = _take_streams(connection)
    connection.close()
    _become(program, asked, kept)
    if asked["script"]:
        _run_script(asked["script"])
    _run(main)


def _called(listening: socket.socket) -> socket.socket:
    """Fork a process for each call, in which this returns the caller; report its id and exit
    code.
    """
    running: dict[int, tuple[int, socket.socket]] = {}
    """Process and caller, by a descriptor that is readable when the process has ended."""
    while True:
        ready, _, _ = select.select([listening.fileno(), *running], [], [])
        for descriptor in ready:
            if descriptor in running:
                child, caller = running.pop(descriptor)
                os.close(descriptor)
                _, status = os.waitpid(child, 0)
                _tell(caller, os.waitstatus_to_exitcode(status))
                caller.close()
                continue
            caller, _ = listening.accept()
            if (child := os.fork()) == 0:
                listening.close()
                for other, (_, waiting) in running.items():
                    os.close(other)
                    waiting.close()
                return caller
            running[os.pidfd_open(child)] = child, caller
            _tell(caller, child)


def _tell(caller: socket.socket, number: int) -> None:
    with suppress(OSError):  # a caller may be killed, too
        caller.sendall(f"{number}\n".encode())


def _run(main: Callable[[], int | None]) -> None:
    """Run the program, and end as Python ends: threads joined, exit handlers run, streams flushed.

    It only leaves out to take everything loaded apart, object by object, which takes longer than most calls.
    """
    try:
        code = main()
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code
    python: Any = threading
    python._shutdown()  # noqa: SLF001 - what Python itself calls
    atexit._run_exitfuncs()  # noqa: SLF001
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    sys.exit(code)  # Python reports a stream that cannot be flushed


def _become(program: str, asked: Mapping[str, Any], kept: Mapping[str, str]) -> None:
    """Be what a new process of the caller's would be."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # the caller of the tests may have ignored them
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked["at_terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(asked["environment"], **kept)
    _start_sandboxes_warm(os.environ.pop(SANDBOX, None))
    time.tzset()
    os.chdir(asked["folder"])
    sys.argv = [asked["script"] or program, *asked["arguments"]]
    gc.enable()


def _run_script(path: str) -> None:
    """Run the script that prepares the process; the program is called next."""
    import runpy

    runpy.run_path(path, run_name="__main__")


def _aws() -> tuple[Callable[[], int | None], Mapping[str, str]]:
    from awscli import clidriver
    from botocore import loaders  # awscli's own: it imports it by this name

    _keep_files(loaders)
    for words in (
        "ec2 describe-vpcs",
        "efs describe-file-systems",
        "iam list-roles",
        "sts get-caller-identity",
    ):
        _ask_nobody(clidriver.main, words.split())
    return clidriver.main, {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}  # awscli set it at its start


def _ask_nobody(aws: Callable[[], int | None], words: Sequence[str]) -> None:
    """Let it load everything for a call of a service; nothing listens at the endpoint."""
    settings = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_MAX_ATTEMPTS": "1"}
    kept, stderr, arguments = dict(os.environ), sys.stderr, sys.argv
    os.environ.update(settings)
    sys.argv = ["aws", "--region", "us-east-1", "--endpoint-url", NOWHERE, *words]
    with Path(os.devnull).open("w") as sys.stderr:
        aws()
    sys.stderr, sys.argv = stderr, arguments
    os.environ.clear()
    os.environ.update(kept)


def _tier1() -> tuple[Callable[[], int | None], Mapping[str, str]]:
    import importlib
    import pkgutil

    import botocore.session
    from sqlalchemy.orm import configure_mappers

    import tier1_engine

    for module in pkgutil.walk_packages(tier1_engine.__path__, "tier1_engine."):
        if not module.name.startswith(NOT_LOADED):
            importlib.import_module(module.name)
    configure_mappers()
    keep_models()
    warm = botocore.session.get_session()
    for service in ("ec2", "efs", "iam", "ssm", "sts"):
        warm.create_client(
            service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
        ).close()
    program = importlib.import_module("tier1_engine.cli.main")
    program.program()
    return program.main, {}


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
        backends.get_backend(service).clear()  # each call makes its accounts, after its changes in moto

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


def keep_models() -> None:
    """Read botocore's data once in this process: each session reads megabytes of JSON, lists the services in
    some 900 folders, and makes a method of each of their operations.
    """
    from botocore import hooks, loaders
    from botocore.client import ClientCreator

    _keep_files(loaders)
    _keep(hooks.EventAliaser, "_alias_event_name")
    registering: Any = hooks
    registering.accepts_kwargs = _by_code(registering.accepts_kwargs)
    _keep(ClientCreator, "_load_service_model")
    _keep(ClientCreator, "_create_methods", dict)


def _keep_files(loaders: Any) -> None:
    """Keep what a `botocore.loaders` read."""
    _keep(loaders.JSONFileLoader, "_load_file")
    _keep(loaders.Loader, "list_available_services")


def _keep(owner: Any, name: str, copied: Callable[[Any], Any] = lambda found: found) -> None:
    """Cache a method's result for all objects: it only reads botocore's data."""
    find, found = getattr(owner, name), {}

    def kept(asked: Any, *arguments: Any, **named: Any) -> Any:
        if (key := (arguments, *named.items())) not in found:
            found[key] = find(asked, *arguments, **named)
        return copied(found[key])

    setattr(owner, name, kept)


def _by_code(judge: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Cache what only depends on a function's code: every session registers the same handlers."""
    found: dict[Any, Any] = {}

    def kept(function: Any) -> Any:
        code = getattr(function, "__code__", None)
        if code is None or hasattr(function, "__wrapped__"):
            return judge(function)
        if code not in found:
            found[code] = judge(function)
        return found[code]

    return kept


def _measure_forks_quickly() -> None:
    """Leave out most of what coverage does to begin anew in each fork, and to save its lines.

    It describes its own call stack for debugging, with the source of each frame, and looks for files that
    were never executed, which the process of the tests does once.
    """
    if "coverage" in sys.modules:
        from coverage import collector, inorout

        parts: Any = collector
        parts.short_stack = str
        parts = inorout
        parts.InOrOut.find_possibly_unexecuted_files = lambda _: iter(())


def _take_streams(connection: socket.socket) -> Any:
    """Attach the caller's streams under its descriptor numbers; return the request."""
    head, fds, _, _ = socket.recv_fds(connection, LENGTH_BYTES, STREAMS_LIMIT)
    body = b""
    while len(body) < int(head):
        body += connection.recv(1 << 16)
    asked = json.loads(body)
    # None of them may be taken for another before it has been moved.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, max(asked["numbers"]) + 1) for fd in fds]
    for fd in fds:
        os.close(fd)
    for number, fd in zip(asked["numbers"], moved, strict=True):
        os.dup2(fd, number)
        os.close(fd)
    return asked


class Process:
    """A call under way, as a process: what `subprocess.Popen` is to a program that starts by itself.

    Args:
        path: the socket of what serves.
        streams: its standard input, output and error; the caller closes its own.
        script: a Python file that is run before the program, and takes arguments of its own off `sys.argv`.
        at_terminal: its standard input is a terminal, which it owns.

    Attributes:
        returncode: None as long as it runs; less than 0 for a signal.
    """

    def __init__(
        self,
        path: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        streams: Sequence[int] = STREAMS,
        *,
        script: str | None = None,
        at_terminal: bool = False,
    ) -> None:
        inherited = [int(arguments[arguments.index(DETACH) + 1])] if DETACH in arguments else []
        body = json.dumps(
            {
                "numbers": [*range(len(streams)), *inherited],
                "arguments": arguments,
                "environment": dict(environment),
                "folder": folder,
                "script": script,
                "at_terminal": at_terminal,
            }
        ).encode()
        self.returncode: int | None = None
        self._said = b""
        self._lock = threading.Lock()
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(path)
        socket.send_fds(
            self._connection, [str(len(body)).rjust(LENGTH_BYTES).encode()], [*streams, *inherited]
        )
        self._connection.sendall(body)
        self.pid = int(self._line())

    def poll(self) -> int | None:
        """Its exit code, if it has ended. Several threads may ask."""
        with self._lock:
            if self.returncode is None and self._readable(0.0):
                self.returncode = int(self._line())
            return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            TimeoutError: it runs still.
        """
        end = None if seconds is None else time.monotonic() + seconds
        while (code := self.poll()) is None:
            # Once it has ended this is readable for ever: the other side has hung up.
            if not self._readable(None if end is None else max(0.0, end - time.monotonic())):
                raise TimeoutError(f"process {self.pid} runs still")
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs still."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        self._connection.close()

    def _readable(self, seconds: float | None) -> bool:
        return bool(select.select([self._connection], [], [], seconds)[0])

    def _line(self) -> str:
        while b"\n" not in self._said:
            piece = self._connection.recv(64)
            assert piece, "what keeps the program warm has ended"
            self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()


def call(
    path: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: str,
    streams: Sequence[int] = STREAMS,
    seconds: float | None = None,
) -> int:
    """Let the warm process run the call; return its exit code, negative for a signal.

    Raises:
        TimeoutError: it took longer, and was killed.
    """
    process = Process(path, arguments, environment, folder, streams)
    try:
        return process.wait(seconds)
    except TimeoutError:
        process.kill()
        raise


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        sys.exit(call(sys.argv[2], sys.argv[3:], os.environ, str(Path.cwd())))
