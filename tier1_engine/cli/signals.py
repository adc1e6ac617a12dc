"""Signal handling: the first signal requests a stop, the second exits immediately. Both exit with 130.

Before a run there is nothing to record, so the first signal ends the command. While a deployment is
running or followed, it only requests a stop: calls in flight end and are recorded. A thread receives the
signals, because Python's own handlers wait for a database statement to end.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from tier1_engine.errors import Interrupted

if TYPE_CHECKING:
    from tier1_engine.engine.equipment import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """The signals of this process. Installed once, from the main thread, when a command starts."""

    def __init__(self) -> None:
        self._stop: Stop | None = None
        self._asked = threading.Event()
        self._heard = 0
        self._tell: Callable[[], None] = lambda: None
        self._restore: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Install the handlers. A SIGHUP that the caller ignores (`nohup`) stays ignored."""
        listening, notified = os.pipe()
        os.set_blocking(notified, False)
        signal.set_wakeup_fd(notified, warn_on_full_buffer=False)
        threading.Thread(target=self._listen, args=(listening,), name="tier1-signals", daemon=True).start()
        for number in SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    @contextmanager
    def driving(self, stop: Stop, tell: Callable[[], None], restore: Callable[[], None]) -> Iterator[None]:
        """Inside the block, the first signal only requests a stop.

        Args:
            stop: the stop request that the driver checks.
            tell: reports the request to the operator.
            restore: restores the terminal before the process exits immediately.
        """
        self._tell, self._restore, self._stop = tell, restore, stop
        try:
            yield
        finally:
            self._stop, self._restore = None, lambda: None

    def wait(self, seconds: float) -> bool:
        """Sleep; return False if a signal requests a stop."""
        return not self._asked.wait(seconds)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._stop is None:
            raise KeyboardInterrupt

    def _listen(self, listening: int) -> None:
        while number := os.read(listening, 1):
            if number[0] not in SIGNALS:
                continue
            self._heard += 1
            if self._heard > 1:
                self._restore()
                os._exit(Interrupted.exit_code)
            if (stop := self._stop) is not None:
                self._asked.set()
                stop.ask()
                self._tell()
