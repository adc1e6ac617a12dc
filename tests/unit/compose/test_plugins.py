"""What other packages register: what is usable, what is not, and what is reported about it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.rows import deployment
from tier1_engine.aws.session import AwsSession
from tier1_engine.blueprints.tier1.plan import Tier1
from tier1_engine.cli.commands import amend
from tier1_engine.compose import plugins
from tier1_engine.contract.blueprint import refuse_impossible
from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.record import Record
from tier1_engine.errors import Refused, SpecError
from tier1_engine.settings import from_environment

CODE = """
from typing import Annotated
from pydantic import Field
from tier1_engine.contract.blueprint import Blueprint
from tier1_engine.contract.kind import Check, Observation, Presence
from tier1_engine.deployment.plan import StepPlan
from tier1_engine.deployment.states import Mode, Phase
from tier1_engine.spec.base import BaseSpec
from tier1_engine.spec.part import Part, Seconds

class Inner(Part):
    wait: Seconds = 5.0
    many: Annotated[tuple[Seconds, ...], Field(strict=False)] = ()

class SiteSpec(BaseSpec):
    inner: Inner = Field(default_factory=Inner)

class Site(Blueprint[SiteSpec]):
    name = "site"
    version = 2
    spec_model = SiteSpec

    def steps(self, spec, survey):
        return [StepPlan("look", Phase.HEALTH, "calm", Mode.CHECK)]

class NoModel(Blueprint):
    name = "no_model"

    def steps(self, spec, survey):
        return []

class Calm(Check):
    name = "calm"
    title = "calm"

    def look(self, cloud, inputs):
        return Observation(Presence.READY)

class Other(Calm):
    name = "another_name"
"""
POINTS = """
[tier1_engine.blueprints]
site = outsider:Site
twice = outsider:Site
no_model = outsider:NoModel
gone = outsider_gone:Site
tier1 = outsider:Site

[tier1_engine.checks]
calm = outsider:Calm
http = outsider:Calm
renamed = outsider:Other
broken = outsider:Nothing
leaving = outsider_leaves:Calm

[tier1_engine.kinds]
no_kind = outsider:Calm
"""
SECOND_POINTS = """
[tier1_engine.blueprints]
twice = outsider:Site
"""
Write = Callable[[str], Path]


@pytest.fixture
def _outsider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed third-party package."""
    (tmp_path / "outsider.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "outsider_leaves.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    for name, version, points in (("outsider", "1.5", POINTS), ("second", "0.1", SECOND_POINTS)):
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("outsider", None)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(text: str) -> Path:
        path = tmp_path / "spec.yaml"
        path.write_text(f"name: demo\nregion: us-east-1\n{text}", encoding="utf-8")
        return path

    return made


pytestmark = pytest.mark.usefixtures("_outsider")


def test_valid_entries_are_usable_and_the_rest_is_named_and_skipped() -> None:
    """Each has one warning with the package and the reason."""
    reported: list[str] = []
    registry = plugins.registry(reported.append)
    assert "calm" in registry.checks
    assert type(registry.checks["http"]).__module__ == "tier1_engine.checks.http"
    assert not {"no_kind", "renamed", "broken"} & (registry.kinds.keys() | registry.checks.keys())
    reasons = {
        "outsider:Nothing": "AttributeError",
        "outsider_leaves:Calm": "SystemExit: 3",
        "outsider:Other": "it is registered as 'renamed', but its name is 'another_name'",
        "tier1_engine.checks, is ignored": "there is another 'http' already",
        "tier1_engine.kinds": "it is not a Kind",
    }
    for what, reason in reasons.items():
        (line,) = [line for line in reported if what in line]
        assert reason in line
        assert "of the package outsider 1.5" in line
    assert len(reported) == len(reasons)


def test_a_spec_is_read_by_the_model_of_the_blueprint_that_it_names(write: Write) -> None:
    """Keys and defaults are the model's, and the error messages tier1's."""
    loaded = plugins.load_spec(write("blueprint: site\ninner: {wait: 2m}\nttl: 1h\n"))
    assert loaded.blueprint.name == "site"
    stored = loaded.spec.to_stored()
    assert (stored["blueprint"], stored["inner"]["wait"], stored["ttl"]) == ("site", 120.0, 3600.0)
    assert type(loaded.spec).from_stored(stored) == loaded.spec
    with pytest.raises(
        SpecError, match=r"spec.yaml:4: inner.wiat is not a key of a spec; did you mean inner.wait"
    ):
        plugins.load_spec(write("blueprint: site\ninner: {wiat: 2m}\n"))


def test_a_spec_without_a_blueprint_is_tier_1_s(write: Write) -> None:
    """No package can replace it."""
    for text in ("", "blueprint: null\n", "blueprint: tier1\n"):
        loaded = plugins.load_spec(write(text))
        assert isinstance(loaded.blueprint, Tier1)
        assert loaded.spec.to_stored()["blueprint"] == "tier1"


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (
            "siet",
            "known are gone, no_model, site, tier1 and twice; did you mean site.",
        ),
        (
            "gone",
            "of the package outsider 1.5, which is registered in tier1_engine.blueprints, cannot be used: ",
        ),
        ("gone", "ModuleNotFoundError: No module named 'outsider_gone'"),
        ("no_model", "has no spec_model that extends BaseSpec"),
        ("twice", "several packages provide it (outsider:Site of the package outsider 1.5, outsider:Site of"),
        ("twice", "the package second 0.1): uninstall all but one"),
    ],
)
def test_an_unusable_blueprint_is_refused_with_the_reason(write: Write, named: str, words: str) -> None:
    """The message is one sentence with the line."""
    with pytest.raises(SpecError) as caught:
        plugins.load_spec(write(f"blueprint: {named}\n"))
    (line,) = str(caught.value).splitlines()
    assert f'spec.yaml:3: blueprint is "{named}"' in line
    assert words in line


def test_a_blueprint_that_is_no_text_is_reported_like_any_other_value(write: Write) -> None:
    """Other problems are reported too."""
    with pytest.raises(SpecError, match="blueprint is 5, but must be text; put it in quotes"):
        plugins.load_spec(write("blueprint: 5\n"))


def test_a_blueprint_on_record_that_is_not_installed_is_named() -> None:
    """The message says what to do."""
    with pytest.raises(
        Refused, match="The blueprint nobody is not installed on this host: install the package"
    ):
        plugins.blueprint("nobody")
    with pytest.raises(
        Refused, match=r"The blueprint gone cannot be used on this host: .*ModuleNotFoundError"
    ):
        plugins.blueprint("gone")


def test_a_plan_with_a_kind_that_is_not_installed_is_refused_before_anything_is_made(write: Write) -> None:
    """The step, the kind and the blueprint are named."""
    loaded = plugins.load_spec(write("blueprint: site\n"))
    plan = loaded.blueprint.plan(loaded.spec)
    refuse_impossible(plan, plugins.registry(lambda _: None))
    with pytest.raises(Refused, match="The blueprint site plans the step look of the check calm, which no"):
        refuse_impossible(plan, Registry({}, {}))


def never() -> AwsSession:
    raise AssertionError("AWS may not be called")


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({"blueprint": "tier1"}, "is a spec of the blueprint site, but demo was deployed with tier1"),
        ({"blueprint": "site", "blueprint_version": 3}, "this host has version 2: update the package"),
        (
            {"blueprint": "site", "region": "eu-west-1"},
            "is for us-east-1, but demo is in eu-west-1 and cannot move",
        ),
    ],
)
def test_a_corrected_spec_stays_with_blueprint_version_and_region(
    write: Write, stored: dict[str, str], words: str
) -> None:
    """AWS is not called before that is known."""
    record = Record(deployment(name="demo", **stored), {}, {}, {})
    with pytest.raises(Refused, match=words):
        amend.amendment(write("blueprint: site\n"), record, from_environment(), never)
