"""Whole deployments on the simulated cloud: provisioning, rollback and destroy."""

from __future__ import annotations

import pytest

from tests.support.simulation.faults import fail, once_each
from tests.support.simulation.rig import Rig, failure_of
from tests.support.simulation.world import unknown
from tier1_engine.cli.screen import outcome
from tier1_engine.deployment.states import Goal, ResourceState, State, StepState
from tier1_engine.engine import engine
from tier1_engine.engine.decide.decision import EndReason

pytestmark = pytest.mark.promise(2)


@pytest.mark.field_case(
    'a replaced script: a deployment that had succeeded kept the status "creating" for ever'
)
def test_a_deployment_becomes_active(rig: Rig) -> None:
    """Every step is done, every resource is present, and each was created once."""
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert {s.state for s in ended.record.steps.values()} == {StepState.DONE}
    assert {r.state for r in ended.record.resources.values()} == {ResourceState.PRESENT}
    assert set(rig.world.executed_creates.values()) == {1}
    assert ended.record.deployment.outputs == {"machine": rig.world.of("machine")[0].id}
    stored = rig.store.load(ended.record.deployment.id)
    assert (stored.deployment, stored.steps, stored.resources) == (
        ended.record.deployment,
        ended.record.steps,
        ended.record.resources,
    )


@pytest.mark.field_case("a replaced script: a limit of 15 minutes over everything ended healthy deployments")
def test_slow_readiness_and_late_visibility_are_waited_for(rig: Rig) -> None:
    """Readiness after minutes and visibility after seconds only add time."""
    rig.world.ready_after, rig.world.visible_after = 90.0, 7.0
    assert rig.deploy().record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}


def test_destroy_deletes_everything(rig: Rig) -> None:
    """An active deployment is taken down in reverse order, although AWS is slow."""
    rig.world.gone_after = 40.0
    id = rig.deploy().record.deployment.id
    engine.request(rig.equipment, id, Goal.DESTROYED)
    ended = engine.drive(rig.equipment, id)
    assert ended.record.deployment.state is State.DESTROYED
    assert not rig.world.living()
    assert {r.state for r in ended.record.resources.values()} == {ResourceState.DELETED}


def test_a_critical_failure_rolls_back(rig: Rig) -> None:
    """The machine is refused; the other resources are deleted and the reason is recorded."""
    rig.world.before.append(fail("create", "machine"))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    failure = failure_of(ended)
    assert (failure.step, failure.code) == ("machine", "UnauthorizedOperation")
    assert not rig.world.living()
    assert outcome.exit_code(ended, Goal.ACTIVE) == 3


@pytest.mark.field_case("a replaced script: nothing was looked up before it was made")
def test_a_lost_reply_is_adopted(rig: Rig) -> None:
    """Every create is executed and loses its reply once; nothing is created twice."""
    rig.world.after.append(once_each("create", unknown))
    rig.world.visible_after = 5.0
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}
    assert ended.why is EndReason.SETTLED
