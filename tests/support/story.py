"""Shared by the acceptance tests: a spec that fails, services that wait, and rules that disturb calls."""

from __future__ import annotations

from typing import Any

from tests.support import forked_aws, gated_service
from tests.support.command import Command
from tests.support.processes.proxy import Act, Call, Rule, refused

REFUSED_TYPE = forked_aws.REFUSED_TYPE


def refuses(*operations: str, code: str = "AccessDenied", times: int | None = None) -> Rule:
    """AWS refuses these operations, always or a number of times."""
    left = [times]

    def rule(call: Call) -> Act | None:
        if call.operation not in operations or left[0] == 0:
            return None
        if left[0] is not None:
            left[0] -= 1
        return refused(400, code)

    return rule


def failed(command: Command, name: str = "demo", *more: str) -> Any:
    """A deployment that failed at its launch and whose resources remain; the result of its `deploy`."""
    done = command.staged("deploy", command.spec(name, type=REFUSED_TYPE), "--no-rollback", *more)
    assert done.code == 4, done
    return done


def waits_for(port: int, timeout: str = "1s") -> str:
    """A service check with a short time-out, which passes once a server listens."""
    return gated_service.waits_for(port, timeout)
