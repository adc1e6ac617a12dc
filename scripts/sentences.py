"""The sentences that `tier1` can end with, extracted from the code: the error class and its message.

Reads the syntax tree of every module. A sentence is the argument of `raise ERROR(...)`; a value inserted at
run time is shown by its name in the code, in braces. Messages made by a function of the same module are
followed; a message that cannot be extracted is counted, never guessed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tier1_engine
from tier1_engine import errors

PACKAGE = Path(tier1_engine.__file__).parent
DEPTH_LIMIT = 3
LEAST_WORDS = 4
"""Of what counts as a sentence; less is a part of one."""
UNREAD = "(messages of other errors, or composed messages)"


@dataclass(frozen=True, order=True)
class Sentence:
    """One sentence, and how a command ends with it.

    Attributes:
        error: the class that is raised.
        module: the module that raises it, relative to the package.
        text: the message; empty when it cannot be extracted.
    """

    exit_code: int
    error: str
    module: str
    text: str


@cache
def sentences() -> tuple[Sentence, ...]:
    """Every sentence, by exit code, error and module."""
    found: set[Sentence] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).with_suffix("").as_posix()
        found |= set(_in(ast.parse(path.read_text(encoding="utf-8")), module))
    return tuple(sorted(found))


def closing_words() -> list[str]:
    """The closing sentences of a command that runs a deployment, extracted from the module that owns them."""
    tree = ast.parse((PACKAGE / "cli" / "screen" / "closing.py").read_text(encoding="utf-8"))
    texts = {_words(node, {}, 0)[0] for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    return sorted(text.strip() for text in texts if len(text.split()) >= LEAST_WORDS)


def _in(tree: ast.Module, module: str) -> Iterator[Sentence]:
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        # What is raised is often made by a function that returns it: `raise refused(...)`.
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        kind = _error(name)
        if kind is None or not node.args or isinstance(node.args[0], ast.Starred):
            continue
        for text in _words(node.args[0], functions, DEPTH_LIMIT) or [""]:
            yield Sentence(kind.exit_code, name, module, text)


def _error(name: str) -> type[errors.Tier1Error] | None:
    """An error that ends a command by itself; one failed call does not."""
    kind = getattr(errors, name, None)
    if not isinstance(kind, type) or not issubclass(kind, errors.Tier1Error):
        return None
    return None if kind is errors.CallError else kind


def _words(node: ast.expr, functions: dict[str, ast.FunctionDef], depth: int) -> list[str]:
    """The texts that an expression can produce; empty when they cannot be extracted."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(_part(part) for part in node.values)]
    if isinstance(node, ast.IfExp):
        return [*_words(node.body, functions, depth), *_words(node.orelse, functions, depth)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and depth:
        made = functions.get(node.func.id)
        returned = [n.value for n in ast.walk(made) if isinstance(n, ast.Return) and n.value] if made else []
        return [text for value in returned for text in _words(value, functions, depth - 1)]
    return []


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return "{" + _name(part.value) + "}"
    assert isinstance(part, ast.Constant)
    return str(part.value)


def _name(value: ast.expr) -> str:
    """The name of an inserted value, as in the code."""
    if isinstance(value, ast.Name):
        return value.id
    if isinstance(value, ast.Attribute):
        return f"{_name(value.value)}.{value.attr}" if isinstance(value.value, ast.Name) else value.attr
    if isinstance(value, ast.Call):
        return _name(value.func)
    return "..."
