"""Future events on AWS's clock: a life cycle advances when a call arrives, without a thread.

Owns the order of due events. Every call to the local AWS first runs what is due, so that a reader sees the
state that it would have if each event had happened on time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from tier1_engine.sandbox.world import AwsClock


class Agenda:
    """Scheduled actions, each with the AWS second at which it is due. The caller holds the world's lock."""

    def __init__(self, clock: AwsClock) -> None:
        self._clock = clock
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._acting_at: float | None = None

    @property
    def now(self) -> float:
        """AWS seconds: the due time of the action that is running, however late it runs; otherwise the
        clock's time.
        """
        return self._clock.now() if self._acting_at is None else self._acting_at

    @property
    def next_due(self) -> float | None:
        """The due time of the next action; None when there is none."""
        return self._entries[0][0] if self._entries else None

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Schedule `action` in that many AWS seconds."""
        heapq.heappush(self._entries, (self.now + seconds, next(self._numbers), action))

    def clear(self) -> None:
        """Cancel all actions."""
        self._entries.clear()

    def settle(self) -> None:
        """Run everything that is due, the earliest first, including due actions that this schedules."""
        now = self._clock.now()
        try:
            while self._entries and self._entries[0][0] <= now:
                self._acting_at, _, action = heapq.heappop(self._entries)
                action()
        finally:
            self._acting_at = None
