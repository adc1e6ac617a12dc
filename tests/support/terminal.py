"""A terminal for tests: `tier1` on a pty, its screen output, and typed input."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.census import WATCH
from tests.support.command import LIMIT_SECONDS, Command

COLUMNS, ROWS = "100", "40"
LOOK_SECONDS = 0.02


class Terminal:
    """One command on a terminal of its own."""

    def __init__(self, command: Command, *arguments: str, **environment: str) -> None:
        WATCH.command(command.environment, waited_for=False)
        self._near, far = pty.openpty()
        colours = {name: value for name, value in command.environment.items() if name != "NO_COLOR"}
        sized = {**colours, "TERM": "xterm-256color", "COLUMNS": COLUMNS, "LINES": ROWS, **environment}
        self._process = command.start(arguments, sized, (far, far, far), at_terminal=True)
        os.close(far)
        self.screen = ""
        self._seen = 0

    def see(self, words: str) -> None:
        """Wait until `words` appear in the output."""
        end = time.monotonic() + LIMIT_SECONDS
        while words not in self.screen:
            assert time.monotonic() < end, self.screen
            assert self._read(), self.screen
        self._seen = self.screen.rfind(words) + len(words)

    def see_again(self, words: str) -> None:
        """Wait until `words` appear after the last match."""
        end = time.monotonic() + LIMIT_SECONDS
        while words not in self.screen[self._seen :]:
            assert time.monotonic() < end, self.screen
            assert self._read(), self.screen

    def watch_until(self, holds: Callable[[], bool]) -> None:
        """Read output until a condition is true."""
        end = time.monotonic() + LIMIT_SECONDS
        while not holds():
            assert time.monotonic() < end, self.screen
            if select.select([self._near], [], [], LOOK_SECONDS)[0]:
                assert self._read(), self.screen

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def enter(self, text: str) -> None:
        os.write(self._near, text.encode())

    def end(self) -> int:
        """Read to the end; answer the exit code."""
        end = time.monotonic() + LIMIT_SECONDS
        while self._read():
            assert time.monotonic() < end, self.screen
        return self._process.wait(LIMIT_SECONDS)

    def hang_up(self) -> int:
        """Close the window; answer the exit code of what ran in it."""
        self.close()
        return self.wait()

    def close(self) -> None:
        """Close the terminal; later output is lost."""
        os.close(self._near)
        self._near = -1

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self._process.wait(LIMIT_SECONDS)

    def _read(self) -> bool:
        if not select.select([self._near], [], [], LIMIT_SECONDS)[0]:
            return False
        try:
            piece = os.read(self._near, 65_536)
        except OSError:  # Linux reports EIO once the other side is closed
            return False
        self.screen += piece.decode(errors="replace")
        return bool(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._near >= 0:
            os.close(self._near)
