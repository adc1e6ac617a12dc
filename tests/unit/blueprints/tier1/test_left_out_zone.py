"""A zone without EFS in the Tier 1 plan: whose choice it was, and what a corrected spec makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.rows import AT, deployment
from tier1_engine.blueprints.tier1.plan import Tier1
from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.plan import Plan
from tier1_engine.deployment.record import Record, Step
from tier1_engine.deployment.states import StepState
from tier1_engine.engine.decide.amendment import with_left_out
from tier1_engine.resources import discover

ZONES = {"zones": ["us-east-1a", "us-east-1b"]}
INSTANCE = discover()["instance"]
BROUGHT = {"vpc_id": "vpc-0001", "subnet_ids": ["subnet-0001", "subnet-0002"]}


def spec_of(**network: Any) -> Spec:
    return Spec.model_validate({"name": "stack", "region": "us-east-1", "network": network})


def inputs_of(plan: Plan, name: str) -> dict[str, Any]:
    return dict(next(step for step in plan.steps if step.name == name).inputs)


def record_of(spec: Spec, plan: Plan) -> Record:
    """The record of a deployment of the plan whose second mount target was left out."""
    steps = {
        step.name: Step(
            deployment_id="d1",
            name=step.name,
            position=position,
            phase=step.phase,
            kind=step.kind,
            mode=step.mode,
            needs=step.needs,
            inputs=step.inputs,
            deadline_seconds=step.deadline_seconds,
            on_failure=step.on_failure,
        )
        for position, step in enumerate(plan.steps)
    }
    error = Error("UnsupportedAvailabilityZone", "no EFS here")
    left_out = replace(steps["mount-target-2"], state=StepState.SKIPPED, finished_at=AT, error=error)
    return Record(deployment(spec=spec.to_stored()), {**steps, "mount-target-2": left_out}, {}, {})


def test_the_instance_can_do_without_a_zone_that_tier1_chose() -> None:
    """Its candidates and mount targets are those of the other zone; without a second one it cannot."""
    plan = Tier1().plan(spec_of(zones=2), ZONES)
    without = INSTANCE.without(inputs_of(plan, "instance"), inputs_of(plan, "mount-target-2"))
    assert without is not None
    inputs, said = without
    assert [subnet["zone"] for subnet in inputs["subnets"]] == ["us-east-1a"]
    assert list(inputs["user_data"]["mount_targets"]) == ["us-east-1a"]
    assert said == "the instance could only be launched in us-east-1a"
    assert INSTANCE.without(inputs, inputs_of(plan, "mount-target-1")) is None


@pytest.mark.parametrize(
    "network", [{"zones": ["us-east-1a", "us-east-1b"]}, BROUGHT], ids=["named", "brought"]
)
def test_a_zone_of_the_users_choice_is_never_left_out(network: dict[str, Any]) -> None:
    """Whether the spec names zones or subnets."""
    plan = Tier1().plan(spec_of(**network), ZONES)
    assert INSTANCE.without(inputs_of(plan, "instance"), inputs_of(plan, "mount-target-2")) is None


def test_a_corrected_spec_keeps_the_zone_left_out() -> None:
    """The second plan marks the zones as chosen, too, and the instance is planned without the refused one."""
    spec = spec_of(zones=2)
    plan = Tier1().plan(spec, ZONES)
    record = record_of(spec, plan)
    again = Tier1().plan(Tier1().as_deployed(spec, record), ZONES)
    assert again == plan
    reduced = with_left_out(again, record, discover())
    zones = [subnet["zone"] for subnet in inputs_of(reduced, "instance")["subnets"]]
    assert zones == ["us-east-1a"]


def test_a_plan_from_before_zones_were_marked_stays_as_it_is() -> None:
    """Its mount targets would differ otherwise, and could not be recreated."""
    spec = spec_of(zones=2)
    plan = Tier1().plan(spec, ZONES)
    steps = tuple(
        replace(step, inputs={key: value for key, value in step.inputs.items() if key != "zone_chosen"})
        for step in plan.steps
    )
    old = replace(plan, steps=steps)
    assert Tier1().plan(Tier1().as_deployed(spec, record_of(spec, old)), ZONES) == old
