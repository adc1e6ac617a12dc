"""What is adopted is as young as what was just created: AWS may not show it everywhere yet.

Field case: a reply is lost, the run finds the object and continues, and the next call is answered by a server
that does not know the object yet. Without an age, NotFound counts as proof that the object is gone.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.simulation.faults import act, executed_late, fail
from tests.support.simulation.rig import Rig
from tests.support.simulation.world import EPOCH, Crash, refused, unknown
from tier1_engine.deployment.record import Resource
from tier1_engine.deployment.states import Action, Goal, ResourceState, State
from tier1_engine.engine.engine import Ended

pytestmark = pytest.mark.promise(2)

CREATED = ("net", "door-1", "disk", "machine")
HIDDEN_SECONDS = 6.0
"""Less than the consistency deadline and the grace period, and more than several polls."""


def is_adopted(rig: Rig, ended: Ended, step: str) -> bool:
    attempts = rig.store.attempts(ended.record.deployment.id)
    return any(a.step == step and a.action is Action.ADOPT for a in attempts)


def hide_when_found(rig: Rig, step: str, *, at: int) -> None:
    """Hide the object of a step once the `at`-th search has shown it."""
    rig.world.after.append(act("find", step, lambda: rig.world.hide(step, HIDDEN_SECONDS), at=at))


def row_of(ended: Ended, name: str) -> Resource:
    (row,) = (row for row in ended.record.resources.values() if row.name == name)
    return row


def assert_none_was_wrongly_deleted(rig: Rig, ended: Ended) -> None:
    """No census had to correct a row that said `deleted`."""
    events = rig.store.events(ended.record.deployment.id)
    assert [event.message for event in events if event.message.endswith("still exists")] == []


@pytest.mark.parametrize("killed", [False, True], ids=["continued", "resumed"])
@pytest.mark.parametrize("step", CREATED)
def test_an_adopted_object_that_is_not_shown_yet_is_waited_for(rig: Rig, step: str, killed: bool) -> None:
    """It is not recreated, whether the run continued by itself or another process resumed it."""
    rig.world.after.append(fail("create", step, error=Crash if killed else unknown, times=1))  # type: ignore[arg-type]
    hide_when_found(rig, step, at=2)
    if killed:
        with pytest.raises(Crash):
            rig.deploy()
        ended = rig.drive(rig.store.summaries()[0].deployment.id)
    else:
        ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert is_adopted(rig, ended, step)
    assert len(rig.world.of(step)) == 1
    assert row_of(ended, step).generation == 1


@pytest.mark.field_case(
    "a trial: NotFound soon after a lost reply was adopted counted as proof, and rolled the run back"
)
def test_what_refers_to_an_adopted_object_is_refused_and_repeated(rig: Rig) -> None:
    """AWS answers `NotFound` for it twice: that is a delay, as it would be after a create with a reply."""
    rig.world.after.append(fail("create", "net", error=unknown, times=1))
    rig.world.before.append(
        fail("create", "door-1", error=lambda: refused("InvalidReference.NotFound"), times=2)
    )
    ended = rig.deploy()
    assert is_adopted(rig, ended, "net")
    assert ended.record.deployment.state is State.ACTIVE


def test_during_a_rollback_an_adopted_object_that_is_not_shown_is_not_recorded_as_deleted(rig: Rig) -> None:
    """It is deleted once AWS shows it, and only then recorded as deleted."""
    rig.world.before.append(executed_late(rig.world, "disk", 3.0, unknown))
    rig.world.before.append(fail("create", "door-2"))
    seen: list[float] = []

    def hide() -> None:
        if rig.world.of("disk") and not seen:
            rig.world.hide("disk", HIDDEN_SECONDS)
            seen.append(rig.world.clock.seconds + HIDDEN_SECONDS)

    for number in range(1, 20):
        rig.world.after.append(act("find", "disk", hide, at=number))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert is_adopted(rig, ended, "disk")
    disk = row_of(ended, "disk")
    assert disk.state is ResourceState.DELETED
    assert disk.deleted_at is not None
    assert disk.deleted_at >= EPOCH + timedelta(seconds=seen[0])
    assert not rig.world.living()
    assert_none_was_wrongly_deleted(rig, ended)


def test_a_duplicate_that_is_not_shown_is_not_recorded_as_deleted(rig: Rig) -> None:
    """It was found beside the object that counts, so it is as young."""
    rig.world.before.append(executed_late(rig.world, "door-1", 300.0, unknown))
    whole = rig.deploy()
    assert len(rig.world.of("door-1")) == 1, "the late create comes after the deployment"
    rig.world.clock.move_to(rig.world.clock.seconds + 301.0)
    late = rig.world.of("door-1")[-1]
    census = act("find", "door", lambda: rig.world.hide("door-1", HIDDEN_SECONDS))
    rig.world.after.append(census)
    ended = rig.ask(whole.record.deployment.id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert late.deleting_since is not None
    assert not rig.world.living()
    assert_none_was_wrongly_deleted(rig, ended)
