"""A profile that asks for an MFA code: in a terminal before the first call, elsewhere never."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.account import standing
from tests.support.command import Command
from tests.support.rows import AT
from tests.support.sts import CODE, DEVICE, ROLE
from tests.support.terminal import Terminal
from tier1_engine.deployment.states import State

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


def test_a_sweep_without_a_terminal_leaves_the_place_out(operator: Command) -> None:
    """A nightly sweep asks nobody: it exits with 7 and says where it did not look, and why."""
    id = operator.write("aaaa00000001", state=State.ACTIVE, activated_at=AT, profile="ops")
    swept = operator.here("sweep", "--orphans", "--yes", "-o", "json")
    assert swept.code == 7, swept
    (gap,) = swept.json["not_looked_at"]
    assert (gap["code"], "the profile ops asks for an MFA code" in gap["message"]) == ("MfaCodeNeeded", True)
    assert operator.show(id)["state"] == "active"


def test_a_sweep_at_a_terminal_asks_before_it_reads(operator: Command, aws: str) -> None:
    """Once for each place; then it reads and reports as ever."""
    operator.write("aaaa00000001", state=State.ACTIVE, activated_at=AT, profile="ops")
    with Terminal(operator, "sweep", "--orphans", "--dry-run") as terminal:
        terminal.see("Enter MFA code")
        terminal.enter(f"{CODE}\n")
        assert terminal.end() == 0
    assert terminal.screen.count("Enter MFA code") == 1
    assert "MfaCodeNeeded" not in terminal.screen


def test_a_resume_without_a_terminal_keeps_everything(operator: Command) -> None:
    """As of a driver that is started again by cron: it exits with 7, and `guide` says what to do."""
    id = operator.write("aaaa00000001", state=State.PROVISIONING_NETWORK, profile="ops")
    resumed = operator.here("resume", id)
    assert (resumed.code, "the profile ops asks for an MFA code" in resumed.out) == (7, True), resumed
    assert "Resume in a terminal: it asks for the code first." in operator.here("guide", id).out
