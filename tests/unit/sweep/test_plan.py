"""The file of a plan: what is read back, what is refused, and what filters leave."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.support.rows import AT
from tier1_engine.deployment.place import Place
from tier1_engine.errors import Refused
from tier1_engine.sweep.plan import Plan, foreign_reported, narrowed, read, unfitting, written
from tier1_engine.sweep.rules import Act, Item, Marking, Owner

DATABASE = "our-database"
HERE = Place("123456789012", "us-east-1", "", "")


def item(aws_id: str, act: Act = Act.CLEAR, kind: str = "subnet", id: str = "abc123456789") -> Item:
    return Item(act, aws_id, kind, aws_id, aws_id, HERE, Owner(DATABASE, id, "demo"), 60.0, "an orphan")


def plan(*items: Item) -> Plan:
    return Plan(DATABASE, AT, Marking(items, ()))


def again(text: str, **values: Any) -> Plan:
    asked = {"database_id": DATABASE, "now": AT, "max_age_seconds": 3600.0, **values}
    return read(text, **asked)


def test_a_plan_is_read_as_it_was_written() -> None:
    made = plan(item("subnet-1"), item("vpc-1", kind="vpc"))
    found = again(written(made))
    assert found.marking == made.marking
    assert found.reviewed
    assert found.deletions == 2


def test_a_changed_plan_is_refused_with_what_to_do() -> None:
    whole = json.loads(written(plan(item("subnet-1"))))
    whole["items"][0]["aws_id"] = "subnet-2"
    with pytest.raises(Refused, match=r"changed after it was made.*--dry-run --save"):
        again(json.dumps(whole))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"database_id": "another"}, "TIER1_DATABASE_URL"),
        ({"now": AT + timedelta(hours=2)}, "longer ago than --plan-max-age"),
        ({"now": AT - timedelta(hours=2)}, "in the future"),
    ],
)
def test_a_plan_of_another_place_or_time_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        again(written(plan(item("subnet-1"))), **values)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "cannot be read as JSON"), ("[]", "not a plan"), ('{"plan": 1}', "not a plan")]
)
def test_what_is_no_plan_is_refused(text: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        again(text)


@pytest.mark.parametrize("word", ["subnet-1", "demo", "abc1"])
def test_exclude_takes_ids_names_and_prefixes(word: str) -> None:
    kept = narrowed(plan(item("subnet-1")), (), [word])
    assert kept.items == ()
    assert [one.aws_id for one in kept.left_out] == ["subnet-1"]


def test_only_keeps_one_kind_and_names_the_rest_as_left_out() -> None:
    kept = narrowed(plan(item("subnet-1"), item("vpc-1", kind="vpc")), ["vpc"], ())
    assert [one.aws_id for one in kept.items] == ["vpc-1"]
    assert [one.aws_id for one in kept.left_out] == ["subnet-1"]


def test_an_exclusion_that_matches_nothing_is_named() -> None:
    assert unfitting(plan(item("subnet-1")), ["subnet-1", "subnet-7"]) == ["subnet-7"]


def test_foreign_items_can_be_reported_only() -> None:
    shown = foreign_reported(plan(item("subnet-1"), item("vpc-9", Act.FOREIGN)))
    assert [one.aws_id for one in shown.items] == ["subnet-1"]
    assert [(one.aws_id, one.act, one.order) for one in shown.marking.reported] == [("vpc-9", None, 0)]
