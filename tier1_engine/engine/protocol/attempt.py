"""The life of one attempt, from "`decide` returns CREATE vpc" to "the step is done", on one screen.

    begin    resolve, intend, assign     what must be on disk, and what the worker needs
    ------   the turn commits            nothing is sent before this line
    send     permit, perform, normalise  read first, then act; runs in a worker, never raises
    finish   record                      what the answer changes in the record and in the pace
    ------   the next turn commits       a crash before this line is repaired from the intent

The driver does these three in this order, with nothing in between. `begin` and `finish` are pure: they return
effects, and the driver commits them. A call that exceeds its time limit gets the answer of `too_late`; the
attempt of a killed driver is ended by `cut_off` in the next driver. Both outcomes are unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tier1_engine.contract.cloud import Cloud, Permit
from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.record import AttemptSet, Record
from tier1_engine.deployment.states import GOING_BACK, Outcome
from tier1_engine.engine.effects import Effect, Learn
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.protocol.actions import Answer, Assignment, Failed
from tier1_engine.engine.protocol.assignment import KindMissing, assign, impossible
from tier1_engine.engine.protocol.case import Case, access_granted
from tier1_engine.engine.protocol.intent import intend, resolve_at_once
from tier1_engine.engine.protocol.perform import RecordingCloud, normalise, perform
from tier1_engine.engine.protocol.record_provisioning import record_provisioning
from tier1_engine.engine.protocol.record_teardown import record_teardown
from tier1_engine.engine.tasks import REMOVALS, Do, Task
from tier1_engine.errors import Acted, CallError, Refused

_COUNTED = frozenset({Do.CHECK, Do.REFERENCE, Do.CREATE, Do.OBSERVE})


@dataclass(frozen=True, slots=True)
class Begun:
    """The effects to commit before an attempt is sent, and the assignment of its worker.

    Attributes:
        assignment: None if the task cannot be performed; the effects then hold the error.
    """

    effects: list[Effect]
    assignment: Assignment | None


@dataclass(frozen=True, slots=True)
class Attempts:
    """Runs attempts for one driver under one lease.

    Attributes:
        permit: returns the permit of an attempt, given its end in steady seconds; mutating calls check it.
        term: the term of the lease.
        jitter: returns a random number from 0 to 1.
        observes_within: whether an object that contains something foreign is left alone.
    """

    registry: Registry
    database_id: str
    cloud: Callable[[Permit], Cloud]
    permit: Callable[[float], Permit]
    term: int
    new_id: Callable[[], str]
    jitter: Callable[[], float]
    observes_within: bool = False

    def begin(self, task: Task, record: Record, pace: Pace) -> Begun:
        """Before the commit: resolve, intend, assign."""
        task, resolved = resolve_at_once(task, record, self.registry)
        pace = pace.apply(resolved)
        intents, attempt_id = intend(task, record, pace, self.term, self.new_id)
        database_id, inside = self.database_id, self.observes_within
        try:
            after = record.apply(intents)
            assignment = assign(
                task, attempt_id, after, pace, self.registry, database_id, observes_within=inside
            )
        except (KindMissing, Refused) as error:
            return Begun([*resolved, *impossible(task, record, pace, str(error))], None)
        return Begun([*resolved, *intents, *_counted(task, pace)], assignment)

    def send(self, assignment: Assignment, ends_at: float) -> Callable[[], Answer]:
        """After the commit: permit, perform, normalise. A worker runs the returned call."""
        cloud = self.cloud(self.permit(ends_at))
        return lambda: carry_out(assignment, cloud)

    def finish(self, answer: Answer, record: Record, pace: Pace) -> list[Effect]:
        """Before the next commit: record the end of the attempt and its effects."""
        case = Case(answer, record, pace, self.term, self.new_id, self.jitter, self.registry.kinds)
        teardown = record.deployment.state in GOING_BACK or answer.asked.do in REMOVALS
        follows = record_teardown(case) if teardown else record_provisioning(case)
        return [*access_granted(case), *follows]


def carry_out(assignment: Assignment, cloud: Cloud) -> Answer:
    """Perform the assignment and turn its result or exception into an answer; no exception leaves here."""
    noted = RecordingCloud(cloud)
    try:
        result = perform(assignment, noted)
    except Exception as error:  # noqa: BLE001 - a defect in a kind must not end the driver
        result = normalise(assignment, error)
    return Answer(result, noted.operation, noted.request_id)


def too_late(assignment: Assignment) -> Answer:
    """Return the answer of an abandoned call."""
    message, operation = "no reply within the time limit of the task", assignment.do.value
    error = CallError("CallTimeout", message, operation=operation, acted=Acted.UNKNOWN)
    return Answer(Failed(assignment, error, in_change=True))


def cut_off(record: Record, pace: Pace) -> list[Effect]:
    """End the attempts that an earlier driver left open as unknown: AWS may have acted."""
    cut = {
        "ended_at": pace.wall,
        "outcome": Outcome.UNKNOWN,
        "code": "Cut",
        "message": "the process ended before a reply arrived",
    }
    return [AttemptSet(a.id, cut) for a in record.attempts.values() if a.ended_at is None]


def _counted(task: Task, pace: Pace) -> list[Effect]:
    """Start counting the driven time of a subject at its first task."""
    if task.do not in _COUNTED or task.subject in pace.counted_from:
        return []
    return [Learn("counted_from", task.subject, pace.now)]
