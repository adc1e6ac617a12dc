"""What everything on the screen shares: colours, times, and how text gets its colours.

Results are drawn as text from the contract's JSON objects or from lines; colours are in it only where
stdout is a terminal and NO_COLOR is not set.
"""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.text import Text

from tier1_engine.cli.screen.lines import Line, Tone
from tier1_engine.cli.screen.streams import put

STYLE_OF_TONE = {
    Tone.GOOD: "bold green",
    Tone.BAD: "bold red",
    Tone.WARNING: "yellow",
    Tone.PLAIN: "",
    Tone.COMMAND: "cyan",
}
STYLE_OF_STATE = {
    "active": "green",
    "done": "green",
    "present": "green",
    "failed": "bold red",
    "interrupted": "bold yellow",
    "rolling_back": "yellow",
    "destroying": "yellow",
    "deleting": "yellow",
    "stray": "yellow",
    "skipped": "yellow",
    "running": "cyan",
    "creating": "cyan",
    "retained": "magenta",
}
"""What is not named is quiet: it waits, or it is over."""

QUIET = "dim"

PHASES = ("network", "efs", "ec2", "health")


class Page(io.StringIO):
    """What is drawn for stdout: rich takes it for that, and writes nothing to a terminal that may be gone."""

    def isatty(self) -> bool:
        return sys.stdout.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # text in memory has none of its own
        return sys.stdout.encoding


def drawn(*parts: RenderableType) -> str:
    """What `parts` look like on stdout, as text."""
    page = Page()
    # Long words (links, commands) stay whole, so that they can be copied.
    Console(file=page, highlight=False, markup=False, emoji=False).print(Group(*parts), soft_wrap=True)
    return page.getvalue().rstrip("\n")


def width() -> int:
    """The columns of stdout; 80 where it is no terminal and COLUMNS says nothing."""
    return Console(file=sys.stdout).width


def lines(told: Iterable[Line]) -> str:
    """Closing words, each line in the colour of what it is."""
    return drawn(*(Text(line.text, style=STYLE_OF_TONE[line.tone]) for line in told))


def wrapped(told: Iterable[Line]) -> str:
    """Lines for reading, broken between words where the screen ends, and set in below their beginning."""
    columns, found = width(), list[Text]()
    for line in told:
        inner = " " * (len(line.text) - len(line.text.lstrip(" ")) + 3)
        rows = textwrap.wrap(
            line.text,
            columns,
            subsequent_indent=inner,
            break_long_words=False,
            break_on_hyphens=False,
        )
        found += [Text(row, style=STYLE_OF_TONE[line.tone]) for row in rows or [""]]
    return drawn(*found)


def state_text(name: str) -> Text:
    """A state in the colour of what it is."""
    return Text(name, style=STYLE_OF_STATE.get(name, QUIET))


def age(then: str, now: datetime) -> str:
    """How long ago, in the largest unit that fits: `45s`, `12m`, `3h`, `9d`."""
    seconds = max(0, int((now - datetime.fromisoformat(then)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def elapsed(seconds: float) -> str:
    """`4s`, `2m 05s`, `1h 02m`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3_600}h {whole % 3_600 // 60:02d}m"


class Screen:
    """Shows one text after the other in the same place; without a terminal, below each other."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout)

    def show(self, text: str) -> bool:
        """Show it; whether somebody still looks."""
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._console.control(Control.clear(), Control.home())
        return put(text)
