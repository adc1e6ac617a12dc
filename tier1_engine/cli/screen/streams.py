"""Writes results to stdout and messages to stderr, and handles closed streams.

A reader that closes stdout early ends only the printing, and a terminal that hangs up must not stop a
driver. Nothing here depends on what is written.
"""

from __future__ import annotations

import errno
import json
import os
import select
import sys
from typing import Any, TextIO

from tier1_engine.errors import Tier1Error

HANDLER_SECONDS = 0.2
"""How long a signal may wait for its handler while a prompt is open."""
NOBODY_READS = (errno.EPIPE, errno.EIO)
"""The error numbers of a closed pipe and of a terminal that has hung up."""


def put(text: str) -> bool:
    """Write a result to stdout; return whether it is still open. Output to a closed stdout is dropped.

    Raises:
        Tier1Error: writing failed although stdout is open, for example because the disk is full.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        # Python's flush at exit would fail the same way.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno not in NOBODY_READS:
            raise Tier1Error(
                f"stdout could not be written ({error.strerror}): make room, or write the result elsewhere."
            ) from error
        return False
    return True


def fill() -> None:
    """Open the null device for each closed standard stream, so that no database gets its descriptor."""
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
    from tier1_engine.masking import masked_text  # imported late: `--help` prints no messages

    Quiet().write(f"{masked_text(text)}\n")


def read_line(prompt: str) -> str | None:
    """Ask on the terminal and return the line that was typed; None at the end of input.

    Raises:
        KeyboardInterrupt: a signal arrived. A blocking read would miss one that arrives just before it:
            Python runs handlers between two instructions only.
    """
    Quiet().write(prompt)
    try:
        while not select.select([sys.stdin], [], [], HANDLER_SECONDS)[0]:
            pass
        return sys.stdin.readline() or None
    except (OSError, ValueError):  # the terminal has hung up, or is none
        return None


def confirm(question: str) -> bool:
    """Ask for a yes; anything but `y` and `yes` is a no.

    Raises:
        typer.Abort: end of input.
    """
    import typer

    answer = read_line(f"{question} [y/N]: ")
    if answer is None:
        say("")
        raise typer.Abort
    return answer.strip().lower() in ("y", "yes")


def interactive() -> bool:
    """Whether the operator can be prompted on a terminal."""
    return _is_terminal(sys.stdin) and moving()


def moving() -> bool:
    """Whether stderr is a terminal on which lines can be redrawn."""
    return _is_terminal(sys.stderr) and os.environ.get("TERM", "") not in ("", "dumb")


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # the stream is closed
        return False


class Quiet:
    """A file object for stderr that never fails: a message that cannot be written must not stop a run."""

    def write(self, text: str) -> int:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # hung up, closed, or never there
            pass
        return len(text)

    def flush(self) -> None:
        """Do nothing: writes are not buffered."""

    def isatty(self) -> bool:
        return _is_terminal(sys.stderr)

    def fileno(self) -> int:
        return sys.stderr.fileno()

    @property
    def encoding(self) -> str:
        return sys.stderr.encoding if sys.stderr else "utf-8"


def clean(text: str) -> str:
    """Return one line without control characters: text from AWS or a spec must not control the terminal."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def complain(text: str) -> None:
    """Write an error message, one line per problem."""
    for line in text.splitlines():
        say(f"tier1: {line}")
