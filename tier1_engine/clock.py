"""Time and names as parameters: wall time for records, steady time for waits, new ids.

Nothing else in the engine reads a clock. Steady time runs through a suspend of the machine, so a
lease that ran out while the laptop slept is known to have run out.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Wall time, aware, UTC. For records only: it may jump."""
        ...

    def steady(self) -> float:
        """Seconds that never jump and run through suspend. For waits, deadlines and leases."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady(self) -> float:
        return time.clock_gettime(_STEADY)


# CLOCK_BOOTTIME counts through suspend (clock_gettime(2)); where there is none, monotonic must do.
_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def new_deployment_id() -> str:
    """12 hexadecimal characters: short enough for IAM names, long enough not to meet again."""
    return secrets.token_hex(6)


def new_id() -> str:
    """20 hexadecimal characters, for resources and attempts; a key made of it stays far under 64."""
    return secrets.token_hex(10)
