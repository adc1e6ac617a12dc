"""One driver of one deployment: the loop, and the single thread that owns its record.

A turn takes in the answers that came, lets `decide` say what follows, commits all of it with the
intents of what will be sent next in ONE transaction, and only then sends. So a step costs about one
commit, a crash at any instant finds the intent on disk, and nothing is done twice. Waiting takes no
thread: the driver sleeps until an answer comes, a time is due, the lease wants renewal, or a signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tier1_engine.deployment.record import (
    AttemptSet,
    Change,
    DeploymentSet,
    Move,
    Record,
    ResourceSet,
    StepSet,
)
from tier1_engine.deployment.states import GOING_BACK, Outcome, ResourceState, StepState
from tier1_engine.engine.decide.decide import decide
from tier1_engine.engine.decide.decision import End, Why, Work
from tier1_engine.engine.equipment import Decide, Opening, Parts
from tier1_engine.engine.pace import Pacer
from tier1_engine.engine.permit import LeasePermit
from tier1_engine.engine.protocol import record_provisioning, record_teardown
from tier1_engine.engine.protocol.assignment import Answer, Assignment, KindMissing, assign, ours
from tier1_engine.engine.protocol.case import Case, with_what_is_held
from tier1_engine.engine.protocol.intent import intend, request_at_once
from tier1_engine.engine.protocol.perform import perform
from tier1_engine.engine.tasks import Do, Task
from tier1_engine.errors import Acted, CallError, DatabaseUnavailable, Refused
from tier1_engine.store import lease as leases
from tier1_engine.store.lease import Lease
from tier1_engine.store.store import GoalChanged

CALLS_PER_TASK = 6
"""A task that takes longer than this many call budgets is left behind as unknown; its permit ends then."""
GOAL_LOOK_SECONDS = 1.0
"""How often a driver that only waits looks whether another goal was asked for."""
MAX_BOOKKEEPING_ROUNDS = 1000
COMMIT_RETRY_SECONDS = 0.2
_REMOVALS = frozenset({Do.DELETE, Do.CONFIRM, Do.ARCHIVE, Do.CENSUS})


class Driver:
    """Drives one deployment from the moment it holds the lease until there is nothing more to do.

    Args:
        record: as it was loaded, or written, under the lease.
        decide: says what to do next; a sweep drives only a part of a deployment.
        identified: AWS has just told this process that the account is the deployment's.

    Attributes:
        gave_back: the last turn was committed, and the lease given back with it.
    """

    def __init__(
        self,
        parts: Parts,
        lease: Lease,
        record: Record,
        *,
        identified: bool = False,
        decide: Decide = decide,
    ) -> None:
        self.parts = parts
        self._decide = decide
        self.lease = lease
        self.record = record
        self.gave_back = False
        self.pacer = Pacer(parts.settings, parts.rng)
        self.pacer.identified = identified
        self.pacer.archiving_kinds = frozenset(
            name for name, kind in parts.registry.kinds.items() if kind.archives_console
        )
        self.pacer.may_delete = parts.may_delete
        self.pool = parts.pool()
        self._calls: dict[str, tuple[Assignment, float]] = {}
        self._early: list[Answer] = []

    def run(self, opening: Opening = lambda record, pacer: ()) -> Why:
        """Drive until the end.

        Raises:
            LeaseLost: another driver has taken over; nothing was changed since.
            DatabaseUnavailable: a turn could not be committed before the lease ended.
        """
        self.parts.stop.wakes(self.pool.wake)
        try:
            return self._loop(opening)
        finally:
            self.pool.close()

    def _loop(self, opening: Opening) -> Why:
        self.pacer.begin(self.record, self.lease.taken_at, self.parts.clock.now())
        changes: list[Change] = self._end_cut_attempts()
        changes += opening(self.record.apply(changes), self.pacer)
        while True:
            self.pacer.stopping = self.parts.stop.asked
            decision = self._turn(changes)
            if isinstance(decision, End):
                return decision.why
            changes = self._take_in(self._wait(decision))
            if self._renew_when_due():
                changes += self._driven_time(self.record.apply(changes))

    # --- one turn

    def _turn(self, changes: list[Change]) -> Work | End:
        """Commit what came in with all that follows from it, then send what is to be done."""
        while True:
            try:
                decision, whole, after, calls = self._plan(changes)
                if whole:
                    self._commit(whole, after, last=isinstance(decision, End))
                else:
                    self._look_at_goal()
                break
            except GoalChanged as news:
                asked_for = DeploymentSet({"goal": news.goal, "retain": news.retain})
                self.record = self.record.apply([asked_for])
        for assignment in calls:
            self._send(assignment)
        self.parts.observer.turn(self.record, whole, self.pacer.due)
        return decision

    def _plan(self, changes: Sequence[Change]) -> tuple[Work | End, list[Change], Record, list[Assignment]]:
        """All changes of the turn, the record with them, and the calls that go out once they are on disk."""
        parts, whole = self.parts, list(changes)
        record = self.record.apply(whole)
        for _ in range(MAX_BOOKKEEPING_ROUNDS):
            decision = self._decide(record, self.pacer.view(parts.clock.steady(), parts.clock.now()))
            if isinstance(decision, End):
                driven = self._driven_time(record)
                return decision, [*whole, *driven], record.apply(driven), []
            if isinstance(decision, Work):
                break
            self._follow(decision.changes)
            whole += decision.changes
            record = record.apply(decision.changes)
        else:
            raise RuntimeError("decide does not come to an end")
        calls: list[Assignment] = []
        for task in self._prepared_at_once(decision.tasks, record):
            intents, record, assignment = self._assign(task, record)
            whole += intents
            if assignment is not None:
                calls.append(assignment)
        return decision, whole, record, calls

    def _prepared_at_once(self, tasks: Sequence[Task], record: Record) -> list[Task]:
        """The same tasks; where a request needs no look at AWS it is known now, and its create joins this
        commit.
        """
        ready = {task.subject: task for task in tasks}
        for subject, task in ready.items():
            if task.do is Do.PREPARE:
                request = request_at_once(subject, record, self.parts.registry)
                if request is not None:
                    self.pacer.prepared[subject] = request
                    ready[subject] = Task(Do.CREATE, subject)
        return list(ready.values())

    def _follow(self, changes: Sequence[Change]) -> None:
        """What bookkeeping means for the pacer."""
        if any(isinstance(change, Move) and change.target in GOING_BACK for change in changes):
            self.pacer.turn_back()

    def _assign(self, task: Task, record: Record) -> tuple[list[Change], Record, Assignment | None]:
        """The intent of a task, the record with it, and what its worker gets.

        A task that cannot be done says why instead.
        """
        parts = self.parts
        intents, attempt_id = intend(
            task, record, self.pacer, self.lease.term, parts.clock.now(), parts.new_id
        )
        after = record.apply(intents)
        try:
            assignment = assign(task, attempt_id, after, self.pacer, parts.registry, parts.store.database_id)
        except (KindMissing, Refused) as error:
            instead = self._impossible(task, record, str(error))
            return instead, record.apply(instead), None
        if task.do is Do.DELETE and parts.looks_inside:
            assignment = replace(assignment, ours=ours(after))
        if task.do in (Do.CHECK, Do.REFERENCE, Do.CREATE, Do.OBSERVE):
            self.pacer.counted_from.setdefault(task.subject, parts.clock.steady())
        return intents, after, assignment

    def _impossible(self, task: Task, record: Record, message: str) -> list[Change]:
        error = {"code": "CannotBeDone", "message": message, "class": "critical"}
        resource = record.resource_of(task.subject)
        going_back = record.deployment.state in GOING_BACK or task.do in _REMOVALS
        if going_back and resource is not None:
            return [ResourceSet(resource.id, {"error": {**error, "stuck": True}})]
        failed = {"state": StepState.FAILED, "finished_at": self.parts.clock.now(), "error": error}
        return [StepSet(task.subject, failed)] if task.subject in record.steps else []

    def _send(self, assignment: Assignment) -> None:
        budget = self.parts.settings.call_timeout_seconds * CALLS_PER_TASK
        ends_at = self.parts.clock.steady() + budget
        subject = assignment.task.subject
        self.pacer.in_flight.add(subject)
        self._calls[subject] = (assignment, ends_at)
        cloud = self.parts.cloud(self._permit(ends_at))
        self.pool.submit(lambda: perform(assignment, cloud))

    def _permit(self, ends_at: float) -> LeasePermit:
        parts = self.parts
        seconds = parts.settings.call_timeout_seconds
        return LeasePermit(parts.stop, parts.clock, lambda: self.lease.trusted_until, seconds, ends_at)

    # --- answers

    def _take_in(self, answers: Sequence[Answer]) -> list[Change]:
        """The changes of all answers, those of calls that took too long included."""
        now = self.parts.clock.steady()
        changes: list[Change] = []
        for answer in [*answers, *self._left_behind(now)]:
            subject = answer.assignment.task.subject
            current = self._calls.get(subject)
            if current is None or current[0] is not answer.assignment:
                continue  # left behind earlier: its attempt has ended as unknown
            del self._calls[subject]
            self.pacer.in_flight.discard(subject)
            changes += self._absorb(answer, self.record.apply(changes), now)
        return changes

    def _absorb(self, answer: Answer, record: Record, now: float) -> list[Change]:
        parts = self.parts
        case = Case(answer, record, self.pacer, now, parts.clock.now(), self.lease.term, parts.new_id)
        going_back = record.deployment.state in GOING_BACK
        backwards = going_back or answer.assignment.task.do in _REMOVALS
        return record_teardown.absorb(case) if backwards else record_provisioning.absorb(case)

    def _left_behind(self, now: float) -> list[Answer]:
        return [
            Answer(
                assignment,
                error=CallError(
                    "CallTimeout",
                    "no answer within the budget of the task",
                    operation=assignment.task.do.value,
                    acted=Acted.UNKNOWN,
                ),
                in_change=True,
            )
            for assignment, ends_at in self._calls.values()
            if now >= ends_at
        ]

    def _end_cut_attempts(self) -> list[Change]:
        """Attempts of an earlier driver that have no end: AWS may have acted."""
        cut = {
            "ended_at": self.parts.clock.now(),
            "outcome": Outcome.UNKNOWN,
            "code": "Cut",
            "message": "the process ended before an answer came",
        }
        return [AttemptSet(a.id, cut) for a in self.record.attempts.values() if a.ended_at is None]

    # --- the database

    def _commit(self, changes: Sequence[Change], after: Record, *, last: bool) -> None:
        """Commit a turn; while the database does not take it, try again until the lease ends.

        The last one gives the lease back too.
        """
        parts = self.parts
        while True:
            try:
                self.record = parts.store.commit(
                    self.record, changes, self.lease.fence, parts.clock.now(), after=after, gives_back=last
                )
                self.gave_back = last
                return
            except DatabaseUnavailable as error:
                if parts.clock.steady() + COMMIT_RETRY_SECONDS >= self.lease.trusted_until:
                    self._pause(0.0)
                    raise with_what_is_held(error, changes, self._early, self.record) from error
                self._pause(COMMIT_RETRY_SECONDS)

    def _look_at_goal(self) -> None:
        """A turn without a commit reads the goal by itself."""
        try:
            goal, retain = self.parts.store.goal(self.record.deployment.id, self.lease.fence)
        except DatabaseUnavailable:
            return  # the next renewal decides whether this is the end
        if (goal, retain) != (self.record.deployment.goal, self.record.deployment.retain):
            raise GoalChanged(goal, retain)

    def _renew_when_due(self) -> bool:
        parts = self.parts
        while parts.clock.steady() >= self.lease.renewal_due:
            try:
                self.lease = leases.renew(parts.store, self.lease, parts.clock)
                return True
            except DatabaseUnavailable:
                if parts.clock.steady() + COMMIT_RETRY_SECONDS >= self.lease.trusted_until:
                    raise
                self._pause(COMMIT_RETRY_SECONDS)
        return False

    def _driven_time(self, record: Record) -> list[Change]:
        """Put on record how long what runs was driven; deadlines go on from there after a restart."""
        view = self.pacer.view(self.parts.clock.steady(), self.parts.clock.now())
        changes: list[Change] = []
        for subject in list(self.pacer.counted_from):
            step, resource = record.steps.get(subject), record.resource_of(subject)
            if step is not None and step.state is StepState.RUNNING:
                driven = view.driven(subject, step.driven_seconds)
                changes.append(StepSet(subject, {"driven_seconds": driven}))
            elif resource is not None and resource.state is ResourceState.DELETING:
                driven = view.driven(subject, resource.driven_seconds)
                changes.append(ResourceSet(resource.id, {"driven_seconds": driven}))
            else:
                continue
            self.pacer.counted_from[subject] = view.now
        return changes

    def _pause(self, seconds: float) -> None:
        """Wait without losing the answers that come meanwhile."""
        self._early += self.pool.wait(self.parts.clock.steady() + seconds)

    def _wait(self, decision: Work) -> list[Answer]:
        early, self._early = self._early, []
        return early or self.pool.wait(self._wake_at(decision))

    def _wake_at(self, decision: Work) -> float:
        """The next moment at which something is due, steady seconds."""
        now = self.parts.clock.steady()
        times = [self.lease.renewal_due, now + GOAL_LOOK_SECONDS]
        times += [ends_at for _, ends_at in self._calls.values()]
        if decision.wake_at is not None:
            times.append(decision.wake_at)
        return min(times)
