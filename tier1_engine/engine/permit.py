"""The permit of a driver: decides whether a mutating call may still be sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tier1_engine.clock import Clock
from tier1_engine.contract.cloud import PermitRefused


class Stop(Protocol):
    """The part of `equipment.Stop` that a permit reads."""

    @property
    def asked(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class LeasePermit:
    """Checked just before a mutating call is sent: the lease must outlast the whole call.

    Attributes:
        trusted_until: returns the steady time until which this driver certainly holds the lease.
        call_seconds: the time limit of one call.
        ends_at: the steady time at which the task is abandoned.
    """

    stop: Stop
    clock: Clock
    trusted_until: Callable[[], float]
    call_seconds: float
    ends_at: float

    def check(self) -> None:
        now = self.clock.steady()
        if self.stop.asked:
            raise PermitRefused("a signal asked this process to stop")
        if now + self.call_seconds > self.trusted_until():
            raise PermitRefused("the remaining lease time is shorter than the time limit of one call")
        if now >= self.ends_at:
            raise PermitRefused("this task was abandoned")
