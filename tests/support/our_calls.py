"""Every call to AWS that the code can make, collected from the code itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ServiceModel

import tier1_engine

PACKAGE = Path(tier1_engine.__file__).parent
CALLING = ("read", "change", "pages", "call")
WHERE = ("aws/session.py", "aws/console_output.py", "resources/*.py", "checks/*.py", "blueprints/**/*.py")


@cache
def model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@cache
def calls() -> frozenset[tuple[str, str]]:
    """Service and operation, as AWS names it, of every call."""
    found: set[tuple[str, str]] = set()
    for pattern in WHERE:
        for path in sorted(PACKAGE.glob(pattern)):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                found |= set(_called(node))
    return frozenset(found)


def _called(node: ast.AST) -> Iterator[tuple[str, str]]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    if node.func.attr not in CALLING or len(node.args) < 2 or not isinstance(node.args[0], ast.Constant):
        return
    service = str(node.args[0].value)
    names = {xform_name(name): name for name in model(service).operation_names}
    for pattern in _patterns(node.args[1]):
        matching = [names[name] for name in names if re.fullmatch(pattern, name)]
        assert matching, f"{service} has no {pattern}"
        yield from ((service, name) for name in matching)


def _patterns(argument: ast.expr) -> list[str]:
    """What the argument can be: a name, one of two, or a name with a part that varies."""
    if isinstance(argument, ast.Constant):
        return [re.escape(str(argument.value))]
    if isinstance(argument, ast.IfExp):
        return [*_patterns(argument.body), *_patterns(argument.orelse)]
    assert isinstance(argument, ast.JoinedStr), ast.dump(argument)
    parts = (
        re.escape(str(p.value)) if isinstance(p, ast.Constant) else "(ingress|egress)"
        for p in argument.values
    )
    return ["".join(parts)]


def modelled(service: str, operation: str) -> set[str]:
    """The codes that botocore's model gives an operation, as they come over the wire."""
    shapes: list[Any] = model(service).operation_model(operation).error_shapes
    return {shape.error_code for shape in shapes}
