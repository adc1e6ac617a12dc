"""`decide` for any record and pace: it always answers, and never breaks a rule."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.rows import AT, deployment, failure, resource, step
from tier1_engine.contract.kind import Problem
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.plan import ref
from tier1_engine.deployment.record import (
    Attempt,
    DeploymentSet,
    Move,
    Record,
    Resource,
    ResourceSet,
    Step,
    StepSet,
)
from tier1_engine.deployment.standing import may_have_acted
from tier1_engine.deployment.states import (
    FORWARD,
    GOING_BACK,
    Action,
    FailureClass,
    Goal,
    Mode,
    Outcome,
    Phase,
    ResourceState,
    State,
    StepState,
    Trigger,
)
from tier1_engine.engine.decide.decide import decide
from tier1_engine.engine.decide.decision import Changed, Decision, Work
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.tasks import CENSUS, IDENTITY, Do
from tier1_engine.settings import Settings

MAX_STEPS = 5
EXAMPLES = int(os.environ.get("TIER1_TEST_EXAMPLES", "360"))
MAX_BOOKKEEPING_ROUNDS = 60
PROBLEM = Problem("ExpiredToken", "sign in")
ERRORS = [
    None,
    Error("X", "m", failure_class=FailureClass.CRITICAL),
    Error("X", "m", "Do", "r", failure_class=FailureClass.RECOVERABLE),
    Error("X", "m", stuck=True),
]
seconds = st.sampled_from([0.0, 1.0, 15.0, 599.0, 600.0, 700.0])


@st.composite
def a_step(draw: Any, number: int, before: list[Step]) -> Step:
    needs = tuple(s.name for s in before if draw(st.integers(0, 2)) == 0)
    # A step begins only when what it needs is complete, which never becomes incomplete again.
    startable = all(s.complete for s in before if s.name in needs)
    state = draw(st.sampled_from(StepState)) if startable else StepState.WAITING
    ended = state in (StepState.DONE, StepState.FAILED, StepState.SKIPPED)
    return step(
        f"s{number}",
        position=number,
        phase=draw(st.sampled_from(Phase)),
        mode=draw(st.sampled_from([Mode.CREATE, Mode.CREATE, Mode.REFERENCE, Mode.CHECK])),
        needs=needs,
        state=state,
        on_failure=draw(st.sampled_from([FailureClass.CRITICAL, FailureClass.RECOVERABLE])),
        driven_seconds=draw(seconds),
        finished_at=AT if ended else None,
        error=draw(st.sampled_from(ERRORS[1:3]))
        if state is StepState.FAILED
        else draw(st.sampled_from(ERRORS[:3])),
    )


@st.composite
def a_row(draw: Any, name: str) -> Resource:
    owned = draw(st.booleans()) or "~" in name
    states = list(ResourceState) if owned else [ResourceState.PRESENT]
    state = draw(st.sampled_from(states))
    without_id = state in (ResourceState.CREATING, ResourceState.DELETING, ResourceState.DELETED)
    return resource(
        f"r-{name}",
        name,
        kind=draw(st.sampled_from(["net", "machine"])),
        state=state,
        owned=owned,
        aws_id=None if without_id and draw(st.booleans()) else f"id-{name}",
        error=draw(st.sampled_from(ERRORS)),
        driven_seconds=draw(seconds),
        deleted_at=AT if state is ResourceState.DELETED else None,
    )


@st.composite
def a_record(draw: Any) -> Record:
    steps: list[Step] = []
    for number in range(draw(st.integers(1, MAX_STEPS))):
        steps.append(draw(a_step(number, steps)))
    names = [s.name for s in steps if s.mode is not Mode.CHECK and draw(st.booleans())]
    names += [f"{s.name}~1" for s in steps if draw(st.integers(0, 5)) == 0]
    rows = [draw(a_row(name)) for name in names]
    attempts = [
        Attempt(
            f"a{n}",
            "d1",
            row.step,
            draw(st.sampled_from([Action.CREATE, Action.ARCHIVE])),
            AT,
            1,
            resource_id=row.id,
            key=row.key,
            outcome=draw(st.sampled_from([None, *Outcome])),
            settled=draw(st.booleans()),
        )
        for n, row in enumerate(r for r in rows for _ in range(draw(st.integers(0, 3))))
    ]
    state = draw(st.sampled_from(State))
    goal = {State.ROLLING_BACK: Goal.ROLLED_BACK, State.ROLLED_BACK: Goal.ROLLED_BACK}.get(state)
    once = state in (State.ACTIVE, State.DESTROYING, State.DESTROYED)
    if goal is None:
        goal = Goal.DESTROYED if state in (State.DESTROYING, State.DESTROYED) else None
    if goal is None:
        goals = [Goal.ACTIVE, Goal.DESTROYED if once else Goal.ROLLED_BACK]
        goal = draw(st.sampled_from(goals))
    whole = deployment(
        state=state,
        goal=goal,
        activated_at=AT if once else None,
        failure=failure() if state is State.FAILED else None,
        rollback_enabled=draw(st.booleans()),
        retain=tuple(n for n in names if draw(st.integers(0, 5)) == 0),
        output_templates={"s0": ref("s0")},
    )
    return Record(whole, {s.name: s for s in steps}, {r.id: r for r in rows}, {a.id: a for a in attempts})


@st.composite
def a_pace(draw: Any, record: Record) -> Pace:
    subjects = [*record.steps, *(r.name for r in record.resources.values()), CENSUS, IDENTITY]
    some = st.frozensets(st.sampled_from(subjects))
    return Pace(
        now=1000.0,
        wall=AT,
        settings=Settings(visibility_grace_seconds=20.0),
        in_flight=draw(some),
        due={name: draw(st.sampled_from([900.0, 1000.0, 1100.0])) for name in draw(some)},
        counted_from={name: draw(st.sampled_from([300.0, 1000.0])) for name in draw(some)},
        looked=draw(some),
        unknown_at={r: draw(st.sampled_from([900.0, 990.0])) for r in record.resources},
        accepted=draw(some),
        unset=draw(some),
        prepared=draw(some),
        clean_censuses=draw(st.integers(0, 2)),
        last_census_at=draw(st.sampled_from([970.0, 995.0])),
        archiving_kinds=frozenset({"machine"}),
        census_problem=draw(st.sampled_from([None, PROBLEM])),
        identified=draw(st.booleans()),
        blocked=draw(st.sampled_from([None, None, PROBLEM])),
        stopping=draw(st.integers(0, 8)) == 0,
    )


cases = a_record().flatmap(lambda record: st.tuples(st.just(record), a_pace(record)))
Case = tuple[Record, Pace]
RULES: list[Callable[[Case], None]] = []
"""The rules for every decision. Creating a case takes longer than checking all of them."""


def rule(holds: Callable[[Case], None]) -> Callable[[Case], None]:
    """Check it on each case."""
    RULES.append(holds)
    return holds


def followed(record: Record, pace: Pace) -> tuple[Record, Decision, list[Any]]:
    """Apply all bookkeeping; return the record, the remaining decision, and the changes on the way."""
    changes: list[Any] = []
    for _ in range(MAX_BOOKKEEPING_ROUNDS):
        decision = decide(record, pace)
        if not isinstance(decision, Changed):
            return record, decision, changes
        assert decision.changes, "bookkeeping that changes nothing goes in circles"
        changes += decision.changes
        record = record.apply(decision.changes)
    raise AssertionError("decide does not come to an end")


@rule
def it_always_answers_and_only_from_what_it_is_given(case: Case) -> None:
    """The same arguments give the same answer and stay unchanged; the bookkeeping ends."""
    record, pace = case
    before = copy.deepcopy((record, pace))
    first = decide(record, pace)
    assert decide(record, pace) == first
    assert (record, pace) == before
    followed(record, pace)


@rule
def no_two_tasks_have_one_subject_and_none_is_in_flight_or_not_yet_due(
    case: Case,
) -> None:
    """Each resource has one call at a time, and none before it is due."""
    _, decision, _ = followed(*case)
    if isinstance(decision, Work):
        subjects = [task.subject for task in decision.tasks]
        assert len(subjects) == len(set(subjects))
        assert not set(subjects) & case[1].in_flight
        assert all(case[1].due.get(subject, 0.0) <= 1000.0 for subject in subjects)


@rule
def a_driver_that_works_is_never_left_without_something_to_wait_for(case: Case) -> None:
    """There is a task, a call in flight, or a time to wait for."""
    _, decision, _ = followed(*case)
    if isinstance(decision, Work):
        assert decision.tasks or case[1].in_flight or decision.wake_at is not None


@rule
def no_step_is_worked_on_before_what_it_needs(case: Case) -> None:
    """This holds for provisioning."""
    record, decision, _ = followed(*case)
    if isinstance(decision, Work) and record.deployment.state in FORWARD:
        for task in decision.tasks:
            if task.subject in record.steps:
                assert all(record.steps[need].complete for need in record.steps[task.subject].needs)


@rule
def nothing_is_asked_of_aws_before_the_account_is_known(case: Case) -> None:
    """With other credentials every resource would look as if it were gone."""
    _, decision, _ = followed(*case)
    if isinstance(decision, Work) and not case[1].identified:
        assert {task.do for task in decision.tasks} <= {Do.IDENTIFY}


@rule
def nothing_is_created_while_an_earlier_create_may_have_acted(case: Case) -> None:
    """Nothing is created where something is known to exist, either."""
    record, decision, _ = followed(*case)
    for task in decision.tasks if isinstance(decision, Work) else ():
        row = record.resource_of(task.subject)
        if task.do is Do.CREATE and row is not None:
            assert not may_have_acted(record, row)
            assert row.aws_id is None


@rule
def a_way_back_never_creates_configures_or_checks(case: Case) -> None:
    """It reads, archives, deletes and lists."""
    record, decision, _ = followed(*case)
    if isinstance(decision, Work) and record.deployment.state in GOING_BACK:
        allowed = {Do.IDENTIFY, Do.SETTLE, Do.ARCHIVE, Do.DELETE, Do.CONFIRM, Do.CENSUS}
        assert {task.do for task in decision.tasks} <= allowed


def needed(record: Record, name: str) -> set[str]:
    """The steps that a step needs, directly or through others."""
    found: set[str] = set()
    frontier = [name]
    while frontier:
        for need in record.steps[frontier.pop()].needs:
            if need not in found:
                found.add(need)
                frontier.append(need)
    return found


@rule
def only_what_is_ours_and_unused_is_deleted(case: Case) -> None:
    """A referenced, retained, deleted, current or needed resource is never deleted."""
    record, decision, _ = followed(*case)
    for task in decision.tasks if isinstance(decision, Work) else ():
        if task.do not in (Do.DELETE, Do.ARCHIVE):
            continue
        row = record.resource_of(task.subject)
        assert row is not None
        assert row.owned
        assert row.state not in (ResourceState.DELETED, ResourceState.RETAINED)
        going_back = record.deployment.state in GOING_BACK
        assert going_back or row.name != row.step
        assert not (going_back and row.name in record.deployment.retain)
        living = [r for r in record.resources.values() if not r.settled and r.id != row.id]
        others = living if going_back else [r for r in living if r.name != r.step]
        assert not any(row.step in needed(record, other.step) for other in others)


@rule
def healthy_fires_only_when_every_step_is_complete(case: Case) -> None:
    """A phase ends only when all of its steps are complete."""
    record, pace = case
    for _ in range(MAX_BOOKKEEPING_ROUNDS):
        decision = decide(record, pace)
        if not isinstance(decision, Changed):
            break
        for change in decision.changes:
            if isinstance(change, Move) and change.trigger is Trigger.HEALTHY:
                assert all(s.complete for s in record.steps.values())
                strays = [r for r in record.resources.values() if not r.settled and r.name != r.step]
                assert all(stray.stuck for stray in strays)
                warnings = str(record.apply(decision.changes).deployment.warnings)
                assert all(str(stray.aws_id) in warnings for stray in strays)
            ended = {Trigger.NETWORK_READY: Phase.NETWORK, Trigger.EFS_READY: Phase.EFS}
            if isinstance(change, Move) and change.trigger in ended:
                phase = ended[change.trigger]
                assert all(s.complete for s in record.steps.values() if s.phase is phase)
        record = record.apply(decision.changes)


@rule
def a_clean_end_leaves_nothing_and_was_proven(case: Case) -> None:
    """`rolled_back` and `destroyed` need a census, and two of them after an unknown create."""
    record, pace = case
    after, _, changes = followed(record, pace)
    ends = [
        c for c in changes if isinstance(c, Move) and c.trigger in (Trigger.ROLLED_BACK, Trigger.DESTROYED)
    ]
    if ends:
        assert all(r.settled for r in after.resources.values())
        unknown = any(
            a.action is Action.CREATE and a.outcome is Outcome.UNKNOWN for a in after.attempts.values()
        )
        assert pace.clean_censuses >= (2 if unknown else 1)
        assert pace.census_problem is None


@rule
def a_failure_its_goal_and_its_rollback_are_one_set_of_changes(case: Case) -> None:
    """A crash cannot lose the rollback, and every failed deployment has a reason."""
    record, pace = case
    for _ in range(MAX_BOOKKEEPING_ROUNDS):
        decision = decide(record, pace)
        if not isinstance(decision, Changed):
            break
        after = record.apply(decision.changes)
        if after.deployment.state is State.FAILED:
            assert after.deployment.failure
        if after.deployment.state is State.ROLLING_BACK:
            assert after.deployment.goal is Goal.ROLLED_BACK
        if after.deployment.state in GOING_BACK and record.deployment.failure:
            assert after.deployment.failure == record.deployment.failure
        record = after


@rule
def nothing_is_done_while_blocked_or_stopping(case: Case) -> None:
    """Calls in flight are waited for; then it ends."""
    record, pace = case
    if pace.stopping or pace.blocked:
        after, decision, _ = followed(record, pace)
        tasks = decision.tasks if isinstance(decision, Work) else ()
        assert not (pace.stopping and tasks)
        if pace.blocked and after.deployment.state in (*FORWARD, *GOING_BACK):
            assert not tasks


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases)
def test_every_rule_holds_whatever_the_record_and_the_pace(case: Case) -> None:
    """The failing function names the broken rule."""
    for holds in RULES:
        holds(case)


@example(State.PENDING)
@given(st.sampled_from(State))
def test_rows_are_changed_only_in_existing_columns(state: State) -> None:
    """An unknown column would fail at the commit, after the call."""
    record = Record(deployment(state=state), {"net": step()}, {"r1": resource()}, {})
    decision = decide(record, Pace(0.0, AT, Settings(visibility_grace_seconds=1.0), identified=True))
    for change in decision.changes if isinstance(decision, Changed) else ():
        assert isinstance(change, Move | StepSet | ResourceSet | DeploymentSet)
