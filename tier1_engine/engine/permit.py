"""The permit of a driver: may a call that changes something still go out?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tier1_engine.clock import Clock
from tier1_engine.contract.cloud import PermitRefused


class Stop(Protocol):
    """A request to stop."""

    @property
    def asked(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class LeasePermit:
    """Asked just before the bytes of a changing call go out: is the lease still ours for a whole call?

    Attributes:
        trusted_until: until when the lease is surely ours, by now, in steady seconds.
        call_seconds: the whole budget of one call.
        ends_at: when the task is left behind, in steady seconds.
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
            raise PermitRefused("the remaining lease time is shorter than the budget of one call")
        if now >= self.ends_at:
            raise PermitRefused("this task was abandoned")
