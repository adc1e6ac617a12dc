"""The contract's JSON objects: every key, every shape, and what is masked."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.support.rows import AT, deployment, failure, resource, step
from tier1_engine.deployment import standing
from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.overview import Event, Summary
from tier1_engine.deployment.record import Attempt, Deployment, Record, Resource, Step
from tier1_engine.deployment.states import (
    Action,
    FailureClass,
    Goal,
    Outcome,
    Phase,
    ResourceState,
    State,
    StepState,
    Trigger,
)
from tier1_engine.masking import digest
from tier1_engine.views import as_json

HOLDER = {"host": "desk", "boot": "b", "namespace": "n", "pid": 7, "started": "1", "nonce": "secret"}
ANN = Actor("arn:aws:iam::1:user/ann", "ann", "desk")
ERROR = Error("Throttling", "Slow down.", "CreateVpc", "r-1")
SHOWN = {"code": "Throttling", "message": "Slow down.", "operation": "CreateVpc", "request_id": "r-1"}
AT_TEXT = "2026-01-01T00:00:00.000Z"


def record(whole: Deployment | None = None, *parts: Step | Resource | Attempt) -> Record:
    return Record(
        whole or deployment(),
        {part.name: part for part in parts if isinstance(part, Step)},
        {part.id: part for part in parts if isinstance(part, Resource)},
        {part.id: part for part in parts if isinstance(part, Attempt)},
    )


def summary(whole: Deployment | None = None, holder: Any = None, remaining: int = 0) -> Summary:
    return Summary(whole or deployment(), holder, AT, AT + timedelta(minutes=1), remaining)


def link(kind: str, region: str, aws_id: str) -> str:
    return f"https://{region}/{kind}/{aws_id}"


def create(**values: Any) -> Attempt:
    whole: dict[str, Any] = {
        "id": "a1",
        "deployment_id": "d1",
        "step": "net",
        "action": Action.CREATE,
        "begun_at": AT,
        "term": 1,
        "resource_id": "r1",
        "key": "r1-1-0",
    }
    return Attempt(**{**whole, **values})


def test_times_are_utc_to_the_millisecond() -> None:
    """Any time zone is accepted, and the text that a failure stores."""
    east = datetime(2026, 1, 1, 2, 0, 0, 1999, tzinfo=timezone(timedelta(hours=2)))
    assert as_json.moment(east) == "2026-01-01T00:00:00.001Z"
    assert as_json.moment("2026-01-01T00:00:00+00:00") == AT_TEXT
    assert as_json.moment(None) is None
    assert datetime.fromisoformat(AT_TEXT) == AT.astimezone(UTC)


@pytest.mark.parametrize(
    ("state", "goal", "driven", "interrupted"),
    [
        (State.PENDING, Goal.ACTIVE, False, True),
        (State.LAUNCHING_EC2, Goal.ACTIVE, False, True),
        (State.LAUNCHING_EC2, Goal.ACTIVE, True, False),
        (State.ROLLING_BACK, Goal.ROLLED_BACK, False, True),
        (State.ACTIVE, Goal.ACTIVE, False, False),
        (State.ACTIVE, Goal.DESTROYED, False, True),
        (State.FAILED, Goal.ACTIVE, False, False),
        (State.ROLLED_BACK, Goal.ROLLED_BACK, False, False),
    ],
)
def test_an_interrupted_deployment_has_not_ended_and_no_holder(
    state: State, goal: Goal, driven: bool, interrupted: bool
) -> None:
    """The goal is not reached, it did not fail, and the lease is free."""
    assert standing.interrupted(deployment(state=state, goal=goal), driven=driven) is interrupted


class TestTheHolder:
    def test_is_reported_without_internal_values(self) -> None:
        """It has host, process, since and until, but no nonce."""
        shown = as_json.of_summary(summary(holder=HOLDER), driven=True)["holder"]
        ends = "2026-01-01T00:01:00.000Z"
        assert shown == {"host": "desk", "pid": 7, "since": AT_TEXT, "expires_at": ends, "actor": None}

    def test_is_none_once_its_process_is_gone(self) -> None:
        """A row may still name it."""
        shown = as_json.of_summary(summary(holder=HOLDER), driven=False)
        assert (shown["holder"], shown["interrupted"]) == (None, True)


def test_a_listed_deployment_says_what_remains() -> None:
    """It has neither steps nor resources."""
    shown = as_json.of_summary(summary(remaining=3), driven=False)
    assert shown["remaining"] == 3
    assert not {"steps", "resources"} & set(shown)


def test_a_failure_has_the_contracts_keys_even_if_some_are_unknown() -> None:
    """They are in order."""
    why = failure(None, failure_class=FailureClass.BLOCKED, code="NoCredentials")
    failed = deployment(state=State.FAILED, failure=why)
    shown = as_json.of_summary(summary(failed), driven=False)["failure"]
    assert list(shown) == ["step", "class", "code", "message", "operation", "request_id", "at"]
    assert (shown["step"], shown["code"], shown["at"]) == (None, "NoCredentials", AT_TEXT)


def test_a_shown_deployment_has_its_steps_in_order_and_its_resources_with_links() -> None:
    """A duplicate follows its resource; internal markers are not shown."""
    first = step("net", position=0, state=StepState.DONE, started_at=AT, finished_at=AT, attempts=2)
    second = step(
        "door",
        position=1,
        phase=Phase.EC2,
        state=StepState.FAILED,
        error=replace(ERROR, failure_class=FailureClass.CRITICAL),
    )
    rows = [
        resource("r2", "door"),
        resource(
            "r3", "net~1", state=ResourceState.STRAY, aws_id="net-2", created_at=AT + timedelta(seconds=1)
        ),
        resource("r1", "net", aws_id="net-1", arn="arn:net-1", error=replace(ERROR, stuck=True)),
    ]
    shown = as_json.of_record(record(None, second, first, *rows), summary(), driven=False, console_url=link)
    assert [one["name"] for one in shown["steps"]] == ["net", "door"]
    assert shown["steps"][0] == {
        "name": "net",
        "phase": "network",
        "state": "done",
        "attempts": 2,
        "started_at": AT_TEXT,
        "finished_at": AT_TEXT,
        "error": None,
    }
    assert shown["steps"][1]["error"] == {**SHOWN, "class": "critical"}
    assert [one["name"] for one in shown["resources"]] == ["net", "net~1", "door"]
    assert shown["resources"][0] == {
        "id": "r1",
        "name": "net",
        "kind": "net",
        "aws_id": "net-1",
        "arn": "arn:net-1",
        "state": "creating",
        "owned": True,
        "step": "net",
        "created_at": AT_TEXT,
        "deleted_at": None,
        "console_url": "https://us-east-1/net/net-1",
        "error": SHOWN,
    }
    assert shown["resources"][2]["console_url"] is None  # it has no id yet


def test_remaining_resources_are_owned_and_may_exist() -> None:
    """They have an id, or a create with an unknown outcome."""
    rows = [
        resource("r1", "known", aws_id="net-1", state=ResourceState.PRESENT),
        resource("r2", "gone", aws_id="net-2", state=ResourceState.DELETED, deleted_at=AT),
        resource("r3", "kept", aws_id="net-3", state=ResourceState.RETAINED),
        resource("r4", "brought", aws_id="net-4", state=ResourceState.PRESENT, owned=False),
        resource("r5", "asked for"),
        resource("r6", "never sent"),
    ]
    open_create = create(resource_id="r5", outcome=Outcome.UNKNOWN, ended_at=AT)
    whole = record(None, *rows, open_create)
    assert [row.name for row in standing.left(whole)] == ["known", "asked for"]
    assert [row.name for row in standing.retained(whole)] == ["kept"]


def test_the_log_has_attempts_and_transitions() -> None:
    """An open attempt is marked as such; a note is no transition."""
    done = create(ended_at=AT + timedelta(milliseconds=1500), outcome=Outcome.DONE, aws_id="net-1")
    move = Event(AT, Trigger.START, State.PENDING, State.PROVISIONING_NETWORK, None, "")
    note = Event(AT, None, None, None, "net", "done", ANN)
    log = as_json.of_log(as_json.in_order([done, create(id="a2")], [move, note]))
    assert (log["attempts"][0]["seconds"], log["attempts"][0]["outcome"]) == (1.5, "done")
    assert (log["attempts"][1]["ended_at"], log["attempts"][1]["outcome"]) == (None, None)
    assert (log["events"][0]["from"], log["events"][0]["to"]) == ("pending", "provisioning_network")
    assert log["events"][1] == {
        "at": AT_TEXT,
        "trigger": None,
        "from": None,
        "to": None,
        "step": "net",
        "message": "done",
        "actor": {"arn": "arn:aws:iam::1:user/ann", "user": "ann", "host": "desk", "run_url": None},
    }
    assert log["events"][0]["actor"] is None


def test_the_log_is_ordered_by_time_with_transitions_first() -> None:
    """Attempts and events are in one list, each with its type."""
    late = create(id="a2", begun_at=AT + timedelta(seconds=2))
    events = [Event(AT + timedelta(seconds=n), None, None, None, "net", str(n)) for n in (1, 2)]
    entries = as_json.in_order([create(), late], events)
    assert [(e["type"], e["number"]) for e in entries] == [
        ("attempt", "a1"),
        ("event", 0),
        ("event", 1),
        ("attempt", "a2"),
    ]
    assert "number" not in as_json.without_number(entries[0])


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"outcome": None}, False),
        ({"outcome": Outcome.DONE}, False),
        ({"outcome": Outcome.REFUSED, "code": "VpcLimitExceeded"}, True),
        ({"outcome": Outcome.UNKNOWN, "code": "Cut"}, True),
        ({"outcome": Outcome.REFUSED, "code": "NotNeeded"}, False),
    ],
)
def test_an_attempt_failed_unless_it_ended_as_done(values: Any, wrong: bool) -> None:
    """Deleting a resource that was already gone is no failure."""
    (entry,) = as_json.in_order([create(**values)], [])
    assert as_json.went_wrong(entry) is wrong


def test_a_transition_to_failed_counts_as_a_failure() -> None:
    """So do a rollback and a stall; progress does not."""
    moves = [
        Event(AT, trigger, State.PENDING, State.FAILED, None, "")
        for trigger in (Trigger.FAIL, Trigger.ROLL_BACK, Trigger.STALL, Trigger.START)
    ]
    assert [as_json.went_wrong(entry) for entry in as_json.in_order([], moves)] == [True, True, True, False]


def test_a_row_is_exported_completely() -> None:
    """Every column is a JSON value, and user data is its digest."""
    row = as_json.of_row(resource(request={"user_data": "secret", "type": "t3.medium"}))
    assert row["request"] == {"user_data": {"sha256": digest("secret")}, "type": "t3.medium"}
    assert (row["created_at"], row["state"], row["generation"]) == (AT_TEXT, "creating", 1)


def test_a_decision_is_required_only_during_provisioning() -> None:
    """A stalled deletion is resumed without one."""
    assert standing.asks_for_a_decision(deployment(state=State.FAILED))
    assert not standing.asks_for_a_decision(deployment(state=State.FAILED, goal=Goal.ROLLED_BACK))
    assert not standing.asks_for_a_decision(deployment(state=State.ACTIVE))


def test_it_is_pure() -> None:
    """It loads neither the database, nor the terminal, nor the spec."""
    code = (
        "import sys, tier1_engine.views.as_json\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'sqlalchemy', 'rich', 'pydantic', 'boto3', 'typer'}, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
