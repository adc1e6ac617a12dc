"""What `list` says of expiries, and that a failure names what protects it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.rows import AT, deployment, failure, resource, step
from tier1_engine.cli.screen.closing import options
from tier1_engine.cli.screen.render.expiry import expiries
from tier1_engine.deployment.record import FOR_EVER, Record
from tier1_engine.deployment.states import ResourceState, State


def row(hours: float | None, name: str = "demo", state: str = "active") -> dict[str, Any]:
    ends = None if hours is None else (AT + timedelta(hours=hours)).isoformat()
    return {"name": name, "id": f"id-{name}", "state": state, "expires_at": ends}


def said(*rows: dict[str, Any]) -> list[str]:
    return [line.plain for line in expiries(rows, AT)]


def test_what_expires_within_a_day_is_warned_of_soonest_first() -> None:
    """With the command that moves it; what has expired is named too."""
    lines = said(row(3.0, "soon"), row(-2.0, "over"), row(99.0, "far"), row(None, "never"))
    assert [line.partition(":")[0] for line in lines] == ["over expired 2h 00m ago", "soon expires in 3h 00m"]
    assert "tier1 extend id-soon 24h" in lines[1]


def test_where_none_is_near_the_next_is_named() -> None:
    """And nothing at all where nothing expires any more."""
    assert said(row(72.0, "later"), row(50.0, "next")) == ["next to expire: next (id-next), in 50h 00m"]
    assert said(row(None), row(1.0, state="destroyed")) == []


def test_a_crowd_is_counted() -> None:
    """Five are named."""
    assert said(*(row(float(n), f"d{n}") for n in range(1, 9)))[-1] == "and 3 more expire within a day"


def test_a_failure_that_left_something_names_keep() -> None:
    """A sweep would take it some day."""
    whole = deployment(state=State.FAILED, failure=failure())
    row = resource(state=ResourceState.PRESENT, aws_id="net-1")
    record = Record(whole, {"net": step()}, {row.id: row}, {})
    assert any("tier1 keep d1" in line.text for line in options(record))
    assert not any("tier1 keep" in line.text for line in options(Record(whole, {"net": step()}, {}, {})))


@pytest.mark.parametrize(
    ("values", "protected"),
    [
        ({}, False),
        ({"keep_until": FOR_EVER}, True),
        ({"keep_until": AT}, False),
        ({"spec": {"policy": {"keep": True}}}, True),
        ({"spec": {"policy": None}}, False),
    ],
)
def test_what_protects_a_deployment(values: dict[str, Any], protected: bool) -> None:
    """Its spec, or a `keep` that is not over."""
    assert deployment(**values).protected(AT) is protected
