"""The holder of a lease: which process it is, and whether that process can still be running.

Owns how a process is told apart from every other one, on any host and after any restart. It reads
`/proc` and writes nothing; what follows from a holder that is gone is the lease's.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from tier1_engine.clock import Clock


@dataclass(frozen=True, slots=True)
class Holder:
    """Who drives. `steady_end` is when its lease ends on the steady clock of its boot of its host."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: str
    nonce: str
    steady_end: float = 0.0


def this_process() -> Holder:
    """This process, with a nonce of its own: two drivers in one process are two holders."""
    pid = os.getpid()
    return Holder(
        host=socket.gethostname(),
        boot=_boot(),
        namespace=_namespace(),
        pid=pid,
        started=_started(pid) or "",
        nonce=secrets.token_hex(8),
    )


def in_words(holder: Mapping[str, Any], since: datetime | None = None) -> str:
    """Who holds it, for a person."""
    when = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
    return f"{holder['host']} (pid {holder['pid']}){when}"


def is_alive(holder: Mapping[str, Any], expires_at: datetime, now: datetime, clock: Clock) -> bool:
    """Whether the holder of a lease may still be running: its process exists, or its lease has not ended."""
    if not on_this_boot(holder):
        return now < expires_at
    if holder["namespace"] == _namespace() and _started(holder["pid"]) != holder["started"]:
        return False
    return bool(clock.steady() < holder["steady_end"])


def on_this_boot(holder: Mapping[str, Any]) -> bool:
    """Whether the holder runs, or ran, on this host since it was started, in our time namespace."""
    return bool(holder["boot"]) and (holder["host"], holder["boot"]) == (socket.gethostname(), _boot())


def holding_until(holder: Holder, steady_end: float) -> Holder:
    """The holder with the end of its lease, in steady seconds."""
    return Holder(**{**asdict(holder), "steady_end": steady_end})


@cache
def _boot() -> str:
    """This boot of this host as we count its time; empty where the system does not say (then only the
    database's clock ends a lease).

    Another time namespace has a steady clock of its own, and start times of processes too
    (time_namespaces(7)): a holder there is to us as one of another boot.
    """
    boot = _text("/proc/sys/kernel/random/boot_id")
    return boot and f"{boot} {_link('/proc/self/ns/time')}".rstrip()


@cache
def _namespace() -> str:
    """The pid namespace: a process id means nothing in another one (pid_namespaces(7))."""
    return _link("/proc/self/ns/pid")


def _started(pid: int) -> str | None:
    """When a process began, in clock ticks since boot (proc(5), stat field 22); None when it is gone.

    A zombie counts as gone: it drives nothing any more.
    """
    stat = _text(f"/proc/{pid}/stat")
    # The second field is the command in parentheses and may hold spaces and parentheses itself.
    rest = stat.rpartition(")")[2].split()
    if len(rest) < 20 or rest[0] in ("Z", "X"):
        return None
    return rest[19]


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
