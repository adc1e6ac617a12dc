"""The pace of a driver: intervals, what it rebuilds at its start, and what a rollback forgets."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.rows import AT, deployment, resource, step
from tier1_engine.contract.kind import ABSENT, Problem
from tier1_engine.deployment.record import Attempt, Move, Note, Record, ResourceAdd, ResourceSet, StepSet
from tier1_engine.deployment.states import Action, Goal, Outcome, State, StepState, Trigger
from tier1_engine.engine.effects import AtOnce, BackOff, Effect, Forget, Learn, PaceSet, Poll, on_record
from tier1_engine.engine.pace import Pace, driven_time, rebuilt
from tier1_engine.settings import Settings

SETTINGS = Settings(poll_seconds=2.0, visibility_grace_seconds=20.0)


def pace_at(now: float) -> Pace:
    return Pace(now, AT, SETTINGS)


def test_polls_grow_by_half_up_to_ten_times_the_first() -> None:
    """What is ready at once is seen at once; what takes minutes is not read every second."""
    pace, intervals = pace_at(0.0), []
    for _ in range(30):
        pace = pace.apply([Poll("a")])
        intervals.append(pace.due["a"])
    assert intervals[:3] == [2.0, 3.0, 4.5]
    assert intervals == sorted(intervals)
    assert intervals[-1] == SETTINGS.poll_limit_seconds == 20.0


def test_a_poll_is_not_later_than_a_deadline() -> None:
    """A grace that ends before the next interval is checked when it ends."""
    assert pace_at(100.0).apply([Poll("a", no_later_than=101.5)]).due["a"] == 101.5


def test_retries_double_with_jitter_up_to_the_limit() -> None:
    """The jitter spreads simultaneous retries over half of the interval."""
    pace, rng = pace_at(100.0), random.Random(1)  # noqa: S311 - jitter
    for rounds in range(30):
        pace = pace.apply([BackOff("a", rng.random())])
        interval = min(2.0 * 2**rounds, 20.0)
        assert 100.0 + interval / 2 <= pace.due["a"] <= 100.0 + interval


def test_progress_resets_the_intervals() -> None:
    """There is nothing to wait for."""
    pace = pace_at(0.0).apply([Poll("a")] * 5)
    pace = pace.apply([AtOnce("a")])
    assert "a" not in pace.due
    assert pace.apply([Poll("a")]).due["a"] == 2.0


def test_a_pace_is_a_value() -> None:
    """Every effect leaves the old pace unchanged, whatever becomes of its commit."""
    before = pace_at(1.0)
    twin = pace_at(1.0)
    effects: list[Effect] = [
        Poll("a"),
        BackOff("b", 0.5),
        AtOnce("a"),
        Learn("accepted", "net", 1.0),
        Forget("accepted", "net"),
        PaceSet({"identified": True, "looked": frozenset({"net"})}),
        Move(Trigger.ROLL_BACK, State.FAILED, State.ROLLING_BACK, Goal.ROLLED_BACK),
    ]
    for count in range(len(effects) + 1):
        before.apply(effects[:count])
        assert before == twin


def test_only_the_record_is_written() -> None:
    """The pace is lost with the process."""
    noted, moved = Note("said"), StepSet("net", {"attempts": 1})
    effects: list[Effect] = [Poll("a"), noted, Learn("unknown_at", "r1", 1.0), AtOnce("a"), moved]
    assert on_record([*effects, BackOff("a", 0.0), Forget("unset", "a"), PaceSet({})]) == [noted, moved]


def attempt(**values: object) -> Attempt:
    whole = {
        "id": "a1",
        "deployment_id": "d1",
        "step": "net",
        "action": Action.CREATE,
        "begun_at": AT,
        "term": 1,
    }
    return Attempt(**{**whole, **values})  # type: ignore[arg-type]


def test_a_new_driver_rebuilds_what_the_record_implies() -> None:
    """Running steps and the grace of unknown creates count from its lease on."""
    cut = attempt(resource_id="r1", ended_at=AT, outcome=Outcome.UNKNOWN)
    settled = attempt(id="a2", resource_id="r2", ended_at=AT, outcome=Outcome.UNKNOWN, settled=True)
    record = Record(
        deployment(),
        {"net": step(state=StepState.RUNNING, driven_seconds=7.0), "door": step("door")},
        {"r1": resource(made_at=AT - timedelta(seconds=30)), "r2": resource("r2", "door")},
        {"a1": cut, "a2": settled},
    )
    pace = rebuilt(pace_at(500.0), record)
    assert pace.counted_from == {"net": 500.0}
    assert pace.unknown_at == {"r1": 500.0}
    later = replace(pace, now=510.0)
    assert later.age("r1") == 40.0
    assert later.age("r2") == float("inf")
    later = replace(pace, now=505.0)
    assert later.driven("net", 7.0) == 12.0
    assert later.driven("door", 3.0) == 3.0


@pytest.mark.parametrize(
    "effect",
    [
        ResourceSet("r1", {"aws_id": "net-1", "made_at": AT}),
        ResourceAdd(resource("r1", "net~1", made_at=AT)),
    ],
    ids=["created or adopted", "a duplicate"],
)
def test_the_age_of_a_resource_counts_from_when_it_got_its_id(effect: Effect) -> None:
    """However it got the id: what was adopted or found beside is as young as what was just created."""
    pace = replace(pace_at(500.0).apply([effect]), now=507.0)
    assert pace.age("r1") == 7.0


def test_a_resource_without_an_id_has_no_age() -> None:
    """The next candidate or generation is not as old as the one before it."""
    created = ResourceSet("r1", {"aws_id": "net-1", "made_at": AT})
    pace = pace_at(500.0).apply([created, ResourceSet("r1", {"aws_id": None, "made_at": None})])
    assert pace.made_at == {}


def test_a_wall_clock_set_back_makes_no_age_negative() -> None:
    """With an age in the future a NotFound would never be proof."""
    row = resource(made_at=AT + timedelta(hours=1))
    pace = rebuilt(pace_at(500.0), Record(deployment(), {"net": step()}, {"r1": row}, {}))
    assert pace.age("r1") == 0.0


def test_recorded_driven_time_is_not_counted_twice() -> None:
    """Running time counts on from there."""
    running = step(state=StepState.RUNNING, driven_seconds=7.0)
    record = Record(deployment(), {"net": running}, {}, {})
    pace = replace(pace_at(500.0), counted_from={"net": 490.0, "gone": 1.0})
    effects = driven_time(record, pace)
    assert on_record(effects) == [StepSet("net", {"driven_seconds": 17.0})]
    assert pace.apply(effects).driven("net", 17.0) == 17.0


def test_a_rollback_forgets_the_provisioning_and_nothing_else() -> None:
    """The first deletion waits for nothing; unknown creates stay known."""
    known: list[Effect] = [
        Poll("net"),
        Learn("counted_from", "net", 1.0),
        Learn("unset", "net", ABSENT),
        Learn("prepared", "net", {}),
        Learn("accepted", "net", 1.0),
        Learn("unknown_at", "r1", 5.0),
        ResourceSet("r1", {"aws_id": "net-1", "made_at": AT}),
        PaceSet({"looked": frozenset({"net"}), "searched": frozenset({("net", True)})}),
        PaceSet({"clean_censuses": 1, "census_attempts": 2, "census_problem": Problem("x", "y")}),
        PaceSet({"in_flight": frozenset({"net"})}),
    ]
    back = Move(Trigger.ROLL_BACK, State.FAILED, State.ROLLING_BACK, Goal.ROLLED_BACK)
    pace = pace_at(100.0).apply([*known, back])
    forgotten = (pace.due, pace.counted_from, pace.unset, pace.prepared, pace.accepted, pace.looked)
    assert not any((*forgotten, pace.rounds, pace.searched))
    assert (pace.clean_censuses, pace.census_attempts, pace.census_problem) == (0, 0, None)
    assert pace.unknown_at == {"r1": 5.0}
    assert pace.in_flight == frozenset({"net"})
    assert pace.made_at == {"r1": 100.0}
