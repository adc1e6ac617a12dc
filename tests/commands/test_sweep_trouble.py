"""`tier1 sweep` when AWS fails: failures are reported, nothing is wrongly deleted, and the next run
completes.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

import pytest

from tests.support.account import standing
from tests.support.command import Command
from tests.support.processes.proxy import Call, Proxy, passes, refused
from tests.support.sweeps import OLD, failed, summary

THROTTLES = {"ec2": "RequestLimitExceeded", "efs": "ThrottlingException", "iam": "Throttling"}
SWEEP = ("sweep", *OLD, "--orphans", "--yes")


def completes(command: Command, aws: str, id: str) -> None:
    """Assert that the next run, on a healthy AWS, leaves nothing."""
    done = command("sweep", *OLD, "--orphans", "--yes")
    assert (done.code, summary(done)["remained"]) == (0, 0), done
    assert standing(aws) == {}
    assert command.show(id)["state"] == "rolled_back"


@pytest.mark.long
def test_throttling_is_waited_out(operator: Command, line: Proxy, aws: str) -> None:
    """Every operation is refused twice before it succeeds, reads and deletions alike."""
    id = failed(operator)
    seen: Counter[str] = Counter()

    def throttle(call: Call) -> Any:
        seen[call.operation] += 1
        if call.service in THROTTLES and seen[call.operation] <= 2:
            return refused(503, THROTTLES[call.service])
        return None

    line.rule = throttle
    done = operator(*SWEEP)
    assert (done.code, summary(done)["remained"], summary(done)["reported"]) == (0, 0, 0), done
    assert seen["DeleteVpc"] > 2
    assert standing(aws) == {}
    assert operator.show(id)["state"] == "rolled_back"


@pytest.mark.long
@pytest.mark.parametrize(
    "operation", ["DeleteSecurityGroup", pytest.param("DescribeSubnets", marks=pytest.mark.long)]
)
def test_a_missing_permission_for_one_kind_is_named(
    operator: Command, line: Proxy, aws: str, operation: str
) -> None:
    """What cannot be deleted remains; what cannot be read blocks the deletion of what contains it."""
    id = failed(operator)
    line.rule = lambda call: refused(403, "UnauthorizedOperation") if call.operation == operation else None
    done = operator(*SWEEP)
    assert done.code == 5, done
    assert summary(done)["remained"] > 0
    assert "UnauthorizedOperation" in done.out
    assert standing(aws)["vpcs"] == 1
    line.rule = passes
    completes(operator, aws, id)


def test_credentials_that_expire_during_a_sweep_leave_the_rest(
    operator: Command, line: Proxy, aws: str
) -> None:
    """After the third deletion every call is refused: the sweep says so, and the next one continues after
    sign-in.
    """
    id = failed(operator)
    changes: Counter[str] = Counter()

    def expire(call: Call) -> Any:
        changes["all"] += call.changing
        return refused(403, "ExpiredToken") if changes["all"] > 3 else None

    line.rule = expire
    done = operator(*SWEEP)
    assert done.code in (5, 7), done
    assert summary(done)["remained"] > 0
    assert "sign in" in done.out
    assert standing(aws)["vpcs"] == 1
    line.rule = passes
    completes(operator, aws, id)


@pytest.mark.long
def test_a_slow_wall_clock_is_reported_and_makes_nothing_old(operator: Command, aws: str) -> None:
    """The last event is in the future, so ages cannot be trusted and nothing is deleted by age."""
    id = failed(operator)
    before = standing(aws)

    def moved(by: str) -> None:
        with sqlite3.connect(operator.database) as connection:
            connection.execute("UPDATE events SET at = datetime(at, ?)", (by,))
        connection.close()

    moved("+3 hours")
    done = operator(*SWEEP)
    assert done.code == 5, done
    assert "ClockSkew" in done.out
    assert (summary(done)["marked"], standing(aws)) == (0, before)
    moved("-3 hours")
    completes(operator, aws, id)


@pytest.mark.long
def test_a_skew_that_aws_refuses_deletes_nothing(operator: Command, line: Proxy, aws: str) -> None:
    """AWS refuses every signature as being of another time, and nothing is taken for gone."""
    id = failed(operator)
    before = standing(aws)
    line.rule = lambda call: refused(403, "RequestExpired")
    done = operator(*SWEEP)
    assert done.code == 7, done
    assert "RequestExpired" in done.out
    assert standing(aws) == before
    line.rule = passes
    completes(operator, aws, id)
