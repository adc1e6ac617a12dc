"""The rules of a sweep, on rows and objects made by hand: no database and no AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.rows import AT, deployment, resource
from tier1_engine.contract.kind import (
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_RESOURCE,
    Observation,
    Presence,
)
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.record import FOR_EVER
from tier1_engine.deployment.states import Goal, State
from tier1_engine.survey.around import TaggedResource
from tier1_engine.sweep.rules import Act, Choice, Interrupted, Item, due, mark, spared
from tier1_engine.views.prices import Prices

DAY = timedelta(days=1)
OURS = "our-database"


def known(*, remaining: bool = True, last_event_at: Any = AT - 2 * DAY, **values: Any) -> Known:
    rows = (resource(aws_id="net-1"),) if remaining else ()
    return Known(
        deployment(**values),
        last_event=7,
        last_event_at=last_event_at,
        remaining=rows,
        holds={("net", "net-1"): {}} if remaining else {},
    )


def tagged(aws_id: str, *, proved: bool = True, database: str = OURS, id: str = "d1") -> TaggedResource:
    tags = {TAG_DATABASE: database, TAG_DEPLOYMENT: id, TAG_RESOURCE: "r9"}
    seen = Observation(Presence.READY, aws_id=aws_id, tags=tags)
    return TaggedResource("net", known().place, seen, proved)


@pytest.mark.parametrize(
    ("values", "act"),
    [
        ({"state": State.FAILED}, Act.ROLL_BACK),
        ({"state": State.FAILED, "activated_at": AT}, Act.DESTROY),
        ({"state": State.FAILED, "goal": Goal.ROLLED_BACK}, Act.FINISH),
        ({"state": State.ROLLING_BACK, "goal": Goal.ROLLED_BACK}, Act.FINISH),
        ({"state": State.ACTIVE, "activated_at": AT, "expires_at": AT - DAY}, Act.DESTROY),
        ({"state": State.PROVISIONING_NETWORK}, None),
    ],
)
def test_what_is_done_with_an_old_deployment(values: dict[str, Any], act: Act | None) -> None:
    verdict = due(known(**values), Choice(), AT)
    assert verdict is not None
    assert verdict[0] is act


@pytest.mark.parametrize(
    "one",
    [
        known(state=State.ACTIVE, activated_at=AT),
        known(state=State.FAILED, remaining=False),
        known(state=State.FAILED, last_event_at=AT - DAY / 2),
        known(state=State.ROLLED_BACK, goal=Goal.ROLLED_BACK),
    ],
    ids=["active", "nothing remains", "recent", "ended"],
)
def test_what_is_ignored(one: Known) -> None:
    assert due(one, Choice(), AT) is None


@pytest.mark.parametrize(
    ("interrupted", "act"),
    [
        (None, None),
        (Interrupted.REPORT, None),
        (Interrupted.RESUME, Act.RESUME),
        (Interrupted.ROLLBACK, Act.ROLL_BACK),
    ],
)
def test_an_interrupted_one_waits_for_the_operators_choice(
    interrupted: Interrupted | None, act: Act | None
) -> None:
    verdict = due(known(state=State.PROVISIONING_EFS), Choice(interrupted=interrupted), AT)
    assert verdict is not None
    assert verdict[0] is act


def test_the_age_is_that_of_the_last_event_and_its_limit_counts_as_old() -> None:
    failed = known(state=State.FAILED, last_event_at=AT - DAY)
    assert due(failed, Choice(), AT) is not None
    assert due(failed, Choice(), AT - timedelta(seconds=1)) is None


def test_protection_says_until_when_and_a_driver_who_it_is() -> None:
    free = known(state=State.FAILED)
    assert spared(free, AT) is None
    for until, words in ((AT + DAY, "until 2026-01-02T00:00:00Z"), (FOR_EVER, "it is protected")):
        kept = replace(free, deployment=replace(free.deployment, keep_until=until))
        assert words in str(spared(kept, AT))
    assert spared(replace(free, driver="process 7"), AT) == "it is locked by process 7"


def marked(
    *seen: TaggedResource, one: Known, orphans: bool = False, foreign: bool = False
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    found = mark([one], seen, Choice(orphans=orphans, foreign=foreign), AT, OURS, Prices({}))
    return found.items, found.reported


def test_a_proved_orphan_is_deleted_only_where_orphans_are_asked_for() -> None:
    one = known(state=State.ACTIVE, activated_at=AT)
    items, reported = marked(tagged("net-2"), one=one, orphans=True)
    assert [(item.aws_id, item.act) for item in items] == [("net-2", Act.CLEAR)]
    assert reported == ()
    assert marked(tagged("net-2"), one=one) == ((), ())


def test_copied_tags_are_reported_and_what_a_row_holds_is_no_orphan() -> None:
    one = known(state=State.ACTIVE, activated_at=AT)
    items, reported = marked(tagged("net-1"), tagged("net-3", proved=False), one=one, orphans=True)
    assert items == ()
    assert [item.aws_id for item in reported] == ["net-3"]
    assert "its tags may be copies" in reported[0].reason


def test_what_a_create_without_an_answer_may_have_made_is_left_to_its_deployment() -> None:
    one = replace(known(state=State.ACTIVE, activated_at=AT), expects=frozenset({("net", "r9")}))
    assert marked(tagged("net-2"), one=one, orphans=True) == ((), ())


@pytest.mark.parametrize(("foreign", "act"), [(True, Act.FOREIGN), (False, None)])
def test_another_databases_objects_need_an_option_of_their_own(foreign: bool, act: Act | None) -> None:
    one = known(state=State.ACTIVE, activated_at=AT)
    items, reported = marked(tagged("net-2", database="another"), one=one, orphans=True, foreign=foreign)
    assert [item.act for item in items + reported] == [act]


def test_what_is_on_its_way_out_or_gone_is_no_item() -> None:
    one = known(state=State.ACTIVE, activated_at=AT)
    for presence in (Presence.LEAVING, Presence.GONE, Presence.ABSENT):
        leaving = tagged("net-2")
        leaving = replace(leaving, observation=replace(leaving.observation, presence=presence))
        assert marked(leaving, one=one, orphans=True) == ((), ())
