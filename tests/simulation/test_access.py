"""Refused access: told from a refused launch, tried again for a bounded time, and then everything remains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.simulation.faults import act, break_new, fail, name_of
from tests.support.simulation.rig import Rig, failure_of, plan
from tests.support.simulation.world import Fault, World, refused
from tier1_engine.cli.screen.outcome import exit_code
from tier1_engine.deployment.record import Attempt
from tier1_engine.deployment.states import Action, FailureClass, Goal, ResourceState, State
from tier1_engine.engine import engine
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import CONNECTION_REFUSED, NEEDS_A_PERSON, REGION_NOT_ENABLED

pytestmark = pytest.mark.promise(8)


def answer(code: str, status: int, operation: str = "RunInstances") -> CallError:
    return CallError(code, "No.", operation=operation, http_status=status, request_id="r-1")


# --- a launch that is refused for its image


@pytest.mark.field_case(
    "F5Networks/f5-aws-cloudformation#45, splunk/attack_range#551: an unsubscribed AMI is found at the launch"
)
@pytest.mark.parametrize(("code", "status"), [("AuthFailure", 400), ("OptInRequired", 401)])
def test_a_launch_refused_for_its_image_rolls_back(rig: Rig, code: str, status: int) -> None:
    """The credentials are fine: it is critical, nothing remains, and it exits with 3."""
    rig.world.before.append(fail("create", "machine", error=lambda: answer(code, status)))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("critical", code)
    assert exit_code(ended, Goal.ACTIVE) == 3
    assert rig.world.executed("create").count("machine") == 1
    assert not rig.world.living()


# --- refused access is tried again before it blocks

BUSY = CallError("CredentialSourceBusy", "STS: Throttling", operation="Sim")
GONE = CallError("NameNotResolved", "no such host", operation="Sim")


def attempts(rig: Rig, id: str, code: str) -> list[Attempt]:
    return [attempt for attempt in rig.store.attempts(id) if attempt.code == code]


@pytest.mark.field_case(
    "hashicorp/terraform#6566: one refusal of valid credentials among many calls ends the run"
)
@pytest.mark.parametrize(
    "error", [answer("AuthFailure", 401), BUSY, refused("ExpiredToken")], ids=lambda e: e.code
)
@pytest.mark.parametrize("operation", ["find", "create", "describe", "set"])
def test_a_single_refusal_among_many_calls_changes_nothing(
    rig: Rig, operation: str, error: CallError
) -> None:
    """It is recorded and repeated; each resource exists once."""
    rig.world.ready_after = 5.0
    rig.world.before.append(fail(operation, error=lambda: error, times=1))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert len(attempts(rig, ended.record.deployment.id, error.code)) == 1
    assert set(rig.world.executed_creates.values()) == {1}


def test_refused_access_is_tried_for_a_minute_before_it_blocks(rig: Rig) -> None:
    """Each attempt is on record, the timeline says what it waits for, and everything remains."""
    began: list[float] = []
    rig.world.before.append(act("create", "machine", lambda: began.append(rig.clock.seconds)))
    rig.world.before.append(fail("create", "machine", error=lambda: refused("ExpiredToken")))
    ended = rig.deploy()
    id = ended.record.deployment.id
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("blocked", "ExpiredToken")
    assert exit_code(ended, Goal.ACTIVE) == 7
    assert 60.0 <= rig.clock.seconds - began[0] < 61.0
    assert 8 <= len(attempts(rig, id, "ExpiredToken")) <= 20
    notes = [event.message for event in rig.store.events(id) if event.step == "machine"]
    assert notes.count("no access to AWS (ExpiredToken): trying again for up to 60 s") == 1
    assert len(rig.world.living()) == 4


@pytest.mark.parametrize("code", [*sorted(NEEDS_A_PERSON), REGION_NOT_ENABLED])
def test_a_session_that_ends_in_the_middle_keeps_everything_for_a_resume(rig: Rig, code: str) -> None:
    """Nobody is asked during a run: it is blocked with the reason, and a resume makes only what is left."""
    rig.world.before.append(fail("create", "machine", error=lambda: refused(code)))
    ended = rig.deploy()
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("blocked", code)
    before = {thing.id for thing in rig.world.living()}
    rig.world.before.clear()
    assert engine.resume(rig.equipment, ended.record.deployment.id).record.deployment.state is State.ACTIVE
    assert before < {thing.id for thing in rig.world.living()}
    assert set(rig.world.executed_creates.values()) == {1}


def test_access_that_returns_starts_the_minute_anew(rig: Rig) -> None:
    """Refusals with answers between them never add up."""
    rig.world.ready_after = 300.0
    for at in (2, 12, 22):
        rig.world.before.append(refuse_between(at, at + 4))
    assert rig.deploy().record.deployment.state is State.ACTIVE


def refuse_between(first: int, last: int) -> Fault:
    """Refuse the calls with these numbers that describe the disk."""
    seen = [0]

    def fault(world: World, called: str, parameters: Mapping[str, Any]) -> None:
        if called == "describe" and name_of(world, parameters) == "disk":
            seen[0] += 1
            if first <= seen[0] < last:
                raise refused("AuthFailure")

    return fault


def test_a_deadline_does_not_turn_refused_access_into_a_rollback(rig: Rig) -> None:
    """The time of the disk runs out while the credentials have expired: it is blocked, not failed."""
    rig.world.ready_after = 1000.0
    whole = plan()
    steps = [replace(s, deadline_seconds=40.0) if s.name == "disk" else s for s in whole.steps]
    expired = fail("describe", "disk", error=lambda: refused("ExpiredToken"))
    rig.clock.after(30.0, lambda: rig.world.before.append(expired))
    ended = rig.deploy(the_plan=replace(whole, steps=tuple(steps)))
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("blocked", "ExpiredToken")
    assert not rig.world.executed("delete")


@pytest.mark.parametrize("operation", ["create", "describe"])
def test_an_aws_that_cannot_be_reached_is_never_rolled_back(rig: Rig, operation: str) -> None:
    """Nothing was sent, and a rollback could not be sent either; a resume continues."""
    rig.world.ready_after = 5.0
    down = fail(operation, error=lambda: GONE)
    rig.clock.after(3.0, lambda: rig.world.before.append(down))
    ended = rig.deploy()
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("blocked", "NameNotResolved")
    assert exit_code(ended, Goal.ACTIVE) == 7
    assert not rig.world.executed("delete")
    rig.world.before.remove(down)
    assert engine.resume(rig.equipment, ended.record.deployment.id).record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}


def test_a_busy_source_at_the_start_of_a_command_is_waited_for(rig: Rig) -> None:
    """The first call of a driver; what is definitely refused there is reported at once."""
    id = rig.create()
    rig.world.before.append(fail("look", error=lambda: BUSY, times=6))
    assert rig.drive(id).record.deployment.state is State.ACTIVE
    began = rig.clock.seconds
    rig.world.before.append(fail("look", error=lambda: refused("ExpiredToken")))
    assert rig.ask(id, Goal.DESTROYED).why is EndReason.BLOCKED
    assert rig.clock.seconds == began


def test_a_refusal_during_a_teardown_is_waited_out(rig: Rig) -> None:
    """Once for each operation, the read of the console included, which is archived all the same."""
    rig.world.before.append(fail("create", "machine", error=lambda: answer("AuthFailure", 400)))
    rig.world.before.append(fail("delete", error=lambda: answer("AuthFailure", 401), times=3))
    busy = [fail(operation, error=lambda: BUSY, times=2) for operation in ("find", "describe")]
    rig.world.before.append(act("delete", None, lambda: rig.world.before.extend(busy)))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()


@pytest.mark.field_case("a trial: credentials expired during a destroy, and the reason stood nowhere")
@pytest.mark.parametrize("code", ["ExpiredToken", CONNECTION_REFUSED])
@pytest.mark.parametrize("operation", ["delete", "find"])
@pytest.mark.parametrize("goal", [Goal.ROLLED_BACK, Goal.DESTROYED])
def test_what_blocks_a_teardown_is_on_record_until_aws_answers_again(
    rig: Rig, goal: Goal, operation: str, code: str
) -> None:
    """The call, its code, and when; in the timeline, too."""
    if goal is Goal.ROLLED_BACK:
        rig.world.before.append(fail("create", "machine", times=1))
        id = rig.deploy(rollback_enabled=False).record.deployment.id
    else:
        id = rig.deploy().record.deployment.id
    rig.world.before.append(fail(operation, error=lambda: refused(code)))
    engine.request(rig.equipment, id, goal)
    ended = engine.drive(rig.equipment, id)
    blocked = rig.store.load(id).deployment.blocked
    assert ended.why is EndReason.BLOCKED
    assert blocked is not None
    assert (blocked.code, blocked.operation, blocked.failure_class) == (code, "Sim", FailureClass.BLOCKED)
    assert rig.store.events(id)[-1].message.startswith(f"blocked: {code}: ")
    rig.world.before.clear()
    again = engine.drive(rig.equipment, id).record.deployment
    assert (again.state.value, again.blocked) == (goal.value, None)


def test_a_console_is_not_given_up_for_lack_of_access(rig: Rig) -> None:
    """Four refused reads are not the three attempts after which the machine goes without its console."""
    rig.world.ready_after = 20.0
    rig.world.before.append(fail("console", error=lambda: answer("AuthFailure", 401), times=4))
    rig.world.after.append(break_new("machine", "InternalFailure"))
    ended = rig.deploy()
    id = ended.record.deployment.id
    assert ended.record.deployment.state is State.ROLLED_BACK
    archived = [a for a in rig.store.attempts(id) if a.action is Action.ARCHIVE and a.code is None]
    assert len(archived) == 1
    assert {r.state for r in ended.record.resources.values()} == {ResourceState.DELETED}


# --- what tier1 chose itself


@pytest.mark.field_case(
    "a trial: a choice of its own that AWS refused was rolled back instead of being replaced"
)
@pytest.mark.parametrize(
    "code", ["ReservationCapacityExceeded", "InsufficientHostCapacity", "UnfulfillableCapacity"]
)
def test_a_lack_of_capacity_with_a_server_error_leads_to_the_next_candidate(rig: Rig, code: str) -> None:
    """One call for each candidate, each recorded with its answer, and the timeline names both."""
    lack = answer(code, 500)
    rig.world.before.append(fail("create", "machine", error=lambda: lack, times=1))
    ended = rig.deploy()
    id = ended.record.deployment.id
    assert ended.record.deployment.state is State.ACTIVE
    assert [a.code for a in rig.store.attempts(id) if a.step == "machine" and a.action is Action.CREATE] == [
        code,
        None,
    ]
    assert f"{code}: not candidate 1; trying candidate 2 (2 of 2)" in [
        e.message for e in rig.store.events(id)
    ]


@pytest.mark.field_case("a trial: PendingVerification undid what only had to wait")
def test_an_account_in_verification_keeps_everything_for_a_retry(rig: Rig) -> None:
    """It blocks, and a resume launches what was refused."""
    pending = fail("create", "machine", error=lambda: answer("PendingVerification", 400))
    rig.world.before.append(pending)
    ended = rig.deploy()
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("blocked", "PendingVerification")
    assert len(rig.world.living()) == 4
    rig.world.before.remove(pending)
    ended = engine.resume(rig.equipment, ended.record.deployment.id)
    assert ended.record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}
