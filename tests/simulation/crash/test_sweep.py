"""A sweep that is killed at every instant leaves nothing when run again, and touches nothing else."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from pathlib import Path

import pytest

from tests.support.points import at_point
from tests.support.simulation.databases import fast_store, kept
from tests.support.simulation.estate import HOUR, Estate
from tests.support.simulation.life import SETTINGS
from tests.support.simulation.moments import Moment, moments, told_apart
from tests.support.simulation.process import Killer, gone_holder, run, watch
from tests.support.simulation.rig import Rig
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE
from tier1_engine.deployment.record import FOR_EVER, Deployment
from tier1_engine.deployment.states import Goal, ResourceState, State
from tier1_engine.store import sweeps
from tier1_engine.sweep.outcome import ItemOutcome
from tier1_engine.sweep.plan import read, written
from tier1_engine.sweep.sweep import carry_out

pytestmark = pytest.mark.crash
LATE, AT_ONCE = 3.0, 0.0


class Stage:
    """An estate with one deployment to roll back, one to destroy, an orphan, and resources that must stay."""

    def __init__(self, source: Path, gone_after: float) -> None:
        self.database = kept("crash-sweep", source)
        store = self.database.put_back(self.database.empty)
        self.estate = Estate(Rig(store, settings=SETTINGS, holder=gone_holder))
        self.estate.world().gone_after = gone_after
        estate = self.estate
        now = estate.clock.now()
        self.failed = estate.plant(owned=("net", "door-1", "disk"))
        self.expired = estate.plant(State.ACTIVE, expires_at=now - HOUR, owned=("disk",))
        self.ended = estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=())
        estate.stray(self.ended)
        self.kept = estate.plant(keep_until=FOR_EVER, owned=("disk",))
        self.stays = {thing.id for thing in estate.things_of(self.kept)} | {estate.thing("disk").id}
        self.killer = Killer()
        watch(estate.rig, self.killer)

    def moments(self, command: Callable[[], object]) -> list[Moment]:
        """Run a command once to its end and return what a kill at each of its instants would have left."""
        return moments(self.estate.rig, self.killer, self.database, lambda: self._lives(command))

    def _lives(self, command: Callable[[], object]) -> None:
        assert run(self.killer, command)

    def killed_at(self, moment: Moment) -> Stage:
        """The estate as the process left it that was killed at that moment."""
        stage = copy(self)
        rig = self.estate.rig.beside(moment.world.copied(), self.database.put_back(moment.rows))
        stage.estate, stage.killer = Estate(rig), Killer()
        stage.estate.world()
        watch(rig, stage.killer)
        return stage

    def sweep(self) -> None:
        self.estate.sweep(orphans=True)

    def check(self) -> None:
        """Assert that AWS and the rows are clean, and that what had to stay exists."""
        estate = self.estate
        assert estate.living == self.stays
        assert estate.state(self.failed) is State.ROLLED_BACK
        assert estate.state(self.expired) is State.DESTROYED
        assert estate.state(self.ended) is State.ROLLED_BACK
        assert estate.state(self.kept) is State.FAILED
        for whole in (self.failed, self.expired, self.ended):
            check_rows(estate, whole)
        assert sweeps.history(estate.rig.store, 1)[0].exit_code == 0


def check_rows(estate: Estate, whole: Deployment) -> None:
    record = estate.rig.store.load(whole.id)
    assert {row.state for row in record.resources.values()} <= {ResourceState.DELETED}
    assert not [a for a in estate.rig.store.attempts(whole.id) if a.ended_at is None]


@pytest.mark.promise(7)
@pytest.mark.parametrize("gone_after", [AT_ONCE, LATE])
def test_a_sweep_killed_anywhere_is_completed_by_the_next(
    sqlite_template: Path, gone_after: float, record_property: Callable[[str, object], None]
) -> None:
    """It is killed at each call and each commit; the second sweep needs no minimum age."""
    whole = Stage(sqlite_template, gone_after)
    moments = whole.moments(whole.sweep)
    whole.check()
    assert len(moments) > 40
    for number, moment in told_apart(moments):
        with at_point(f"killed at instant {number} of {len(moments)}: {moment.instant}"):
            stage = whole.killed_at(moment)
            assert run(stage.killer, stage.sweep)
            stage.check()
    record_property("points", len(moments))


@pytest.mark.promise(7)
def test_a_killed_application_of_a_foreign_plan_is_completed_by_the_next(
    sqlite_template: Path, record_property: Callable[[str, object], None]
) -> None:
    """Either the plan is still valid and can be applied again, or a sweep finds what was begun."""
    for number in range(1, 60):
        estate, killer = (
            Estate(Rig(fast_store("crash-sweep", sqlite_template), settings=SETTINGS, holder=gone_holder)),
            Killer(),
        )
        estate.world()
        estate.plant(State.ROLLED_BACK, Goal.ROLLED_BACK, owned=())
        tags = {TAG_DATABASE: "other", TAG_DEPLOYMENT: "f1"}
        for n, kind in enumerate(("net", "disk")):
            estate.thing(kind, {**tags, TAG_RESOURCE: f"r{n}"}, f"r{n}-1-0")
        text = written(estate.mark(foreign=True))
        plan = read(
            text, database_id=estate.rig.store.database_id, now=estate.clock.now(), max_age_seconds=60.0
        )
        watch(estate.rig, killer)
        if run(killer, lambda: carry_out(estate.ground, plan), number):  # noqa: B023 - called at once
            assert number > 20
            record_property("points", number - 1)
            return
        with at_point(f"killed at instant {number}"):
            carry_out(estate.ground, plan)
            estate.sweep(orphans=True)
            assert not estate.living
    raise AssertionError("it never lived to its end")


@pytest.mark.leaves("what came after the review", "unknown")
@pytest.mark.parametrize("gone_after", [pytest.param(AT_ONCE, marks=pytest.mark.long), LATE])
@pytest.mark.promise(7)
def test_a_reviewed_plan_that_is_killed_can_be_applied_again_and_adds_nothing(
    sqlite_template: Path, gone_after: float
) -> None:
    """At each instant it continues what it had begun, and leaves what was created after the review."""
    whole = Stage(sqlite_template, gone_after)
    text = written(whole.estate.mark(orphans=True))
    late = whole.estate.stray(whole.ended)
    now, database_id = whole.estate.clock.now(), whole.estate.rig.store.database_id
    plan = read(text, database_id=database_id, now=now, max_age_seconds=60.0)
    moments = whole.moments(lambda: carry_out(whole.estate.ground, plan))
    assert len(moments) > 40
    for number, moment in told_apart(moments):
        with at_point(f"killed at instant {number} of {len(moments)}: {moment.instant}"):
            stage = whole.killed_at(moment)
            estate = stage.estate
            again = carry_out(estate.ground, plan)
            assert not [r for r in again.results if r.outcome is ItemOutcome.REMAINED]
            assert estate.living == stage.stays | {late.id}
            assert estate.state(stage.failed) is State.ROLLED_BACK
            assert estate.state(stage.expired) is State.DESTROYED
