"""Breaks the product on purpose, one promise at a time, and checks that a test fails.

    python -m scripts.mutants             every mutant; writes docs/mutants.md
    python -m scripts.mutants NAME ...    some of them; writes nothing

A mutant is a patch in `tests/mutants/` under three lines: what it breaks, the number of the promise, and the
tests that must fail. Each is applied to a copy of the checkout, and its tests run there until the first one
fails. Exit code 1 when a mutant survives, or cannot be tested: then a test is missing, or the patch no longer
applies.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path("docs", "mutants.md")
NOTICE = "<!-- Written by scripts/mutants.py: run `make mutants` to rewrite it. -->"
LIMIT_SECONDS = 900.0
"""Of one mutant's tests."""
SOME_FAILED = 1
"""pytest's exit code when tests ran and failed; any other says nothing about the mutant."""

_HEADING = re.compile(
    r"Breaks: (?P<breaks>.+)\nPromise: (?P<promise>[1-9])\nTests: (?P<tests>\S.*)\n\ndiff --git "
)
_FAILED = re.compile(r"^FAILED (\S+?::[^\s\[]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break the product.

    Attributes:
        promise: its number in docs/guarantees.md.
        tests: paths for pytest, those that fail soonest first.
    """

    name: str
    patch: Path
    breaks: str
    promise: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """The outcome of a mutant.

    Attributes:
        test: the first that failed; None when none did.
        problem: why the mutant does not count as killed: it survived, or could not be tested.
    """

    mutant: Mutant
    test: str | None
    seconds: float
    problem: str = ""


def mutants(root: Path = ROOT) -> list[Mutant]:
    """Every mutant in the repository, by promise.

    Raises:
        ValueError: a patch has no heading.
    """
    found = [_read(patch) for patch in (root / "tests" / "mutants").glob("*.patch")]
    return sorted(found, key=lambda mutant: (mutant.promise, mutant.name))


def _read(patch: Path) -> Mutant:
    heading = _HEADING.match(patch.read_text(encoding="utf-8"))
    if heading is None:
        raise ValueError(f"{patch.name} does not begin with the lines Breaks, Promise and Tests.")
    tests = tuple(heading["tests"].split())
    return Mutant(patch.stem, patch, heading["breaks"], heading["promise"], tests)


def applies(mutant: Mutant, root: Path = ROOT) -> str:
    """Why the patch no longer fits the code; empty when it does."""
    return _apply(mutant, root, "--check")


def _apply(mutant: Mutant, root: Path, *options: str) -> str:
    # A copy inside another repository must not be treated as part of it.
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}
    done = subprocess.run(
        ["git", "apply", *options, str(mutant.patch)],  # noqa: S607 - the developer's git
        cwd=root,
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr.strip() or f"git apply ended with {done.returncode}"


def attempt(mutant: Mutant) -> Fate:
    """Break a copy of the checkout and run the mutant's tests on it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tier1-mutant-") as folder:
        copy = Path(folder, "checkout")
        _copy(copy)
        if problem := _apply(mutant, copy):
            return Fate(mutant, None, 0.0, f"does not apply: {problem}")
        done = _run_tests(mutant, copy)
    seconds = time.monotonic() - began
    if done is None:
        return Fate(mutant, None, seconds, f"its tests did not end within {LIMIT_SECONDS:g} s")
    first = _FAILED.search(done.stdout)
    if done.returncode == SOME_FAILED and first is not None:
        return Fate(mutant, first[1], seconds)
    if done.returncode == 0:
        return Fate(mutant, None, seconds, "survived: no test failed")
    how = f"pytest ended with {done.returncode}"  # negative: by that signal, from outside
    return Fate(mutant, None, seconds, f"could not be tried, {how}: {_end_of(done.stdout + done.stderr)}")


def _copy(target: Path) -> None:
    """The checkout in its current state, without ignored files."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _run_tests(mutant: Mutant, copy: Path) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _end_of(text: str) -> str:
    return " ".join(text.split())[-300:]


# --- the report


def page(fates: Iterable[Fate]) -> str:
    """The table in the docs."""
    rows = [
        f"| `{fate.mutant.name}` | {fate.mutant.promise} | {fate.mutant.breaks} "
        f"| `{fate.test or fate.problem}` | {fate.seconds:.0f} |"
        for fate in fates
    ]
    intro = (
        "Does the proof bite? Each line is a way to break one promise of [guarantees](guarantees.md), "
        "kept as a patch in `tests/mutants/`, with the first test that fails when it is applied. "
        "`make mutants` tries all of them and writes this page; it fails when one survives."
    )
    head = [
        "| mutant | promise | what it breaks | first test that fails | s |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([NOTICE, "", "# Mutants", "", intro, "", *head, *rows, ""])


def named_on(text: str) -> list[str]:
    """The mutants that a page has a line for."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def _tell(fate: Fate) -> None:
    print(f"{fate.mutant.name:28} {fate.seconds:5.0f} s  {fate.test or fate.problem}", flush=True)


def main(names: Sequence[str]) -> int:
    """Try them, print what came of each, and answer the exit code."""
    every = mutants()
    if unknown := set(names) - {mutant.name for mutant in every}:
        print(f"mutants: there is no {', '.join(sorted(unknown))} in tests/mutants.", file=sys.stderr)
        return 2
    wanted = [mutant for mutant in every if not names or mutant.name in names]
    fates = []
    with ThreadPoolExecutor(int(os.environ.get("WORKERS", "1"))) as workers:
        for fate in workers.map(attempt, wanted):
            _tell(fate)
            fates.append(fate)
    if not names:
        (ROOT / PAGE).write_text(page(fates), encoding="utf-8")
    lived = [fate.mutant.name for fate in fates if fate.test is None]
    print(
        f"{len(fates) - len(lived)} of {len(fates)} noticed" + (f"; not: {', '.join(lived)}" if lived else "")
    )
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
