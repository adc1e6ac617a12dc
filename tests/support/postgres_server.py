"""A Postgres of the test's own, which it can stop, freeze and start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import postgres_keeper as keeper


@dataclass
class OwnServer:
    """A Postgres of the test's own, which it can stop and start."""

    folder: Path
    process: subprocess.Popen[bytes]
    url: str

    @classmethod
    def begin(cls, folder: Path) -> OwnServer:
        return cls(folder, *keeper.started(folder))

    def crash(self) -> None:
        """Stop it as a power cut does, without ending the sessions."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(keeper.STOP_SECONDS)

    def start(self) -> None:
        """Start it; Postgres refuses as long as a session of the previous run has not ended."""
        place, user = keeper.runnable(self.folder)
        port = int(self.url.rpartition(":")[2].partition("/")[0])
        end = time.monotonic() + keeper.START_SECONDS
        while time.monotonic() < end:
            self.process = keeper.launched(place, self.folder / "data", port, user)
            if keeper.came_up(self.process, self.url):
                return
        raise AssertionError("the server did not come back")

    def end(self) -> None:
        """Stop it in order, so that it leaves nothing in memory."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(keeper.STOP_SECONDS)

    def restart(self) -> None:
        self.crash()
        self.start()

    def freeze(self) -> None:
        """Stop all its processes in the middle of whatever they do: the kernel still accepts every packet."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """Signal the server, which starts no more processes once it is frozen, and then its processes."""
        self.process.send_signal(number)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in map(int, children):
            with suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(pid, number)


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """One that nothing else uses, for as long as the block lasts."""
    if keeper.programs() is None:
        pytest.skip("no Postgres of one's own: install the pgserver wheel")
    folder = Path(tempfile.mkdtemp(prefix="tier1-pg-"))
    folder.chmod(0o711)  # the server may run as another user, who needs access to the folder
    own = OwnServer.begin(folder)
    try:
        yield own
    finally:
        if own.process.poll() is None:
            own.thaw()
            own.end()
        shutil.rmtree(folder, ignore_errors=True)
