"""Where a survey looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.support.rows import AT, deployment
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.place import Place
from tier1_engine.survey.around import places, same_place

HERE = Place("123456789012", "us-east-1", "", "")


def known(**values: Any) -> Known:
    return Known(deployment(**values), last_event=1, last_event_at=AT)


def test_every_region_of_every_account_that_a_deployment_used() -> None:
    found = places(
        [known(), known(id="d2", region="eu-west-1"), known(id="d3", account_id="9" * 12)], (), None
    )
    assert {(one.account_id, one.region) for one in found} == {
        ("123456789012", "us-east-1"),
        ("123456789012", "eu-west-1"),
        ("9" * 12, "us-east-1"),
    }


def test_named_regions_are_added_to_each_account() -> None:
    found = places([known(), known(id="d2", account_id="9" * 12)], ["eu-west-1"], None)
    assert {(one.account_id, one.region) for one in found if one.region == "eu-west-1"} == {
        ("123456789012", "eu-west-1"),
        ("9" * 12, "eu-west-1"),
    }


def test_the_newest_deployment_of_a_place_says_with_which_profile() -> None:
    old, new = known(profile="old"), known(id="d2", profile="new", created_at=AT + timedelta(days=1))
    assert [one.profile for one in places([old, new], (), None)] == ["new"]


def test_without_deployments_the_environment_says_where() -> None:
    assert places([], ["eu-west-1"], HERE) == [replace(HERE, region="eu-west-1")]
    assert places([], (), HERE) == []


def test_the_same_place_is_account_region_and_endpoint() -> None:
    assert same_place(HERE, replace(HERE, profile="another"))
    for other in ({"region": "eu-west-1"}, {"account_id": "9" * 12}, {"endpoint": "http://127.0.0.1:1"}):
        assert not same_place(HERE, replace(HERE, **other))
