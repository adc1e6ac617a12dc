"""A line of text for the operator, with its tone. The renderer chooses the colour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """The meaning of a line; a terminal shows each in its own colour."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    PLAIN = "plain"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text and its tone."""

    text: str
    tone: Tone = Tone.PLAIN
