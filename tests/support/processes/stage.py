"""One deployment by the real `tier1` command, as processes, through a proxy to a local AWS.

Owns the processes of one test and their end. What is done to their calls is the proxy's.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import warm
from tests.support.census import WATCH
from tests.support.command import Result, Warm
from tests.support.processes.account import REGION, Account
from tests.support.processes.proxy import Proxy

NAME = "crash"
SPEC = f"name: {NAME}\nregion: {REGION}\n"
END_SECONDS = 90.0
EVENT_SECONDS = 30.0
LOOK_SECONDS = 0.02
STOPPED = "T"
"""In /proc/PID/stat."""
SIGNED_IN = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
QUICK = {"TIER1_POLL_SECONDS": "0.05", "TIER1_VISIBILITY_GRACE_SECONDS": "0.5"}
SHORT_LEASE = {"TIER1_LEASE_SECONDS": "9", "TIER1_CALL_TIMEOUT_SECONDS": "3"}


@dataclass
class Process:
    """A running command. Its output goes to files, so that a full pipe never blocks it."""

    process: warm.Process
    out: Path
    err: Path

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def freeze(self) -> None:
        """Stop it with SIGSTOP; it is stopped on return."""
        self.send(signal.SIGSTOP)
        status = Path(f"/proc/{self.process.pid}/stat")
        wait_until(lambda: status.read_text().rpartition(")")[2].split()[0] == STOPPED)

    def kill(self) -> None:
        """End it with SIGKILL; nothing of it runs any more on return."""
        self.process.kill()
        self.process.wait(END_SECONDS)

    def end(self, seconds: float = END_SECONDS) -> Result:
        """Wait for its end."""
        code = self.process.wait(seconds)
        return Result(code, self.out.read_text(), self.err.read_text())


@dataclass
class Stage:
    """What one test has: an account, a proxy before it, a folder with a spec and a database of its own.

    Attributes:
        settings: what paces the commands, as environment variables.
        script: a Python file that is run before `tier1` in its process, and its arguments.
        url: the database of the commands, instead of the file in the folder.
    """

    account: Account
    proxy: Proxy
    folder: Path
    settings: dict[str, str]
    warm: Warm
    script: tuple[str, ...] = ()
    url: str = ""
    processes: list[Process] = field(default_factory=list)

    @classmethod
    def set(cls, account: Account, proxy: Proxy, folder: Path, database: Path, warm: Warm) -> Stage:
        """Set it with an empty account and a copy of an empty database, which saves making one."""
        WATCH.leave(account.directory)  # the objects of an earlier stage are compared before it is removed
        account.empty()
        WATCH.sandbox(account.directory)
        (folder / "spec.yaml").write_text(SPEC)
        stage = cls(account, proxy, folder, dict(QUICK), warm)
        shutil.copyfile(database, stage.database)
        WATCH.databases.add(f"sqlite:///{stage.database}")
        return stage

    @property
    def database(self) -> Path:
        return self.folder / "tier1.db"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TIER1_"))}
        return {
            **own,
            **SIGNED_IN,
            **self.settings,
            "AWS_ENDPOINT_URL": self.proxy.url,
            "TIER1_DATABASE_URL": self.url or f"sqlite:///{self.database}",
            "XDG_STATE_HOME": str(self.folder),
        }

    def begin(self, *arguments: str) -> Process:
        """Start `tier1` with the arguments."""
        WATCH.command(self.environment, waited_for=False)
        base = self.folder / str(len(self.processes))
        out, err = base.with_suffix(".out"), base.with_suffix(".err")
        script, *own = self.script or (None,)
        with out.open("wb") as out_file, err.open("wb") as err_file, Path(os.devnull).open("rb") as given:
            process = warm.Process(
                self.warm.socket(),
                (*own, *arguments),
                self.environment,
                str(self.folder),
                (given.fileno(), out_file.fileno(), err_file.fileno()),
                script=script,
            )
        self.processes.append(Process(process, out, err))
        return self.processes[-1]

    def run(self, *arguments: str) -> Result:
        return self.begin(*arguments).end()

    def begin_deploy(self) -> Process:
        return self.begin("deploy", str(self.folder / "spec.yaml"), "-o", "json")

    def deploy(self) -> Result:
        return self.begin_deploy().end()

    def resume(self) -> Result:
        return self.run("resume", NAME, "-o", "json")

    def roll_back(self) -> Result:
        return self.run("rollback", NAME, "--yes", "-o", "json")

    def destroy(self) -> Result:
        return self.run("destroy", NAME, "--yes", "-o", "json")

    def listed(self) -> Any:
        """The one deployment, as `list` shows it."""
        (deployment,) = self.run("list", "-o", "json").json
        return deployment

    @property
    def latest(self) -> Process:
        return self.processes[-1]

    def kill_latest(self) -> None:
        self.latest.kill()

    def stored(self, query: str) -> list[Any]:
        """The first column of a query's rows, read past all code of `tier1`."""
        connection = sqlite3.connect(self.database)
        try:
            return [row[0] for row in connection.execute(query)]
        finally:
            connection.close()

    def writable(self) -> bool:
        """Whether no process holds a lock on the database at this instant."""
        connection = sqlite3.connect(self.database, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return False
        finally:
            connection.close()
        return True

    def close(self) -> None:
        """End what still runs, stopped processes as well."""
        for process in self.processes:
            if process.running:
                process.kill()


def wait_until(holds: Callable[[], bool], seconds: float = EVENT_SECONDS) -> None:
    """Poll until a condition is true."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "what was waited for never came"
        time.sleep(LOOK_SECONDS)
