"""The commands at a terminal: live view, colours, questions, and a restored terminal."""

from __future__ import annotations

import re

import pytest

from tests.support.account import WHOLE, standing
from tests.support.command import Command
from tests.support.gated_service import waits_for
from tests.support.terminal import Terminal

CTRL_C = "\x03"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])(?:;\d+)*m")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def test_a_deploy_shows_progress_and_ends_with_its_outputs(tier1: Command) -> None:
    """It shows phases, steps and transitions, then the summary, and restores the cursor."""
    with Terminal(tier1, "deploy", tier1.spec()) as terminal:
        assert terminal.end() == 0
    for words in ("Network", "File system", "Instance", "Health", "health_check", "demo", "is active"):
        assert words in terminal.screen
    assert COLOUR.search(terminal.screen)
    assert terminal.screen.rfind(SHOW_CURSOR) > terminal.screen.rfind(HIDE_CURSOR)


def test_a_failed_service_prompts_and_the_answer_is_carried_out(
    tier1: Command, aws: str, closed_port: int
) -> None:
    """An unknown word asks again; `b` rolls back, and the deploy exits with 3."""
    spec = tier1.spec(more=waits_for(closed_port, "1s"))
    with Terminal(tier1, "deploy", spec) as terminal:
        terminal.see("What do you want to do with demo?")
        shown = tier1.show("demo")  # the failure is recorded, and the lease is free
        assert (shown["state"], shown["holder"]) == ("failed", None)
        for way in (
            "retry the failed step",
            "continue with a warning",
            "roll back",
            "manual intervention",
        ):
            assert way in terminal.screen
        terminal.enter("perhaps\n")
        terminal.see("Answer one of")
        terminal.enter("b\n")
        assert terminal.end() == 3
    assert standing(aws) == {}


@pytest.mark.long
def test_ctrl_c_at_the_question_changes_nothing(tier1: Command, aws: str, closed_port: int) -> None:
    """It exits with 130; everything remains and can be decided later."""
    spec = tier1.spec(more=waits_for(closed_port, "1s"))
    with Terminal(tier1, "deploy", spec) as terminal:
        terminal.see("What do you want to do with demo?")
        terminal.enter(CTRL_C)
        assert terminal.end() == 130
    assert standing(aws) == WHOLE


def test_a_policy_is_not_asked_for(tier1: Command, closed_port: int) -> None:
    """`stop` stops and prints the options."""
    spec = tier1.spec(more=waits_for(closed_port, "1s"))
    with Terminal(tier1, "deploy", spec, "--on-recoverable", "stop") as terminal:
        assert terminal.end() == 4
    assert "What do you want to do" not in terminal.screen
    assert "--continue" in terminal.screen


def test_a_destroy_is_shown_and_confirmed(tier1: Command, aws: str) -> None:
    """No changes nothing and exits with 2; `--yes` skips the question."""
    tier1.deployed()
    with Terminal(tier1, "destroy", "demo", "--retain", "efs-security-group") as terminal:
        terminal.see("Continue?")
        for words in ("To be deleted (10)", "To be retained (3)", "vpc vpc-"):
            assert words in terminal.screen
        terminal.enter("n\n")
        assert terminal.end() == 2
    assert standing(aws) == WHOLE
    with Terminal(tier1, "destroy", "demo", "--yes") as terminal:
        assert terminal.end() == 0
    assert "Continue?" not in terminal.screen
    assert standing(aws) == {}


def test_no_color_and_dumb_terminals_get_no_colours(tier1: Command) -> None:
    """Both switch colours off."""
    tier1.active()
    with Terminal(tier1, "list") as coloured:
        assert coloured.end() == 0
    assert COLOUR.search(coloured.screen)
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with Terminal(tier1, "list", **environment) as plain:
            assert plain.end() == 0
        assert not COLOUR.search(plain.screen)
        assert "active" in plain.screen
