"""The modules that the most frequent commands load, because each one delays every start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.measuring import unmeasured_processes
from tests.support.rows import deployment, step
from tier1_engine.store.store import Store

HEAVY = {
    "alembic",
    "boto3",
    "botocore",
    "moto",
    "psycopg",
    "pydantic",
    "sqlalchemy",
    "rich",
    "transitions",
    "werkzeug",
    "yaml",
}
"""Modules that take more than a few milliseconds to load."""

LIST = """
import runpy, sys
sys.argv = ["tier1", *{arguments!r}]
try:
    runpy.run_module("tier1_engine.cli", run_name="__main__")
except SystemExit as end:
    assert end.code in (0, None), end.code
print("loaded:", *sorted(sys.modules))
"""


def loaded(*arguments: str) -> set[str]:
    """Return the modules that are loaded after `tier1` with these arguments."""
    printed = run(LIST.format(arguments=arguments))
    return set(printed.rpartition("loaded:")[2].split())


def run(program: str) -> str:
    """Run in a new Python without coverage, which would load more, and return the output."""
    with unmeasured_processes():
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    monkeypatch.setenv("TIER1_DATABASE_URL", sqlite_url)


@pytest.fixture(autouse=True)
def _from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("deploy", "--help"),
        ("db", "--help"),
        ("sandbox", "--help"),
        ("sandbox", "fault", "add", "--help"),
    ],
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Of tier1's own modules, only those that name the commands are loaded."""
    found = loaded(*arguments)
    assert not packages(found) & HEAVY
    ours = {name for name in found if name.startswith("tier1_engine.")}
    assert ours <= {
        "tier1_engine.cli",
        "tier1_engine.cli.__main__",
        "tier1_engine.cli.boundary",
        "tier1_engine.cli.declare",
        "tier1_engine.cli.declare.declared",
        "tier1_engine.cli.declare.sandbox",
        "tier1_engine.cli.declare.sweep",
        "tier1_engine.cli.main",
        "tier1_engine.cli.options",
        "tier1_engine.cli.screen",
        "tier1_engine.cli.screen.streams",
        "tier1_engine.cli.signals",
        "tier1_engine.deployment",
        "tier1_engine.deployment.states",
        "tier1_engine.errors",
        "tier1_engine.settings",
    }


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("output", ["table", "json"])
def test_list_loads_the_database_and_at_most_the_screen(output: str) -> None:
    """It loads no engine, kind, cloud or unused database dialect."""
    found = loaded("list", "-o", output)
    allowed = {"sqlalchemy", "rich"} if output == "table" else {"sqlalchemy"}
    assert packages(found) & HEAVY == allowed
    assert "sqlalchemy.dialects.postgresql" not in found
    for module in ("engine", "aws", "resources", "spec", "sandbox"):
        assert f"tier1_engine.{module}" not in found


@pytest.mark.parametrize(
    "command",
    [("show",), ("log",), ("guide",), ("guide", "-o", "json"), ("guide", "-o", "shell")],
    ids=" ".join,
)
def test_reading_one_deployment_loads_no_cloud_and_no_engine(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, command: tuple[str, ...]
) -> None:
    """The kinds give links and commands without AWS's libraries."""
    monkeypatch.setenv("TIER1_DATABASE_URL", sqlite_url)
    store = Store.open(sqlite_url)
    store.create(deployment(), [step()], "asked for")
    store.close()
    found = loaded(*command, "demo")
    assert not packages(found) & {"boto3", "botocore", "moto", "pydantic", "alembic", "transitions", "yaml"}
    for module in ("engine.engine", "engine.driver", "aws.session", "blueprints", "sandbox"):
        assert f"tier1_engine.{module}" not in found
    assert "rich" not in packages(found) or not command[1:]


ALONE = """
import os, pkgutil
import alembic.command, botocore.session, psycopg, pydantic, rich.live, transitions, typer, yaml
import sqlalchemy.dialects.sqlite, sqlalchemy.orm
import tier1_engine.cli
for module in pkgutil.walk_packages(tier1_engine.__path__, "tier1_engine."):
    if not module.name.startswith(("tier1_engine.cli", "tier1_engine.sandbox.")):
        __import__(module.name)
for module in pkgutil.walk_packages(tier1_engine.cli.__path__, "tier1_engine.cli."):
    if module.name == "tier1_engine.cli.__main__":
        continue
    if (child := os.fork()) == 0:
        __import__(module.name)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(module.name)
"""
"""The modules that a fork starts with, so that their own dependencies load only once."""


def test_each_command_module_loads_its_dependencies_by_itself() -> None:
    """It may be the first one, although most tests run in a process that has loaded all."""
    assert run(ALONE) == ""
