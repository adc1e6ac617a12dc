"""What every plan must be before anything is created, whoever wrote its blueprint."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.support.simulation.kinds import registry
from tier1_engine.contract.blueprint import refuse_impossible
from tier1_engine.deployment.plan import Plan, StepPlan, ref
from tier1_engine.deployment.states import Phase
from tier1_engine.errors import Refused

STEP = StepPlan("box", Phase.NETWORK, "net")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"steps": ("a", "b")}, "'a' is not a StepPlan."),
        (
            {"steps": (StepPlan("box", cast("Phase", "storage"), "net"),)},
            "the phase of step box is 'storage'.",
        ),
        (
            {"steps": (StepPlan("box", Phase.NETWORK, "net", inputs={"x": {1}}),)},
            "the inputs of step box are not",
        ),
        ({"steps": (STEP,), "outputs": {"x": object()}}, "its outputs are not JSON values"),
        (
            {"steps": (STEP,), "outputs": {"x": [ref("no", "arn")]}},
            "its outputs refer to no, which is not a step",
        ),
        ({"steps": (STEP, STEP)}, "two steps named box"),
    ],
)
def test_a_malformed_plan_is_refused_before_anything_is_created(plan: dict[str, Any], words: str) -> None:
    """The sentence says what the blueprint's author has to correct."""
    with pytest.raises(Refused) as refusal:
        refuse_impossible(Plan("box", 1, **plan), registry())
    assert words in str(refusal.value)
