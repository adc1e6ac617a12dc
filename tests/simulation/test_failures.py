"""Every failure during provisioning, and the class that it gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.simulation.faults import act, break_new, fail
from tests.support.simulation.rig import Rig, failure_of, plan
from tests.support.simulation.world import refused, unknown
from tier1_engine.cli.screen.outcome import exit_code
from tier1_engine.contract.kind import Observation, Presence, Problem
from tier1_engine.deployment.plan import Plan
from tier1_engine.deployment.states import (
    Action,
    FailureClass,
    Goal,
    Outcome,
    ResourceState,
    State,
    StepState,
)
from tier1_engine.engine import engine
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.engine.engine import Resume
from tier1_engine.engine.equipment import Stop
from tier1_engine.errors import Acted, CallError, Refused

pytestmark = pytest.mark.promise(8)

CREATED = ("net", "door-1", "door-2", "disk", "machine")
BAD = Observation(Presence.BROKEN, problem=Problem("HttpStatus", "answered 500", "GET"))
NOT_YET = Observation(Presence.PENDING, problem=Problem("Refused", "nobody listens"))


def with_step(the_plan: Plan, name: str, **values: object) -> Plan:
    steps = tuple(replace(s, **values) if s.name == name else s for s in the_plan.steps)  # type: ignore[arg-type]
    return replace(the_plan, steps=steps)


# --- critical


@pytest.mark.parametrize("step", CREATED)
def test_a_refused_create_of_any_step_rolls_back(rig: Rig, step: str) -> None:
    """Network, file system and launch are critical: all is deleted, and the error is recorded whole."""

    def denied() -> CallError:
        return CallError("UnauthorizedOperation", "no", operation="Make", request_id="r-1", http_status=403)

    rig.world.before.append(fail("create", step, error=denied))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()
    kept = failure_of(ended)
    assert (kept.step, kept.failure_class, kept.code) == (step, "critical", "UnauthorizedOperation")
    assert (kept.message, kept.operation, kept.request_id) == ("no", "Make", "r-1")
    assert exit_code(ended, Goal.ACTIVE) == 3


def test_a_resource_that_fails_before_it_is_ready_is_critical(rig: Rig) -> None:
    """A file system that ends in error fails its step with AWS's reason."""
    rig.world.ready_after = 30.0
    rig.world.after.append(break_new("disk", "InternalFailure"))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).code == "InternalFailure"
    assert not rig.world.living()


def test_a_critical_check_rolls_back(rig: Rig) -> None:
    """The mount check on the instance is critical."""
    rig.check.answers = [BAD]
    ended = rig.deploy(the_plan=with_step(plan(), "alive", on_failure=FailureClass.CRITICAL))
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert (failure_of(ended).step, failure_of(ended).code) == ("alive", "HttpStatus")


@pytest.mark.field_case(
    "go-to-k/cdkd#1710: an exception after a create recorded no id, and a rollback skipped it"
)
def test_a_bug_in_a_kind_fails_its_step(rig: Rig) -> None:
    """An exception of the kind does not end the driver; after a send it means that AWS may have acted."""

    def typo() -> CallError:
        raise ZeroDivisionError("a kind's mistake")

    rig.world.after.append(fail("create", "net", error=typo, times=1))
    rig.world.before.append(fail("set", "door-1", error=typo))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert (failure_of(ended).step, failure_of(ended).code) == ("door-1", "Defect")
    first = next(a for a in rig.store.attempts(ended.record.deployment.id) if a.step == "net")
    assert (first.outcome, first.code) == (Outcome.UNKNOWN, "Defect")
    assert set(rig.world.executed_creates.values()) == {1}
    assert not rig.world.living()


def test_a_kind_that_is_not_installed_is_named(rig: Rig) -> None:
    """Its step fails, and the sentence says what to install."""
    rig.missing = ("machine",)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).code == "CannotBeDone"
    assert "The kind machine is not installed" in failure_of(ended).message


@pytest.mark.field_case(
    "a replaced script: an exception deleted everything although rollback was switched off"
)
def test_without_rollback_everything_remains_until_a_rollback_is_requested(rig: Rig) -> None:
    """`--no-rollback` ends as failed with all resources; a later rollback deletes them."""
    rig.world.before.append(fail("create", "machine"))
    ended = rig.deploy(rollback_enabled=False)
    assert (ended.record.deployment.state, ended.record.deployment.goal) == (State.FAILED, Goal.ACTIVE)
    assert len(rig.world.living()) == 4
    assert exit_code(ended, Goal.ACTIVE) == 4
    ended = rig.ask(ended.record.deployment.id, Goal.ROLLED_BACK)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).code == "UnauthorizedOperation"
    assert not rig.world.living()


def test_after_a_first_failure_no_step_starts_and_running_ones_complete(rig: Rig) -> None:
    """Without rollback, the disk under way is waited for, and the doors never start."""
    rig.world.ready_after = 30.0
    rig.world.before.append(fail("set", "net"))
    ended = rig.deploy(rollback_enabled=False)
    states = {name: step.state for name, step in ended.record.steps.items()}
    assert states["disk"] is StepState.DONE
    assert states["door-1"] is states["machine"] is StepState.WAITING
    assert set(rig.world.executed("create")) == {"net", "disk"}


def test_the_worst_class_counts(rig: Rig) -> None:
    """A critical and a recoverable failure together are critical, in either order."""
    both = plan()
    second = replace(both.steps[-1], name="mounted", on_failure=FailureClass.CRITICAL)
    rig.check.answers = [BAD]
    ended = rig.deploy(the_plan=replace(both, steps=(*both.steps, second)), rollback_enabled=False)
    assert (failure_of(ended).step, failure_of(ended).failure_class) == ("mounted", "critical")


# --- recoverable


def stopped_at_check(rig: Rig) -> str:
    rig.check.answers = [BAD]
    ended = rig.deploy()
    assert (ended.record.deployment.state, ended.why) == (State.FAILED, EndReason.SETTLED)
    assert failure_of(ended).failure_class == "recoverable"
    assert len(rig.world.living()) == 5
    assert exit_code(ended, Goal.ACTIVE) == 4
    return ended.record.deployment.id


def test_a_bare_resume_of_a_recoverable_failure_changes_nothing(rig: Rig) -> None:
    """The deployment waits for a decision and stays as it is."""
    id = stopped_at_check(rig)
    ended = engine.resume(rig.equipment, id)
    assert ended.record.deployment.state is State.FAILED
    assert exit_code(ended, Goal.ACTIVE) == 4


def test_a_retry_repeats_the_failed_step(rig: Rig) -> None:
    """The check passes at the second attempt; nothing is recreated, and the failure is cleared."""
    id = stopped_at_check(rig)
    rig.check.answers = []
    ended = engine.resume(rig.equipment, id, Resume.RETRY)
    assert ended.record.deployment.state is State.ACTIVE
    assert ended.record.deployment.failure is None
    assert ended.record.steps["alive"].attempts == 2
    assert set(rig.world.executed_creates.values()) == {1}


def test_an_accepted_step_is_skipped_with_a_warning(rig: Rig) -> None:
    """It is not recorded as successful."""
    id = stopped_at_check(rig)
    ended = engine.resume(rig.equipment, id, Resume.CONTINUE)
    assert ended.record.deployment.state is State.ACTIVE
    assert ended.record.steps["alive"].state is StepState.SKIPPED
    assert ended.record.deployment.warnings == (
        "alive failed, and you accepted that: HttpStatus: answered 500",
    )
    assert ended.record.deployment.outputs["machine"]


def test_a_recoverable_failure_can_be_rolled_back(rig: Rig) -> None:
    """The rollback ends clean, and the reason stays on record."""
    id = stopped_at_check(rig)
    ended = engine.resume(rig.equipment, id, Resume.ROLL_BACK)
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).step == "alive"
    assert not rig.world.living()


def test_a_critical_failure_cannot_be_accepted(rig: Rig) -> None:
    """A stack needs its machine: the sentence names the commands to use instead."""
    rig.world.before.append(fail("create", "machine"))
    id = rig.deploy(rollback_enabled=False).record.deployment.id
    with pytest.raises(
        Refused, match=rf"cannot continue without machine.*resume {id} --retry.*rollback {id}"
    ):
        engine.resume(rig.equipment, id, Resume.CONTINUE)
    assert rig.store.load(id).deployment.state is State.FAILED


def test_a_retry_after_the_cause_is_fixed_gets_a_new_key(rig: Rig) -> None:
    """The refused machine is created under another key, with its attempts reset."""
    refuse = fail("create", "machine")
    rig.world.before.append(refuse)
    id = rig.deploy(rollback_enabled=False).record.deployment.id
    rig.world.before.remove(refuse)
    ended = engine.resume(rig.equipment, id, Resume.RETRY)
    assert ended.record.deployment.state is State.ACTIVE
    machine = ended.record.resource_of("machine")
    assert machine is not None
    assert machine.generation == 2


@pytest.mark.parametrize("how", [Resume.RETRY, Resume.CONTINUE, Resume.ROLL_BACK])
def test_an_active_deployment_has_nothing_to_retry(rig: Rig, how: Resume) -> None:
    """Options for failures are refused; a bare resume succeeds."""
    id = rig.deploy().record.deployment.id
    with pytest.raises(Refused):
        engine.resume(rig.equipment, id, how)
    assert engine.resume(rig.equipment, id).why is EndReason.SETTLED


@pytest.mark.parametrize("how", [Resume.RETRY, Resume.CONTINUE])
def test_a_deployment_that_has_not_failed_cannot_be_retried_or_accepted(rig: Rig, how: Resume) -> None:
    """A pending deployment is refused, and nothing starts."""
    id = rig.create()
    with pytest.raises(Refused, match="is pending, not failed"):
        engine.resume(rig.equipment, id, how)
    assert not rig.world.calls


def test_a_check_that_never_passes_fails_at_its_deadline_with_its_last_problem(rig: Rig) -> None:
    """The time-out names the last problem that was observed."""
    rig.check.answers = [NOT_YET]
    ended = rig.deploy()
    assert failure_of(ended).code == "Refused"
    assert failure_of(ended).message == "not ready within 600 s. Last seen: nobody listens"


def test_a_check_that_this_endpoint_does_not_support_is_a_warning(rig: Rig) -> None:
    """Unknown is no failure: the step is skipped, and the deployment becomes active."""
    rig.check.answers = [Observation(Presence.UNKNOWN, problem=Problem("InvalidAction", "not offered here"))]
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert ended.record.deployment.warnings == ("alive: not offered here",)


# --- blocked


@pytest.mark.parametrize("step", CREATED)
def test_expired_credentials_delete_nothing_and_a_resume_continues(rig: Rig, step: str) -> None:
    """No rollback is possible: it stops as failed; after sign-in a bare resume reaches active."""
    expired = fail("create", step, error=lambda: refused("ExpiredToken"))
    rig.world.before.append(expired)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.FAILED
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("blocked", "ExpiredToken")
    assert exit_code(ended, Goal.ACTIVE) == 7
    assert not rig.world.executed("delete")
    rig.world.before.remove(expired)
    ended = engine.resume(rig.equipment, ended.record.deployment.id)
    assert ended.record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}


def test_a_resume_is_blocked_again_while_the_cause_lasts(rig: Rig) -> None:
    """It exits with 7 as before, and changes nothing."""
    rig.world.before.append(fail("look", error=lambda: refused("ExpiredToken")))
    id = rig.create()
    assert exit_code(rig.drive(id), Goal.ACTIVE) == 7
    ended = engine.resume(rig.equipment, id)
    assert exit_code(ended, Goal.ACTIVE) == 7
    assert not rig.world.executed("create")


def test_credentials_of_another_account_are_refused_before_anything_is_created(rig: Rig) -> None:
    """Every driver checks, except one whose command has just asked AWS; the sentence names both accounts."""
    rig.world.account_id = "999999999999"
    ended = rig.drive(rig.create())
    assert failure_of(ended).code == "WrongAccount"
    assert "999999999999" in failure_of(ended).message
    assert "123456789012" in failure_of(ended).message
    assert exit_code(ended, Goal.ACTIVE) == 7
    assert not rig.world.executed("create")


def test_an_unreachable_endpoint_blocks_after_bounded_attempts(rig: Rig) -> None:
    """The account is unknown: nothing starts, and the sentence says what to do."""
    down = CallError("ConnectionRefused", "connection refused", operation="GetCallerIdentity")
    rig.world.before.append(fail("look", error=lambda: down))
    ended = rig.drive(rig.create())
    assert failure_of(ended).failure_class == "blocked"
    assert "the AWS endpoint cannot be reached" in failure_of(ended).message
    assert len(rig.world.executed("look")) == 5


# --- transient


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "TooManyRequests", "RequestTimeoutException"])
def test_throttling_is_retried_and_every_attempt_is_recorded(rig: Rig, code: str) -> None:
    """Two throttles and a success are three attempts, two of them refused with AWS's code."""
    rig.world.before.append(fail("create", "net", error=lambda: refused(code), times=2))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    tries = [a for a in rig.store.attempts(ended.record.deployment.id) if a.step == "net"][:3]
    assert [a.outcome for a in tries] == [Outcome.REFUSED, Outcome.REFUSED, Outcome.DONE]
    assert [a.code for a in tries] == [code] * 2 + [None]
    assert ended.record.steps["net"].attempts == 3
    assert ended.record.steps["net"].error is None


def test_throttled_reads_are_no_attempts(rig: Rig) -> None:
    """After four throttles of the read before the create and four of the create, a fifth create may
    be sent.
    """
    for operation in ("find", "create"):
        throttled = fail(operation, "machine", error=lambda: refused("RequestLimitExceeded"), times=4)
        rig.world.before.append(throttled)
    assert rig.deploy().record.deployment.state is State.ACTIVE
    assert rig.world.executed("create").count("machine") == 5


def test_when_attempts_run_out_the_steps_own_class_applies(rig: Rig) -> None:
    """After five throttled attempts the launch has failed; the message gives their number."""
    rig.world.before.append(fail("create", "machine", error=lambda: refused("Throttling")))
    ended = rig.deploy()
    assert rig.world.executed("create").count("machine") == 5
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("critical", "Throttling")
    assert failure_of(ended).message.endswith("(after 5 attempts)")
    assert ended.record.deployment.state is State.ROLLED_BACK


def test_a_lost_reply_that_was_not_executed_is_searched_for_during_the_grace_before_the_next_attempt(
    rig: Rig,
) -> None:
    """The whole visibility grace lies between the unknown create and the next one."""
    sent: list[float] = []
    rig.world.before.append(act("create", "net", lambda: sent.append(rig.clock.seconds)))
    rig.world.before.append(fail("create", "net", error=unknown, times=1))
    rig.world.before.append(act("create", "net", lambda: sent.append(rig.clock.seconds)))
    assert rig.deploy().record.deployment.state is State.ACTIVE
    assert sent[1] - sent[0] >= rig.settings.visibility_grace_seconds
    assert set(rig.world.executed_creates.values()) == {1}


def test_a_server_error_counts_as_unknown(rig: Rig) -> None:
    """A 500 may hide an executed create: the resource is found and not created again."""

    def broken() -> CallError:
        return CallError("InternalError", "oops", operation="Make", acted=Acted.UNKNOWN, http_status=500)

    rig.world.visible_after = 5.0
    rig.world.after.append(fail("create", "net", error=broken, times=1))
    ended = rig.deploy()
    assert set(rig.world.executed_creates.values()) == {1}
    actions = [a.action for a in rig.store.attempts(ended.record.deployment.id) if a.step == "net"]
    assert actions[:2] == [Action.CREATE, Action.ADOPT]


def test_reads_of_an_existing_resource_continue_until_the_deadline(rig: Rig) -> None:
    """More throttled reads than a call has attempts do not discard the resource."""
    rig.world.ready_after = 5.0
    rig.world.before.append(fail("describe", "disk", error=lambda: refused("Throttling"), times=12))
    assert rig.deploy().record.deployment.state is State.ACTIVE


def test_an_invisible_reference_is_retried_while_it_is_young(rig: Rig) -> None:
    """It gets more attempts than a call has, because the resource referred to is owned and young."""
    started = rig.clock.seconds
    hidden = fail("create", "machine", error=lambda: refused("InvalidReference.NotFound"))
    rig.world.before.append(hidden)
    rig.clock.after(100.0, lambda: rig.world.before.remove(hidden))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert rig.clock.seconds - started >= 100.0
    assert ended.record.steps["machine"].attempts > 5


def test_an_invisible_reference_is_a_failure_once_it_is_old(rig: Rig) -> None:
    """After the consistency deadline the code means what it says."""
    started = rig.clock.seconds
    rig.world.before.append(fail("create", "machine", error=lambda: refused("InvalidReference.NotFound")))
    ended = rig.deploy()
    assert failure_of(ended).code == "InvalidReference.NotFound"
    assert 180.0 <= rig.clock.seconds - started < 400.0


# --- no capacity


def test_without_capacity_the_next_candidate_is_requested(rig: Rig) -> None:
    """The second (type, zone, market) is created under another key."""
    rig.world.before.append(fail("create", "machine", error=lambda: refused("NoCapacity"), times=1))
    ended = rig.deploy()
    machine = ended.record.resource_of("machine")
    assert machine is not None
    assert (ended.record.deployment.state, machine.candidate) == (State.ACTIVE, 1)
    assert rig.world.of("machine")[0].key.endswith("-1-1")


def test_when_no_candidate_is_left_the_launch_has_failed(rig: Rig) -> None:
    """Each candidate was requested once."""
    rig.world.before.append(fail("create", "machine", error=lambda: refused("NoCapacity")))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert failure_of(ended).code == "NoCapacity"
    assert rig.world.executed("create").count("machine") == 2


def test_a_retry_starts_again_with_the_first_candidate(rig: Rig) -> None:
    """Overnight the first type may have capacity again."""
    none = fail("create", "machine", error=lambda: refused("NoCapacity"))
    rig.world.before.append(none)
    id = rig.deploy(rollback_enabled=False).record.deployment.id
    rig.world.before.remove(none)
    ended = engine.resume(rig.equipment, id, Resume.RETRY)
    machine = ended.record.resource_of("machine")
    assert machine is not None
    assert (machine.candidate, machine.generation) == (0, 2)


def test_a_machine_that_died_for_lack_of_capacity_is_deleted_and_the_next_candidate_created(rig: Rig) -> None:
    """The dead machine is a duplicate; it is deleted before the deployment is active."""
    rig.world.ready_after = 20.0
    rig.world.after.append(break_new("machine", "NoCapacity", times=1))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert [t.id for t in rig.world.of("machine") if rig.world.exists(t)] == ["machine-0006"]
    assert ended.record.resource_of("machine~1") is not None
    assert {r.state for r in ended.record.resources.values()} == {
        ResourceState.PRESENT,
        ResourceState.DELETED,
    }


def test_a_candidate_with_an_unknown_attempt_waits_out_the_grace_before_the_next(rig: Rig) -> None:
    """It appears within the grace and is adopted: there is one machine."""
    rig.world.visible_after = 10.0
    rig.world.after.append(fail("create", "machine", error=unknown, times=1))
    rig.world.before.append(act("create", "machine", lambda: None))
    ended = rig.deploy()
    machine = ended.record.resource_of("machine")
    assert machine is not None
    assert machine.candidate == 0
    assert len(rig.world.of("machine")) == 1


def test_a_failed_deployment_continues_only_in_its_own_account(rig: Rig) -> None:
    """It was cut while the disk was created and the net had failed; the next credentials are another
    account's.
    """
    rig.world.ready_after = 100.0
    rig.world.before.append(fail("set", "net"))
    id = rig.create(rollback_enabled=False)
    rig.clock.after(105.0, rig.stop.ask)
    rig.world.before.append(fail("describe", "disk", error=lambda: refused("Throttling")))
    assert rig.drive(id).why is EndReason.STOPPED
    assert rig.store.load(id).steps["net"].state is StepState.FAILED
    rig.stop = Stop()
    rig.world.account_id = "999999999999"
    looks = len(rig.world.calls)
    ended = rig.drive(id)
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("blocked", "WrongAccount")
    assert [operation for operation, _ in rig.world.calls[looks:]] == ["look"]
