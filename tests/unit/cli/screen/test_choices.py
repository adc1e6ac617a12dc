"""The choices after a failure: what each line announces, and what may be typed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.rows import AT, deployment, failure, resource, step
from tier1_engine import resources
from tier1_engine.cli.screen import choices
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import Attempt, Record
from tier1_engine.deployment.states import Action, FailureClass, Outcome, ResourceState, State, StepState
from tier1_engine.engine.engine import Resume
from tier1_engine.views.prices import Prices

CALL: dict[str, Any] = {
    "code": "Shut",
    "message": "It is shut.\nSee http://me:hidden@here/.\x1b[31m",
    "operation": "LookAtDoor",
    "request_id": "req-1",
}
MACHINE = {"candidates": [{"type": "t3.medium"}], "root_volume_gib": 30}
PRICES = Prices(resources.discover())


def record(failure_class: FailureClass = FailureClass.RECOVERABLE, **values: Any) -> Record:
    """A deployment with a ready machine and a failed door."""
    why = failure("door", failure_class=failure_class, **CALL)
    whole = deployment(state=State.FAILED, failure=why, **values)
    error = Error(**CALL, failure_class=failure_class)
    steps = [
        step("machine", state=StepState.DONE, finished_at=AT),
        step("door", position=1, state=StepState.FAILED, finished_at=AT, error=error, needs=("machine",)),
        step("later", position=2, needs=("door",)),
    ]
    row = resource(
        "r1", "machine", kind="instance", aws_id="i-1", state=ResourceState.PRESENT, request=MACHINE
    )
    return Record(whole, {s.name: s for s in steps}, {"r1": row}, {})


def whole_but_for_the_door() -> Record:
    """A plan in which nothing needs the door."""
    found = record()
    later = replace(found.steps["later"], state=StepState.DONE, finished_at=AT)
    return replace(found, steps={**found.steps, "later": later})


def lines(found: Record) -> dict[str, str]:
    return {way.key: way.does for way in choices.ways(found, PRICES)}


def test_each_line_announces_its_effect_with_names_and_cost() -> None:
    """It names steps, resources, and dollars."""
    said = lines(whole_but_for_the_door())
    assert list(said) == ["r", "c", "b", "m", "?"]
    assert "door (up to 600 s), attempts reset to 5" in said["r"]
    assert "demo counts as active without door; 1 resource remaining at about $0.04/h" in said["c"]
    assert "delete 1 resource (machine); saves about $0.04/h" in said["b"]
    assert "1 resource remaining at about $0.04/h" in said["m"]
    assert "`tier1 resume d1` asks again" in said["m"]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (record(), "not possible because of later (waiting): not complete yet"),
        (
            record(FailureClass.CRITICAL),
            "not possible because of door (Shut): later needs it and could not start",
        ),
    ],
)
def test_a_deployment_that_cannot_be_continued_says_why(found: Record, why: str) -> None:
    """The choice is listed but cannot be chosen."""
    (way,) = [way for way in choices.ways(found, PRICES) if way.key == "c"]
    assert not way.possible
    assert why in way.does


def test_a_critical_check_that_nothing_needs_cannot_be_continued_either() -> None:
    """Its class says so, and so does the message."""
    found = whole_but_for_the_door()
    door = replace(found.steps["door"], error=Error(**CALL, failure_class=FailureClass.CRITICAL))
    said = lines(replace(found, steps={**found.steps, "door": door}))
    assert "because of door (Shut): its failure is critical" in said["c"]


def test_without_resources_nothing_is_deleted_and_nothing_costs() -> None:
    """An active deployment that failed later is not rolled back: `destroy` takes it down."""
    nothing = replace(record(), resources={})
    assert "there is nothing to delete" in lines(nothing)["b"]
    assert "no resources exist" in lines(nothing)["m"]
    assert "b" not in lines(record(activated_at=AT))


@pytest.mark.parametrize(
    ("typed", "how"),
    [
        ("r\n", Resume.RETRY),
        ("RETRY", Resume.RETRY),
        ("c", Resume.CONTINUE),
        ("roll back", Resume.ROLL_BACK),
        ("", None),
        ("\n", None),
        ("m", None),
    ],
)
def test_a_key_or_a_word_chooses_and_enter_alone_does_not(typed: str, how: Resume | None) -> None:
    """Enter alone changes nothing."""
    way = choices.chosen(typed, choices.ways(whole_but_for_the_door(), PRICES))
    assert way is not None
    assert way.how is how


def test_an_unknown_word_chooses_nothing() -> None:
    """The question is repeated."""
    assert choices.chosen("perhaps", choices.ways(record(), PRICES)) is None


def test_the_question_has_the_errors_first_line_and_details_have_all() -> None:
    """Secrets and terminal control characters are removed."""
    found = record()
    (head, *_) = [line.text for line in choices.question(found, PRICES)]
    assert head == "door failed (recoverable): Shut: It is shut."
    tried = [
        Attempt("a1", "d1", "door", Action.CHECK, AT, 1, outcome=Outcome.REFUSED, code="Shut"),
        Attempt("a2", "d1", "machine", Action.CREATE, AT, 1, outcome=Outcome.DONE),
    ]
    said = [line.text for line in choices.in_full(found, tried)]
    assert said == [
        "Shut, at 2026-01-01T00:00:00.000Z",
        "  It is shut.",
        "  See http://me:***@here/. [31m",
        "  step: door",
        "  call: LookAtDoor",
        "  AWS request id: req-1",
        "  1 attempt, the last:",
        "    2026-01-01T00:00:00.000Z check refused Shut",
    ]
