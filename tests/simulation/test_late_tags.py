"""Tags that AWS shows later than their object, or leaves out for a moment: look again, then decide.

Field case: https://github.com/ansible/ansible/issues/12642 (a describe call without the tags). A configure
judged one such answer for 180 s, and a rollback gave the object up at once.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulation.faults import act, fail
from tests.support.simulation.rig import Rig, error_of
from tests.support.simulation.world import unknown
from tier1_engine.deployment.states import Goal, ResourceState, State

pytestmark = pytest.mark.promise(2, 3, 4)

LATE_SECONDS = 8.0


def untagged(rig: Rig, step: str, seconds: float) -> None:
    """From now on the object of a step shows no tags, for so long."""
    (thing,) = rig.world.of(step)
    tags = dict(thing.tags)
    thing.tags.clear()
    rig.clock.after(seconds, lambda: thing.tags.update(tags))


def tags_come_late(rig: Rig, step: str) -> None:
    rig.world.after.append(act("create", step, lambda: untagged(rig, step, LATE_SECONDS)))


@pytest.mark.field_case("a trial: tags that were shown 8 s after their object ended a deployment")
@pytest.mark.parametrize("step", ["net", "door-1"])
def test_a_configure_looks_again_until_the_tags_are_shown(rig: Rig, step: str) -> None:
    """Nothing is set before, nothing is recreated, and the deployment becomes active soon after."""
    tags_come_late(rig, step)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    assert len(rig.world.of(step)) == 1
    began = ended.record.deployment.created_at
    assert (rig.clock.now() - began).total_seconds() < 3 * LATE_SECONDS


@pytest.mark.parametrize("step", ["net", "disk", "door-1"])
def test_a_young_object_without_tags_is_deleted_once_they_are_shown(rig: Rig, step: str) -> None:
    """A rollback that begins meanwhile waits for them, instead of giving the object up."""
    rig.world.before.append(act("create", "machine", lambda: untagged(rig, step, LATE_SECONDS)))
    rig.world.before.append(fail("create", "machine"))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert not rig.world.living()


@pytest.mark.field_case("ansible/ansible#12642: a describe call may omit the tags")
@pytest.mark.parametrize("step", ["net", "disk", "machine"])
def test_a_describe_without_tags_is_repeated_however_old_the_object_is(rig: Rig, step: str) -> None:
    """One answer that omits them is not the end of a destroy."""
    id = rig.deploy().record.deployment.id
    rig.clock.move_to(rig.clock.seconds + 100_000)
    untagged(rig, step, LATE_SECONDS)
    ended = rig.ask(id, Goal.DESTROYED)
    assert ended.record.deployment.state is State.DESTROYED
    assert not rig.world.living()


def test_an_object_that_stays_without_tags_is_named_and_left(rig: Rig) -> None:
    """After the grace period it counts as somebody else's."""
    id = rig.deploy().record.deployment.id
    untagged(rig, "disk", 1e9)
    began = rig.clock.seconds
    ended = rig.ask(id, Goal.DESTROYED)
    disk = ended.record.resource_of("disk")
    assert disk is not None
    assert (ended.record.deployment.state, disk.state) == (State.FAILED, ResourceState.DELETING)
    assert error_of(disk).code == "NotOurs"
    assert rig.clock.seconds - began < 3 * rig.equipment.settings.visibility_grace_seconds


def test_other_tags_are_believed_at_once(rig: Rig) -> None:
    """They name another owner: no look will change that."""
    id = rig.deploy().record.deployment.id
    (disk,) = rig.world.of("disk")
    mine = dict(disk.tags)
    disk.tags.update(dict.fromkeys(mine, "somebody"))
    began = rig.clock.seconds
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.FAILED
    assert rig.clock.seconds - began < 5.0
    disk.tags.update(mine)
    assert rig.ask(id, Goal.DESTROYED).record.deployment.state is State.DESTROYED


class Sets:
    """Counts what is set, and answers one of them with an error."""

    def __init__(self, at: int, *, executed: bool) -> None:
        self.made: list[Any] = []
        self._at, self._executed = at, executed

    def before(self, world: Any, operation: str, parameters: Any) -> None:
        if operation == "set":
            self.made.append(parameters["setting"])
            if len(self.made) == self._at and not self._executed:
                raise unknown()

    def after(self, world: Any, operation: str, parameters: Any) -> None:
        if operation == "set" and len(self.made) == self._at and self._executed:
            raise unknown()


@pytest.mark.field_case(
    "a trial: a setting whose reply was lost was sent again without a look, and applied twice"
)
@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_after_a_set_without_a_reply_only_what_differs_is_set(rig: Rig, at: int, executed: bool) -> None:
    """The run looks first: an API that accepts the same setting twice would apply it twice."""
    sets = Sets(at, executed=executed)
    rig.world.before.append(sets.before)
    rig.world.after.append(sets.after)
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ACTIVE
    wanted = sum(len(thing.settings) for thing in rig.world.things.values())
    assert len(sets.made) == wanted + (0 if executed else 1)
