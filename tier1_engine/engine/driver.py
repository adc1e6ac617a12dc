"""One driver of one deployment: the loop, and the single thread that owns its record.

A turn records the answers that arrived and lets `decide` choose the next actions. It commits both, with the
intents of the calls that it will send next, in ONE transaction. Only then does it adopt the new record and
pace and send the calls. So a step costs about one commit, the intent is on disk whenever a crash happens, and
nothing is done twice. Waiting uses no thread: the driver sleeps until an answer arrives, a time is due, the
lease must be renewed, or a signal arrives. `protocol.attempt` describes one attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tier1_engine.deployment.record import Change, DeploymentSet, Record, with_values
from tier1_engine.engine.decide.decide import decide
from tier1_engine.engine.decide.decision import End, EndReason, Work, blocked
from tier1_engine.engine.effects import Effect, on_record
from tier1_engine.engine.equipment import Decide, Equipment, Opening
from tier1_engine.engine.pace import Pace, driven_time, rebuilt
from tier1_engine.engine.permit import LeasePermit
from tier1_engine.engine.protocol.actions import Answer, Assignment
from tier1_engine.engine.protocol.attempt import Attempts, cut_off, too_late
from tier1_engine.engine.protocol.case import with_unwritten
from tier1_engine.errors import DatabaseUnavailable
from tier1_engine.store import lease as leases
from tier1_engine.store.lease import Lease
from tier1_engine.store.store import GoalChanged

CALLS_PER_TASK = 6
"""A task that takes longer than this many call timeouts is abandoned as unknown; its permit ends then."""
GOAL_LOOK_SECONDS = 1.0
"""How often an idle driver checks for a new target state."""
MAX_BOOKKEEPING_ROUNDS = 1000
COMMIT_RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Turn:
    """The result of a turn before its commit.

    Attributes:
        effects: of the answers that arrived and of the decisions on them. pace: the one after the commit.
        calls: sent after the commit.
    """

    decision: Work | End
    effects: list[Effect]
    pace: Pace
    calls: list[Assignment]


class Driver:
    """Drives one deployment from the moment it holds the lease until there is nothing more to do.

    Args:
        record: as loaded or written under the lease.
        decide: chooses the next actions; a sweep passes its own, which acts on a part of the deployment.
        identified: whether AWS has just confirmed to this process that this is the deployment's account.

    Attributes:
        gave_back: whether the last turn was committed; its transaction also released the lease.
    """

    def __init__(
        self,
        equipment: Equipment,
        lease: Lease,
        record: Record,
        *,
        identified: bool = False,
        decide: Decide = decide,
    ) -> None:
        self.equipment = equipment
        self._decide = decide
        self.lease = lease
        self.record = record
        self.gave_back = False
        self.pool = equipment.pool()
        kinds = equipment.registry.kinds
        self.pace = Pace(
            now=lease.taken_at,
            wall=equipment.clock.now(),
            settings=equipment.settings,
            identified=identified,
            archiving_kinds=frozenset(name for name in kinds if kinds[name].archives_console),
            may_delete=equipment.may_delete,
        )
        self.attempts = Attempts(
            registry=equipment.registry,
            database_id=equipment.store.database_id,
            cloud=equipment.cloud,
            permit=self._permit,
            term=lease.term,
            new_id=equipment.new_id,
            jitter=equipment.rng.random,
            observes_within=equipment.observes_within,
        )
        self._calls: dict[str, tuple[Assignment, float]] = {}
        self._early: list[Answer] = []

    def run(self, opening: Opening = lambda record, pace: ()) -> EndReason:
        """Drive the deployment until there is nothing more to do for this driver.

        Raises:
            LeaseLost: another driver has taken over; this one changed nothing after that.
            DatabaseUnavailable: a turn could not be committed before the lease ended.
        """
        self.equipment.stop.wakes(self.pool.wake)
        try:
            return self._loop(opening)
        finally:
            self.pool.close()

    def _loop(self, opening: Opening) -> EndReason:
        self.pace = rebuilt(with_values(self._pace_now(), {"now": self.lease.taken_at}), self.record)
        effects = cut_off(self.record, self.pace)
        effects += opening(self.record.apply(on_record(effects)), self.pace)
        while True:
            decision = self._turn(effects)
            if isinstance(decision, End):
                return decision.why
            effects = self._recorded(self._wait(decision))
            if self._renew_when_due(effects):
                effects += self._driven_time(effects)

    # --- one turn

    def _turn(self, effects: Sequence[Effect]) -> Work | End:
        """Commit the effects of the answers and of the decisions on them, then send the next calls."""
        while True:
            try:
                turn = self._plan(effects)
                if changes := on_record(turn.effects):
                    self._commit(changes, last=isinstance(turn.decision, End))
                else:
                    self._read_goal()
                break
            except GoalChanged as news:
                asked_for = DeploymentSet({"goal": news.goal, "retain": news.retain})
                self.record = self.record.apply([asked_for])
        self.pace = turn.pace
        for assignment in turn.calls:
            self._send(assignment)
        self.equipment.observer.turn(self.record, changes, self.pace.due)
        return turn.decision

    def _plan(self, effects: Sequence[Effect]) -> _Turn:
        """Compute the turn: the effects to commit, and the calls to send after that. Changes nothing."""
        whole = list(effects)
        record, pace = self.record.apply(on_record(whole)), self._pace_now().apply(whole)
        for _ in range(MAX_BOOKKEEPING_ROUNDS):
            decision = self._decide(record, pace)
            if isinstance(decision, End):
                last = [*driven_time(record, pace), *blocked(record, pace)]
                return _Turn(decision, [*whole, *last], pace.apply(last), [])
            if isinstance(decision, Work):
                break
            whole += decision.changes
            record, pace = record.apply(decision.changes), pace.apply(decision.changes)
        else:
            raise RuntimeError("decide does not come to an end")
        calls: list[Assignment] = []
        for task in decision.tasks:
            begun = self.attempts.begin(task, record, pace)
            whole += begun.effects
            record, pace = record.apply(on_record(begun.effects)), pace.apply(begun.effects)
            if begun.assignment is not None:
                calls.append(begun.assignment)
        return _Turn(decision, whole, pace, calls)

    def _pace_now(self) -> Pace:
        """Return the pace with the current times, calls in flight and stop request."""
        now, wall = self.equipment.clock.steady(), self.equipment.clock.now()
        in_flight, stopping = frozenset(self._calls), self.equipment.stop.asked
        moment = {"now": now, "wall": wall, "in_flight": in_flight, "stopping": stopping}
        return with_values(self.pace, moment)

    def _send(self, assignment: Assignment) -> None:
        budget = self.equipment.settings.call_timeout_seconds * CALLS_PER_TASK
        ends_at = self.equipment.clock.steady() + budget
        self._calls[assignment.subject] = (assignment, ends_at)
        self.pool.submit(self.attempts.send(assignment, ends_at))

    def _permit(self, ends_at: float) -> LeasePermit:
        stop, clock = self.equipment.stop, self.equipment.clock
        seconds = self.equipment.settings.call_timeout_seconds
        return LeasePermit(stop, clock, lambda: self.lease.trusted_until, seconds, ends_at)

    # --- answers

    def _recorded(self, answers: Sequence[Answer]) -> list[Effect]:
        """Return the effects of all answers, and of the calls that have timed out."""
        pace, record = self._pace_now(), self.record
        late = [too_late(assignment) for assignment, ends_at in self._calls.values() if pace.now >= ends_at]
        effects: list[Effect] = []
        for answer in [*answers, *late]:
            subject = answer.asked.subject
            current = self._calls.get(subject)
            if current is None or current[0] is not answer.asked:
                continue  # abandoned earlier: its attempt has ended as unknown
            del self._calls[subject]
            follows = self.attempts.finish(answer, record, pace)
            effects += follows
            record, pace = record.apply(on_record(follows)), pace.apply(follows)
        return effects

    def _driven_time(self, effects: Sequence[Effect]) -> list[Effect]:
        """Record the driven time of everything that still runs after `effects`."""
        return driven_time(self.record.apply(on_record(effects)), self._pace_now().apply(effects))

    # --- the database

    def _commit(self, changes: Sequence[Change], *, last: bool) -> None:
        """Commit a turn; retry until the lease ends while the database is unavailable.

        The last turn also releases the lease.
        """
        equipment = self.equipment
        while True:
            try:
                self.record = equipment.store.commit(
                    self.record,
                    changes,
                    self.lease.fence,
                    equipment.clock.now(),
                    gives_back=last,
                    actor=self.lease.holder.actor,
                )
                self.gave_back = last
                return
            except DatabaseUnavailable as error:
                self._retry(error, changes)

    def _read_goal(self) -> None:
        """Read the target state in a turn that commits nothing: a commit would check it.

        Raises:
            GoalChanged: another command has requested a different one.
        """
        try:
            goal, retain = self.equipment.store.goal(self.record.deployment.id, self.lease.fence)
        except DatabaseUnavailable:
            return  # the next renewal decides whether this is the end
        if (goal, retain) != (self.record.deployment.goal, self.record.deployment.retain):
            raise GoalChanged(goal, retain)

    def _renew_when_due(self, effects: Sequence[Effect]) -> bool:
        """Renew the lease if it is time; retry until it ends while the database is unavailable.

        Args:
            effects: of the answers that arrived and are not yet committed.
        """
        equipment = self.equipment
        while equipment.clock.steady() >= self.lease.renewal_due:
            try:
                self.lease = leases.renew(equipment.store, self.lease, equipment.clock)
                return True
            except DatabaseUnavailable as error:
                self._retry(error, on_record(effects))
        return False

    def _retry(self, error: DatabaseUnavailable, changes: Sequence[Change]) -> None:
        """Wait for the next attempt to write to the database.

        Raises:
            DatabaseUnavailable: the lease ends first; the message has the AWS ids that are not yet recorded.
        """
        if self.equipment.clock.steady() + COMMIT_RETRY_SECONDS >= self.lease.trusted_until:
            self._pause(0.0)
            raise with_unwritten(error, changes, self._early, self.record) from error
        self._pause(COMMIT_RETRY_SECONDS)

    def _pause(self, seconds: float) -> None:
        """Wait, and store the answers that arrive meanwhile."""
        self._early += self.pool.wait(self.equipment.clock.steady() + seconds)

    def _wait(self, decision: Work) -> list[Answer]:
        early, self._early = self._early, []
        return early or self.pool.wait(self._wake_at(decision))

    def _wake_at(self, decision: Work) -> float:
        """Return the steady time at which something is next due."""
        now = self.equipment.clock.steady()
        times = [self.lease.renewal_due, now + GOAL_LOOK_SECONDS]
        times += [ends_at for _, ends_at in self._calls.values()]
        if decision.wake_at is not None:
            times.append(decision.wake_at)
        return min(times)
