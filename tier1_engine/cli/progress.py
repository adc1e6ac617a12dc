"""What is said while a deployment is driven: time-stamped lines, or the live view on a terminal.

Owns the words of progress. It sees what the engine committed and never decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from tier1_engine.cli.streams import clean, moving, say
from tier1_engine.clock import Clock, SystemClock
from tier1_engine.permits import PERMIT_REFUSED
from tier1_engine.record import (
    Attempt,
    AttemptAdd,
    AttemptSet,
    Change,
    Move,
    Note,
    Record,
    ResourceSet,
    StepSet,
)
from tier1_engine.states import Action, ResourceState, StepState


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
        from tier1_engine.cli.render.live import LiveView

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


def told(record: Record, changes: Sequence[Change], due: Mapping[str, float], steady: float) -> Iterator[str]:
    """The lines that a turn is worth."""
    tried = {attempt.step for attempt in _refused(record, changes)}
    for change in changes:
        match change:
            case Move():
                because = f" ({change.message})" if change.message else ""
                yield f"{change.source} -> {change.target}{because}"
            case Note(message, step):
                yield f"{step}: {message}" if step else message
            case StepSet(name, values) if values.get("state") is StepState.RUNNING:
                yield f"{name}: begun"
            case StepSet(name, values) if values.get("error") and "state" not in values and name not in tried:
                error = values["error"]
                yield f"{name}: not yet: {error['code']}: {error['message']}"
            case ResourceSet(id, values) if values.get("state") is ResourceState.DELETING:
                resource = record.resources[id]
                yield f"{resource.name}: deleting {resource.aws_id}"
    for attempt in _refused(record, changes):
        if attempt.action is not Action.ADOPT:
            yield tried_in_vain(attempt, due.get(attempt.step), steady)


def _refused(record: Record, changes: Sequence[Change]) -> list[Attempt]:
    """The attempts that this turn ended in an error. What was not sent, when we were stopped, is none."""
    found: list[Attempt] = []
    for change in changes:
        if isinstance(change, AttemptAdd) and change.attempt.code:
            found.append(change.attempt)
        elif isinstance(change, AttemptSet) and change.values.get("code"):
            attempt = record.attempts.get(change.id)
            if attempt is not None:
                found.append(attempt)
    return [attempt for attempt in found if attempt.code != PERMIT_REFUSED]


def tried_in_vain(attempt: Attempt, due: float | None, steady: float) -> str:
    """One failed try, and when the next one is."""
    said = f"{attempt.step}: {attempt.operation or attempt.action}: {attempt.code}: {attempt.message}"
    if due is None or due <= steady:
        return said
    return f"{said} (again in {due - steady:.1f} s)"
