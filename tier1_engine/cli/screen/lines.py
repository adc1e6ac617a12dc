"""A line of text for the operator, and what it is. Colours are the screen's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a line is; a terminal gives each a colour."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    PLAIN = "plain"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, and what it is."""

    text: str
    tone: Tone = Tone.PLAIN
