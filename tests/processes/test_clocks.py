"""One driver at a time, also when processes of one boot of one host read different clocks."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.support.account import WHOLE, standing
from tests.support.command import Command
from tests.support.gated_service import listening, waits_for

pytestmark = pytest.mark.promise(6)

UNSHARE = shutil.which("unshare")
A_DAY_AHEAD = ("--time", "--boottime", "86400", "--monotonic", "86400", "--fork")


def can_shift() -> bool:
    if UNSHARE is None:
        return False
    return subprocess.run([UNSHARE, *A_DAY_AHEAD, "true"], capture_output=True, check=False).returncode == 0


def test_a_live_driver_is_not_replaced_by_a_process_whose_steady_clock_is_a_day_ahead(
    tier1: Command, aws: str, closed_port: int, record_property: Callable[[str, object], None]
) -> None:
    """In a time namespace (time_namespaces(7)) boot, host and process ids are the same and the clock
    is not.
    """
    if not can_shift():
        pytest.skip("no time namespace can be made here")
    running = tier1.begin("deploy", tier1.spec(more=waits_for(closed_port)))
    running.hear("service-door: started")
    ahead = tier1.begin("resume", "demo", within=(str(UNSHARE), *A_DAY_AHEAD)).end()
    assert ahead.code == 6, ahead.err
    assert str(running.process.pid) in ahead.err
    running.signal(signal.SIGTERM)
    assert running.end().code == 130
    with listening(closed_port):
        assert tier1("resume", "demo").code == 0
    assert standing(aws) == WHOLE
    record_property("points", 1)
