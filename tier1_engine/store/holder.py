"""The holder of a lease: which process it is, and whether it can still be running.

Owns the identity of a process across hosts and restarts. It reads `/proc` and writes nothing; `lease` decides
what happens when a holder is gone.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from tier1_engine.clock import Clock
from tier1_engine.deployment.actor import Actor


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lease.

    Attributes:
        steady_end: when the lease ends, on the steady clock of its boot.
        actor: who runs the process.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: str
    nonce: str
    steady_end: float = 0.0
    actor: Actor | None = None


def this_process(actor: Actor | None = None) -> Holder:
    """Return this process with a new nonce: two drivers in one process are two holders."""
    pid = os.getpid()
    return Holder(
        host=socket.gethostname(),
        boot=_boot(),
        namespace=_namespace(),
        pid=pid,
        started=_started(pid) or "",
        nonce=secrets.token_hex(8),
        actor=actor,
    )


def in_words(holder: Mapping[str, Any], since: datetime | None = None) -> str:
    """Describe the holder for an operator."""
    when = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
    return f"{holder['host']} (pid {holder['pid']}){when}"


def is_alive(holder: Mapping[str, Any], expires_at: datetime, now: datetime, clock: Clock) -> bool:
    """Whether the holder may still be running: its process exists, and its lease has not ended."""
    if not on_this_boot(holder):
        return now < expires_at
    if holder["namespace"] == _namespace() and _has_ended(holder["pid"], holder["started"]):
        return False
    return bool(clock.steady() < holder["steady_end"])


def runs_here(holder: Mapping[str, Any]) -> bool:
    """Whether another process of this host is the holder and still runs, whatever became of its lease: a
    copy of the database does not see it renewed.
    """
    here = on_this_boot(holder) and holder["namespace"] == _namespace() and holder["pid"] != os.getpid()
    return here and not _has_ended(holder["pid"], holder["started"])


def on_this_boot(holder: Mapping[str, Any]) -> bool:
    """Whether the holder runs or ran on the current boot of this host, in our time namespace."""
    return bool(holder["boot"]) and (holder["host"], holder["boot"]) == (socket.gethostname(), _boot())


def holding_until(holder: Holder, steady_end: float) -> Holder:
    """Return the holder with the end of its lease, in steady seconds."""
    return replace(holder, steady_end=steady_end)


@cache
def _boot() -> str:
    """Return the id of this boot and time namespace; empty if the system has none (then only the database's
    clock ends a lease).

    Another time namespace has its own steady clock and process start times (time_namespaces(7)): a holder
    there is treated like one of another boot.
    """
    boot = _text("/proc/sys/kernel/random/boot_id")
    return boot and f"{boot} {_link('/proc/self/ns/time')}".rstrip()


@cache
def _namespace() -> str:
    """Return the pid namespace: a process id is valid only within one (pid_namespaces(7))."""
    return _link("/proc/self/ns/pid")


def _has_ended(pid: int, started: str) -> bool:
    """Whether it is proved that the process which began at `started` no longer runs.

    Without its entry in `/proc` only ESRCH proves that: `hidepid` (proc(5)) and systemd's `ProtectProc` hide
    the processes of other users, and a read may fail for other reasons.
    """
    stat = _stat(pid)
    if stat is not None:
        state, begun = stat
        return state in ("Z", "X") or bool(started and begun != started)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # EPERM: it exists, and belongs to somebody else
    return False


def _started(pid: int) -> str | None:
    """Return the start time of a process in clock ticks since boot (proc(5), stat field 22)."""
    stat = _stat(pid)
    return None if stat is None else stat[1]


def _stat(pid: int) -> tuple[str, str] | None:
    """Return the state and start time of a process (proc(5), stat); None if they cannot be read."""
    # The second field is the command in parentheses and may hold spaces and parentheses itself.
    rest = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (rest[0], rest[19]) if len(rest) >= 20 else None


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
