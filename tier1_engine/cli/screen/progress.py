"""Progress while a deployment runs: time-stamped lines, or the live view on a terminal.

Owns the words of progress. It sees what the engine committed and never decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from tier1_engine.cli.screen.messages import told
from tier1_engine.cli.screen.streams import clean, moving, say
from tier1_engine.clock import Clock, SystemClock
from tier1_engine.deployment.record import (
    Change,
    Record,
)


class View(Protocol):
    """Watches a drive, while it is entered."""

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None: ...

    def note(self, text: str) -> None:
        """Say something beside the progress. Safe from any thread."""
        ...

    def restore(self) -> None:
        """Give the terminal back, at once. Safe from any thread."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def view() -> View:
    """The view that fits where messages go."""
    if moving():
        from tier1_engine.cli.screen.render.live import LiveView

        return LiveView(SystemClock())
    return PlainView(SystemClock())


class PlainView:
    """A line for each thing that happened."""

    def __init__(self, clock: Clock, write: Callable[[str], None] = say) -> None:
        self._clock = clock
        self._write = write

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
        for line in told(record, changes, due, self._clock.steady()):
            self.note(line)

    def note(self, text: str) -> None:
        self._write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {clean(text)}")

    def restore(self) -> None:
        """Nothing was taken."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was taken."""
