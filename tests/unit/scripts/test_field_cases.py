"""docs/field-cases.md lists each failure seen in the field with the test that holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import field_cases

TESTS = """
import pytest

@pytest.mark.field_case("o/r#7, o/q#8: it leaks")
@pytest.mark.parametrize("n", [1])
def test_one(n): ...

@pytest.mark.field_case("a trial: a crash: no word of it")
class TestTwo:
    @pytest.mark.field_case("o/r#7, o/q#8: it leaks")
    def test_three(self): ...

def test_four(): ...
"""


def written(root: Path, text: str) -> Path:
    (root / "tests").mkdir()
    (root / "tests" / "test_it.py").write_text(text, encoding="utf-8")
    return root


def test_a_case_is_listed_once_with_all_its_tests(tmp_path: Path) -> None:
    """Markers of a class count; public issues are links."""
    assert field_cases.rows(field_cases.cases(written(tmp_path, TESTS))) == [
        ("a crash: no word of it", "a trial", "[TestTwo](../tests/test_it.py)"),
        (
            "it leaks",
            "[o/r#7](https://github.com/o/r/issues/7), [o/q#8](https://github.com/o/q/issues/8)",
            "[TestTwo::test_three](../tests/test_it.py)<br>[test_one](../tests/test_it.py)",
        ),
    ]


@pytest.mark.parametrize("text", ["it leaks", "o/r#7:", "o/r#7: it leaks."])
def test_a_marker_without_source_and_case_is_refused(tmp_path: Path, text: str) -> None:
    """A sentence without its source cannot be checked by anybody."""
    root = written(tmp_path, TESTS.replace("o/r#7, o/q#8: it leaks", text))
    with pytest.raises(ValueError, match="must be a source, a colon and what happened"):
        field_cases.cases(root)


def test_every_source_is_public_or_says_where_it_was_seen() -> None:
    """Nobody outside can look up anything else."""
    for text in field_cases.cases(Path(field_cases.__file__).parent.parent):
        source = text.partition(": ")[0]
        public = [field_cases.ISSUE.fullmatch(one) for one in source.split(", ")]
        assert source in ("a replaced script", "a trial") or all(public), text
