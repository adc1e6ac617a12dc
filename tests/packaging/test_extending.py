"""docs/extending.md is tested: its commands print what it shows, and a missing package is named.

    python -m tests.packaging.test_extending

rewrites the output of the page's commands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import warm
from tests.support.replay import commands, normalised
from tier1_engine.sandbox.process import remote

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"
COMMAND_SECONDS = 180
LOOK_SECONDS = 0.1
INSTALL = "pip install --quiet --disable-pip-version-check ./examples/extending"
"""The first command of the page; it runs once for all tests here."""
VARIES = (
    (re.compile(r"\breports-[0-9a-f]{20}\b"), "BUCKET"),
    (re.compile(r"\b(process|pid) \d+, speed max, seed \d+"), "PROCESS"),
)
PIECE = re.compile(
    r"<!-- given: killed-at (?P<killed_at>.+?) -->\n"
    r"|```yaml\n# (?P<file>\S+)\n(?P<text>.*?)```\n"
    r"|```console\n(?P<console>.*?)```\n",
    re.DOTALL,
)


@dataclass
class Environment:
    """A Python environment that contains the example and nothing of the checkout.

    `tier1-engine` and what it needs are those of the environment that runs the tests; the example is
    installed for real, by the command of the page.

    Attributes:
        installed: what that command printed.
    """

    folder: Path
    variables: dict[str, str] = field(init=False)
    cold: str = field(init=False)
    loaded: subprocess.Popen[bytes] = field(init=False)
    installed: str = field(init=False)

    def __post_init__(self) -> None:
        place = self.folder / "venv"
        venv.create(place, with_pip=False)
        here = next(path for path in site.getsitepackages() if path.startswith(sys.prefix))
        (self.packages / "tested.pth").write_text(
            f"import site; site.addsitedir({here!r})\n", encoding="utf-8"
        )
        python, socket = place / "bin" / "python", self.folder / "tier1.socket"
        self.cold = f"{python} -m tier1_engine.cli"
        programs = {
            "pip": f"{python} -m pip",
            "tier1": f"{sys.executable} -IS {warm.__file__} call {socket}",
        }
        for name, words in programs.items():
            program = place / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
            program.chmod(0o755)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TIER1_", "PYTHON", "AWS_", "COV_"))
        }
        self.variables = {
            **kept,
            "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "TIER1_POLL_SECONDS": "0.05",
            "TIER1_VISIBILITY_GRACE_SECONDS": "0.5",
            "COLUMNS": "100",
        }
        # Each command is a fork of a process of this Python that has tier1 loaded.
        self.loaded = subprocess.Popen(
            [str(python), warm.__file__, "serve", "tier1", str(socket)],
            env=self.variables,
            stdout=subprocess.PIPE,
        )
        assert self.loaded.stdout is not None
        assert self.loaded.stdout.readline() == b"ready\n"
        self.installed = Reader(self, self.folder).printed(INSTALL)

    @property
    def packages(self) -> Path:
        """The folder into which pip installs."""
        (found,) = self.folder.glob("venv/lib/python3*/site-packages")
        return found

    def close(self) -> None:
        self.loaded.terminate()
        self.loaded.communicate()


@dataclass
class Reader:
    """A reader of the page, in a folder with a copy of the example, a database and a local AWS."""

    environment: Environment
    folder: Path
    kill_at: str | None = None

    def __post_init__(self) -> None:
        shutil.copytree(
            ROOT / "examples" / "extending",
            self.folder / "examples" / "extending",
            ignore=shutil.ignore_patterns("__pycache__", "build", "dist", "*.egg-info"),
        )
        self._variables = {**self.environment.variables, "XDG_STATE_HOME": str(self.folder / "state")}

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._variables,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def printed(self, command: str) -> str:
        """The output of one command as the page shows it: without progress, with refusals and exit code."""
        if self.kill_at is not None:
            return self._killed(command)
        done = self.run(command)
        said = [text for text in done.stderr.splitlines() if text.startswith(("tier1: ", "ERROR"))]
        output = "\n".join([*said, done.stdout.rstrip()]).strip()
        end = f"[exit code {done.returncode}]\n" if done.returncode else ""
        return f"{output}\n{end}" if output else end

    def _killed(self, command: str) -> str:
        """Kill the command while the sandbox delays the operation that the page names."""
        held, self.kill_at = self.kill_at, None
        running = subprocess.Popen(
            ["bash", "-c", f"exec {command.replace('tier1', self.environment.cold, 1)}"],
            cwd=self.folder,
            env=self._variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not any(one["operation"] == held and one["struck"] for one in remote.faults(self._state)):
            with suppress(subprocess.TimeoutExpired):
                running.wait(LOOK_SECONDS)
                raise AssertionError(f"it ended with {running.returncode} before {held} was held")
        running.send_signal(signal.SIGKILL)
        running.wait()
        return "Killed\n[exit code 137]\n"

    @property
    def _state(self) -> Path:
        return self.folder / "state" / "tier1"

    def close(self) -> None:
        self.run("tier1 sandbox stop")


def follow(page: str, reader: Reader) -> Iterator[tuple[str, str, str]]:
    """Follow the page; yield each command, the output that the page shows, and what it printed now."""
    for piece in PIECE.finditer(page):
        if piece["killed_at"]:
            reader.kill_at = piece["killed_at"]
        elif piece["file"]:
            (reader.folder / piece["file"]).write_text(piece["text"], encoding="utf-8")
        else:
            for command, written in commands(piece["console"]):
                now = reader.environment.installed if command == INSTALL else reader.printed(command)
                yield command, written, now


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    made = Environment(tmp_path_factory.mktemp("environment"))
    yield made
    made.close()


@pytest.fixture
def reader(environment: Environment, tmp_path: Path) -> Iterator[Reader]:
    made = Reader(environment, tmp_path)
    yield made
    made.close()


def test_a_reader_of_the_page_sees_the_output_shown(reader: Reader) -> None:
    """The package is installed, deployed, killed, resumed, broken, rolled back and swept; exit codes are
    compared too.
    """
    followed = []
    for command, written, printed in follow(PAGE.read_text(encoding="utf-8"), reader):
        assert _without_names(printed) == _without_names(written), command
        followed.append(command)
    assert followed[0] == INSTALL
    assert len(followed) > 15


def _without_names(output: str) -> list[str]:
    for pattern, word in VARIES:
        output = pattern.sub(word, output)
    return normalised(output)


def test_the_page_shows_the_example_unchanged() -> None:
    """The page quotes the package's spec and entry points."""
    page = PAGE.read_text(encoding="utf-8")
    project = (ROOT / "examples" / "extending" / "pyproject.toml").read_text(encoding="utf-8")
    shown = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert shown
    assert shown[1] in project
    files = {piece["file"]: piece["text"] for piece in PIECE.finditer(page) if piece["file"]}
    assert files["reports.yaml"] == (ROOT / "examples" / "extending" / "reports.yaml").read_text()


def test_the_example_s_own_test_passes(reader: Reader) -> None:
    """It runs in an environment where tier1 is an installed package."""
    done = reader.run("python -m pytest -q -p no:cacheprovider -p no:xdist examples/extending/tests")
    assert done.returncode == 0, done.stdout


def test_a_missing_package_is_named_and_what_needs_no_code_works(reader: Reader) -> None:
    """Reads work, provisioning is refused, and a deletion says what is missing and completes once it
    is back.
    """
    shutil.copy(ROOT / "examples" / "extending" / "reports.yaml", reader.folder)
    reader.run("tier1 sandbox start && tier1 sandbox fault add --operation CreateBucket --delay 10000")
    reader.kill_at = "CreateBucket"
    reader.printed("tier1 deploy reports.yaml --sandbox")
    with _gone("tier1_bucket*", reader):
        for command in ("list", "show reports", "show reports --spec", "log reports", "guide reports"):
            read = reader.run(f"tier1 {command}")
            assert read.returncode == 0, read
            assert "reports" in read.stdout
        refused = reader.run("tier1 deploy reports.yaml --name other")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert 'blueprint is "bucket", which is not installed; known is tier1.' in refused.stderr
        resumed = reader.run("tier1 resume reports")
        assert (resumed.returncode, resumed.stdout) == (2, "")
        assert "The kind s3_bucket is not installed on this host: install the package" in resumed.stderr
        rolled_back = reader.run("tier1 rollback reports --yes -o json")
        assert rolled_back.returncode == 5, rolled_back
        (bucket,) = json.loads(rolled_back.stdout)["resources"]
        assert "The kind s3_bucket is not installed on this host" in bucket["error"]["message"]
    resumed = reader.run("tier1 resume reports -o json")
    assert resumed.returncode == 0, resumed
    assert json.loads(resumed.stdout)["state"] == "rolled_back"
    assert '"kind": "bucket"' not in reader.run("tier1 sandbox census -o json").stdout


@contextmanager
def _gone(pattern: str, reader: Reader) -> Iterator[None]:
    """The environment without the package, as after `pip uninstall`."""
    packages, away = reader.environment.packages, reader.folder / "away"
    away.mkdir()
    for path in packages.glob(pattern):
        path.rename(away / path.name)
    try:
        yield
    finally:
        for path in away.iterdir():
            path.rename(packages / path.name)


def main() -> None:
    """Write the page's outputs again."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        environment = Environment(Path(name) / "environment")
        reader = Reader(environment, Path(name) / "reader")
        try:
            runs = follow(page, reader)

            def with_output(piece: re.Match[str]) -> str:
                if not piece["console"]:
                    return piece[0]
                ran = [next(runs) for _ in commands(piece["console"])]
                return "```console\n" + "".join(f"$ {line}\n{now}" for line, _, now in ran) + "```\n"

            PAGE.write_text(PIECE.sub(with_output, page), encoding="utf-8")
        finally:
            reader.close()
            environment.close()


if __name__ == "__main__":
    main()
