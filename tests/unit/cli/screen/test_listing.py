"""The table of `list` fits every width and omits nothing important."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.rows import AT
from tier1_engine.cli.screen.render.listing import listed
from tier1_engine.views.as_json import moment

AT_TEXT = moment(AT)
FAILURE = {"code": "VpcLimitExceeded", "message": "Too many.\nAsk for more.", "at": AT_TEXT}
HOLDER = {"host": "a-host-with-a-very-long-name.example.com", "pid": 4711, "since": AT_TEXT}


def one(**values: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "id": "aaaa00000001",
        "name": "demo",
        "state": "failed",
        "goal": "active",
        "interrupted": False,
        "holder": None,
        "failure": FAILURE,
        "blocked": None,
        "remaining": 9,
        "created_at": AT_TEXT,
        "updated_at": AT_TEXT,
        "finished_at": None,
        "expires_at": None,
    }
    return {**whole, **values}


def table(monkeypatch: pytest.MonkeyPatch, columns: int, *rows: dict[str, Any], **costs: float) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    return listed(rows, AT + timedelta(minutes=5), costs).splitlines()


def test_remaining_resources_have_their_number_and_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a known cost only the number is shown."""
    said = table(monkeypatch, 80, one(), one(id="bbbb"), aaaa00000001=0.0449, bbbb=0.001)
    assert "failed (9 remaining, ~$0.04/h)" in said[1]
    assert "failed (9 remaining) " in said[3]
    assert "VpcLimitExceeded: Too many." in said[2]
    assert "Ask for more" not in "".join(said)


def test_what_could_not_be_deleted_is_undeletable_and_not_retained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retained means that an operator decided to leave it."""
    assert (
        "failed (9 undeletable, ~$0.04/h)"
        in table(monkeypatch, 80, one(goal="destroyed"), aaaa00000001=0.04)[1]
    )


@pytest.mark.parametrize("columns", [80, 200])
def test_what_blocks_the_last_run_is_the_reason(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """It is what to fix first, whatever began the rollback."""
    blocked = {"code": "ExpiredToken", "message": "The token has expired", "operation": None, "at": AT_TEXT}
    row = one(state="rolling_back", goal="rolled_back", interrupted=True, blocked=blocked)
    said = "\n".join(table(monkeypatch, columns, row))
    assert "rolling_back, blocked" in said
    assert "ExpiredToken: The token has expired" in said
    assert "VpcLimitExceeded" not in said


@pytest.mark.parametrize("columns", [80, 100, 139, 140, 200])
def test_no_line_is_wider_than_the_screen(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """The longest names, states, reasons and hosts are used."""
    rows = [
        one(name="n" * 40, failure={**FAILURE, "message": "m" * 300}),
        one(name="n" * 40, state="provisioning_network", interrupted=True, failure=None),
        one(name="n" * 40, state="provisioning_network", holder=HOLDER, failure=None),
    ]
    said = table(monkeypatch, columns, *rows, aaaa00000001=12.34)
    assert max(map(len, said)) <= columns
    assert any("provisioning_network, interrupted" in line for line in said)
    assert any("4711 on a-host" in line for line in said)


def test_on_a_wide_screen_each_deployment_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a narrow one, lock holder and reason are on lines below."""
    rows = [one(), one(holder=HOLDER, state="rolling_back", goal="rolled_back")]
    assert len(table(monkeypatch, 160, *rows)) == 3
    assert len(table(monkeypatch, 80, *rows)) == 6


@pytest.mark.parametrize(
    ("values", "since"),
    [
        ({}, "5m"),
        ({"updated_at": moment(AT + timedelta(minutes=4)), "state": "active"}, "1m"),
        ({"finished_at": moment(AT + timedelta(minutes=3)), "state": "rolled_back"}, "2m"),
        ({"holder": HOLDER, "updated_at": moment(AT + timedelta(minutes=4)), "state": "health_check"}, "5m"),
    ],
)
def test_the_time_shown_is_that_of_failure_end_lock_or_last_event(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], since: str
) -> None:
    """The age is shown next to it."""
    head, row = table(monkeypatch, 160, one(**values))
    assert row[: head.index("SINCE") + len("SINCE")].endswith(f" {since}")


def test_an_empty_list_says_how_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is one sentence."""
    assert table(monkeypatch, 80) == ["No deployments found: `tier1 deploy SPEC` creates one."]
