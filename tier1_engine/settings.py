"""The settings that the environment gives, read once and checked.

Owns their names, defaults and bounds. What a deployment itself remembers (region, profile, account,
endpoint) is not here: it stands in its row.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tier1_engine.errors import ConfigurationError

CALLS_PER_LEASE = 3
"""A lease must outlast this many call budgets, or a driver could lose it inside one call."""

DEFAULT_POLL_SECONDS = 1.0
DEFAULT_GRACE_SECONDS = 60.0
DEFAULT_LEASE_SECONDS = 60.0
DEFAULT_CALL_SECONDS = 20.0
POLL_BACKOFF_LIMIT = 10
"""A poll interval grows from `poll_seconds` to at most this many times it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the engine paces itself. All in seconds.

    Attributes:
        poll_seconds: the first poll interval; it backs off from there.
        visibility_grace_seconds: how long what AWS made may stay out of sight of its own list calls.
        lease_seconds: how long a driver that says nothing is still taken to be driving.
        call_timeout_seconds: the whole budget of one AWS call.
        consistency_seconds: how long something of ours may be unknown to what refers to it.
    """

    poll_seconds: float = DEFAULT_POLL_SECONDS
    visibility_grace_seconds: float = DEFAULT_GRACE_SECONDS
    lease_seconds: float = DEFAULT_LEASE_SECONDS
    call_timeout_seconds: float = DEFAULT_CALL_SECONDS
    consistency_seconds: float = 180.0

    @property
    def poll_limit_seconds(self) -> float:
        return self.poll_seconds * POLL_BACKOFF_LIMIT


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Where only one of lease and call budget is given, the other follows it, so that a lease always
    outlasts three calls.

    Raises:
        ConfigurationError: a value is no number, out of bounds, or the lease is too short.
    """
    lease = _seconds(environ, "TIER1_LEASE_SECONDS", least=0.1)
    call = _seconds(environ, "TIER1_CALL_TIMEOUT_SECONDS", least=0.05)
    if call is None:
        call = min(DEFAULT_CALL_SECONDS, (lease or DEFAULT_LEASE_SECONDS) / CALLS_PER_LEASE)
    if lease is None:
        lease = max(DEFAULT_LEASE_SECONDS, call * CALLS_PER_LEASE)
    if lease < call * CALLS_PER_LEASE:
        raise ConfigurationError(
            f"TIER1_LEASE_SECONDS is {lease:g}, but must be at least {CALLS_PER_LEASE} times "
            f"TIER1_CALL_TIMEOUT_SECONDS, which is {call:g}: raise the first or lower the second."
        )
    poll = _seconds(environ, "TIER1_POLL_SECONDS", least=0.001)
    grace = _seconds(environ, "TIER1_VISIBILITY_GRACE_SECONDS", least=0.0)
    return Settings(
        poll_seconds=DEFAULT_POLL_SECONDS if poll is None else poll,
        visibility_grace_seconds=DEFAULT_GRACE_SECONDS if grace is None else grace,
        lease_seconds=lease,
        call_timeout_seconds=call,
    )


def _seconds(environ: Mapping[str, str], name: str, *, least: float, most: float = 86_400.0) -> float | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ConfigurationError(f"{name} is {text!r}, which is not a number of seconds.") from None
    if not math.isfinite(value) or not least <= value <= most:
        raise ConfigurationError(f"{name} is {text}, but must be from {least:g} to {most:g} seconds.")
    return value


def state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where this user's database, logs and sandbox live (XDG base directory specification)."""
    base = environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state"
    return root / "tier1"


def database_url(environ: Mapping[str, str] = os.environ) -> str:
    """`TIER1_DATABASE_URL`, or SQLite in the state directory."""
    return (
        environ.get("TIER1_DATABASE_URL", "").strip() or f"sqlite:///{state_directory(environ) / 'tier1.db'}"
    )
