"""Criterion: manual intervention is guided: the guide says what happened, what is safe, what costs, and what
to type.

`tests/sandbox/test_guide_of_scenarios.py` and `tests/commands/test_guide.py` show that every printed line
and the script work in every scenario.
"""

from __future__ import annotations

import re

from tests.support.command import Command
from tests.support.processes.proxy import Proxy
from tests.support.story import failed, refuses
from tests.support.terminal import Terminal

LEFT_OPEN = re.compile(r"\{\w*\}|\bNone\b|<[a-z-]+>")


def test_without_a_terminal(operator: Command, line: Proxy) -> None:
    """One command prints each id with its link and its check, in the order of deletion, without
    asking AWS.
    """
    failed(operator)
    calls = len(line.calls)
    made = {r["name"]: r["aws_id"] for r in operator.show("demo")["resources"] if r["aws_id"]}
    reported = operator.here("guide", "demo").out
    assert len(line.calls) == calls
    first = reported.splitlines()[0]
    assert "failed at instance: InvalidInstanceType.NotFound" in first
    assert "because rollback is off, nothing was deleted" in first
    assert "12 resources remain" in first
    assert LEFT_OPEN.search(reported) is None
    for id in made.values():
        assert id in reported
    assert reported.count("console.aws.amazon.com") == len(made)
    assert "estimate from us-east-1 list prices" in reported
    assert reported.index("Cause") < reported.index("Safe") < reported.index("Retry, once it is fixed")
    assert reported.index("Remaining") < reported.index("Delete it by hand, line by line")
    guide = operator.here("guide", "demo", "-o", "json").json
    assert (guide["needed"], guide["situation"], guide["cause"]["code"]) == (
        True,
        "undecided",
        "InvalidInstanceType.NotFound",
    )
    by_hand = [command["line"] for command in guide["by_hand"]["commands"]]
    place = f"--region us-east-1 --endpoint-url {line.url}"
    assert all(place in text or text.startswith("tier1 rollback ") for text in by_hand)
    vpc = next(n for n, text in enumerate(by_hand) if made["vpc"] in text and "delete-vpc" in text)
    assert vpc == len(by_hand) - 2  # this script contains everything else; then tier1 ends the deployment


def test_a_refusal_names_the_missing_action(operator: Command, line: Proxy) -> None:
    """The guide also gives the policy statement with the actions that AWS checks along with it."""
    line.rule = refuses("CreateFileSystem", code="AccessDeniedException")
    assert operator("deploy", operator.spec(), "--no-rollback").code == 4
    reported = operator.here("guide", "demo").out
    assert '"Action": ["elasticfilesystem:CreateFileSystem", "elasticfilesystem:TagResource"' in reported


def test_errors_of_the_rollback_are_shown_next_to_the_original_cause(operator: Command, line: Proxy) -> None:
    """The cause is still the launch; the undeletable resource has advice of its own."""
    line.rule = refuses("RunInstances", "DeleteRole", code="UnauthorizedOperation")
    assert operator("deploy", operator.spec()).code == 5
    reported = operator.here("guide", "demo").out
    assert reported.index("Cause\n") < reported.index("During rollback or teardown: role")
    assert "Rollback was blocked by role" in reported.splitlines()[0]
    assert '"iam:DeleteRole"' in reported


def test_on_a_terminal(tier1: Command) -> None:
    """The guide prints the same text, with each command alone on its line; `--script` prints the script."""
    failed(tier1)
    with Terminal(tier1, "guide", "demo") as terminal:
        assert terminal.end() == 0
    assert "Delete it with a script that uses the aws CLI" in terminal.screen
    with Terminal(tier1, "guide", "demo", "-o", "shell") as terminal:
        assert terminal.end() == 0
    assert terminal.screen.startswith("#!/usr/bin/env bash")
