"""Replays the commands of docs/recovery.md on a local AWS, and rewrites their output in the page.

    python -m tests.support.replay

The page is prose, files and commands. A `yaml` block whose first line is `# NAME` is a file. In a `console`
block each line that begins with `$ ` is a command; what follows is its output, ending with its exit code
where that is not 0. A comment `<!-- given: WORDS -->` before a block sets up a condition (see `Stage.given`);
readers do not see it. Owns the normalisation of output that differs from run to run.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.command import LIMIT_SECONDS, Command
from tests.support.processes.proxy import Proxy, proxy
from tests.support.story import refuses
from tests.support.terminal import Terminal
from tier1_engine.sandbox.process import server

PAGE = Path(__file__).parents[2] / "docs" / "recovery.md"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
COLUMNS = {"COLUMNS": "100", "LINES": "40", "NO_COLOR": "1"}

_PIECE = re.compile(
    r"<!-- given: (?P<given>.+?) -->\n"
    r"|```yaml\n# (?P<file>\S+)\n(?P<text>.*?)```\n"
    r"|```console\n(?P<console>.*?)```\n",
    re.DOTALL,
)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_VARIES = (
    (re.compile(r"\b[0-9a-f]{20}-\d+-\d+\b"), "KEY"),
    (re.compile(r"\b(vpc|subnet|sg|i|fs|fsmt|igw|rtb)-[0-9a-f]{6,}\b"), r"\1-ID"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "DEPLOYMENT"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? s\b"), "SECONDS"),
    (re.compile(r"\b\d+[smhd]\b"), "AGE"),
    (re.compile(r"\(request [^)]*\)|request id: \S+"), "REQUEST"),
    (re.compile(r"\S+ \(pid \d+\)"), "PROCESS"),
    (re.compile(r"\([^\s()@]+@[^\s()]+(, \S+)?\)"), "(WHO)"),
    (re.compile(r"\b(public|private)_ip +[0-9.]+"), r"\1_ip ADDRESS"),
    (re.compile(r"--port \d+"), "--port PORT"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "ENDPOINT"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Run:
    """One command of the page: its output there, and its output now."""

    command: str
    written: str
    printed: str


def normalised(output: str) -> list[str]:
    """The lines of an output, without what differs from run to run; in no order: AWS answers in none."""
    found = []
    for line in output.splitlines():
        for pattern, words in _VARIES:
            line = pattern.sub(words, line.strip())  # noqa: PLW2901 - step by step
        if line:
            found.append(line)
    return sorted(found)


@dataclass
class Stage:
    """Where the commands run: a folder, a database, and a line that can be spoilt.

    Attributes:
        programs: where `tier1` is.
    """

    command: Command
    line: Proxy
    programs: Path = Path(sys.executable).parent
    keys: list[str] = field(default_factory=list)
    kill_at: str | None = None

    def given(self, words: str) -> None:
        """A condition that holds from here on."""
        what, _, rest = words.partition(" ")
        if what == "refuse":
            operation, code = rest.split()
            self.line.rule = refuses(operation, code=code)
        elif what == "fixed":
            self.line.rule = lambda call: None
        elif what == "signed-out":
            self.command = self.command.without(*KEYS)
        elif what == "signed-in":
            self.command = self.command.with_(**dict.fromkeys(KEYS, "testing"))
        elif what == "keys":
            self.keys = rest.split()
        elif what == "killed-at":
            self.kill_at = rest
        else:
            raise AssertionError(f"docs/recovery.md: what is `{words}`?")

    def run(self, command: str) -> str:
        """The output of one command, as the page shows it."""
        if self.kill_at is not None:
            running = self.command.begin(*shlex.split(command)[1:])
            running.hear(self.kill_at)
            running.signal(signal.SIGKILL)
            running.end()
            self.kill_at = None
            return "Killed\n[exit code 137]\n"
        if self.keys:
            return self._on_a_terminal(shlex.split(command)[1:])
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.command.folder,
            env={**self.command.environment, "COLUMNS": "100", "PATH": f"{self.programs}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        # Progress on stderr is left out; for a refusal, stderr is the output.
        said = [text for text in done.stderr.splitlines() if text.startswith("tier1: ")]
        return _with_code("\n".join([*said, done.stdout.rstrip()]).strip(), done.returncode)

    def _on_a_terminal(self, arguments: list[str]) -> str:
        """What a terminal shows from the question on."""
        with Terminal(self.command, *arguments, **COLUMNS) as terminal:
            for key in self.keys:
                terminal.see("What do you want to do with")
                terminal.enter(f"{key}\n")
            self.keys = []
            code = terminal.end()
        text = _ANSI.sub("", terminal.screen).replace("\r", "")
        begin = text.rindex("\n", 0, re.search(r"failed \((recoverable|critical)\)", text).start())  # type: ignore[union-attr]
        return _with_code("\n".join(line.rstrip() for line in text[begin:].strip().splitlines()), code)


def _with_code(output: str, code: int) -> str:
    end = f"[exit code {code}]\n" if code else ""
    return f"{output}\n{end}" if output else end


def replay(page: str, stage: Stage) -> Iterator[Run]:
    """Run every command of the page, in order."""
    for piece in _PIECE.finditer(page):
        if piece["given"]:
            stage.given(piece["given"])
        elif piece["file"]:
            (stage.command.folder / piece["file"]).write_text(piece["text"], encoding="utf-8")
        else:
            for command, written in commands(piece["console"]):
                yield Run(command, written, stage.run(command))


def commands(console: str) -> Iterator[tuple[str, str]]:
    """The commands of a block, each with its output in the page."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, written = part.partition("\n")
        yield command, written


def rewritten(page: str, stage: Stage) -> str:
    """The page with what its commands print now."""
    runs = replay(page, stage)

    def with_output(piece: re.Match[str]) -> str:
        if not piece["console"]:
            return piece[0]
        ran = [next(runs) for _ in commands(piece["console"])]
        return "```console\n" + "".join(f"$ {run.command}\n{run.printed}" for run in ran) + "```\n"

    return _PIECE.sub(with_output, page)


def main() -> None:
    """Rewrite the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        endpoint = server.start(folder / "sandbox").endpoint
        try:
            with proxy(str(endpoint)) as line:
                stage = Stage(command_in(folder, line.url, dict(os.environ)), line)
                PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), stage), encoding="utf-8")
        finally:
            server.stop(folder / "sandbox")


def command_in(folder: Path, endpoint: str, environ: dict[str, str]) -> Command:
    """The command of a new user."""
    kept = {n: v for n, v in environ.items() if not n.startswith(("AWS_", "TIER1_"))}
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "XDG_STATE_HOME": str(folder / "state"),
        "TIER1_POLL_SECONDS": "0.05",
        "TIER1_VISIBILITY_GRACE_SECONDS": "0.3",
        "TIER1_CALL_TIMEOUT_SECONDS": "10",
        **dict.fromkeys(KEYS, "testing"),
    }
    return Command(folder=folder, environment={**kept, **settings})


if __name__ == "__main__":
    main()
