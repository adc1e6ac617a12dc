"""Workers that perform calls in parallel, and the one place where the driver waits.

A worker is a daemon thread: a call that hangs past its time limit is abandoned and cannot keep the process
alive. Answers return through one queue; signals use the same queue to wake the driver.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol

from tier1_engine.clock import Clock
from tier1_engine.engine.protocol.actions import Answer

MAX_WORKERS = 10
"""Calls in parallel: as many as Terraform's default, within EC2's token buckets."""

Call = Callable[[], Answer]


class Pool(Protocol):
    """Performs calls and returns their answers to the waiting thread."""

    def submit(self, call: Call) -> None: ...

    def wait(self, until: float | None) -> list[Answer]:
        """Return the answers that have arrived; if none has, wait for one until the steady time `until`."""
        ...

    def wake(self) -> None:
        """Make a `wait` return now. Safe to call from a signal handler."""
        ...

    def close(self) -> None: ...


class ThreadPool:
    """A pool of daemon threads, each started when it is first needed."""

    def __init__(self, clock: Clock, workers: int = MAX_WORKERS) -> None:
        self._clock = clock
        self._workers = workers
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._started = 0
        self._pending = 0

    def submit(self, call: Call) -> None:
        self._pending += 1
        if self._pending > self._started and self._started < self._workers:
            threading.Thread(target=self._work, name=f"tier1-call-{self._started}", daemon=True).start()
            self._started += 1
        self._calls.put(call)

    def wait(self, until: float | None) -> list[Answer]:
        timeout = None if until is None else max(0.0, until - self._clock.steady())
        answers: list[Answer] = []
        try:
            first = self._answers.get(timeout=timeout)
            while True:
                if first is not None:
                    answers.append(first)
                first = self._answers.get_nowait()
        except queue.Empty:
            self._pending -= len(answers)
            return answers

    def wake(self) -> None:
        self._answers.put(None)

    def close(self) -> None:
        for _ in range(self._started):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            self._answers.put(call())
