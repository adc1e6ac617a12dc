"""Deadlines, signals, slow calls, lease renewals and an unavailable database, on the virtual clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.simulation.faults import act, fail
from tests.support.simulation.rig import Rig, failure_of
from tests.support.simulation.world import SlowPool, World
from tier1_engine.cli.screen.outcome import exit_code
from tier1_engine.deployment.record import Change, Record
from tier1_engine.deployment.states import Goal, Outcome, State, StepState
from tier1_engine.engine import engine
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.engine.driver import Driver
from tier1_engine.engine.equipment import Stop
from tier1_engine.engine.pace import Pace
from tier1_engine.errors import DatabaseUnavailable, LeaseLost
from tier1_engine.store import holder as holder_module
from tier1_engine.store import lease
from tier1_engine.store.store import Store

pytestmark = pytest.mark.promise(6)


def sleep(rig: Rig, seconds: float) -> None:
    """Suspend the whole process for that long."""
    rig.clock.seconds += seconds


def stop_after(rig: Rig, seconds: float) -> None:
    """Send a signal; the next process gets a stop of its own."""
    rig.stop = Stop()
    rig.clock.after(seconds, rig.stop.ask)


# --- deadlines


def test_a_step_that_never_gets_ready_fails_at_its_deadline(rig: Rig) -> None:
    """It fails neither much earlier nor much later."""
    rig.world.ready_after = 1e9
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    failed = next(
        e.at for e in rig.store.events(ended.record.deployment.id) if e.to_state is State.ROLLING_BACK
    )
    assert 600.0 <= (failed - ended.record.deployment.created_at).total_seconds() < 615.0
    assert failure_of(ended).code == "DeadlineExceeded"


@pytest.mark.field_case(
    "a replaced script: a failed wait for `running` left the instance behind, whose id was not saved yet"
)
def test_a_machine_that_never_gets_ready_is_deleted_with_the_rest(rig: Rig) -> None:
    """Its id is recorded with the reply of its create, long before it is ready."""
    rig.world.before.append(act("create", "machine", lambda: setattr(rig.world, "ready_after", 1e9)))
    ended = rig.deploy()
    assert failure_of(ended).step == "machine"
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()


def test_only_driven_time_counts(rig: Rig) -> None:
    """A pause of a day between two runs uses up nothing."""
    rig.world.ready_after = 90_000.0
    id = rig.create()
    stop_after(rig, 300.0)
    assert rig.drive(id).why is EndReason.STOPPED
    driven = rig.store.load(id).steps["disk"].driven_seconds
    assert 290.0 <= driven <= 310.0
    rig.clock.seconds += 86_400.0
    rig.stop = Stop()
    resumed_at = rig.clock.seconds
    rig.drive(id)
    failed = next(e.at for e in rig.store.events(id) if e.to_state is State.ROLLING_BACK)
    assert 280.0 <= (failed - rig.clock.now()).total_seconds() + rig.clock.seconds - resumed_at < 330.0


def test_a_deadline_is_judged_only_after_a_read(rig: Rig) -> None:
    """It expired in the last second of the last run, but the resource is ready by now: the step is done."""
    rig.world.before.append(act("create", "machine", lambda: setattr(rig.world, "ready_after", 700.0)))
    id = rig.create()
    stop_after(rig, 599.0)
    assert rig.drive(id).why is EndReason.STOPPED
    rig.clock.seconds += 1000.0
    rig.stop = Stop()
    rig.world.before.append(act("look", None, lambda: sleep(rig, 4.0)))
    assert rig.drive(id).record.deployment.state is State.ACTIVE


def test_changing_the_wall_clock_has_no_effect(rig: Rig) -> None:
    """An hour forward or back changes no deadline and no lease."""
    rig.world.ready_after = 300.0
    rig.clock.after(50.0, lambda: setattr(rig.clock, "offset", timedelta(hours=5)))
    rig.clock.after(150.0, lambda: setattr(rig.clock, "offset", timedelta(hours=-5)))
    assert rig.deploy().record.deployment.state is State.ACTIVE


# --- signals


@pytest.mark.parametrize("seconds", [0.5, 3.0, 10.0, 40.0, 95.0, 130.0])
def test_a_stopped_deployment_can_be_resumed(rig: Rig, seconds: float) -> None:
    """Calls in flight are completed and recorded, nothing new starts; the resume creates nothing twice."""
    rig.pool = lambda: SlowPool(rig.clock, 1.0, 1.0)
    rig.world.ready_after = 45.0
    id = rig.create()
    stop_after(rig, seconds)
    stopped_at = rig.clock.seconds + seconds
    changed: list[float] = []

    def note(world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation in ("create", "set", "delete"):
            changed.append(world.clock.seconds)

    rig.world.before.append(note)
    ended = rig.drive(id)
    assert (ended.why, exit_code(ended, Goal.ACTIVE)) == (EndReason.STOPPED, 130)
    assert all(at <= stopped_at + 1.0 for at in changed)
    assert not [a for a in rig.store.attempts(id) if a.ended_at is None]
    rig.stop = Stop()
    assert rig.drive(id).record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}


def test_a_stopped_rollback_is_resumed_as_a_rollback(rig: Rig) -> None:
    """Its goal is recorded."""
    rig.world.gone_after = 50.0
    rig.world.before.append(fail("create", "machine"))
    id = rig.create()
    stop_after(rig, 20.0)
    assert rig.drive(id).record.deployment.state is State.ROLLING_BACK
    rig.stop = Stop()
    assert engine.resume(rig.equipment, id).record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()


def test_a_stop_before_anything_was_sent_makes_nothing(rig: Rig) -> None:
    """The signal came before the first turn."""
    rig.stop.ask()
    assert rig.deploy().why is EndReason.STOPPED
    assert not rig.world.calls


# --- slow calls


def test_slow_calls_run_concurrently(rig: Rig) -> None:
    """A whole life has calls of two seconds each, and every step is created once."""
    rig.pool = lambda: SlowPool(rig.clock, 1.0, 1.0)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}
    assert rig.ask(ended.record.deployment.id, Goal.DESTROYED).record.deployment.state is State.DESTROYED


def test_a_hanging_call_is_abandoned_as_unknown_and_its_resource_adopted(rig: Rig) -> None:
    """Its late answer is ignored."""
    slow = SlowPool(rig.clock, 0.0, 0.5)
    rig.pool = lambda: slow

    def hang() -> None:
        slow.reply_seconds = 100.0
        rig.clock.after(1.0, lambda: setattr(slow, "reply_seconds", 0.5))

    rig.world.before.append(act("create", "net", hang))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}
    codes = [a.code for a in rig.store.attempts(ended.record.deployment.id) if a.step == "net"]
    assert "CallTimeout" in codes


def test_an_abandoned_call_sends_nothing(rig: Rig) -> None:
    """It woke after its task was abandoned: its permit has expired, and one net is created."""
    slow = SlowPool(rig.clock, 0.0, 0.1)
    rig.pool = lambda: slow
    submit = slow.submit
    held: list[bool] = []

    def hold_one(call: Any) -> None:
        # Everything that is submitted in the first second (the first creates among it) is sent late.
        slow.send_seconds = 40.0 if len(held) == 1 else 0.0
        held.append(True)
        submit(call)

    slow.submit = hold_one  # type: ignore[method-assign]
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}


# --- the lease of a running driver


def test_a_driver_renews_its_lease_as_long_as_it_waits(rig: Rig) -> None:
    """It waits for several lease lengths, and nobody could take over; the last turn releases the lease."""
    rig.world.ready_after = 150.0

    class Looking:
        def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
            summary = rig.store.summaries(deployment_id=record.deployment.id)[0]
            driven = lease.driven(rig.store, summary.holder, summary.lease_expires_at, rig.clock)
            assert driven is (record.deployment.state is not State.ACTIVE)

    rig.observer = Looking()
    assert rig.deploy().record.deployment.state is State.ACTIVE


def test_a_replaced_driver_writes_nothing_and_leaves_the_new_lease_alone(rig: Rig) -> None:
    """It slept past its lease, and its answer is not committed."""
    id = rig.create()
    new: list[lease.Lease] = []

    def sleep_and_be_replaced() -> None:
        rig.clock.seconds += 1000.0
        new.append(lease.take(rig.store, id, holder_module.this_process(), 60.0, rig.clock))

    rig.world.after.append(act("create", "net", sleep_and_be_replaced))
    with pytest.raises(LeaseLost, match="changes nothing more"):
        rig.drive(id)
    net = rig.store.load(id).resource_of("net")
    assert net is not None
    assert net.aws_id is None
    holder = rig.store.summaries(deployment_id=id)[0].holder
    assert holder is not None
    assert holder["nonce"] == new[0].holder.nonce


def test_a_replaced_driver_that_was_only_waiting_notices(rig: Rig) -> None:
    """Reading the goal checks the fence too."""
    rig.world.ready_after = 500.0
    id = rig.create()

    def replaced() -> None:
        rig.clock.seconds += 61.0
        lease.take(rig.store, id, holder_module.this_process(), 60.0, rig.clock)

    rig.clock.after(100.0, replaced)
    with pytest.raises(LeaseLost):
        rig.drive(id)


@pytest.mark.parametrize(
    ("lease_seconds", "sleeps", "reason"),
    [(15.0, 12.0, "shorter than the time limit of one call"), (600.0, 31.0, "was abandoned")],
)
def test_a_create_is_not_sent_when_its_permit_has_expired(
    rig: Rig, lease_seconds: float, sleeps: float, reason: str
) -> None:
    """The driver slept between its check and the send: the create is refused, and attempted again."""
    rig.settings = replace(rig.settings, lease_seconds=lease_seconds)
    rig.world.before.append(act("find", "net", lambda: sleep(rig, sleeps)))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    first = next(a for a in rig.store.attempts(ended.record.deployment.id) if a.step == "net")
    assert (first.outcome, first.code) == (Outcome.REFUSED, "PermitRefused")
    assert reason in str(first.message)
    assert set(rig.world.executed_creates.values()) == {1}


def test_no_create_is_sent_after_a_signal(rig: Rig) -> None:
    """It came between the check and the send: nothing is sent, which is recorded."""
    rig.world.before.append(act("find", "net", rig.stop.ask))
    ended = rig.deploy()
    assert ended.why is EndReason.STOPPED
    assert "net" not in rig.world.executed("create")
    first = next(a for a in rig.store.attempts(ended.record.deployment.id) if a.step == "net")
    assert "a signal asked this process to stop" in str(first.message)


# --- an unavailable database


class Failing:
    """Make one method of the store fail for some time, before or after it was applied."""

    def __init__(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch, method: str, *, applied: bool = False
    ) -> None:
        self.rig, self.method, self.applied = rig, method, applied
        self.until = -1.0
        self.failures = 0
        real = getattr(Store, method)

        def call(store: Store, *args: Any, **named: Any) -> Any:
            down = rig.clock.seconds < self.until
            result = real(store, *args, **named) if applied or not down else None
            if down:
                self.failures += 1
                raise DatabaseUnavailable("The database is away.")
            return result

        monkeypatch.setattr(Store, method, call)

    def down_for(self, seconds: float) -> None:
        self.until = self.rig.clock.seconds + seconds


@pytest.mark.parametrize("applied", [False, True])
def test_a_commit_is_retried_while_the_lease_lasts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    """A short outage has no effect, and a commit whose reply was lost is not applied twice."""
    database = Failing(rig, monkeypatch, "commit", applied=applied)
    rig.world.after.append(act("create", "net", lambda: database.down_for(5.0)))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert database.failures > 1
    assert set(rig.world.executed_creates.values()) == {1}
    stored = rig.store.load(ended.record.deployment.id)
    assert (stored.deployment, stored.steps) == (ended.record.deployment, ended.record.steps)


def test_a_driver_that_cannot_commit_reports_what_it_holds_and_sends_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends before its lease does; the message has the id that is not recorded; a resume adopts it."""
    database = Failing(rig, monkeypatch, "commit")
    id = rig.create()
    rig.world.after.append(act("create", "net", lambda: database.down_for(100.0)))
    begun = rig.clock.seconds
    with pytest.raises(DatabaseUnavailable, match=r"create of net \(key [0-9]+-1-0\) returned net-0001"):
        rig.drive(id)
    assert rig.clock.seconds <= begun + rig.settings.lease_seconds
    assert set(rig.world.executed("create")) == {"net", "disk"}
    rig.clock.seconds += 200.0
    assert rig.drive(id).record.deployment.state is State.ACTIVE
    assert set(rig.world.executed_creates.values()) == {1}


def test_a_lease_that_cannot_be_renewed_ends_the_driver_before_it_expires(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short outages are waited out."""
    rig.world.ready_after = 500.0
    away = [False]
    renew = lease.renew

    def failing(*args: Any) -> lease.Lease:
        if away[0]:
            raise DatabaseUnavailable("The database is away.")
        return renew(*args)

    monkeypatch.setattr(lease, "renew", failing)
    database = Failing(rig, monkeypatch, "goal")
    id = rig.create()

    def goes() -> None:
        away[0] = True
        database.down_for(1000.0)

    rig.clock.after(30.0, goes)
    rig.clock.after(45.0, lambda: away.__setitem__(0, False))
    rig.clock.after(100.0, goes)
    with pytest.raises(DatabaseUnavailable):
        rig.drive(id)
    held_until = 1000.0 + 100.0 + rig.settings.lease_seconds
    assert 1100.0 < rig.clock.seconds < held_until
    assert rig.store.load(id).steps["disk"].state is StepState.RUNNING


# --- commits that fail


def test_driven_time_is_not_lost_when_the_last_turn_is_planned_anew(rig: Rig) -> None:
    """A signal and a request come at once: the turn that would end the driver meets the new goal and is
    planned a second time. The time driven until then is recorded all the same.
    """
    rig.world.ready_after = 90_000.0
    id = rig.create()
    rig.stop = Stop()

    def both() -> None:
        engine.request(rig.equipment, id, Goal.ROLLED_BACK)
        rig.stop.ask()

    rig.clock.after(15.0, both)
    assert rig.drive(id).why is EndReason.STOPPED
    assert rig.store.load(id).deployment.goal is Goal.ROLLED_BACK
    assert 14.0 <= rig.store.load(id).steps["disk"].driven_seconds <= 16.0


@pytest.mark.parametrize("fails_at", range(1, 11))
def test_a_failed_commit_leaves_record_and_pace_unchanged(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """Record, pace and database are those of the last committed turn, whichever turn fails."""
    id = rig.create()
    held = lease.take(rig.store, id, holder_module.this_process(), 60.0, rig.clock)
    committed: list[tuple[Record, Pace]] = []
    commit = Store.commit

    class Watching:
        def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
            committed.append((driver.record, driver.pace))

    def fail_from_then_on(store: Store, *args: Any, **options: Any) -> Record:
        if len(committed) >= fails_at:
            raise DatabaseUnavailable("no room")
        return commit(store, *args, **options)

    monkeypatch.setattr(Store, "commit", fail_from_then_on)
    driver = Driver(replace(rig.equipment, observer=Watching()), held, rig.store.load(id))
    with pytest.raises(DatabaseUnavailable):
        driver.run()
    record, pace = committed[-1]
    assert (driver.record, driver.pace) == (record, pace)
    assert rig.store.load(id).steps == record.steps
