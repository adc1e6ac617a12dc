"""Start, stop and query the local AWS. It runs as a separate process (`serve`) on loopback.

Owns the life cycle of that process. It knows nothing of moto: the process is `serve`'s. A process is ended
only when it is the one that the state file records, by id and start; whatever answers on the port counts for
nothing. A server is trusted only when it signs with the token of that file (`ask`).
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tier1_engine.errors import Refused, Tier1Error
from tier1_engine.sandbox.process.ask import answers
from tier1_engine.sandbox.process.state import (
    LOG_FILE,
    Options,
    Record,
    Status,
    locked,
    prepare,
    process_started,
    read,
    record_of,
    remove,
)

START_SECONDS = 60.0
ANSWER_SECONDS = 5.0
ANSWER_BYTES = 4096
TERMINATE_SECONDS = 5.0
KILL_SECONDS = 5.0
POLL_SECONDS = 0.02
PORT_LIMIT = 65_535
SERVE: tuple[str, ...] = (sys.executable, "-m", "tier1_engine.sandbox.process.serve")


def start(
    directory: Path,
    port: int | None = None,
    foreground: bool = False,
    announce: Callable[[Status], None] | None = None,
    options: Options | None = None,
) -> Status:
    """Start the sandbox of this state directory; return when it answers, or the status of one that already
    runs.

    Args:
        directory: holds its state file and its log; one sandbox per directory.
        port: on 127.0.0.1; any free one by default. A running sandbox keeps its own.
        foreground: stay until it is ended, by a signal or by `stop`.
        announce: called once it answers, before staying in the foreground.
        options: its configuration. A running sandbox keeps its own.

    Returns:
        The status; after a stay in the foreground, that nothing is running.

    Raises:
        Refused: the port is in use or invalid, the directory cannot be written, moto is missing, or there is
            no such scenario.
        Tier1Error: the process ended before it answered, or did not answer in time.
    """
    if port is not None and not 0 <= port <= PORT_LIMIT:
        raise Refused(f"The port {port} is not valid: give one from 1 to {PORT_LIMIT}, or omit it.")
    say = announce or _say_nothing
    options = options or Options()
    prepare(directory)
    with locked(directory):
        found = _look(directory)
        if found.running or found.pid is not None:
            _refuse_silent(found)
            say(found)
            return found
        if not foreground:
            found = _spawn(directory, port or 0, options)
    if not foreground:
        say(found)
        return found
    # Outside the lock, which `stop` needs meanwhile. A second start finds the one that listens.
    from tier1_engine.sandbox.process import serve

    serve.run(directory, port or 0, lambda record: say(record.status(running=True)), options)
    return Status(running=False)


def stop(directory: Path) -> Status:
    """Stop the sandbox of this state directory, and nothing else; succeeds when none is running.

    Raises:
        Tier1Error: it did not end.
    """
    if not directory.is_dir():
        return Status(running=False)
    with locked(directory):
        record = _record(directory)
        if record is not None:
            _end(record)
            remove(directory, record.nonce)
    return Status(running=False)


def status(directory: Path) -> Status:
    """Whether the sandbox of this state directory is running and answers."""
    return _look(directory) if directory.is_dir() else Status(running=False)


def _say_nothing(_: Status) -> None:
    return None


def _refuse_silent(found: Status) -> None:
    if not found.running:
        raise Refused(
            f"The sandbox is running as process {found.pid}, but does not respond: "
            "run `tier1 sandbox stop`, then start it again."
        )


def _look(directory: Path) -> Status:
    record = _record(directory)
    if record is None:
        return Status(running=False)
    return record.status(running=answers(record))


def _record(directory: Path) -> Record | None:
    """The record of the running sandbox of this directory; the state file of a dead one is removed."""
    record = read(directory)
    if record is None or process_started(record.pid) == record.started or answers(record):
        return record
    remove(directory, record.nonce)
    return None


def _spawn(directory: Path, port: int, options: Options) -> Status:
    """Start the process, detached, and wait until it reports through a pipe that it listens."""
    heard, said = os.pipe()
    command = [*SERVE, "--directory", str(directory.resolve()), "--port", str(port)]
    command += ["--detach", str(said)]
    command += _arguments(options)
    descriptor = os.open(directory / LOG_FILE, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(heard, "rb") as pipe, os.fdopen(descriptor, "wb") as log:
        try:
            # This child only spawns the lasting one, so that nobody has to wait for that one.
            subprocess.run(
                command,
                pass_fds=(said,),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=False,
                timeout=START_SECONDS,
            )
        finally:
            os.close(said)
        words = _hear(pipe.fileno())
    if "refused" in words:
        raise Refused(words["refused"])
    record = record_of(words.get("record"))
    if record is None:
        raise Tier1Error(f"The sandbox exited before it responded: its log {directory / LOG_FILE} says why.")
    return record.status(running=True)


def _arguments(options: Options) -> list[str]:
    """The options as arguments of the new process, which has another working directory."""
    given = ["--speed", options.speed.value]
    if options.seed is not None:
        given += ["--seed", str(options.seed)]
    if not options.strict:
        given.append("--plain")
    if options.scenario is not None:
        given += ["--scenario", options.scenario]
    if options.any_ami:
        given.append("--any-ami")
    if options.record is not None:
        given += ["--record", str(options.record.resolve())]
    return given


def _hear(descriptor: int) -> dict[str, str]:
    """The new process's message, complete when it closes its end of the pipe, which also happens when it
    dies.
    """
    end = time.monotonic() + START_SECONDS
    heard = b""
    while (left := end - time.monotonic()) > 0 and len(heard) < ANSWER_BYTES:
        if not select.select([descriptor], [], [], left)[0]:
            break
        piece = os.read(descriptor, ANSWER_BYTES)
        if not piece:
            break
        heard += piece
    try:
        words = json.loads(heard or b"{}")
    except ValueError:
        return {}
    return words if isinstance(words, dict) else {}


def _end(record: Record) -> None:
    """Ask the process to end, and kill it after a time-out.

    Raises:
        Refused: it runs, but is not ours to end, or not in sight.
        Tier1Error: it did not end.
    """
    if process_started(record.pid) != record.started:
        if answers(record):
            raise Refused(
                f"The sandbox at {record.endpoint} runs where its process {record.pid} cannot be seen from "
                "here, such as in a container: stop it there."
            )
        return
    for number, seconds in ((signal.SIGTERM, TERMINATE_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        try:
            send_signal(record, number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise Refused(
                f"The sandbox (process {record.pid}) belongs to another user, who must stop it."
            ) from error
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process_started(record.pid) != record.started:
                return
            time.sleep(POLL_SECONDS)
    raise Tier1Error(f"The sandbox (process {record.pid}) did not exit: kill it by hand.")


def send_signal(record: Record, number: signal.Signals) -> None:
    """Send a signal to the recorded process, and to no other that has its id by now.

    On Linux a descriptor holds the process itself while its start is compared (pidfd_open(2)).

    Raises:
        ProcessLookupError: it is gone.
        PermissionError: it belongs to another user.
    """
    if not hasattr(os, "pidfd_open"):
        if process_started(record.pid) != record.started:
            raise ProcessLookupError(record.pid)
        os.kill(record.pid, number)
        return
    process = os.pidfd_open(record.pid)
    try:
        if process_started(record.pid) != record.started:
            raise ProcessLookupError(record.pid)
        signal.pidfd_send_signal(process, number)
    finally:
        os.close(process)
