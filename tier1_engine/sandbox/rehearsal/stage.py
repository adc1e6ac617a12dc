"""One folder of a rehearsal: a sandbox, a database, and the real commands that run there.

Owns these processes and their end. `rehearsal` decides what to run, and how it should end.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tier1_engine.errors import Interrupted
from tier1_engine.sandbox.census import Thing
from tier1_engine.sandbox.process import remote, server
from tier1_engine.sandbox.process.state import Options
from tier1_engine.settings import state_directory

SEED: Final = 1
COMMAND_SECONDS: Final = 120.0
"""Real seconds: a command that has not ended by then never will."""
END_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.02
SETTINGS: Final = {
    # A thousandth of the defaults would keep the machine busy with polling alone. With these values the grace
    # period is eight minutes of AWS time, far above the visibility delays in `behaviour/figures.py`.
    "TIER1_POLL_SECONDS": "0.05",
    "TIER1_VISIBILITY_GRACE_SECONDS": "0.5",
    "TIER1_LEASE_SECONDS": "60",
    "TIER1_CALL_TIMEOUT_SECONDS": "20",
}
_OURS: Final = ("AWS_", "TIER1_", "MOTO_")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of one command; the code is None when it did not end in time."""

    code: int | None
    out: str

    @property
    def shown(self) -> dict[str, Any]:
        """The deployment that it printed; empty when it printed none."""
        try:
            found = json.loads(self.out)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Stage:
    """A folder with a sandbox, a database and the output of the commands that ran there.

    Args:
        stop: ends the running command when it is set.
        any_ami: the sandbox accepts every image id.
    """

    def __init__(self, folder: Path, stop: threading.Event, *, any_ami: bool = False) -> None:
        self.folder = folder
        self.spec = folder / "spec.yaml"
        self.record = folder / "calls.jsonl"
        self._stop = stop
        self._any_ami = any_ami
        self.environment = _environment(folder)
        self._directory = state_directory(self.environment)
        self._number = 0

    def start(self, scenario: str) -> None:
        """Start the sandbox with this scenario."""
        self._directory.mkdir(parents=True, mode=0o700)
        options = Options(seed=SEED, scenario=scenario, record=self.record, any_ami=self._any_ami)
        server.start(self._directory, options=options)

    def tier1(self, *words: str) -> CommandResult:
        """Run a command to its end; its output goes into numbered files.

        Raises:
            Interrupted: `stop` was set; the command is ended.
        """
        self._number += 1
        base = self.folder / f"{self._number}-{words[0]}"
        out, err = base.with_suffix(".out"), base.with_suffix(".err")
        with out.open("wb") as out_file, err.open("wb") as err_file:
            err_file.write(f"$ tier1 {shlex.join(words)}\n".encode())
            err_file.flush()
            process = subprocess.Popen(
                [sys.executable, "-m", "tier1_engine.cli", *words],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                start_new_session=True,  # this process handles Ctrl-C itself
            )
        code = self._wait(process)
        return CommandResult(code, out.read_text(encoding="utf-8"))

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        end = time.monotonic() + COMMAND_SECONDS
        try:
            while time.monotonic() < end:
                try:
                    return process.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    if self._stop.is_set():
                        raise Interrupted("The rehearsal was interrupted.") from None
            return None
        finally:
            _end(process)

    def census(self) -> list[Thing]:
        """Everything that exists now."""
        return remote.census(self._directory)

    def traffic(self) -> list[dict[str, Any]]:
        """All calls so far."""
        return [json.loads(line) for line in self.record.read_text(encoding="utf-8").splitlines()]

    def close(self) -> None:
        """Stop the sandbox."""
        server.stop(self._directory)


def _environment(folder: Path) -> dict[str, str]:
    """The caller's environment, without settings for a real AWS, another database or other intervals."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {
        **inherited,
        **SETTINGS,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a running command: ask it first, so that it can finish its current operation."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
