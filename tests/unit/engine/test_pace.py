"""The pace of a driver: intervals, what is rebuilt at its start, and what a rollback forgets."""

from __future__ import annotations

import random
from datetime import timedelta

from tests.support.rows import AT, deployment, resource, step
from tier1_engine.contract.kind import ABSENT, Problem
from tier1_engine.deployment.record import Attempt, Record
from tier1_engine.deployment.states import Action, Outcome, StepState
from tier1_engine.engine.pace import Pacer
from tier1_engine.settings import Settings

SETTINGS = Settings(poll_seconds=2.0, visibility_grace_seconds=20.0)


def pacer() -> Pacer:
    return Pacer(SETTINGS, random.Random(1))  # noqa: S311 - jitter


def test_polls_grow_by_half_up_to_ten_times_the_first() -> None:
    """What is there at once is seen at once; what takes minutes is not asked for every second."""
    pace, intervals = pacer(), []
    for _ in range(30):
        pace.poll("a", 0.0)
        intervals.append(pace.due["a"])
    assert intervals[:3] == [2.0, 3.0, 4.5]
    assert intervals == sorted(intervals)
    assert intervals[-1] == SETTINGS.poll_limit_seconds == 20.0


def test_retries_double_with_jitter_up_to_the_limit() -> None:
    """Between half of the interval and the whole, so that many do not come at once."""
    pace = pacer()
    for rounds in range(30):
        pace.back_off("a", 100.0)
        interval = min(2.0 * 2**rounds, 20.0)
        assert 100.0 + interval / 2 <= pace.due["a"] <= 100.0 + interval


def test_progress_begins_the_intervals_anew() -> None:
    """And there is nothing to wait for."""
    pace = pacer()
    for _ in range(5):
        pace.poll("a", 0.0)
    pace.at_once("a")
    assert "a" not in pace.due
    pace.poll("a", 0.0)
    assert pace.due["a"] == 2.0


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
    """Running steps count from its lease on; the grace of unknown creates begins there too."""
    cut = attempt(resource_id="r1", ended_at=AT, outcome=Outcome.UNKNOWN)
    settled = attempt(id="a2", resource_id="r2", ended_at=AT, outcome=Outcome.UNKNOWN, settled=True)
    record = Record(
        deployment(),
        {"net": step(state=StepState.RUNNING, driven_seconds=7.0), "door": step("door")},
        {"r1": resource(made_at=AT - timedelta(seconds=30)), "r2": resource("r2", "door")},
        {"a1": cut, "a2": settled},
    )
    pace = pacer()
    pace.begin(record, 500.0, AT)
    assert pace.counted_from == {"net": 500.0}
    assert pace.unknown_at == {"r1": 500.0}
    assert pace.age("r1", 510.0) == 40.0
    assert pace.age("r2", 510.0) == float("inf")
    assert pace.view(505.0, AT).driven("net", 7.0) == 12.0
    assert pace.view(505.0, AT).driven("door", 3.0) == 3.0


def test_a_wall_clock_that_was_set_back_makes_nothing_younger_than_now() -> None:
    """An age from the future would keep a NotFound from ever being proof."""
    pace = pacer()
    row = resource(made_at=AT + timedelta(hours=1))
    pace.begin(Record(deployment(), {"net": step()}, {"r1": row}, {}), 500.0, AT)
    assert pace.age("r1", 500.0) == 0.0


def test_turning_back_forgets_the_way_forward_and_nothing_else() -> None:
    """The first deletion waits for nothing; what must still be looked after stays known."""
    pace = pacer()
    pace.poll("net", 100.0)
    pace.counted_from["net"], pace.unset["net"], pace.prepared["net"] = 1.0, ABSENT, {}
    pace.accepted["net"], pace.unknown_at["r1"], pace.made_at["r1"] = 1.0, 5.0, 5.0
    pace.looked.add("net")
    pace.clean_censuses, pace.census_tries, pace.census_problem = 1, 2, Problem("x", "y")
    pace.in_flight.add("net")
    pace.turn_back()
    view = pace.view(0.0, AT)
    forgotten = (view.due, view.counted_from, view.unset, view.prepared, view.accepted, view.looked)
    assert not any(forgotten)
    assert (view.clean_censuses, pace.census_tries, view.census_problem) == (0, 0, None)
    assert view.unknown_at == {"r1": 5.0}
    assert view.in_flight == frozenset({"net"})
    assert pace.made_at == {"r1": 5.0}
