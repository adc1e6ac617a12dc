"""The mutants of `make mutants` still apply to the code, and the page lists exactly those."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import mutants
from scripts.mutants import Mutant, Result

EVERY = mutants.mutants()


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_a_mutant_still_applies_and_its_tests_exist(mutant: Mutant) -> None:
    """Otherwise only `make mutants` would report a patch that no longer applies."""
    assert mutants.applies(mutant) == ""
    assert [path for path in mutant.tests if not (mutants.ROOT / path).exists()] == []


def test_every_promise_is_broken_by_a_mutant() -> None:
    """There are nine promises and at least a dozen mutants."""
    assert {mutant.promise for mutant in EVERY} == set("123456789")
    assert len(EVERY) >= 12


def test_the_page_names_every_mutant_and_no_other() -> None:
    """No mutant is listed as a survivor."""
    text = (mutants.ROOT / mutants.PAGE).read_text(encoding="utf-8")
    assert mutants.named_on(text) == [mutant.name for mutant in EVERY]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    assert [line for line in lines if "::test_" not in line] == []
    for mutant, line in zip(EVERY, lines, strict=True):
        assert f"| {mutant.promise} | {mutant.breaks} |" in line


def test_a_patch_that_does_not_apply_is_reported(tmp_path: Path) -> None:
    """The code that it changes is missing."""
    (tmp_path / "tier1_engine" / "store").mkdir(parents=True)
    (tmp_path / "tier1_engine" / "store" / "fence.py").write_text("nothing\n")
    mutant = next(one for one in EVERY if one.name == "term-not-checked")
    assert "does not apply" in mutants.applies(mutant, tmp_path)


def test_a_patch_without_a_heading_is_refused(tmp_path: Path) -> None:
    """The heading says what the patch breaks."""
    folder = tmp_path / "tests" / "mutants"
    folder.mkdir(parents=True)
    (folder / "silent.patch").write_text("diff --git a/x b/x\n")
    with pytest.raises(ValueError, match=r"silent\.patch"):
        mutants.mutants(tmp_path)


def test_a_survivor_is_reported_as_one() -> None:
    """The row says so in place of the test that should have failed."""
    result = Result(EVERY[0], None, 3.0, "survived: no test failed")
    assert "| `survived: no test failed` | 3 |" in mutants.page([result])
