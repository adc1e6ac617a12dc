"""A failed deployment is retried with a corrected spec: what may change, and what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.simulation.faults import act, fail
from tests.support.simulation.rig import Rig, error_of, plan
from tests.support.simulation.world import Thing, refused
from tier1_engine.contract.kind import Observation, Presence, Problem
from tier1_engine.deployment.creation import DeploymentRequest
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.plan import Plan, StepPlan, ref
from tier1_engine.deployment.states import FailureClass, Goal, Mode, Phase, ResourceState, State, StepState
from tier1_engine.engine import engine
from tier1_engine.engine.decide.amendment import REMOVED, Amendment
from tier1_engine.engine.engine import Ended, Resume
from tier1_engine.errors import Acted, CallError, DrivenByAnother, Refused
from tier1_engine.store import holder, lease, sweeps

SHUT = Observation(Presence.BROKEN, problem=Problem("Shut", "it is shut"))


def with_step(name: str, whole: Plan | None = None, **changes: Any) -> Plan:
    """A plan in which one step is replaced."""
    whole = whole or plan()
    steps = (replace(step, **changes) if step.name == name else step for step in whole.steps)
    return replace(whole, steps=tuple(steps))


def without(name: str) -> Plan:
    whole = plan()
    return replace(whole, steps=tuple(step for step in whole.steps if step.name != name))


def with_check(name: str) -> Plan:
    """A plan with one more health check of the machine."""
    inputs = {"id": ref("machine")}
    check = StepPlan(name, Phase.HEALTH, "sim_check", Mode.CHECK, ("machine",), inputs)
    return replace(plan(), steps=(*plan().steps, check))


def inputs_of(name: str) -> dict[str, Any]:
    return dict(next(step for step in plan().steps if step.name == name).inputs)


def corrected(rig: Rig, id: str, wanted: Plan, **values: Any) -> Ended:
    spec = {"name": "demo", "corrected": True}
    return engine.resume(rig.equipment, id, Resume.RETRY, Amendment(spec, wanted, values))


@pytest.fixture
def failed_machine(rig: Rig) -> str:
    """A deployment whose machine AWS refused in all attempts; everything else was created and remains."""
    rig.world.before.append(fail("create", "machine", times=1))
    ended = rig.deploy(rollback_enabled=False)
    assert ended.record.deployment.state is State.FAILED
    return ended.record.deployment.id


def test_a_step_that_was_never_created_may_change(rig: Rig, failed_machine: str) -> None:
    """The new request is sent; the old attempts stay on record under another name."""
    other = {**inputs_of("machine"), "candidates": 1, "size": "small"}
    ended = corrected(rig, failed_machine, with_step("machine", inputs=other))
    record = ended.record
    assert record.deployment.state is State.ACTIVE
    machine = record.resource_of("machine")
    assert machine is not None
    assert machine.request["size"] == "small"
    (old,) = [r for r in record.resources.values() if r.name == "machine~1"]
    assert (old.state, old.aws_id) == (ResourceState.DELETED, None)
    tries = [a for a in rig.store.attempts(failed_machine) if a.step == "machine" and a.action == "create"]
    assert [a.resource_id for a in tries] == [old.id, machine.id]
    assert record.steps["machine"].attempts == 2
    assert len(rig.world.living()) == 5


def test_spec_plan_retry_and_event_are_one_transaction(rig: Rig, failed_machine: str) -> None:
    """The event names what changed; the stored spec is the corrected one."""
    other = {**inputs_of("machine"), "size": "small"}
    corrected(rig, failed_machine, with_step("machine", inputs=other), on_recoverable="retry")
    stored = rig.store.load(failed_machine).deployment
    assert stored.spec == {"name": "demo", "corrected": True}
    assert stored.on_recoverable == "retry"
    events = rig.store.events(failed_machine)
    (line,) = [e for e in events if e.message.startswith("the spec was corrected")]
    assert line.message == "the spec was corrected: machine (size)"
    retry = next(e for e in events if e.trigger == "retry")
    assert retry.at == line.at


def test_existing_resources_are_never_recreated(rig: Rig, failed_machine: str) -> None:
    """The refusal has a line for each step that would be recreated, with its ids; nothing is changed or
    called.
    """
    before, calls = rig.store.load(failed_machine), len(rig.world.calls)
    with pytest.raises(Refused) as refusal:
        corrected(rig, failed_machine, with_step("net", inputs={"cidr": "10.1.0.0/16"}))
    lines = str(refusal.value).splitlines()
    ids = [f"{name} ({rig.world.of(name)[0].id})" for name in ("net", "door-1", "door-2")]
    assert lines[0] == f"net can no longer change (cidr): {', '.join(ids)} would have to be recreated."
    assert f"tier1 rollback {failed_machine}" in lines[-1]
    after = rig.store.load(failed_machine)
    assert (after.steps, after.deployment.spec) == (before.steps, before.deployment.spec)
    assert len(rig.world.calls) == calls


def test_a_resource_that_may_exist_counts_as_existing(rig: Rig) -> None:
    """The outcome of a create is unknown, and the grace is not over."""

    def lost() -> CallError:
        return CallError("CallTimeout", "no answer", operation="create", acted=Acted.UNKNOWN)

    def signed_out() -> CallError:
        return refused("ExpiredToken")

    def sign_out() -> None:
        rig.world.before.append(fail("find", "machine", error=signed_out))

    rig.world.before += [
        act("create", "machine", sign_out),
        fail("create", "machine", error=lost, times=1),
    ]
    id = rig.deploy(rollback_enabled=False).record.deployment.id
    assert any(a.may_have_acted for a in rig.store.load(id).attempts.values())
    with pytest.raises(Refused, match="an earlier attempt may have created it"):
        corrected(rig, id, with_step("machine", inputs={**inputs_of("machine"), "size": "small"}))


def test_another_tag_would_change_every_resource(rig: Rig, failed_machine: str) -> None:
    """Every resource carries the tags."""
    with pytest.raises(Refused, match=r"disk can no longer change \(its tags\)"):
        corrected(rig, failed_machine, plan(tags={"team": "other"}))


def test_deadlines_and_classes_may_change_at_any_time(rig: Rig, failed_machine: str) -> None:
    """Neither belongs to a resource."""
    ended = corrected(rig, failed_machine, with_step("disk", deadline_seconds=7.0))
    assert ended.record.deployment.state is State.ACTIVE
    assert ended.record.steps["disk"].deadline_seconds == 7.0
    assert ended.record.steps["disk"].state is StepState.DONE


def test_a_check_can_be_removed_and_the_deployment_becomes_active(rig: Rig) -> None:
    """The step stays on record as skipped."""
    rig.check.answers = [SHUT]
    id = rig.deploy().record.deployment.id
    ended = corrected(rig, id, without("alive"))
    assert ended.record.deployment.state is State.ACTIVE
    assert ended.record.deployment.failure is None
    alive = ended.record.steps["alive"]
    assert (alive.state, error_of(alive).code) == (StepState.SKIPPED, REMOVED)
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert not rig.world.living()


def test_a_passed_check_runs_again_when_it_changes_and_new_ones_run_too(rig: Rig) -> None:
    """New steps take their place in the order of the plan."""
    rig.check.answers = [SHUT]
    id = rig.deploy().record.deployment.id
    rig.check.answers = [Observation(Presence.READY)]
    ended = corrected(rig, id, with_check("second"))
    assert ended.record.deployment.state is State.ACTIVE
    assert {n: s.state for n, s in ended.record.steps.items()}["second"] is StepState.DONE
    assert [s.position for s in rig.store.load(id).steps.values()] == list(range(7))


def test_a_removed_step_can_be_added_again(rig: Rig) -> None:
    """It runs as if it had never been removed."""
    rig.world.before.append(fail("create", "machine", times=2))
    id = rig.deploy(rollback_enabled=False).record.deployment.id
    corrected(rig, id, without("alive"))
    assert rig.store.load(id).steps["alive"].state is StepState.SKIPPED
    ended = corrected(rig, id, plan())
    assert ended.record.deployment.state is State.ACTIVE
    assert ended.record.steps["alive"].state is StepState.DONE


def test_the_same_spec_is_a_plain_retry(rig: Rig, failed_machine: str) -> None:
    """The message says so."""
    ended = corrected(rig, failed_machine, plan())
    assert ended.record.deployment.state is State.ACTIVE
    assert any(e.message.endswith("no step changed") for e in rig.store.events(failed_machine))


def test_only_a_failure_during_provisioning_accepts_a_corrected_spec(rig: Rig) -> None:
    """An active deployment and one that is rolling back are refused."""
    id = rig.deploy().record.deployment.id
    with pytest.raises(Refused, match="there is nothing to retry"):
        corrected(rig, id, plan())
    rig.world.before.append(fail("delete", "disk"))
    rig.ask(id, Goal.DESTROYED)
    with pytest.raises(Refused, match="is being deleted"):
        corrected(rig, id, plan())


def test_it_can_be_rolled_back_afterwards(rig: Rig, failed_machine: str) -> None:
    """A second failure after a corrected spec leaves nothing."""
    rig.world.before.append(fail("create", "machine"))
    other = {**inputs_of("machine"), "size": "small"}
    ended = corrected(rig, failed_machine, with_step("machine", inputs=other), rollback_enabled=True)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()


def test_a_late_execution_of_the_old_request_is_found_and_deleted(rig: Rig, failed_machine: str) -> None:
    """What the old key creates late carries the deployment's tags: the census of the destroy finds it."""
    record = rig.store.load(failed_machine)
    old = record.resource_of("machine")
    assert old is not None
    other = {**inputs_of("machine"), "size": "small"}
    corrected(rig, failed_machine, with_step("machine", inputs=other))
    tags = dict(rig.world.of("machine")[0].tags) | {"tier1:resource": old.id}
    rig.world.make(
        {"kind": "machine", "step": "machine", "tags": tags, "key": old.key, "needs": (), "token": True}
    )
    rig.ask(failed_machine, Goal.DESTROYED)
    assert not rig.world.living()


def brought(rig: Rig, id: str) -> str:
    """An existing network of the user's."""
    rig.world.things[id] = Thing(id, "net", {}, "", rig.clock.seconds, (), settings={"dns"})
    return id


def on_brought(net: str) -> Plan:
    """A plan with one door on a network of the user's."""
    steps = (
        StepPlan("net", Phase.NETWORK, "net", Mode.REFERENCE, inputs={"reference": net}),
        StepPlan("door", Phase.NETWORK, "door", needs=("net",), inputs={"needs": [ref("net")]}),
    )
    return replace(plan(), steps=steps, outputs={"net": ref("net")})


def test_a_referenced_resource_may_change_while_nothing_depends_on_it(rig: Rig) -> None:
    """The other one is read and used; neither is changed."""
    first, second = brought(rig, "net-a"), brought(rig, "net-b")
    rig.world.before.append(fail("create", "door", times=1))
    id = rig.deploy(the_plan=on_brought(first), rollback_enabled=False).record.deployment.id
    ended = corrected(rig, id, on_brought(second))
    assert ended.record.deployment.state is State.ACTIVE
    assert ended.record.deployment.outputs == {"net": second}
    assert rig.world.of("door")[0].needs == (second,)
    rig.ask(id, Goal.DESTROYED)
    assert sorted(thing.id for thing in rig.world.living()) == [first, second]


def test_a_referenced_resource_may_not_change_under_its_dependents(rig: Rig) -> None:
    """The door would have to be recreated."""
    first, second = brought(rig, "net-a"), brought(rig, "net-b")
    rig.world.before.append(fail("set", times=None))
    id = rig.deploy(the_plan=on_brought(first), rollback_enabled=False).record.deployment.id
    with pytest.raises(Refused, match=r"net can no longer change \(reference\): door \(door-"):
        corrected(rig, id, on_brought(second))


def test_the_lock_holder_is_named(rig: Rig, failed_machine: str) -> None:
    """It is refused like any other resume."""
    lease.take(rig.store, failed_machine, holder.this_process(), 60.0, rig.clock)
    with pytest.raises(DrivenByAnother):
        corrected(rig, failed_machine, plan())


def test_a_failure_of_a_part_of_the_stack_is_never_accepted_and_says_why(
    rig: Rig, failed_machine: str
) -> None:
    """The steps that need it are named; a critical check that nothing needs is named as such."""
    with pytest.raises(Refused, match=r"without machine \(Unauthor.*\): alive needs it and could not start"):
        engine.resume(rig.equipment, failed_machine, Resume.CONTINUE)
    critical = with_step("alive", on_failure=FailureClass.CRITICAL)
    rig.check.answers = [SHUT]
    ended = corrected(rig, failed_machine, critical)
    assert ended.record.deployment.state is State.FAILED
    with pytest.raises(Refused, match=r"without alive \(Shut\): its failure is critical"):
        engine.resume(rig.equipment, failed_machine, Resume.CONTINUE)


HOUR = timedelta(hours=1)


@pytest.mark.field_case("a trial: a corrected spec took back an extension of the expiry")
@pytest.mark.parametrize(
    ("extended_to", "ttl_hours", "ends_after"),
    [(None, 1, 1), (None, 3, 3), (5, 1, 5), (5, 3, 5), (5, 7, 7), (5, None, None)],
)
def test_another_ttl_does_not_take_back_an_extension(
    rig: Rig, extended_to: int | None, ttl_hours: int | None, ends_after: int | None
) -> None:
    """The later end applies; a spec without a `ttl` removes the expiry."""
    rig.world.before.append(fail("create", "machine", times=1))
    request = DeploymentRequest(
        name="demo", spec={"name": "demo", "ttl": 7200}, ttl_seconds=7200, rollback_enabled=False
    )
    place = Place("123456789012", "us-east-1")
    failed = engine.deploy(rig.equipment, request, plan(), place).record.deployment
    if extended_to is not None:
        later = failed.created_at + extended_to * HOUR
        sweeps.protect(rig.store, failed.id, lambda _: ({"expires_at": later}, "extended"), rig.clock.now())
    wanted = None if ttl_hours is None else failed.created_at + ttl_hours * HOUR
    ended = corrected(rig, failed.id, plan(), expires_at=wanted).record.deployment
    assert ended.state is State.ACTIVE
    assert ended.expires_at == (None if ends_after is None else failed.created_at + ends_after * HOUR)
