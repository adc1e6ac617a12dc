"""Runs `tier1` as an operator does: as a process, by its arguments, streams and exit code."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Protocol

import tier1_engine
from tests.support import in_process, measuring, warm
from tests.support.census import WATCH
from tests.support.environment import hear_signals, take_the_terminal
from tests.support.rows import AT, deployment, step
from tests.support.stages import Stages
from tier1_engine.deployment.states import State
from tier1_engine.store.store import Store

LIMIT_SECONDS = 60.0
COLD = frozenset({"PYTHONPATH"})
"""Python reads these when it starts."""
TIER1 = (sys.executable, "-m", "tier1_engine.cli")
SPEC = "name: {name}\nregion: us-east-1\ninstance: {{types: [{type}], market: on-demand}}\n"


@dataclass(frozen=True)
class Result:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def id(self) -> str:
        """The deployment id that a `deploy` reported while running."""
        found = re.search(r"is deployment ([0-9a-f]{12})", self.err)
        assert found, self.err
        return found[1]

    def refused(self, code: int, *words: str) -> None:
        """Assert that it ended with `code` and one clear sentence that contains all of `words`, without a
        traceback.
        """
        assert self.code == code, self
        assert self.out == ""
        said = [line for line in self.err.splitlines() if line.startswith("tier1: ")]
        assert len(said) == 1, self.err
        assert "Traceback" not in self.err
        for word in words:
            assert word in said[0]


class Process(Protocol):
    """A running program: a process of its own, or a fork of a warm process."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None, /) -> int: ...

    def send_signal(self, sig: int, /) -> None: ...

    def kill(self) -> None: ...


class Warm:
    """`tier1`, loaded already (`tests.support.warm`): once with coverage, and once without.

    Args:
        packages: a folder of additional packages.
    """

    def __init__(self, packages: Path | None = None) -> None:
        self.packages = packages
        self.path = os.pathsep.join(
            str(p) for p in (packages, Path(tier1_engine.__file__).parent.parent) if p
        )
        self._begun: dict[bool, tuple[subprocess.Popen[bytes], tempfile.TemporaryDirectory[str]]] = {}

    def socket(self) -> str:
        """The address where it answers; with coverage when the caller is measured."""
        measured = measuring.INHERITED in os.environ
        if measured not in self._begun:
            folder = tempfile.TemporaryDirectory()  # a socket's path must be short
            process = subprocess.Popen(
                [sys.executable, warm.__file__, "serve", "tier1", f"{folder.name}/tier1"],
                env={**os.environ, "PYTHONPATH": self.path},
                stdout=subprocess.PIPE,
            )
            self._begun[measured] = process, folder
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        return f"{self._begun[measured][1].name}/tier1"

    def end(self) -> None:
        for process, folder in self._begun.values():
            process.terminate()
            process.communicate()
            folder.cleanup()


@dataclass
class Command:
    """`tier1` in a folder and an environment.

    Attributes:
        warm: runs the commands that are waited for; None starts Python for each.
        stages: states that `staged` has made already; None makes them each time.
        in_process: commands run in this process (`tests.support.in_process`).
    """

    folder: Path
    environment: dict[str, str]
    warm: Warm | None = None
    stages: Stages | None = None
    in_process: bool = False
    begun: list[Process] = field(default_factory=list)

    def __call__(self, *arguments: str, input: str | None = None, **environment: str) -> Result:
        WATCH.command({**self.environment, **environment}, stops=arguments[:2] == ("sandbox", "stop"))
        result = self.unwatched(*arguments, input=input, **environment)
        WATCH.ended()
        return result

    def unwatched(self, *arguments: str, input: str | None = None, **environment: str) -> Result:
        """Run it where no census is taken."""
        whole = {**self.environment, **environment}
        if self.in_process:
            return Result(*in_process.run(arguments, whole, str(self.folder), input or ""))
        run = self._cold if self.warm is None or COLD & set(environment) else self._warm
        return run(arguments, input, whole)

    def staged(self, *arguments: str) -> Result:
        """Have everything as it is after this command, which need not run again for that."""
        stages = self.stages
        if stages is None or not stages.lead_from(self.environment["AWS_ENDPOINT_URL"]):
            return self(*arguments)
        WATCH.command(self.environment)

        def run() -> tuple[int, str, str]:
            with measuring.unmeasured_processes():  # another test may need it that is not measured
                done = self.unwatched(*arguments)
            return done.code, done.out, done.err

        result = Result(*stages.put(self.folder, self.database, arguments, self.environment, run))
        WATCH.ended()
        return result

    def _warm(self, arguments: tuple[str, ...], input: str | None, environment: dict[str, str]) -> Result:
        assert self.warm is not None
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write((input or "").encode())
            given.seek(0)
            streams = [one.fileno() for one in (given, out, err)]
            code = warm.call(
                self.warm.socket(), arguments, environment, str(self.folder), streams, LIMIT_SECONDS
            )
            out.seek(0)
            err.seek(0)
            return Result(code, out.read().decode(), err.read().decode())

    def _cold(self, arguments: tuple[str, ...], input: str | None, environment: dict[str, str]) -> Result:
        done = subprocess.run(
            [*TIER1, *arguments],
            cwd=self.folder,
            env=environment,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def begin(self, *arguments: str, within: Sequence[str] = ()) -> Running:
        """Start it without waiting.

        Args:
            within: the program, with its arguments, that starts it.
        """
        WATCH.command(self.environment, waited_for=False)
        out = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - `Running.end` closes it
        heard, err = os.pipe()
        given = os.open(os.devnull, os.O_RDONLY)
        process = self.start(arguments, self.environment, (given, out.fileno(), err), within=within)
        os.close(given)
        os.close(err)
        self.begun.append(process)
        return Running(process, out, Heard(heard))

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        streams: tuple[int, int, int],
        *,
        at_terminal: bool = False,
        within: Sequence[str] = (),
    ) -> Process:
        """Start it with these standard streams; the caller closes its own."""
        if self.warm is not None and not within:
            socket, folder = self.warm.socket(), str(self.folder)
            return warm.Process(socket, arguments, environment, folder, streams, at_terminal=at_terminal)
        given, out, err = streams
        return subprocess.Popen(
            [*within, *TIER1, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=given,
            stdout=out,
            stderr=err,
            start_new_session=at_terminal,
            preexec_fn=take_the_terminal if at_terminal else hear_signals,  # noqa: PLW1509 - takes no lock
        )

    @property
    def here(self) -> Command:
        """The same command line in this process, for tests of output, reads and refusals.

        A package that stands beside `tier1` is not in this process, so such a command stays outside of it.
        """
        beside = self.warm is not None and self.warm.packages is not None
        return self if beside else replace(self, in_process=True)

    def without(self, *names: str) -> Command:
        """The same, without these variables."""
        kept = {name: value for name, value in self.environment.items() if name not in names}
        return replace(self, environment=kept)

    def with_(self, **environment: str) -> Command:
        """The same, with these variables as well."""
        return replace(self, environment={**self.environment, **environment})

    def spec(self, name: str = "demo", *, type: str = "t3.medium", more: str = "") -> str:
        """The path of a spec that is written for the test."""
        path = self.folder / f"{name}.yaml"
        path.write_text(SPEC.format(name=name, type=type) + more, encoding="utf-8")
        return str(path)

    @property
    def database(self) -> Path:
        return Path(self.environment["XDG_STATE_HOME"], "tier1", "tier1.db")

    def write(self, id: str, name: str = "demo", **values: Any) -> str:
        """Put a deployment on record past AWS: it has one step and no resource. Answers its id."""
        lives = {"endpoint": self.environment["AWS_ENDPOINT_URL"], **values}
        store = Store.open(f"sqlite:///{self.database}")
        store.create(deployment(id, name=name, **lives), [step(deployment_id=id, kind="vpc")], "asked for")
        store.close()
        return id

    def active(self, name: str = "demo") -> str:
        """Put an active deployment on record. Answers its id."""
        return self.write("aaaa00000001", name, state=State.ACTIVE, activated_at=AT)

    def deployed(self, name: str = "demo") -> str:
        """The id of a deployment that became active."""
        done = self.staged("deploy", self.spec(name))
        assert done.code == 0, done
        return done.id

    def show(self, reference: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.here.unwatched("show", reference, "-o", "json").json
        return shown


class Heard:
    """What a process writes into a pipe, as it comes."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._bytes = b""
        self._seen = 0
        self._open = True

    @property
    def text(self) -> str:
        return self._bytes.decode()

    def line_with(self, words: str) -> str:
        """Wait until a line contains `words`; earlier lines are not searched again."""
        end = time.monotonic() + LIMIT_SECONDS
        while True:
            lines = self._bytes[self._seen :].split(b"\n")[:-1]
            for line in lines:
                self._seen += len(line) + 1
                if words in line.decode():
                    return line.decode() + "\n"
            assert self._read(end), self.text

    def to_the_end(self) -> str:
        """The whole output, once no process can write any more."""
        end = time.monotonic() + LIMIT_SECONDS
        while self._read(end):
            pass
        return self.text

    def _read(self, end: float) -> bool:
        if not self._open:
            return False
        assert select.select([self._pipe], [], [], max(0.0, end - time.monotonic()))[0], self.text
        piece = os.read(self._pipe, 65_536)
        self._bytes += piece
        if not piece:
            os.close(self._pipe)
            self._open = False
        return self._open


@dataclass
class Running:
    """A command under way."""

    process: Process
    out: IO[str]
    err: Heard

    def hear(self, words: str) -> str:
        """Wait until a line on stderr contains `words`."""
        return self.err.line_with(words)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> Result:
        err = self.err.to_the_end()
        code = self.process.wait(LIMIT_SECONDS)
        with self.out:
            self.out.seek(0)
            return Result(code, self.out.read(), err)

    @property
    def id(self) -> str:
        return Result(0, "", self.err.text).id
