"""A question at a terminal: what was typed, its end, and a signal at the worst moment."""

from __future__ import annotations

import _thread
import io
import os
import pty
import signal
import sys
import threading
from collections.abc import Iterator

import pytest
import typer

from tier1_engine.cli.screen import streams

GIVE_UP_SECONDS = 10.0


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The near side of a terminal that is this process's stdin."""
    near, far = pty.openpty()
    with os.fdopen(far, "r", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield near
    os.close(near)


def test_a_signal_just_before_the_read_is_heard(keyboard: int) -> None:
    """Its handler is due, and no system call is interrupted: a blocking read would wait for ever.

    `interrupt_main` makes the handler due without a signal that could interrupt a call.
    """
    # A shell starts what it runs in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = [
        threading.Timer(0.05, _thread.interrupt_main),
        threading.Timer(GIVE_UP_SECONDS, os.write, (keyboard, b"too late\n")),
    ]
    for timer in timers:
        timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            streams.read_line("? ")
    finally:
        for timer in timers:
            timer.cancel()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y", True), ("YES", True), ("", False), ("n", False), ("yep", False)]
)
def test_only_a_yes_confirms(
    keyboard: int, capsys: pytest.CaptureFixture[str], typed: str, agreed: bool
) -> None:
    """The question goes to stderr: stdout has the result."""
    os.write(keyboard, f"{typed}\n".encode())
    assert streams.confirm("1 deletion. Continue?") is agreed
    assert capsys.readouterr() == ("", "1 deletion. Continue? [y/N]: ")


def test_the_end_of_input_is_no_answer(keyboard: int) -> None:
    """A confirmation is aborted by it."""
    os.write(keyboard, b"\x04")
    with pytest.raises(typer.Abort):
        streams.confirm("Continue?")


def test_a_stdin_that_is_no_file_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised, as after a hang-up."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert streams.read_line("? ") is None
