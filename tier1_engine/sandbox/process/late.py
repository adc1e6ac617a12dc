"""Calls that execute later than they came, by themselves.

Owns what is still to be executed. Every call that comes first lets those execute that are due, so that
their order does not hang on how a timer is scheduled; a timer only makes sure that they execute when
nobody calls.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tier1_engine.sandbox.world import World

Schedule = Callable[[float, Callable[[], None]], None]
"""Runs something after so many seconds of ours."""


def by_timer(seconds: float, run: Callable[[], None]) -> None:
    """Run it in a thread of its own, which does not keep the process."""
    timer = threading.Timer(seconds, run)
    timer.daemon = True
    timer.start()


def never(seconds: float, run: Callable[[], None]) -> None:
    """Leave it to the calls that come: for a clock that only moves by hand."""


@dataclass(order=True, slots=True)
class _Waiting:
    due: float
    number: int
    execute: Callable[[], None] = field(compare=False)


class Late:
    """What waits for its time in one sandbox."""

    def __init__(self, world: World, schedule: Schedule = by_timer) -> None:
        self._world = world
        self._schedule = schedule
        self._waiting: list[_Waiting] = []
        self._number = 0

    def put_off(self, aws_seconds: float, execute: Callable[[], None]) -> None:
        """Execute something in so many AWS seconds."""
        with self._world.lock:
            self._number += 1
            due = self._world.clock.now() + aws_seconds
            heapq.heappush(self._waiting, _Waiting(due, self._number, execute))
        self._schedule(self._world.clock.ours(aws_seconds), self.run_due)

    def run_due(self) -> None:
        """Execute what is due, in the order of its time."""
        with self._world.lock:
            now = self._world.clock.now()
            while self._waiting and self._waiting[0].due <= now:
                heapq.heappop(self._waiting).execute()

    def forget(self) -> None:
        """Execute nothing of what waits."""
        with self._world.lock:
            self._waiting.clear()
