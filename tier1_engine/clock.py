"""Clocks and id generators, passed as parameters: wall time for records, steady time for waits.

Nothing else in the engine reads a clock. Steady time advances while the machine is suspended, so a
lease that expired while a laptop slept is known to have expired.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The source of time."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC. For records only, because it may jump."""
        ...

    def steady(self) -> float:
        """Return monotonic seconds that include suspend. For waits, deadlines and leases."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady(self) -> float:
        return time.clock_gettime(_STEADY)


# CLOCK_BOOTTIME includes suspend (clock_gettime(2)); systems without it use the monotonic clock.
_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def new_deployment_id() -> str:
    """Return 12 hexadecimal characters: short enough for IAM names, long enough to be unique."""
    return secrets.token_hex(6)


def new_id() -> str:
    """Return 20 hexadecimal characters, for resources and attempts; keys built from it stay well under 64."""
    return secrets.token_hex(10)
