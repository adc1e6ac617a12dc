"""The mutants of `make mutants` still fit the code, and the page tells of exactly those there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import mutants
from scripts.mutants import Fate, Mutant

EVERY = mutants.mutants()


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_a_mutant_still_applies_and_its_tests_are_there(mutant: Mutant) -> None:
    """A patch that no longer fits would be reported as a hole by `make mutants` only."""
    assert mutants.applies(mutant) == ""
    assert [path for path in mutant.tests if not (mutants.ROOT / path).exists()] == []


def test_every_promise_is_broken_by_a_mutant() -> None:
    """All nine, and there are a dozen mutants at the least."""
    assert {mutant.promise for mutant in EVERY} == set("123456789")
    assert len(EVERY) >= 12


def test_the_page_names_every_mutant_and_no_other() -> None:
    """None of them as a survivor."""
    text = (mutants.ROOT / mutants.PAGE).read_text(encoding="utf-8")
    assert mutants.named_on(text) == [mutant.name for mutant in EVERY]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    assert [line for line in lines if "::test_" not in line] == []
    for mutant, line in zip(EVERY, lines, strict=True):
        assert f"| {mutant.promise} | {mutant.breaks} |" in line


def test_a_patch_that_does_not_fit_is_reported(tmp_path: Path) -> None:
    """Its place in the code is not there."""
    (tmp_path / "tier1_engine" / "store").mkdir(parents=True)
    (tmp_path / "tier1_engine" / "store" / "fence.py").write_text("nothing\n")
    mutant = next(one for one in EVERY if one.name == "term-not-checked")
    assert "does not apply" in mutants.applies(mutant, tmp_path)


def test_a_patch_without_a_heading_is_refused(tmp_path: Path) -> None:
    """Who breaks something says what."""
    folder = tmp_path / "tests" / "mutants"
    folder.mkdir(parents=True)
    (folder / "silent.patch").write_text("diff --git a/x b/x\n")
    with pytest.raises(ValueError, match=r"silent\.patch"):
        mutants.mutants(tmp_path)


def test_a_survivor_is_reported_as_one() -> None:
    """In the place of the test that should have failed."""
    fate = Fate(EVERY[0], None, 3.0, "survived: no test failed")
    assert "| `survived: no test failed` | 3 |" in mutants.page([fate])
