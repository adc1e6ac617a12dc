"""Calls that execute some time after they arrived.

Owns the pending executions. Every new call first runs those that are due, so that their order does not depend
on timer scheduling; a timer only ensures that they run when no call arrives.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tier1_engine.sandbox.world import World

Schedule = Callable[[float, Callable[[], None]], None]
"""Runs a function after a number of real seconds."""


def by_timer(seconds: float, run: Callable[[], None]) -> None:
    """Run it in a separate thread, which does not keep the process alive."""
    timer = threading.Timer(seconds, run)
    timer.daemon = True
    timer.start()


def never(seconds: float, run: Callable[[], None]) -> None:
    """Schedule nothing; the next call runs what is due. For a clock that only moves by hand."""


@dataclass(order=True, slots=True)
class _Waiting:
    due: float
    number: int
    execute: Callable[[], None] = field(compare=False)


class Late:
    """The pending executions of one sandbox."""

    def __init__(self, world: World, schedule: Schedule = by_timer) -> None:
        self._world = world
        self._schedule = schedule
        self._waiting: list[_Waiting] = []
        self._number = 0

    def put_off(self, aws_seconds: float, execute: Callable[[], None]) -> None:
        """Schedule an execution in that many AWS seconds."""
        with self._world.lock:
            self._number += 1
            due = self._world.clock.now() + aws_seconds
            heapq.heappush(self._waiting, _Waiting(due, self._number, execute))
        self._schedule(self._world.clock.ours(aws_seconds), self.run_due)

    def run_due(self) -> None:
        """Run what is due, in order of due time."""
        with self._world.lock:
            now = self._world.clock.now()
            while self._waiting and self._waiting[0].due <= now:
                heapq.heappop(self._waiting).execute()

    def forget(self) -> None:
        """Drop all pending executions."""
        with self._world.lock:
            self._waiting.clear()
