"""A profile that asks for an MFA code: in a terminal before the first call, elsewhere never."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.account import standing
from tests.support.command import Command
from tests.support.sts import CODE, DEVICE, ROLE
from tests.support.terminal import Terminal

CTRL_C = "\x03"


@pytest.fixture
def operator(tier1: Command, tmp_path: Path) -> Command:
    """An operator whose only credentials are a role that wants a code."""
    path = tmp_path / "aws-config"
    path.write_text(ROLE, encoding="utf-8")
    signed_out = tier1.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return signed_out.with_(AWS_CONFIG_FILE=str(path), AWS_PROFILE="ops")


@pytest.mark.field_case("a trial: a profile with `mfa_serial` was asked for its code in the middle of a call")
def test_a_command_asks_before_its_first_call(operator: Command, aws: str) -> None:
    """The question comes before any progress, and the run never asks again."""
    with Terminal(operator, "deploy", operator.spec()) as terminal:
        terminal.see(f"Profile ops: Enter MFA code for {DEVICE}: ")
        assert standing(aws) == {}
        terminal.enter(f"{CODE}\n")
        assert terminal.end() == 0
    assert terminal.screen.count("Enter MFA code") == 1
    shown = operator.show("demo")
    assert shown["state"] == "active"
    assert re.fullmatch(r"arn:aws:sts::\d+:assumed-role/ops/.*", shown["created_by"]["arn"])
    # Without a terminal nobody is asked, and the stack stays.
    refused = operator("destroy", "demo", "--yes")
    assert refused.code == 7
    assert "the profile ops asks for an MFA code" in refused.out
    with Terminal(operator, "resume", "demo") as terminal:
        terminal.see("Enter MFA code")
        terminal.enter(f"{CODE}\n")
        assert terminal.end() == 0
    assert standing(aws) == {}


def test_ctrl_c_at_the_question_leaves_nothing(operator: Command, aws: str) -> None:
    """It exits with 130: there is no deployment yet."""
    with Terminal(operator, "deploy", operator.spec()) as terminal:
        terminal.see("Enter MFA code")
        terminal.enter(CTRL_C)
        assert terminal.end() == 130
    assert "Nothing was started" in terminal.screen
    assert operator.here("list", "-o", "json").json == []
    assert standing(aws) == {}


def test_without_a_terminal_the_reason_is_one_sentence(operator: Command, aws: str) -> None:
    """It exits with 7, and asks nobody."""
    operator.here("deploy", operator.spec()).refused(
        7, "The profile ops asks for an MFA code, and there is no terminal", "run this command in a terminal"
    )
    assert operator.here("list", "-o", "json").json == []
