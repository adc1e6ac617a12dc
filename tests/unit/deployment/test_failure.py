"""Errors as values, exactly as the database stores them."""

from __future__ import annotations

import json

import pytest

from tests.support.rows import AT, failure
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.states import FailureClass

CALL = '"code": "Throttling", "message": "Slow down.", "operation": "CreateVpc", "request_id": "r-1"'


@pytest.mark.parametrize(
    ("error", "stored"),
    [
        (
            Error("NotReady", "Shut."),
            '"code": "NotReady", "message": "Shut.", "operation": null, "request_id": null',
        ),
        (Error("Throttling", "Slow down.", "CreateVpc", "r-1"), CALL),
        (
            Error(
                "Throttling", "Slow down.", "CreateVpc", "r-1", FailureClass.CRITICAL, console="tier1: begin"
            ),
            CALL + ', "class": "critical", "console": "tier1: begin"',
        ),
        (Error("Throttling", "Slow down.", "CreateVpc", "r-1", stuck=True), CALL + ', "stuck": true'),
    ],
)
def test_an_error_is_stored_with_what_is_known_and_read_back(error: Error, stored: str) -> None:
    """Class, console and mark are stored only if they are known."""
    assert json.dumps(error.to_stored()) == "{" + stored + "}"
    assert Error.from_stored(json.loads("{" + stored + "}")) == error


def test_an_error_of_an_older_version_is_read() -> None:
    """An error without a call was stored without one."""
    old = {"code": "CannotBeDone", "message": "No.", "class": "critical", "stuck": True}
    assert Error.from_stored(old) == Error(
        "CannotBeDone", "No.", failure_class=FailureClass.CRITICAL, stuck=True
    )


@pytest.mark.parametrize("step", ["net", None])
def test_a_failure_is_stored_with_the_keys_of_the_contract_and_read_back(step: str | None) -> None:
    """The keys are in order, and the time is unchanged."""
    whole = failure(step, operation="CreateVpc", request_id="r-1", failure_class=FailureClass.BLOCKED)
    named = "null" if step is None else f'"{step}"'
    assert json.dumps(whole.to_stored()) == (
        f'{{"step": {named}, "class": "blocked", "code": "X", "message": "x", "operation": "CreateVpc", '
        f'"request_id": "r-1", "at": "{AT.isoformat()}"}}'
    )
    assert Failure.from_stored(json.loads(json.dumps(whole.to_stored()))) == whole
