"""The census fails a test that leaves an unknown, duplicate or changed resource (`tests.support.census`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.census import CHANGED, TWICE, UNKNOWN, WATCH, Books, Finding, Standing, findings, judge
from tests.support.simulation.databases import fast_store
from tests.support.simulation.faults import fail
from tests.support.simulation.rig import Rig
from tests.support.simulation.world import Thing
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE
from tier1_engine.deployment.states import Goal, ResourceState

pytestmark = pytest.mark.promise(3)

OURS = {TAG_DATABASE: "d1", TAG_DEPLOYMENT: "one", TAG_RESOURCE: "r1"}
NET = Standing("net", "net-1", "here", OURS, {})
THEIRS = Standing("net", "net-9", "here", {"team": "theirs"}, {"cidr": "10.0.0.0/16"})
KNOWN = Books(ids={"d1"}, states={("net", "net-1"): {ResourceState.PRESENT}}, owned={("net", "net-1")})


def found(*standing: Standing, books: Books | None = KNOWN) -> list[str]:
    before = {THEIRS.key: THEIRS}
    return [one.what for one in findings([*standing], before, books)]


def test_recorded_and_earlier_resources_may_exist() -> None:
    """So may parts that are deleted with their owner."""
    volume = Standing("volume", "vol-1", "here", OURS, {}, part_of="net-1")
    assert found(NET, THEIRS, volume) == []


def test_an_unrecorded_resource_is_found_also_without_tags() -> None:
    """One that a row calls deleted is found too."""
    assert found(NET, THEIRS, replace(NET, id="net-2", tags={**OURS, TAG_RESOURCE: "r2"})) == [UNKNOWN]
    assert found(NET, THEIRS, Standing("interface", "eni-1", "here", {}, {})) == [UNKNOWN]
    gone = replace(KNOWN, states={("net", "net-1"): {ResourceState.DELETED}})
    assert found(NET, THEIRS, books=gone) == [UNKNOWN]


def test_the_result_of_an_open_create_is_known() -> None:
    """Its row has no id yet, and a resume will search for it."""
    lost = replace(NET, id="net-2", tags={**OURS, TAG_RESOURCE: "r2"})
    assert found(NET, THEIRS, lost, books=replace(KNOWN, expected={"r2"})) == []


def test_two_with_one_key_are_found_also_when_both_are_recorded() -> None:
    """An existing duplicate is one too many; one that is being deleted is not."""
    twin = replace(NET, id="net-2")
    both = replace(KNOWN, states={**KNOWN.states, ("net", "net-2"): {ResourceState.STRAY}})
    assert found(NET, THEIRS, twin, books=both) == [TWICE]
    assert found(NET, THEIRS, replace(twin, leaving=True), books=both) == []


@pytest.mark.parametrize("change", [{"tags": {"team": "ours"}}, {"attributes": {"cidr": "10.1.0.0/16"}}])
def test_a_changed_tag_or_attribute_of_an_earlier_resource_is_found(
    change: dict[str, dict[str, str]],
) -> None:
    """Its id alone proves nothing."""
    assert found(NET, replace(THEIRS, **change)) == [CHANGED]  # type: ignore[arg-type]


def test_a_missing_earlier_resource_is_found() -> None:
    """It does not matter who deleted it."""
    assert found(NET) == [CHANGED]


def test_a_mark_allows_what_it_names_and_nothing_else() -> None:
    """A mark that is not needed fails the test, too."""
    both = [Finding(UNKNOWN, "a"), Finding(CHANGED, "b")]
    assert judge(both, {UNKNOWN: "why"}) == ["changed: b"]
    assert judge(both, {UNKNOWN: "why", CHANGED: "why"}) == []
    assert judge([], {TWICE: "why"}) == ["nothing is twice: take the mark away (why)"]


# --- the same in a whole engine


@pytest.fixture
def rig(sqlite_template: Path) -> Rig:
    return Rig(fast_store("census", sqlite_template))


def test_a_whole_life_leaves_nothing_to_find(rig: Rig) -> None:
    """The account also holds other people's resources."""
    rig.world.things["disk-9"] = Thing("disk-9", "disk", {"team": "theirs"}, "", 0.0, ())
    id = rig.deploy().record.deployment.id
    rig.ask(id, Goal.DESTROYED)
    assert WATCH.end() == []
    assert [thing.id for thing in rig.world.living()] == ["disk-9"]


def test_an_owned_resource_without_a_row_is_found(rig: Rig) -> None:
    """The row of its create was lost."""
    rig.deploy()
    thing = rig.world.of("disk")[0]
    rig.world.make(
        {
            "kind": "disk",
            "step": "disk",
            "tags": {**thing.tags, TAG_RESOURCE: "lost"},
            "key": "lost-1-0",
            "needs": (),
            "token": False,
        }
    )
    assert [one.what for one in WATCH.end()] == [UNKNOWN]


def test_a_duplicate_is_found(rig: Rig) -> None:
    """AWS executed the create again after the end."""
    rig.deploy()
    first = rig.world.of("net")[0]
    rig.world.make(
        {"kind": "net", "step": "net", "tags": first.tags, "key": first.key, "needs": (), "token": False}
    )
    assert {one.what for one in WATCH.end()} == {UNKNOWN, TWICE}


def test_a_changed_tag_of_another_owner_is_found(rig: Rig) -> None:
    """The resource is named."""
    rig.world.things["disk-9"] = Thing("disk-9", "disk", {"team": "theirs"}, "", 0.0, ())
    rig.deploy()
    rig.world.things["disk-9"].tags["team"] = "ours"
    (finding,) = WATCH.end()
    assert finding == Finding(CHANGED, "disk disk-9 has other tags than before: team: 'theirs' -> 'ours'")


def test_a_replaced_database_is_compared_first(rig: Rig, sqlite_template: Path) -> None:
    """A matrix has many lives in one test, each with its census."""
    rig.deploy()
    rig.world.of("net")[0].tags[TAG_RESOURCE] = rig.world.of("disk")[0].tags[TAG_RESOURCE]
    rig.world.things["net-9"] = Thing("net-9", "net", dict(rig.world.of("net")[0].tags), "", 0.0, ())
    Rig(fast_store("census", sqlite_template))
    assert {one.what for one in WATCH.end()} == {UNKNOWN, TWICE}


def test_an_interrupted_deployment_is_known(rig: Rig) -> None:
    """Its rows account for it until a resume."""
    rig.world.before.append(fail("create", "machine"))
    rig.deploy(rollback_enabled=False)
    assert rig.world.living()
    assert WATCH.end() == []
