"""Shared rendering: colours, times, and conversion to text.

Results are rendered as text from the contract's JSON objects or from lines. The text has colours only if
stdout is a terminal and NO_COLOR is not set.
"""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.text import Text

from tier1_engine.cli.screen.lines import Line, Tone
from tier1_engine.cli.screen.streams import clean, put

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
"""The colours of states. A state without one is waiting or has ended."""

QUIET = "dim"

PHASES = ("network", "efs", "ec2", "health")


class Page(io.StringIO):
    """A buffer that rich treats as stdout, so that rich never writes to a terminal that may be gone."""

    def isatty(self) -> bool:
        return sys.stdout.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a StringIO has no encoding of its own
        return sys.stdout.encoding


def drawn(*parts: RenderableType) -> str:
    """Render `parts` as text for stdout."""
    page = Page()
    # Long words such as links and commands are not broken, so that they can be copied.
    Console(file=page, highlight=False, markup=False, emoji=False).print(Group(*parts), soft_wrap=True)
    return page.getvalue().rstrip("\n")


def width() -> int:
    """Return the width of stdout; 80 if it is not a terminal and COLUMNS is not set."""
    return Console(file=sys.stdout).width


def lines(shown: Iterable[Line]) -> str:
    """Render lines, each in the colour of its tone."""
    return drawn(*(Text(line.text, style=STYLE_OF_TONE[line.tone]) for line in shown))


def wrapped(shown: Iterable[Line]) -> str:
    """Render lines wrapped at word boundaries to the width of the screen, with a hanging indent."""
    columns, found = width(), list[Text]()
    for line in shown:
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
    """Return a state in its colour."""
    return Text(name, style=STYLE_OF_STATE.get(name, QUIET))


def who(actor: Mapping[str, Any]) -> str:
    """Describe who ran a command: `arn:aws:iam::1:user/ann (ann@host, https://ci/run/7)`."""
    local = ", ".join(word for word in (f"{actor['user']}@{actor['host']}", actor["run_url"]) if word)
    return clean(f"{actor['arn']} ({local})" if actor["arn"] else local)


def age(then: str, now: datetime) -> str:
    """Format the time since `then` in the largest fitting unit: `45s`, `12m`, `3h`, `9d`."""
    seconds = max(0, int((now - datetime.fromisoformat(then)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def elapsed(seconds: float) -> str:
    """Format a duration: `4s`, `2m 05s`, `1h 02m`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3_600}h {whole % 3_600 // 60:02d}m"


class Screen:
    """Shows successive texts in the same place on a terminal, and below each other elsewhere."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout)

    def show(self, text: str) -> bool:
        """Show a text; return whether stdout is still open."""
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._console.control(Control.clear(), Control.home())
        return put(text)
