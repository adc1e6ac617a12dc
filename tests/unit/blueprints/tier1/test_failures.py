"""The effect of a failed step of the Tier 1 stack on its deployment."""

from __future__ import annotations

from tier1_engine.blueprints.tier1.failures import STEPS, class_of, step_row
from tier1_engine.blueprints.tier1.plan import Tier1
from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.deployment.states import FailureClass, Phase


def test_a_step_s_class_is_the_policy_s() -> None:
    """The classes that the user story names."""
    assert class_of(Phase.NETWORK, "vpc") is FailureClass.CRITICAL
    assert class_of(Phase.EFS, "file_system") is class_of(Phase.EFS, "mount_target") is FailureClass.CRITICAL
    assert class_of(Phase.EC2, "instance") is class_of(Phase.EC2, "role") is FailureClass.CRITICAL
    assert class_of(Phase.HEALTH, "efs_mount") is FailureClass.CRITICAL
    assert class_of(Phase.HEALTH, "http") is class_of(Phase.HEALTH, "tcp") is FailureClass.RECOVERABLE
    assert {step_row(row.phase, kind).failure for row in STEPS for kind in (*row.kinds, "other")} == {
        row.failure for row in STEPS
    }


def test_the_blueprint_asks_for_the_classes_of_the_table() -> None:
    """It does so for every step of a plan with all checks."""
    services = [{"name": "web", "url": "http://{public_ip}/"}, {"name": "db", "tcp": "{private_ip}:5432"}]
    spec = Spec.model_validate({"name": "demo", "region": "us-east-1", "health": {"services": services}})
    plan = Tier1().plan(spec)
    assert {step.phase for step in plan.steps} == set(Phase)
    for step in plan.steps:
        assert step.on_failure is class_of(step.phase, step.kind), step.name
