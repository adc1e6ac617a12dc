"""The live view of a run: phases and steps with spinners, times, retries and countdowns.

It draws what the engine last committed on stderr, several times per second. Completed phases are folded
into one line, so that a deployment fits a small terminal. A single thread writes to the terminal: rich
moves the cursor relative to its last output, and two threads would overwrite each other. The driver
therefore never waits for the terminal.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Self, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tier1_engine.cli.screen.messages import messages_of
from tier1_engine.cli.screen.render.base import QUIET, STYLE_OF_STATE, elapsed
from tier1_engine.cli.screen.streams import Quiet, clean
from tier1_engine.clock import Clock
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import Change, Move, Record, Resource, Step
from tier1_engine.deployment.states import ENDED, GOING_BACK, Phase, ResourceState, StepState

FRAMES_PER_SECOND = 10
TITLES = {Phase.NETWORK: "Network", Phase.EFS: "File system", Phase.EC2: "Instance", Phase.HEALTH: "Health"}
SHOW_CURSOR = b"\x1b[?25h\n"


class LiveView:
    """Shows the current record on a terminal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # A terminal error must not stop the driver.
        self._console = Console(file=cast("IO[str]", Quiet()), highlight=False, markup=False, emoji=False)
        utf8 = (self._console.encoding or "").lower().startswith("utf")
        self._marks = _MARKS if utf8 else _ASCII_MARKS
        self._spinner = Spinner("dots" if utf8 else "line")
        self._live: Live | None = None
        self._record: Record | None = None
        self._due: Mapping[str, float] = {}
        self._lock = threading.Lock()
        self._lines: deque[Text] = deque()
        self._ended = threading.Event()
        self._painter: threading.Thread | None = None
        self._entered_at = clock.steady()

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
        with self._lock:
            self._record, self._due = record, dict(due)
        for change in changes:
            # The tree shows everything else; a state change would not be visible in it.
            if isinstance(change, Move):
                for line in messages_of(record, [change], {}, 0.0):
                    self._lines.append(Text(clean(line), style=QUIET))

    def note(self, text: str) -> None:
        self._lines.append(Text(clean(text), style="yellow"))

    def restore(self) -> None:
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), SHOW_CURSOR)

    def __enter__(self) -> Self:
        live = self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        self._ended.clear()
        self._painter = threading.Thread(target=self._paint, args=(live,), name="tier1-screen", daemon=True)
        self._painter.start()
        return self

    def _paint(self, live: Live) -> None:
        """Print new lines and redraw the tree below them until the run ends."""
        while not self._ended.wait(1.0 / FRAMES_PER_SECOND):
            self._write_lines()
            live.refresh()

    def _write_lines(self) -> None:
        while self._lines:
            self._console.print(self._lines.popleft())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._painter is not None:
            self._painter.join()
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._write_lines()
        if self._record is not None:
            self._console.print(self._draw(final=True))

    # --- drawing

    def _draw(self, *, final: bool = False) -> RenderableType:
        with self._lock:
            record, due = self._record, self._due
        if record is None:
            return Text("")
        deployment = record.deployment
        state = deployment.state.value
        head = Text.assemble((deployment.name, "bold"), f"  {deployment.id}  ")
        head.append(state, style=STYLE_OF_STATE.get(state, "cyan"))
        head.append(f"  {elapsed(self._clock.steady() - self._entered_at)}", style=QUIET)
        frame = _Frame(record, due, self._clock.steady(), self._marks, self._spin(final), final=final)
        backwards = deployment.state in (*GOING_BACK, *ENDED)
        rows = list(frame.going_back() if backwards else frame.forward())
        table = Table.grid(padding=(0, 1))
        table.add_column(width=3)
        widths = [max(row[cell].cell_len for row in rows) for cell in (1, 2)]
        for width in (*widths, None):
            table.add_column(no_wrap=True, width=width)
        # On a narrow terminal only the message column shrinks.
        room = max(self._console.width - 3 - sum(widths) - len(widths) - 2, 10)
        for mark, name, figure, about in rows:
            about.truncate(room, overflow="ellipsis")
            table.add_row(mark, name, figure, about)
        return Group(head, table)

    def _spin(self, final: bool) -> Text:
        """Return the spinner for work in progress, or nothing once the view has ended."""
        if final:
            return Text()
        turned = self._spinner.render(self._console.get_time())
        return turned if isinstance(turned, Text) else Text()


Row = tuple[Text, Text, Text, Text]
"""A mark, a name, a figure, and a message."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame of the live view.

    Attributes:
        due: when each waiting subject is retried, in steady seconds; `now` is on the same clock.
        final: the last frame, without spinners and with the steps that never began.
    """

    record: Record
    due: Mapping[str, float]
    now: float
    marks: Mapping[str, Text]
    spin: Text
    final: bool

    def forward(self) -> Iterator[Row]:
        for phase in Phase:
            yield from self._phase(phase, [s for s in self.record.steps.values() if s.phase is phase])

    def _phase(self, phase: Phase, steps: Sequence[Step]) -> Iterator[Row]:
        complete = sum(step.complete for step in steps)
        mark = Text()
        if complete == len(steps):
            mark = self.marks["done"]
        elif any(step.state is StepState.FAILED for step in steps):
            mark = self.marks["failed"]
        yield (
            mark,
            Text(TITLES[phase], style="bold"),
            Text(f"{complete} of {len(steps)}", style=QUIET),
            Text(),
        )
        if all(step.state is StepState.DONE for step in steps):
            return
        waiting = 0
        for step in steps:
            if step.state is StepState.WAITING and not self.final:
                waiting += 1
            else:
                yield self._step(step)
        if waiting:
            yield Text(), Text(f"  {waiting} waiting", style=QUIET), Text(), Text()

    def _step(self, step: Step) -> Row:
        mark = self.spin if step.state is StepState.RUNNING else self.marks.get(step.state.value, Text())
        resource = self.record.resource_of(step.name)
        about = Text((resource.aws_id or "") if resource else "", style=QUIET)
        if step.error and step.state is not StepState.DONE:
            about = self._said(step.name, step.error)
            about.stylize(STYLE_OF_STATE["failed"] if step.state is StepState.FAILED else "yellow")
        return _indented(mark), Text(f"  {step.name}"), Text(_took(step), style=QUIET), about

    def _said(self, subject: str, error: Error) -> Text:
        """Return the error and the countdown to the next attempt."""
        seconds = self.due.get(subject, self.now) - self.now
        again = f" retrying in {seconds:.0f}s," if seconds > 0.5 else ""
        return Text(clean(f"{error.code}:{again} {error.message}"))

    def going_back(self) -> Iterator[Row]:
        owned = [r for r in self.record.resources.values() if r.owned]
        gone = sum(resource.state is ResourceState.DELETED for resource in owned)
        mark = self.marks["done"] if gone == len(owned) else Text()
        yield mark, Text(f"{gone} of {len(owned)} deleted", style="bold"), Text(), Text()
        for resource in owned:
            if resource.state is not ResourceState.DELETED:
                yield self._deletion(resource)

    def _deletion(self, resource: Resource) -> Row:
        mark = self.spin if resource.state is ResourceState.DELETING else Text()
        about = Text()
        if resource.error:
            about = self._said(resource.name, resource.error)
            about.stylize("yellow")
            mark = self.marks["failed"] if resource.error.stuck else mark
        elif resource.state is ResourceState.RETAINED:
            about = Text("retained", style=STYLE_OF_STATE["retained"])
        return _indented(mark), Text(f"  {resource.name}"), Text(resource.aws_id or "", style=QUIET), about


def _indented(mark: Text) -> Text:
    return Text("  ").append_text(mark)


_MARKS = {
    "done": Text("✓", style="green"),
    "failed": Text("✗", style="bold red"),
    "skipped": Text("-", style="yellow"),
}
_ASCII_MARKS = {
    "done": Text("+", style="green"),
    "failed": Text("x", style="bold red"),
    "skipped": Text("-", style="yellow"),
}


def _took(step: Step) -> str:
    if step.started_at is None:
        return ""
    return elapsed(((step.finished_at or datetime.now(UTC)) - step.started_at).total_seconds())
