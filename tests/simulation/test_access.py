"""Refused access: told from a refused launch, tried again for a bounded time, and then everything remains."""

from __future__ import annotations

import pytest

from tests.support.simulation.faults import fail
from tests.support.simulation.rig import Rig, failure_of
from tier1_engine.cli.screen.outcome import exit_code
from tier1_engine.deployment.states import Goal, State
from tier1_engine.errors import CallError

pytestmark = pytest.mark.promise(8)


def answer(code: str, status: int, operation: str = "RunInstances") -> CallError:
    return CallError(code, "No.", operation=operation, http_status=status, request_id="r-1")


# --- a launch that is refused for its image


@pytest.mark.parametrize(("code", "status"), [("AuthFailure", 400), ("OptInRequired", 401)])
def test_a_launch_refused_for_its_image_rolls_back(rig: Rig, code: str, status: int) -> None:
    """The credentials are fine: it is critical, nothing remains, and it exits with 3."""
    rig.world.before.append(fail("create", "machine", error=lambda: answer(code, status)))
    ended = rig.deploy()
    assert ended.record.deployment.state is State.ROLLED_BACK
    assert (failure_of(ended).failure_class, failure_of(ended).code) == ("critical", code)
    assert exit_code(ended, Goal.ACTIVE) == 3
    assert rig.world.executed("create").count("machine") == 1
    assert not rig.world.living()
