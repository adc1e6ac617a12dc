"""The transition table: what it allows, what it refuses, and that only it moves a deployment."""

from __future__ import annotations

import ast
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tier1_engine
from tests.support.rows import AT, deployment, driven, failure, step
from tier1_engine.deployment import states, transitions
from tier1_engine.deployment.record import DeploymentSet
from tier1_engine.deployment.states import (
    FORWARD,
    PHASE_OF_STATE,
    STATE_OF_PHASE,
    Goal,
    Phase,
    State,
    StepState,
    Trigger,
)
from tier1_engine.deployment.transitions import (
    CONDITIONS,
    TRANSITIONS,
    TRIGGER_ENDING_PHASE,
    Facts,
    next_state,
)
from tier1_engine.engine.decide import decision
from tier1_engine.errors import InvalidMove
from tier1_engine.store.store import Store

PAIRS = list(itertools.product(State, Trigger))
EVERY_FACTS = [
    Facts(goal, earliest, once) for goal in Goal for earliest in (None, *Phase) for once in (False, True)
]


def rows_for(state: State, trigger: Trigger) -> list[transitions.Transition]:
    return [row for row in TRANSITIONS if row.trigger is trigger and state in row.sources]


def allowed(state: State, trigger: Trigger, facts: Facts) -> list[State]:
    return [row.target for row in rows_for(state, trigger) if row.when is None or CONDITIONS[row.when](facts)]


@pytest.mark.parametrize(("state", "trigger"), PAIRS, ids=str)
def test_a_pair_leads_where_the_table_says_or_nowhere(state: State, trigger: Trigger) -> None:
    """For all facts the row whose condition holds applies, or else the move is invalid."""
    for facts in EVERY_FACTS:
        targets = allowed(state, trigger, facts)
        assert len(targets) <= 1, "conditions overlap"
        if targets:
            assert next_state(state, trigger, facts) is targets[0]
        else:
            with pytest.raises(InvalidMove, match=f"`{trigger}` is not possible"):
                next_state(state, trigger, facts)


def test_the_table_has_no_conflicting_rows() -> None:
    """`transitions` would silently use the first of them."""
    seen = [(source, row.trigger, row.when) for row in TRANSITIONS for source in row.sources]
    assert len(seen) == len(set(seen))
    for (source, trigger), rows in itertools.groupby(sorted((s, t) for s, t, _ in seen)):
        if len(list(rows)) > 1:
            assert all(row.when for row in rows_for(source, trigger)), (
                "one without a condition hides the others"
            )


def test_every_row_has_a_reason_and_every_condition_is_used() -> None:
    """The generated states page prints the reasons."""
    assert all(row.reason for row in TRANSITIONS)
    assert {row.when for row in TRANSITIONS} - {None} == set(CONDITIONS)


def test_there_are_no_back_doors_and_no_model_stays() -> None:
    """`transitions` adds `to_STATE()` by default, and keeps every model alive."""
    machine, _ = transitions._machine()  # noqa: SLF001 - what is proved is about it
    assert set(machine.events) == {trigger.value for trigger in Trigger}
    next_state(State.PENDING, Trigger.START, Facts())
    with pytest.raises(InvalidMove):
        next_state(State.DESTROYED, Trigger.START, Facts(once_active=True))
    assert machine.models == []


def test_every_phase_has_its_state_and_its_end() -> None:
    """The phases are in the order of a deployment."""
    assert list(STATE_OF_PHASE) == list(Phase) == list(TRIGGER_ENDING_PHASE)
    assert list(PHASE_OF_STATE) == list(FORWARD)
    targets = [next_state(STATE_OF_PHASE[p], TRIGGER_ENDING_PHASE[p], Facts()) for p in Phase]
    assert targets == [*FORWARD[1:], State.ACTIVE]


def test_ended_states_have_no_way_out() -> None:
    """A new deployment may use the name; an ended one is never revived."""
    assert not [row for row in TRANSITIONS if set(row.sources) & states.ENDED]


def test_no_other_code_assigns_a_state() -> None:
    """Only the store writes a deployment's state, as a `Move` says. The sandbox's states are moto's."""
    found = [
        (path.name, node.lineno)
        for path in Path(tier1_engine.__path__[0]).rglob("*.py")
        if "sandbox" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Attribute) and t.attr == "state" for t in node.targets)
    ]
    assert not found


# --- through the store


def facts_for(state: State, trigger: Trigger) -> Facts:
    """Facts under which the pair moves, if this state can have any."""
    once = state in (State.ACTIVE, State.DESTROYING, State.DESTROYED)
    goal = {State.ROLLING_BACK: Goal.ROLLED_BACK, State.ROLLED_BACK: Goal.ROLLED_BACK}.get(state, Goal.ACTIVE)
    asked_to_destroy = trigger is Trigger.DESTROY and goal is Goal.ACTIVE
    if state in (State.DESTROYING, State.DESTROYED) or asked_to_destroy:
        goal, once = Goal.DESTROYED, True
    elif trigger is Trigger.ROLL_BACK and state is not State.ACTIVE:
        goal = Goal.ROLLED_BACK
    return Facts(goal, Phase.EC2, once)


@pytest.fixture(scope="module")
def store(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A database with one deployment for each move."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("moves"))
    opened = Store.open(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.mark.parametrize(("state", "trigger"), PAIRS, ids=str)
def test_a_move_is_written_with_its_event_or_not_at_all(state: State, trigger: Trigger, store: Store) -> None:
    """A move of the table writes state and event; any other writes nothing."""
    wanted = facts_for(state, trigger)
    id = f"{state}-{trigger}"
    whole = deployment(
        id,
        name=id,
        state=state,
        goal=wanted.goal,
        activated_at=AT if wanted.once_active else None,
        failure=failure() if state is State.FAILED or trigger in (Trigger.FAIL, Trigger.STALL) else None,
    )
    begun = step(deployment_id=id, phase=Phase.EC2, state=StepState.RUNNING)
    record, held = driven(store, whole, begun)
    before = store.events(whole.id)
    if allowed(state, trigger, record.facts):
        move = decision.move(record, trigger, "because")
        known = [DeploymentSet({"activated_at": AT})] if move.target is State.ACTIVE else []
        store.commit(record, [move, *known], held.fence, AT)
        stored = store.load(whole.id).deployment
        last = store.events(whole.id)[-1]
        assert stored.state is move.target
        assert (last.trigger, last.from_state, last.to_state) == (trigger, state, stored.state)
        assert last.message == "because"
    else:
        with pytest.raises(InvalidMove):
            decision.move(record, trigger)
        assert store.load(whole.id).deployment == record.deployment
        assert store.events(whole.id) == before
