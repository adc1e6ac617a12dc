"""Shows progress while a deployment is running: timestamped lines, or the live view on a terminal.

It observes what the engine committed and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from tier1_engine.cli.screen.messages import messages_of
from tier1_engine.cli.screen.streams import clean, moving, say
from tier1_engine.clock import Clock, SystemClock
from tier1_engine.deployment.record import (
    Change,
    Record,
)


class View(Protocol):
    """Shows a run for as long as its context is entered."""

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None: ...

    def note(self, text: str) -> None:
        """Print a message beside the progress. Thread-safe."""
        ...

    def restore(self) -> None:
        """Restore the terminal immediately. Thread-safe."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def view() -> View:
    """Return the view that suits stderr."""
    if moving():
        from tier1_engine.cli.screen.render.live import LiveView

        return LiveView(SystemClock())
    return PlainView(SystemClock())


class PlainView:
    """Prints one line per event."""

    def __init__(self, clock: Clock, write: Callable[[str], None] = say) -> None:
        self._clock = clock
        self._write = write

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
        for line in messages_of(record, changes, due, self._clock.steady()):
            self.note(line)

    def note(self, text: str) -> None:
        self._write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {clean(text)}")

    def restore(self) -> None:
        """Do nothing: the terminal was not changed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: the terminal was not changed."""
