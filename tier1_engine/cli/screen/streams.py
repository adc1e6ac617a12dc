"""The two streams: results to stdout, messages to stderr, and what happens when either is gone.

A reader that closes stdout early ends nothing but the printing; a terminal that has hung up must not
end a driver. Nothing here knows what is written.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import Any, TextIO

from tier1_engine.errors import Tier1Error

NOBODY_READS = (errno.EPIPE, errno.EIO)
"""The pipe was closed, or the terminal has hung up."""


def put(text: str) -> bool:
    """Write a result to stdout; whether somebody still reads. What nobody reads any more is dropped.

    Raises:
        Tier1Error: it cannot be written, and somebody waits for it: the disk is full.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        # What Python flushes at its end would meet the same again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno not in NOBODY_READS:
            raise Tier1Error(
                f"stdout could not be written ({error.strerror}): make room, or write the result elsewhere."
            ) from error
        return False
    return True


def fill() -> None:
    """Put the null device where the caller closed a stream: else a database that is opened got its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)


def put_json(value: Any) -> None:
    """Write a result to stdout as JSON."""
    put(json.dumps(value, indent=2))


def say(text: str) -> None:
    """Write a message to stderr, without secrets."""
    from tier1_engine.masking import masked_text  # `--help` says nothing

    Quiet().write(f"{masked_text(text)}\n")


def interactive() -> bool:
    """Whether somebody sits at a terminal who can be asked."""
    return _is_terminal(sys.stdin) and moving()


def moving() -> bool:
    """Whether messages go to a terminal on which lines can be drawn over."""
    return _is_terminal(sys.stderr) and os.environ.get("TERM", "") not in ("", "dumb")


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it was closed
        return False


class Quiet:
    """stderr as a file that never fails: a message that cannot be written is no reason to stop."""

    def write(self, text: str) -> int:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # hung up, closed, or never there
            pass
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return _is_terminal(sys.stderr)

    def fileno(self) -> int:
        return sys.stderr.fileno()

    @property
    def encoding(self) -> str:
        return sys.stderr.encoding if sys.stderr else "utf-8"


def clean(text: str) -> str:
    """One line without control characters: what AWS or a spec says must not steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def complain(text: str) -> None:
    """Say what went wrong, a line for each thing."""
    for line in text.splitlines():
        say(f"tier1: {line}")
