"""The state machine: a table of every move that a deployment may make, with the reason for each.

Owns the table (`TRANSITIONS`) and evaluates it with the `transitions` library on a temporary object. It
never stores a state: the store commits the result of `next_state`, and no other code assigns a state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from tier1_engine.deployment.states import FORWARD, STATE_OF_PHASE, Goal, Phase, State, Trigger
from tier1_engine.errors import InvalidMove

if TYPE_CHECKING:
    from transitions import Machine


@dataclass(frozen=True, slots=True)
class Facts:
    """What a move may depend on besides the state and the trigger.

    Attributes:
        goal: the target state.
        earliest: the earliest phase with a step that is neither done nor skipped.
        once_active: whether the deployment was ever `active`.
    """

    goal: Goal = Goal.ACTIVE
    earliest: Phase | None = None
    once_active: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table.

    Attributes:
        reason: a sentence that says when the move is made; the generated states page prints it.
        when: the name in `CONDITIONS` of the condition that must hold, if any.
    """

    trigger: Trigger
    sources: tuple[State, ...]
    target: State
    reason: str
    when: str | None = None


CONDITIONS: dict[str, Callable[[Facts], bool]] = {
    "retries_network": lambda facts: _retries(facts, Phase.NETWORK),
    "retries_efs": lambda facts: _retries(facts, Phase.EFS),
    "retries_ec2": lambda facts: _retries(facts, Phase.EC2),
    "retries_health": lambda facts: _retries(facts, Phase.HEALTH),
    "wants_active": lambda facts: facts.goal is Goal.ACTIVE,
    "never_active": lambda facts: not facts.once_active,
    "once_active": lambda facts: facts.once_active,
}


def _retries(facts: Facts, phase: Phase) -> bool:
    return facts.goal is Goal.ACTIVE and facts.earliest is phase


TRANSITIONS: tuple[Transition, ...] = (
    Transition(Trigger.START, (State.PENDING,), State.PROVISIONING_NETWORK, "a process acquired the lease"),
    Transition(
        Trigger.NETWORK_READY,
        (State.PROVISIONING_NETWORK,),
        State.PROVISIONING_EFS,
        "every step of the network is done or skipped",
    ),
    Transition(
        Trigger.EFS_READY,
        (State.PROVISIONING_EFS,),
        State.LAUNCHING_EC2,
        "every step of the file system is done or skipped",
    ),
    Transition(
        Trigger.INSTANCE_LAUNCHED,
        (State.LAUNCHING_EC2,),
        State.HEALTH_CHECK,
        "every step of the instance is done or skipped",
    ),
    Transition(
        Trigger.HEALTHY,
        (State.HEALTH_CHECK,),
        State.ACTIVE,
        "every check passed or was skipped; if an attempt's outcome is unknown, a census found no duplicate",
    ),
    Transition(
        Trigger.FAIL, FORWARD, State.FAILED, "a step failed for good and no automatic rollback follows"
    ),
    *(
        Transition(
            Trigger.RETRY,
            (State.FAILED,),
            state,
            f"the operator or the policy retries; the {phase} phase is the earliest incomplete one",
            f"retries_{phase}",
        )
        for phase, state in STATE_OF_PHASE.items()
    ),
    Transition(
        Trigger.ACCEPT,
        (State.FAILED,),
        State.ACTIVE,
        "every failed step is recoverable, nothing else is incomplete, and the operator accepts it",
        "wants_active",
    ),
    Transition(
        Trigger.ROLL_BACK,
        (State.PENDING, *FORWARD, State.FAILED),
        State.ROLLING_BACK,
        "a critical failure with rollback on, or the target state requires it",
        "never_active",
    ),
    Transition(
        Trigger.ROLLED_BACK,
        (State.ROLLING_BACK,),
        State.ROLLED_BACK,
        "everything owned is deleted or retained",
    ),
    Transition(
        Trigger.STALL,
        (State.ROLLING_BACK, State.DESTROYING),
        State.FAILED,
        "something could not be deleted; what it does not need is deleted, and what remains is listed",
    ),
    Transition(
        Trigger.DESTROY,
        (State.ACTIVE, State.FAILED),
        State.DESTROYING,
        "the operator, or an expired TTL, deletes what was once active",
        "once_active",
    ),
    Transition(
        Trigger.DESTROYED, (State.DESTROYING,), State.DESTROYED, "everything owned is deleted or retained"
    ),
)


TRIGGER_ENDING_PHASE: dict[Phase, Trigger] = {
    Phase.NETWORK: Trigger.NETWORK_READY,
    Phase.EFS: Trigger.EFS_READY,
    Phase.EC2: Trigger.INSTANCE_LAUNCHED,
    Phase.HEALTH: Trigger.HEALTHY,
}


@cache
def next_state(state: State, trigger: Trigger, facts: Facts) -> State:
    """Return the state that `trigger` leads to from `state`.

    Raises:
        InvalidMove: the table has no such move, or its condition does not hold.
    """
    from transitions import MachineError

    machine, lock = _machine()
    cursor = _Cursor()
    # The machine keeps every model that it is given, so the cursor is removed immediately.
    with lock:
        machine.add_model(cursor, initial=state.value)
        try:
            moved: bool = getattr(cursor, trigger.value)(facts)
        except MachineError as error:
            raise InvalidMove(f"`{trigger}` is not possible for a deployment that is {state}.") from error
        finally:
            machine.remove_model(cursor)
    if not moved:
        raise InvalidMove(f"`{trigger}` is not possible for this deployment, which is {state}.")
    return State(cursor.state)


class _Cursor:
    """The temporary model on which a move is evaluated; rows are never attached to the machine."""

    state: str


@cache
def _machine() -> tuple[Machine, Lock]:
    """Return the table as a `transitions` machine, and the lock that guards its list of models."""
    from transitions import Machine

    machine = Machine(
        model=None, states=[state.value for state in State], initial=None, auto_transitions=False
    )
    for row in TRANSITIONS:
        machine.add_transition(
            row.trigger.value,
            [source.value for source in row.sources],
            row.target.value,
            conditions=CONDITIONS[row.when] if row.when else None,
        )
    return machine, Lock()
