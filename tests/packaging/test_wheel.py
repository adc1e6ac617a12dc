"""What a user gets from the wheel, in an environment of its own and away from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import tier1_engine

pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.xdist_group("packaging")]

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 300
INSTALL_SECONDS = 900
COMMAND_SECONDS = 180


@dataclass(frozen=True)
class Installed:
    """The command as a user has it, and a folder that is not the checkout."""

    programs: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("TIER1_", "PYTHON"))
            },
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "XDG_STATE_HOME": str(self.folder / "state"),
            "TIER1_POLL_SECONDS": "0.1",
        }
        return subprocess.run(
            arguments,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the checkout, so that the build leaves nothing in it."""
    source = tmp_path_factory.mktemp("source") / "tier1"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "build"))
    shutil.copy(ROOT / ".gitignore", source)  # what it names must not be shipped
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(target), str(source)],
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
    )
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """In a clean environment, with the versions that were tested."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place / "venv", with_pip=True)
    programs = place / "venv" / "bin"
    options = ["--quiet", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt")]
    subprocess.run(
        [str(programs / "python"), "-m", "pip", "install", *options, f"{wheel}[sandbox,postgres]"],
        check=True,
        capture_output=True,
        timeout=INSTALL_SECONDS,
    )
    folder = tmp_path_factory.mktemp("elsewhere")
    found = Installed(programs, folder)
    yield found
    found.run("tier1", "sandbox", "stop")


def test_the_wheel_has_all_that_runs_and_nothing_else(wheel: Path) -> None:
    """Migrations and the user data script are in it; tests, examples and this folder's tools are not."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "tier1_engine/_migrations/env.py",
        "tier1_engine/_migrations/versions/0001_first_schema.py",
        "tier1_engine/py.typed",
        "tier1_engine/sandbox/rehearsal/ai-stack.yaml",
        "tier1_engine/sandbox/faults/scenarios/capacity.yaml",
        "tier1_engine/boot/userdata.sh",
    } <= names
    assert {name.partition("/")[0] for name in names} == {
        "tier1_engine",
        f"tier1_engine-{tier1_engine.__version__}.dist-info",
    }
    assert not [name for name in names if "__pycache__" in name or "_cache/" in name]


def test_the_migrations_are_found_in_the_wheel(installed: Installed) -> None:
    """A fresh database gets its schema without a checkout."""
    program = (
        "from tier1_engine.store import database, schema, tables\n"
        "engine = database.connect('sqlite:///probe.db')\n"
        "schema.upgrade(engine)\n"
        "assert '_migrations' in schema.alembic_config().get_main_option('script_location')\n"
        "assert schema.revision(engine) == tables.SCHEMA_REVISION\n"
    )
    done = installed.run("python", "-c", program)
    assert done.returncode == 0, done.stderr


def test_the_sandbox_runs_from_the_wheel(installed: Installed) -> None:
    """Start and stop, without a checkout."""
    program = (
        "from pathlib import Path; from tier1_engine import sandbox\n"
        "assert sandbox.start(Path('probe')).running and not sandbox.stop(Path('probe')).running\n"
    )
    done = installed.run("python", "-c", program)
    assert done.returncode == 0, done.stderr


def test_a_day_is_rehearsed_from_the_wheel(installed: Installed) -> None:
    """The spec that comes along and the scenarios are in it."""
    done = installed.run("tier1", "sandbox", "rehearse", "--scenario", "capacity", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert [one["outcome"] for one in json.loads(done.stdout)] == ["active"]


def test_the_command_says_its_version(installed: Installed) -> None:
    """`tier1` is on the path, and is the version that was built."""
    done = installed.run("tier1", "--version")
    assert done.returncode == 0, done.stderr
    assert tier1_engine.__version__ in done.stdout


def test_the_example_is_deployed_from_a_folder_that_is_not_the_checkout(installed: Installed) -> None:
    """All of it works from what was installed: spec, database, engine, kinds and the local AWS."""
    shutil.copytree(ROOT / "examples", installed.folder / "examples")
    deployed = installed.run("tier1", "deploy", "examples/ai-stack.yaml", "--sandbox", "-o", "json")
    assert deployed.returncode == 0, deployed.stderr
    shown = json.loads(deployed.stdout)
    assert shown["state"] == "active"
    destroyed = installed.run("tier1", "destroy", shown["id"], "--yes", "-o", "json")
    assert destroyed.returncode == 0, destroyed.stderr
    assert json.loads(destroyed.stdout)["state"] == "destroyed"
