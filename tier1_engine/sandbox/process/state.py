"""What the sandbox leaves in its state directory, and how its process is told from any other.

Owns the state file (`sandbox.json`), the lock and the identity of a process. It never starts, asks
or ends one.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tier1_engine.errors import Refused
from tier1_engine.sandbox.world import Speed

STATE_FILE = "sandbox.json"
LOCK_FILE = "sandbox.lock"
LOG_FILE = "sandbox.log"
LOCK_SECONDS = 60.0
LOCK_POLL_SECONDS = 0.05
PS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a sandbox is started.

    Attributes:
        speed: how fast AWS's time passes in it.
        seed: of its ids, delays and chances; drawn where None.
        strict: with AWS's manners; else it is moto as it is.
        scenario: the name or the absolute path of what it plays from its start.
        record: the file in which every call is written down.
    """

    speed: Speed = Speed.MAX
    seed: int | None = None
    strict: bool = True
    scenario: str | None = None
    record: Path | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What `tier1 sandbox status` says.

    Attributes:
        running: it listens and answers.
        endpoint: its URL. With a process id while `running` is false, the process is there but does
            not answer.
        pid: its process id.
        speed: how fast AWS's time passes in it.
        seed: of its ids, delays and chances.
        scenario: the faults that it plays, when it plays any.
        strict: with AWS's manners; else it is moto as it is.
    """

    running: bool
    endpoint: str | None = None
    pid: int | None = None
    speed: str = "max"
    seed: int | None = None
    scenario: str | None = None
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """What a sandbox writes down once it listens, and answers when it is asked who it is.

    Attributes:
        nonce: random, one per start: what answers with another one is another server.
        started: when the process began, as `process_started` tells it.
        token: what its control path is opened with. It stands in the file only.
    """

    endpoint: str
    pid: int
    started: str
    nonce: str
    speed: str = "max"
    seed: int | None = None
    scenario: str | None = None
    strict: bool = True
    token: str = ""

    def status(self, *, running: bool) -> Status:
        return Status(
            running, self.endpoint, self.pid, self.speed, self.seed, self.scenario, strict=self.strict
        )

    def public(self) -> dict[str, Any]:
        """What it answers to everybody who asks who it is."""
        return {name: value for name, value in asdict(self).items() if name != "token"}


def record_of(value: Any) -> Record | None:
    """A record from JSON, or None when `value` is none of ours."""
    names = {field.name for field in fields(Record)}
    if not isinstance(value, dict) or not {"endpoint", "pid", "started", "nonce"} <= set(value) <= names:
        return None
    # A process id of 0 or below would name a whole group of processes.
    if not isinstance(value["pid"], int) or value["pid"] <= 1:
        return None
    if not all(isinstance(value.get(name, ""), str) for name in ("endpoint", "started", "nonce", "token")):
        return None
    return Record(**value) if value["endpoint"].startswith("http://127.0.0.1:") else None


def read(directory: Path) -> Record | None:
    """The record of the sandbox that last started here; None when there is none that can be read."""
    try:
        return record_of(json.loads((directory / STATE_FILE).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def write(directory: Path, record: Record) -> None:
    """Put the record in place, whole or not at all, readable by this user only."""
    draft = directory / f"{STATE_FILE}.{record.nonce}"
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    draft.replace(directory / STATE_FILE)


def remove(directory: Path, nonce: str | None = None) -> None:
    """Take the state file away; with a nonce, only when it is that sandbox's."""
    if nonce is not None:
        record = read(directory)
        if record is None or record.nonce != nonce:
            return
    (directory / STATE_FILE).unlink(missing_ok=True)


def prepare(directory: Path) -> None:
    """Make the state directory, readable by this user only.

    Raises:
        Refused: it cannot be made or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unwritable(directory, error) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise _unwritable(directory, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _unwritable(directory: Path, error: OSError) -> Refused:
    return Refused(
        f"The state directory {directory} cannot be written ({error.strerror}): "
        "make it writable, or set another one with XDG_STATE_HOME."
    )


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One start or stop at a time in this directory.

    Raises:
        Refused: another one has been at it for a minute.
    """
    descriptor = os.open(directory / LOCK_FILE, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        end = time.monotonic() + LOCK_SECONDS
        while not _lock(descriptor):
            if time.monotonic() > end:
                raise Refused(
                    "Another command has been starting or stopping the sandbox for "
                    f"{LOCK_SECONDS:g} s: stop it, then run this one again."
                )
            time.sleep(LOCK_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def process_started(pid: int) -> str | None:
    """When the process of this id began, in words that no other process of this id shares.

    None when there is no such process, or only what is left of one that nobody has waited for.
    """
    if Path("/proc/self/stat").exists():
        return _started_in_proc(pid)
    return _started_by_ps(pid)


def _started_in_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # proc_pid_stat(5): the command's name, in brackets, may hold anything; state is the first field
    # behind it and the start, in clock ticks since boot, the twentieth.
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot} {rest[18]}"


def _started_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(
            command,
            check=False,  # it fails when there is no such process
            capture_output=True,
            text=True,
            timeout=PS_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    state, _, started = done.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()
