"""The wheel works as a user gets it, in an environment of its own and outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import tier1_engine

pytestmark = [pytest.mark.packaging, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 300
INSTALL_SECONDS = 900
COMMAND_SECONDS = 180


@dataclass(frozen=True)
class Installed:
    """The installed command, and a folder outside the checkout."""

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
    """A wheel built from a copy of the checkout, so that the build leaves nothing in the checkout."""
    source = tmp_path_factory.mktemp("source") / "tier1"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "build"))
    shutil.copy(ROOT / ".gitignore", source)  # files named here must not be shipped
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(target), str(source)],
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
    )
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(False, id="beside the versions that were tested"),
        pytest.param(True, id="with all that it asks for", marks=pytest.mark.long),
    ],
)
def installed(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The wheel in its own environment; its dependencies are the tests' own, or are installed too."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    options = ["--quiet", "--disable-pip-version-check"]
    if request.param:
        options += ["-c", str(ROOT / "constraints.txt"), f"{wheel}[sandbox,postgres]"]
    else:
        options += ["--no-deps", str(wheel)]
        (packages,) = place.glob("lib/python3*/site-packages")
        # A bare path: a .pth file that makes the checkout importable is not read there.
        (packages / "tested.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", *options],
        check=True,
        capture_output=True,
        timeout=INSTALL_SECONDS,
    )
    found = Installed(python.parent, tmp_path_factory.mktemp("elsewhere"))
    yield found
    found.run("tier1", "sandbox", "stop")


def test_the_wheel_contains_what_runs_and_nothing_else(wheel: Path) -> None:
    """It contains migrations and the user data script; it contains no tests, examples or scripts."""
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
    """A new database gets its schema without a checkout."""
    program = (
        "from tier1_engine.store import database, schema, tables\n"
        "engine = database.connect('sqlite:///probe.db')\n"
        "schema.upgrade(engine)\n"
        "assert '_migrations' in schema.alembic_config().get_main_option('script_location')\n"
        "assert schema.revision(engine) == tables.SCHEMA_REVISION\n"
    )
    done = installed.run("python", "-c", program)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_a_scenario_is_rehearsed_from_the_wheel(installed: Installed) -> None:
    """The wheel contains the scenarios and their spec."""
    done = installed.run("tier1", "sandbox", "rehearse", "--scenario", "capacity", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert [one["outcome"] for one in json.loads(done.stdout)] == ["active"]


def test_the_command_is_the_version_that_was_built(installed: Installed) -> None:
    """`tier1` is on the path, and no module comes from the checkout."""
    where = installed.run("python", "-c", "import tier1_engine; print(tier1_engine.__file__)")
    assert Path(where.stdout).is_relative_to(installed.programs.parent), where
    done = installed.run("tier1", "--version")
    assert done.returncode == 0, done.stderr
    assert tier1_engine.__version__ in done.stdout


def test_the_example_is_deployed_outside_the_checkout(installed: Installed) -> None:
    """Spec, database, engine, kinds and local AWS all come from what was installed."""
    shutil.copytree(ROOT / "examples", installed.folder / "examples")
    deployed = installed.run("tier1", "deploy", "examples/ai-stack.yaml", "--sandbox", "-o", "json")
    assert deployed.returncode == 0, deployed.stderr
    shown = json.loads(deployed.stdout)
    assert shown["state"] == "active"
    destroyed = installed.run("tier1", "destroy", shown["id"], "--yes", "-o", "json")
    assert destroyed.returncode == 0, destroyed.stderr
    assert json.loads(destroyed.stdout)["state"] == "destroyed"
    stopped = installed.run("tier1", "sandbox", "stop")
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout == "The local AWS has been stopped.\n"
