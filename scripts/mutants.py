"""Breaks the product on purpose, one promise at a time, and checks that a test fails.

    python -m scripts.mutants             every mutant; writes docs/mutants.md
    python -m scripts.mutants NAME ...    some of them; writes nothing

A mutant is a patch in `tests/mutants/` under three lines: what it breaks, which promise of
docs/guarantees.md that is, and the tests that must fail. Each is applied to a copy of the checkout, and
its tests run there until the first one fails. Exit code 1 when a mutant survives or cannot be tested: then
a test is missing, or the patch no longer applies.
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
"""The time limit of one mutant's tests."""
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
class Result:
    """The result of a mutant.

    Attributes:
        test: the first that failed; None when none did.
        problem: why it counts as a failure: it survived, or could not be tested.
    """

    mutant: Mutant
    test: str | None
    seconds: float
    problem: str = ""


def mutants(root: Path = ROOT) -> list[Mutant]:
    """Return every mutant, ordered by promise.

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
    """Return why the patch does not apply to the code; empty when it does."""
    return _apply(mutant, root, "--check")


def _apply(mutant: Mutant, root: Path, *options: str) -> str:
    # Keep git from taking the copy for a part of an enclosing repository.
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


def attempt(mutant: Mutant) -> Result:
    """Break a copy of the checkout and run the mutant's tests on it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tier1-mutant-") as folder:
        copy = Path(folder, "checkout")
        _copy(copy)
        if problem := _apply(mutant, copy):
            return Result(mutant, None, 0.0, f"does not apply: {problem}")
        done = _run_tests(mutant, copy)
    seconds = time.monotonic() - began
    if done is None:
        return Result(mutant, None, seconds, f"its tests did not end within {LIMIT_SECONDS:g} s")
    first = _FAILED.search(done.stdout)
    if done.returncode == SOME_FAILED and first is not None:
        return Result(mutant, first[1], seconds)
    if done.returncode == 0:
        return Result(mutant, None, seconds, "survived: no test failed")
    how = f"pytest ended with {done.returncode}"  # negative: by that signal, from outside
    return Result(mutant, None, seconds, f"could not be tried, {how}: {_end_of(done.stdout + done.stderr)}")


def _copy(target: Path) -> None:
    """Copy the checkout, uncommitted changes included, without ignored files."""
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


def page(results: Iterable[Result]) -> str:
    """Return the page of the docs."""
    rows = [
        f"| `{result.mutant.name}` | {result.mutant.promise} | {result.mutant.breaks} "
        f"| `{result.test or result.problem}` | {result.seconds:.0f} |"
        for result in results
    ]
    intro = (
        "Do the tests fail when a promise is broken? Each line breaks one promise of "
        "[guarantees](guarantees.md), stored as a patch in `tests/mutants/`, with the first test that fails "
        "when it is applied. "
        "`make mutants` tests all of them and writes this page; it fails when one survives."
    )
    head = [
        "| mutant | promise | what it breaks | first test that fails | s |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([NOTICE, "", "# Mutants", "", intro, "", *head, *rows, ""])


def named_on(text: str) -> list[str]:
    """Return the mutants that have a line on the page."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def _report(result: Result) -> None:
    print(f"{result.mutant.name:28} {result.seconds:5.0f} s  {result.test or result.problem}", flush=True)


def main(names: Sequence[str]) -> int:
    """Test the mutants, print each result, and return the exit code."""
    every = mutants()
    if unknown := set(names) - {mutant.name for mutant in every}:
        print(f"mutants: there is no {', '.join(sorted(unknown))} in tests/mutants.", file=sys.stderr)
        return 2
    wanted = [mutant for mutant in every if not names or mutant.name in names]
    results = []
    with ThreadPoolExecutor(int(os.environ.get("WORKERS", "1"))) as workers:
        for result in workers.map(attempt, wanted):
            _report(result)
            results.append(result)
    if not names:
        (ROOT / PAGE).write_text(page(results), encoding="utf-8")
    survivors = [result.mutant.name for result in results if result.test is None]
    print(
        f"{len(results) - len(survivors)} of {len(results)} detected"
        + (f"; not: {', '.join(survivors)}" if survivors else "")
    )
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
