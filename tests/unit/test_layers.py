"""The house keeps its order: the contracts of the layers miss no module, and modules stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import tier1_engine

PACKAGE = Path(tier1_engine.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in PACKAGE.rglob("*.py")
    if "_migrations" not in path.parts  # in a wheel they lie in the package
)
LINES_LIMIT = 400
SIDE = {"aws", "aws_errors", "aws_together", "blueprints", "checks", "resources"}
"""What plugs in from the side."""
SHELL = {"cli", "sandbox", "worker"}
"""What may know the terminal, moto or the queue."""


def contracts() -> dict[str, dict[str, Any]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return {contract["name"]: contract for contract in found}


def top_level() -> set[str]:
    """The modules and packages right below `tier1_engine`."""
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def docstring_of(path: str) -> str | None:
    return ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8")))


def test_the_engine_contract_names_every_module_of_the_engine() -> None:
    """A new module is held apart from AWS and the terminal from its first day."""
    contract = contracts()["The engine knows neither AWS nor the terminal nor a concrete kind"]
    named = {name.removeprefix("tier1_engine.") for name in contract["source_modules"]}
    plain = {"spec", "spec_parts", "spec_values", "spec_wording", "spec_yaml", "userdata"}
    assert named == top_level() - SIDE - SHELL - plain


def test_what_plugs_in_is_kept_from_every_module_above_the_contract() -> None:
    """A new module of the engine is out of reach of a kind."""
    contract = contracts()["What plugs in from the side knows the contract and nothing above it"]
    forbidden = {name.removeprefix("tier1_engine.") for name in contract["forbidden_modules"]}
    below = {
        "blueprint",
        "clock",
        "error_codes",
        "errors",
        "failures",
        "kinds",
        "pace",
        "permits",
        "settings",
        "states",
    }
    plain = {name for name in top_level() if name.startswith("spec")} | {"userdata"}
    assert forbidden == top_level() - SIDE - below - plain


def test_the_package_itself_imports_nothing() -> None:
    """`import tier1_engine` costs nothing, so a version can be asked for cheaply."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_asking_after_the_sandbox_loads_no_moto() -> None:
    """Only the process that plays AWS pays for it."""
    program = "import sys, tier1_engine.sandbox; print(*{name.partition('.')[0] for name in sys.modules})"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"moto", "werkzeug", "boto3", "flask"} & set(shown.stdout.split())


@pytest.mark.parametrize("path", MODULES)
def test_a_module_says_what_it_is(path: str) -> None:
    """Its docstring is the first thing a stranger reads."""
    assert docstring_of(path)


@pytest.mark.parametrize("path", MODULES)
def test_a_module_is_not_too_long(path: str) -> None:
    """At 400 lines there is a seam to be found."""
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LINES_LIMIT
