"""Lists the failures seen in the field, and the test that holds each, for `docs/field-cases.md`.

Owns how they are read: a test says `@pytest.mark.field_case("ansible/ansible#12642: a describe call may omit
the tags")`, a public source or where it was seen, a colon, and what happened. `scripts.generate_docs` writes
the page.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

MARKER = "field_case"
SHAPE = re.compile(r"[^:]+: .+[^.]")
ISSUE = re.compile(r"([\w.-]+/[\w.-]+)#(\d+)")

INTRODUCTION = (
    "Each of these happened to somebody: to users of other tools, as the public source says; in a script "
    "that `tier1` replaces; or in a trial of `tier1` itself. Each is held by a test, marked with "
    "`@pytest.mark.field_case`; `pytest -m field_case` runs them all."
)


def cases(root: Path) -> dict[str, list[str]]:
    """Return the tests of each case, both in the order of their text.

    Raises:
        ValueError: a marker is not a source, a colon and what happened.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        for text, name in _in_file(path.read_text(encoding="utf-8"), f"{path.relative_to(root)}"):
            if not SHAPE.fullmatch(text):
                raise ValueError(f"{name}: {MARKER}({text!r}) must be a source, a colon and what happened")
            found[text].append(name)
    return {text: sorted(found[text]) for text in sorted(found, key=str.lower)}


@cache
def _in_file(source: str, name: str) -> tuple[tuple[str, str], ...]:
    return tuple(_marked(ast.parse(source), name)) if MARKER in source else ()


def _marked(node: ast.Module | ast.ClassDef, name: str) -> Iterator[tuple[str, str]]:
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef):
            continue
        inner = f"{name}::{child.name}"
        for mark in child.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == f"pytest.mark.{MARKER}":
                yield from ((ast.literal_eval(text), inner) for text in mark.args)
        if isinstance(child, ast.ClassDef):
            yield from _marked(child, inner)


def rows(found: Mapping[str, list[str]]) -> list[tuple[str, str, str]]:
    """Return what happened, where, and the tests that hold it, as Markdown."""
    return [
        (what, ISSUE.sub(r"[\1#\2](https://github.com/\1/issues/\2)", source), _linked(tests))
        for text, tests in found.items()
        for source, _, what in (text.partition(": "),)
    ]


def _linked(tests: list[str]) -> str:
    """Return links from the page to the files of tests."""
    named = (test.partition("::") for test in tests)
    return "<br>".join(f"[{name}](../{path})" for path, _, name in named)
