"""`list` warns of expiries, and a failure names the command that protects it."""

from __future__ import annotations

from datetime import datetime, timedelta
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


def test_deployments_that_expire_within_a_day_are_listed_soonest_first() -> None:
    """The command to extend them is given; expired ones are named too."""
    lines = said(row(3.0, "soon"), row(-2.0, "over"), row(99.0, "far"), row(None, "never"))
    assert [line.partition(":")[0] for line in lines] == ["over expired 2h 00m ago", "soon expires in 3h 00m"]
    assert "tier1 extend id-soon 24h" in lines[1]


def test_otherwise_the_next_expiry_is_named() -> None:
    """Nothing is printed if nothing expires."""
    assert said(row(72.0, "later"), row(50.0, "next")) == ["next to expire: next (id-next), in 50h 00m"]
    assert said(row(None), row(1.0, state="destroyed")) == []


def test_many_expiries_are_counted() -> None:
    """Five are named."""
    assert said(*(row(float(n), f"d{n}") for n in range(1, 9)))[-1] == "and 3 more expire within a day"


def test_a_failure_with_remaining_resources_names_keep() -> None:
    """A later sweep would delete them."""
    whole = deployment(state=State.FAILED, failure=failure())
    row = resource(state=ResourceState.PRESENT, aws_id="net-1")
    record = Record(whole, {"net": step()}, {row.id: row}, {})
    assert any("tier1 keep d1" in line.text for line in options(record))
    assert not any("tier1 keep" in line.text for line in options(Record(whole, {"net": step()}, {}, {})))


@pytest.mark.parametrize(
    ("until", "words"), [(FOR_EVER, "protected from sweeps"), (AT.replace(year=2027), "until 2027-01-01")]
)
def test_a_protected_failure_is_not_said_to_be_swept(until: datetime, words: str) -> None:
    """It says until when, so that it stays true."""
    whole = deployment(state=State.FAILED, failure=failure(), keep_until=until)
    row = resource(state=ResourceState.PRESENT, aws_id="net-1")
    lines = [line.text for line in options(Record(whole, {"net": step()}, {row.id: row}, {}))]
    (about_sweeps,) = [line for line in lines if "sweep" in line]
    assert words in about_sweeps
    assert "tier1 keep" not in about_sweeps


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
    """Its spec does, or a `keep` that has not ended."""
    assert deployment(**values).protected(AT) is protected
