"""Texts for operators are plain English: words that the glossary replaces do not return."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import sentences

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tier1_engine"
AVOIDED: dict[str, str] = {
    r"mend(s|ed|ing)?": "fix, correct",
    r"go(es)? on": "continue, resume",
    r"(would|will) not delete": "could not be deleted",
    r"(stood|stands?) in the way": "blocks",
    r"still stands?": "remaining, exists",
    r"(nothing|what) (that )?it made": "resources, everything it created",
    r"bad days?": "scenario",
    r"manners?": "behaviour",
    r"(try|tries|made|makes?) anew": "attempts reset, recreated",
    r"tried again": "retried",
    r"shall become": "do you want to do with",
    r"(for )?you alone": "private (mode 0600)",
    r"(may be )?given again": "repeatable",
    r"driven by (?!a state machine)": "locked by, running in",
    r"strays?": "duplicate, untracked resource",
    r"the goal": "target state",
    r"way (forward|back)": "provisioning, rollback or teardown",
    r"looked? at": "checked",
    r"of (ours|theirs)": "owned, not owned",
    r"nobody knows": "unknown",
}
"""Words to avoid, and their replacements."""
_AVOIDED = re.compile("|".join(rf"\b{words}\b" for words in AVOIDED), re.IGNORECASE)
PAGES = (
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *(ROOT / folder / "README.md" for folder in ("examples", "benchmarks")),
)
CONTRIBUTORS_PAGES = ("mutants.md",)
"""Pages about the tests, which use names of the code."""
_CODE = re.compile(r"<!--.*?-->|```.*?```|``.*?``|`[^`]*`", re.DOTALL)
SHORTEST = 2
"""The least number of words; a single one is a key, a code or a heading."""


def found_in(text: str) -> list[str]:
    """Return the avoided words in a text."""
    return [found.group() for found in _AVOIDED.finditer(" ".join(text.split()))]


def literals(path: Path) -> Iterator[str]:
    """Return every text that a module may print: all of it but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
            continue
        if len(node.value.split()) >= SHORTEST:
            yield node.value


def test_no_error_message_has_an_avoided_word() -> None:
    """Closing messages are included."""
    said = [*(one.text for one in sentences.sentences()), *sentences.closing_words()]
    assert len(said) > 60
    assert {text: found_in(text) for text in said if found_in(text)} == {}


def test_no_other_text_of_the_program_has_one() -> None:
    """These are help texts, progress, headings, advice and events."""
    every = {str(path.relative_to(ROOT)): list(literals(path)) for path in PACKAGE.rglob("*.py")}
    assert sum(map(len, every.values())) > 500
    assert [(name, text) for name, texts in every.items() for text in texts if found_in(text)] == []


def test_no_scenario_and_no_script_has_one() -> None:
    """They are shown by `rehearse`, and by the script of a guide."""
    paths = [*PACKAGE.rglob("*.yaml"), *PACKAGE.rglob("*.sh")]
    assert len(paths) > 15
    found = {path.name: found_in(_CODE.sub(" ", path.read_text("utf-8"))) for path in paths}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_one(page: Path) -> None:
    """Code and output are excluded: other tests cover them, or they use names."""
    if page.name in CONTRIBUTORS_PAGES:
        pytest.skip("a page about the tests")
    assert found_in(_CODE.sub(" ", page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_shown_output_has_one(page: Path) -> None:
    """This finds an example that is older than the program's messages."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert [found for block in blocks for found in found_in(block)] == []
