"""The files of a sandbox in its state directory, and the identity of its process.

Owns the state file (`sandbox.json`), which is believed only when nobody else can have written it, the lock
and the process identity. It never starts, queries or ends a process.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
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
ENDPOINT = re.compile(r"http://127\.0\.0\.1:\d{1,5}")
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Options:
    """The configuration of a sandbox.

    Attributes:
        speed: how fast AWS's time passes in it.
        seed: of its ids, delays and random choices; random when None.
        strict: with AWS's behaviour; otherwise unmodified moto.
        scenario: the name or the absolute path of the scenario that it plays from its start.
        record: the file in which every call is recorded.
        any_ami: accept every image id, also one that is not in the catalogue.
    """

    speed: Speed = Speed.MAX
    seed: int | None = None
    strict: bool = True
    scenario: str | None = None
    record: Path | None = None
    any_ami: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """The result of `tier1 sandbox status`.

    Attributes:
        running: it listens and answers.
        endpoint: its URL. With a process id while `running` is false, the process exists but does not answer.
        pid: its process id.
        speed: how fast AWS's time passes in it.
        seed: of its ids, delays and random choices.
        scenario: the scenario that it plays, if any.
        strict: with AWS's behaviour; otherwise unmodified moto.
        any_ami: it accepts every image id.
    """

    running: bool
    endpoint: str | None = None
    pid: int | None = None
    speed: str = "max"
    seed: int | None = None
    scenario: str | None = None
    strict: bool = True
    any_ami: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What a sandbox records once it listens.

    Attributes:
        nonce: random, one per start: a file with another nonce belongs to another sandbox.
        started: when the process began, from `process_started`.
        token: proves the sandbox to its user, and its user to the sandbox (`proof`). It is in the file only.
    """

    endpoint: str
    pid: int
    started: str
    nonce: str
    speed: str = "max"
    seed: int | None = None
    scenario: str | None = None
    strict: bool = True
    any_ami: bool = False
    token: str = ""

    def status(self, *, running: bool) -> Status:
        return Status(
            running,
            self.endpoint,
            self.pid,
            self.speed,
            self.seed,
            self.scenario,
            strict=self.strict,
            any_ami=self.any_ami,
        )


def record_of(value: Any) -> Record | None:
    """A record from JSON; None when `value` is not one."""
    names = {field.name for field in fields(Record)}
    if not isinstance(value, dict) or not {"endpoint", "pid", "started", "nonce"} <= set(value) <= names:
        return None
    # A process id of 0 or below would mean a whole process group.
    if not isinstance(value["pid"], int) or value["pid"] <= 1:
        return None
    if not all(isinstance(value.get(name, ""), str) for name in ("endpoint", "started", "nonce", "token")):
        return None
    return Record(**value) if ENDPOINT.fullmatch(value["endpoint"]) else None


def read(directory: Path) -> Record | None:
    """The record of the last sandbox started here; None when there is no readable one.

    Raises:
        Refused: somebody else may have written it, and could have any process ended, or any server trusted.
    """
    path = directory / STATE_FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _not_private(path, os.strerror(error.errno or 0)) from error
    with os.fdopen(descriptor, encoding="utf-8") as file:
        try:
            record = record_of(json.load(file))
        except ValueError:
            return None
        if record is not None:
            _require_private(path, os.fstat(descriptor))
        return record


def _require_private(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise _not_private(path, f"it belongs to user {found.st_uid}")
    if found.st_mode & OTHERS:
        raise _not_private(path, f"its mode is {stat.S_IMODE(found.st_mode):04o}, not 0600")


def _not_private(path: Path, why: str) -> Refused:
    return Refused(
        f"The sandbox's state file {path} is not private ({why}) and cannot be trusted: stop the sandbox as "
        "the user who started it, or delete the file."
    )


def write(directory: Path, record: Record) -> None:
    """Write the record atomically, private (mode 0600)."""
    draft = directory / f"{STATE_FILE}.{record.nonce}"
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    draft.replace(directory / STATE_FILE)


def remove(directory: Path, nonce: str | None = None) -> None:
    """Remove the state file; with a nonce, only when it belongs to that sandbox."""
    if nonce is not None:
        record = read(directory)
        if record is None or record.nonce != nonce:
            return
    (directory / STATE_FILE).unlink(missing_ok=True)


def prepare(directory: Path) -> None:
    """Create the state directory, private (mode 0700).

    Raises:
        Refused: it cannot be created or written.
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
    """Allow one start or stop at a time in this directory.

    Raises:
        Refused: another one has held the lock for a minute.
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
    """The start time of the process, as text that no other process with this id shares.

    None when there is no such process, or only a zombie.
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
    # proc_pid_stat(5): the command's name, in brackets, may contain anything; the state is the first field
    # after it and the start, in clock ticks since boot, the twentieth.
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
