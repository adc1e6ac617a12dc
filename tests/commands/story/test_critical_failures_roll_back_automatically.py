"""Criterion: critical failures (EC2 launch, EFS, network) trigger automatic rollback."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.support.account import standing
from tests.support.command import Command
from tests.support.processes.proxy import Proxy
from tests.support.story import REFUSED_TYPE, refuses
from tests.support.terminal import Terminal


@pytest.mark.field_case("pulumi/pulumi#96, pulumi/pulumi#1765: a failed deployment is not rolled back")
@pytest.mark.parametrize(
    ("operation", "step"),
    [
        ("CreateSubnet", "subnet-"),
        pytest.param("CreateFileSystem", "file-system", marks=pytest.mark.long),
        ("RunInstances", "instance"),
    ],
)
def test_without_a_terminal(operator: Command, line: Proxy, aws: str, operation: str, step: str) -> None:
    """It exits with 3, nothing remains, no question is asked, and the first delete is sent within a
    second.
    """
    line.rule = refuses(operation, code="SomeLimitExceeded")
    done = operator("deploy", operator.spec(), "-o", "json")
    assert (done.code, done.json["state"]) == (3, "rolled_back"), done.err
    failure = done.json["failure"]
    assert (failure["class"], failure["code"], failure["operation"]) == (
        "critical",
        "SomeLimitExceeded",
        operation,
    )
    assert failure["step"].startswith(step)
    assert standing(aws) == {}
    assert "What do you want to do" not in done.err
    attempts = operator.here("log", "demo", "-o", "json").json["attempts"]
    begun = [datetime.fromisoformat(a["begun_at"]) for a in attempts if a["action"] == "delete"]
    assert 0 <= (min(begun) - datetime.fromisoformat(failure["at"])).total_seconds() < 1.0


def test_on_a_terminal(tier1: Command, aws: str) -> None:
    """A critical failure needs no decision while rollback is on, so no question is asked."""
    with Terminal(tier1, "deploy", tier1.spec(type=REFUSED_TYPE)) as terminal:
        assert terminal.end() == 3
    assert "What do you want to do" not in terminal.screen
    assert "is rolled back: no resources remain" in terminal.screen
    assert "InvalidInstanceType.NotFound" in terminal.screen
    assert standing(aws) == {}
