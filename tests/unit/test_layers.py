"""The structure of the package: modules are small and documented, and import-linter checks the layers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tier1_engine

PACKAGE = Path(tier1_engine.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in PACKAGE.rglob("*.py")
    if "_migrations" not in path.parts  # the wheel has them in the package
)
LINES_LIMIT = 400


def docstring_of(path: str) -> str | None:
    return ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8")))


def test_every_package_has_its_layer() -> None:
    """`ls tier1_engine` lists the packages and the few modules that all may import."""
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert files == {"clock", "errors", "masking", "settings"}


def test_the_package_itself_imports_nothing() -> None:
    """`import tier1_engine` is cheap, so a version can be read cheaply."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_reading_a_sandbox_s_status_loads_no_moto() -> None:
    """Only the process that plays AWS loads it."""
    program = "import sys, tier1_engine.sandbox; print(*{name.partition('.')[0] for name in sys.modules})"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"moto", "werkzeug", "boto3", "flask"} & set(shown.stdout.split())


@pytest.mark.parametrize("path", MODULES)
def test_a_module_has_a_docstring(path: str) -> None:
    """It is the first thing that a new reader sees."""
    assert docstring_of(path)


@pytest.mark.parametrize("path", MODULES)
def test_a_module_is_not_too_long(path: str) -> None:
    """A module of 400 lines can be divided."""
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LINES_LIMIT
