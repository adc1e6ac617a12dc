"""Decides the next actions for a deployment: a pure function of its record and of the driver's pace.

`decide` returns one of three values: `Changed` (bookkeeping: apply it and call `decide` again), `Work` (the
tasks to perform in parallel, and when to decide again), or `End` (why there is nothing more to do for this
driver). It never waits, calls AWS, or writes.
"""

from __future__ import annotations

from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import FORWARD, Goal, State, Trigger
from tier1_engine.engine.decide.decision import Changed, Decision, End, EndReason, Work, move, turn_back
from tier1_engine.engine.decide.provisioning import provision
from tier1_engine.engine.decide.teardown import go_back
from tier1_engine.engine.pace import Pace


def decide(record: Record, pace: Pace) -> Decision:
    """Choose the next actions for the whole life of a deployment."""
    state, goal = record.deployment.state, record.deployment.goal
    if pace.stopping:
        return Work((), None) if pace.in_flight else End(EndReason.STOPPED)
    if state in (State.ROLLING_BACK, State.DESTROYING):
        return go_back(record, pace)
    if state is State.ACTIVE and goal is Goal.DESTROYED:
        return Changed(turn_back(record))
    if state is State.PENDING and goal is Goal.ACTIVE:
        return Changed([move(record, Trigger.START)])
    if state in (State.PENDING, *FORWARD):
        if goal is Goal.ACTIVE:
            return provision(record, pace)
        return Work((), None) if pace.in_flight else Changed(turn_back(record))
    return Work((), None) if pace.in_flight else End(EndReason.SETTLED)
