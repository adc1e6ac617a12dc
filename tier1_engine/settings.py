"""Settings from environment variables, read once and validated.

Owns their names, defaults and bounds. The settings of one deployment (region, profile, account, endpoint) are
not here: they are in its row.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tier1_engine.errors import ConfigurationError

CALLS_PER_LEASE = 3
"""A lease must outlast this many call timeouts, or a driver could lose it during one call."""

DEFAULT_POLL_SECONDS = 1.0
DEFAULT_GRACE_SECONDS = 60.0
DEFAULT_LEASE_SECONDS = 60.0
DEFAULT_CALL_SECONDS = 20.0
POLL_BACKOFF_LIMIT = 10
"""A poll interval grows to at most this multiple of `poll_seconds`."""
POLLS_WITHOUT_ACCESS = 60
"""Refused access counts as blocked after this multiple of `poll_seconds`: a minute, by default."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The intervals and timeouts of the engine, all in seconds.

    Attributes:
        poll_seconds: the first poll interval; later ones back off.
        visibility_grace_seconds: how long a new resource may be missing from AWS's own list calls.
        lease_seconds: how long a silent driver still counts as alive.
        call_timeout_seconds: the time limit of one AWS call.
        consistency_seconds: how long AWS may reject references to a new owned resource.
    """

    poll_seconds: float = DEFAULT_POLL_SECONDS
    visibility_grace_seconds: float = DEFAULT_GRACE_SECONDS
    lease_seconds: float = DEFAULT_LEASE_SECONDS
    call_timeout_seconds: float = DEFAULT_CALL_SECONDS
    consistency_seconds: float = 180.0

    @property
    def poll_limit_seconds(self) -> float:
        return self.poll_seconds * POLL_BACKOFF_LIMIT

    @property
    def access_seconds(self) -> float:
        """How long a call is repeated while AWS refuses access, before that counts as blocked."""
        return self.poll_seconds * POLLS_WITHOUT_ACCESS


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate the settings.

    If only one of the lease and the call timeout is set, the other follows it, so that a lease always
    outlasts three calls.

    Raises:
        ConfigurationError: a value is not a number or out of bounds, or the lease is too short.
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
    """Return the directory of this user's database, logs and sandbox (XDG base directory specification)."""
    base = environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state"
    return root / "tier1"


def database_url(environ: Mapping[str, str] = os.environ) -> str:
    """Return `TIER1_DATABASE_URL`, or the URL of a SQLite file in the state directory."""
    return (
        environ.get("TIER1_DATABASE_URL", "").strip() or f"sqlite:///{state_directory(environ) / 'tier1.db'}"
    )
