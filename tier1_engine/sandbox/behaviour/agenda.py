"""What happens later, by AWS's clock: a life cycle advances when somebody looks, without a thread.

Owns the order of what is due. Every call to the local AWS settles first, so that a reader finds
everything as it would be had it happened in time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from tier1_engine.sandbox.world import AwsClock


class Agenda:
    """Actions with the AWS second at which each is due. The caller holds the world's lock."""

    def __init__(self, clock: AwsClock) -> None:
        self._clock = clock
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._acting_at: float | None = None

    @property
    def now(self) -> float:
        """AWS seconds: of the action that is being done, however late that is; else of the clock."""
        return self._clock.now() if self._acting_at is None else self._acting_at

    @property
    def next_due(self) -> float | None:
        """When the next action is due; None when there is none."""
        return self._entries[0][0] if self._entries else None

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have `action` done that many AWS seconds from now."""
        heapq.heappush(self._entries, (self.now + seconds, next(self._numbers), action))

    def clear(self) -> None:
        """Nothing of it happens any more."""
        self._entries.clear()

    def settle(self) -> None:
        """Do everything that is due, the earliest first; what that adds, too, once it is due."""
        now = self._clock.now()
        try:
            while self._entries and self._entries[0][0] <= now:
                self._acting_at, _, action = heapq.heappop(self._entries)
                action()
        finally:
            self._acting_at = None
