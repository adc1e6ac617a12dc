"""The generated pages match the code, and a stale page is found."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from scripts import generate_docs, sandbox_page, sentences, verify
from tests.support import our_calls
from tier1_engine import checks, errors, resources
from tier1_engine.blueprints.tier1 import failures as steps
from tier1_engine.contract.kind import Check, Kind
from tier1_engine.deployment.states import State
from tier1_engine.deployment.transitions import CONDITIONS, TRANSITIONS
from tier1_engine.failures import calls
from tier1_engine.failures.final_codes import FINAL_CODES
from tier1_engine.guidance.catalogue import CATALOGUE
from tier1_engine.sandbox.behaviour.figures import FIGURES
from tier1_engine.sandbox.faults import scenarios
from tier1_engine.store import tables


def page(name: str) -> str:
    return generate_docs.PAGES[f"docs/{name}.md"]()


def error_classes(module: ModuleType) -> dict[str, int]:
    """Every error of the module with its exit code."""
    return {
        name: found.exit_code
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, errors.Tier1Error)
    }


# --- the pages and the code


@pytest.mark.field_case("kubernetes-sigs/karpenter#2996: the documented policy lacks what the tool calls")
def test_the_policy_has_every_call_that_the_code_makes() -> None:
    """Those before anything is created, too: with the documented policy no deployment is refused."""
    services = {"efs": "elasticfilesystem"}
    free = {"sts:GetCallerIdentity"}
    needed = {f"{services.get(service, service)}:{name}" for service, name in our_calls.calls()} - free
    policy = set(page("kinds").rpartition("```text")[2].split())
    assert needed - policy == set()


def test_the_pages_in_the_checkout_are_current() -> None:
    """A change of the table, a command, a kind or an error requires new pages."""
    assert generate_docs.stale() == []


def test_every_move_of_the_table_is_an_arrow_and_nothing_else_is() -> None:
    """The diagram has one arrow for each source of each row."""
    arrows = re.findall(r"^ +(\w+) --> (\w+): (\w+)$", page("states"), re.MULTILINE)
    moves = [
        (source.value, row.target.value, row.trigger.value) for row in TRANSITIONS for source in row.sources
    ]
    assert sorted(arrows) == sorted(moves)
    assert f"[*] --> {State.PENDING}" in page("states")


def test_every_condition_of_the_table_is_described_in_words() -> None:
    """The page shows no function name for a new condition."""
    assert generate_docs.CONDITIONS_IN_WORDS.keys() == CONDITIONS.keys()


def test_every_kind_and_check_has_its_section_with_its_actions() -> None:
    """A new kind is documented by being added."""
    text = page("kinds")
    for kind in resources.discover().values():
        assert f"### {kind.title} (`{kind.name}`)" in text
        assert all(f"`{action}`" in text for action in kind.iam_actions)
    for check in checks.discover().values():
        assert f"### {check.title} (`{check.name}`)" in text


def test_every_error_stands_in_the_tree_with_its_exit_code() -> None:
    """The page and the module's docstring name the same errors with the same codes."""
    rows = dict(re.findall(r"^[│├└─ ]*(\w+) +(\d+|-)  \S", page("errors"), re.MULTILINE))
    docstring = dict(re.findall(r"^[│├└─ ]*(\w+) +(\d+|-)    \S", errors.__doc__ or "", re.MULTILINE))
    classes = {name: str(code) for name, code in error_classes(errors).items()} | {"CallError": "-"}
    assert rows == classes
    assert docstring == classes


def test_every_exit_code_of_an_error_has_its_meaning() -> None:
    """No command exits with a code that the page does not explain."""
    assert set(error_classes(errors).values()) <= generate_docs.EXIT_CODES.keys()


def test_every_command_has_its_help_with_an_example() -> None:
    """The help of each command, `db` and `sandbox` included, ends with a line to copy."""
    sections = re.findall(r"## `(tier1[^`]*)`\n\n```text\n(.*?)\n```", page("commands"), re.DOTALL)
    assert {"tier1", "tier1 deploy", "tier1 list", "tier1 db upgrade", "tier1 sandbox start"} <= dict(
        sections
    ).keys()
    for path, text in sections:
        assert "Example: " in text.splitlines()[-1], path


def test_every_row_of_both_tables_of_failures_and_every_remedy_is_on_the_page() -> None:
    """A new row, code or remedy is documented by being added."""
    text = page("failures")
    for failure in (*(row.failure for row in steps.STEPS), *(row.failure for row in calls.CALLS)):
        assert f"| {failure} |" in text
    for code in (*CATALOGUE, *frozenset().union(*FINAL_CODES.values())):
        assert f"`{code}`" in text
    parts: list[Kind | Check] = [*resources.discover().values(), *checks.discover().values()]
    for part in parts:
        for code in part.remedies:
            assert re.search(rf"\| `{re.escape(code)}` \| [^|]*`{part.name}`", text), (part.name, code)


def test_what_the_code_raises_is_on_the_page_of_errors_under_its_exit_code() -> None:
    """Messages made by a function are included; a message composed of others is not invented."""
    said = sentences.sentences()
    assert len([one for one in said if one.text]) > 60
    assert {one.exit_code for one in said} >= {1, 2, 6, 7, 8, 9}
    text = page("errors")
    under_8 = text.partition("### Exit code 8")[2].partition("###")[0]
    assert "There is no deployment {reference}: see `tier1 list`." in under_8
    under_2 = text.partition("### Exit code 2")[2].partition("###")[0]
    assert "not failed: {flag} applies only to failed deployments." in under_2
    assert "could not be deleted completely" in text


def test_every_scenario_is_on_the_sandbox_page_with_its_end() -> None:
    """An operator reads what the file expects."""
    text = page("sandbox")
    for name in scenarios.names():
        expected = scenarios.load(name).expected
        assert expected is not None
        row = rf"^\| `{name}` \| .* \| `{expected.state}`, exit code {expected.exit_code}\b.*\|$"
        assert re.search(row, text, re.MULTILINE), name
        assert f"**`{name}`.** " in text


def test_every_figure_and_every_behaviour_is_there_with_its_source() -> None:
    """A new one is documented by being added."""
    text = page("sandbox")
    for name, figure in FIGURES.items():
        assert re.search(
            rf"^\| `{name}` \| {figure.least:g} s \| .*{re.escape(figure.source)} \|$", text, re.MULTILINE
        )
    for name in ("visibility", "idempotency", "interfaces", "manual_changes"):
        assert re.search(rf"^\| `{name}` \| .+ \| .+ \|$", text, re.MULTILINE), name


def test_a_page_without_a_place_for_a_table_is_a_defect(tmp_path: Path) -> None:
    """Editing the words around a table cannot lose it."""
    (tmp_path / "sandbox.md").write_text("# The sandbox\n")
    with pytest.raises(ValueError, match="no place for behaviours"):
        sandbox_page.page(tmp_path / "sandbox.md")


# --- verify


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A checkout whose pages were just written."""
    generate_docs.write(tmp_path)
    return tmp_path


def test_pages_that_were_just_written_are_not_stale(written: Path) -> None:
    """Writing is repeatable: no page depends on when or where it was written."""
    assert verify.page_findings(written) == []


@pytest.mark.parametrize("name", generate_docs.PAGES)
def test_a_page_that_somebody_edited_or_lost_is_one_finding(written: Path, name: str) -> None:
    """Each stale page has one line that says what to run."""
    path = written / name
    path.write_text(path.read_text(encoding="utf-8") + "by hand\n", encoding="utf-8")
    edited = verify.page_findings(written)
    path.unlink()
    assert verify.page_findings(written) == edited
    assert edited == [f"{name} is stale: run `python -m scripts.generate_docs`."]


def test_the_migrations_lead_to_the_models() -> None:
    """The schema that a new SQLite file gets is the one that the program uses."""
    assert verify.schema_findings() == []
    assert verify.revision_findings() == []


def test_a_column_without_its_migration_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finding names the missing column."""
    import sqlalchemy as sa

    changed = sa.MetaData()
    for table in tables.Base.metadata.sorted_tables:
        table.to_metadata(changed)
    changed.tables["steps"].append_column(sa.Column("forgotten", sa.Integer))

    class Changed:
        metadata = changed

    monkeypatch.setattr(verify, "Base", Changed)
    [finding] = verify.schema_findings()
    assert "forgotten" in finding


def test_a_migration_that_the_models_do_not_name_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database is opened at alembic's newest revision."""
    monkeypatch.setattr(verify, "SCHEMA_REVISION", "0000")
    [finding] = verify.revision_findings()
    assert "0000" in finding
    assert tables.SCHEMA_REVISION in finding


def test_verify_prints_one_line_for_each_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It exits with 1 and prints all findings at once, or with 0 and prints nothing."""
    assert verify.main() == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(generate_docs, "stale", lambda root: ["docs/a.md", "docs/b.md"])
    assert verify.main() == 1
    assert [line.split(" ")[1] for line in capsys.readouterr().err.splitlines()] == ["docs/a.md", "docs/b.md"]
