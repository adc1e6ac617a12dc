"""Criterion: recovery options are presented: retry, continue with a warning, roll back, or leave it
as it is.
"""

from __future__ import annotations

from tests.support.account import WHOLE, standing
from tests.support.command import Command
from tests.support.gated_service import listening
from tests.support.story import REFUSED_TYPE, failed, waits_for
from tests.support.terminal import Terminal

QUESTION = "What do you want to do with demo?"
CTRL_C, END_OF_INPUT = "\x03", "\x04"


def test_the_keys_of_the_prompt_after_a_service_failed(tier1: Command, aws: str, closed_port: int) -> None:
    """`?` shows the whole error, an unknown key asks again, `r` retries, `c` continues with a warning."""
    with Terminal(tier1, "deploy", tier1.spec(more=waits_for(closed_port))) as terminal:
        terminal.see(QUESTION)
        shown = tier1.show("demo")
        assert (shown["state"], shown["holder"]) == ("failed", None)  # committed, and the lease is free
        for words in (
            "service-door (up to 1 s)",
            "13 resources",
            "about $0.05/h",
            "delete 13 resources",
            "guide",
        ):
            assert words in terminal.screen
        terminal.enter("perhaps\n")
        terminal.see("Answer one of: r, c, b, m, ?.")
        terminal.enter("?\n")
        terminal.see("step: service-door")
        assert "does not accept connections" in terminal.screen.rpartition("NotConnected, at")[2]
        terminal.enter("r\n")
        terminal.see("failed -> health_check")
        terminal.see_again(QUESTION)
        assert tier1.show("demo")["steps"][-1]["attempts"] == 2
        terminal.enter("c\n")
        assert terminal.end() == 0
    shown = tier1.show("demo")
    assert (shown["state"], shown["steps"][-1]["state"]) == ("active", "skipped")
    assert any("service-door failed, and you accepted that" in warning for warning in shown["warnings"])
    assert "warning: service-door failed, and you accepted that" in terminal.screen
    assert standing(aws) == WHOLE


def test_a_critical_failure_without_rollback_is_a_question_too(tier1: Command, aws: str) -> None:
    """Continuing is shown as impossible, with the reason; end of input leaves it as it is and exits
    with 4.
    """
    with Terminal(tier1, "deploy", tier1.spec(type=REFUSED_TYPE), "--no-rollback") as terminal:
        terminal.see(QUESTION)
        assert "continue with a warning: not possible because of instance" in terminal.screen
        terminal.enter("c\n")
        terminal.see("Answer one of: r, b, m, ?.")
        terminal.enter(END_OF_INPUT)
        assert terminal.end() == 4
    assert "12 resources remaining in AWS" in terminal.screen
    # A bare resume asks again; Ctrl-C exits with 130; `b` deletes everything.
    with Terminal(tier1, "resume", "demo") as terminal:
        terminal.see(QUESTION)
        terminal.enter(CTRL_C)
        assert terminal.end() == 130
    assert "demo was not changed" in terminal.screen
    with Terminal(tier1, "resume", "demo") as terminal:
        terminal.see(QUESTION)
        terminal.enter("b\n")
        assert terminal.end() == 3
    assert standing(aws) == {}


def test_an_outdated_answer_is_not_carried_out(tier1: Command, aws: str) -> None:
    """Another operator rolls back while the prompt is open: the command says so and exits with 3."""
    with Terminal(tier1, "deploy", tier1.spec(type=REFUSED_TYPE), "--no-rollback") as terminal:
        terminal.see(QUESTION)
        assert tier1("rollback", "demo").code == 0
        terminal.enter("r\n")
        assert terminal.end() == 3
    assert "Somebody else has changed demo: it is rolled_back now." in terminal.screen
    assert standing(aws) == {}


def test_the_same_choices_without_a_terminal(tier1: Command, closed_port: int, aws: str) -> None:
    """`ask` stops and prints the commands; `--retry` resets the attempts; `--continue` and
    `--rollback` work.
    """
    spec = tier1.spec(more=waits_for(closed_port))
    stopped = tier1("deploy", spec, "--on-recoverable", "ask")
    assert stopped.code == 4
    assert QUESTION not in stopped.err
    id = stopped.id
    for way in (f"resume {id} --retry", f"resume {id} --continue", f"rollback {id}"):
        assert f"tier1 {way}" in stopped.out
    assert tier1("resume", id).code == 4  # prints the options and changes nothing
    again = tier1("resume", id, "--retry", "-o", "json")
    assert (again.code, again.json["steps"][-1]["attempts"]) == (4, 2)
    with listening(closed_port):
        assert tier1("resume", id, "--retry").code == 0
    assert tier1("destroy", id).code == 0
    continued = tier1("deploy", spec, "--on-recoverable", "continue", "-o", "json")
    assert (continued.code, continued.json["state"]) == (0, "active")
    assert tier1("destroy", "demo").code == 0
    assert standing(aws) == {}


def test_a_critical_failure_cannot_be_continued_and_says_why(tier1: Command) -> None:
    """It exits with 2 and names the step, its code, and the steps that need it."""
    failed(tier1)
    refused = tier1("resume", "demo", "--continue")
    refused.refused(2, "instance (InvalidInstanceType.NotFound)", "need it", "--retry", "tier1 rollback")
    rolled_back = tier1("resume", "demo", "--rollback", "-o", "json")
    assert (rolled_back.code, rolled_back.json["state"]) == (0, "rolled_back")


def test_a_corrected_spec_changes_only_what_was_not_created(tier1: Command, aws: str) -> None:
    """The launch is retried with the new type; a change to an existing resource is refused by name."""
    failed(tier1)
    before = {r["name"]: r["aws_id"] for r in tier1.show("demo")["resources"]}
    other_network = tier1.spec("other", more="network: {cidr: 10.9.0.0/16}\n")
    refused = tier1("resume", "demo", "--retry", "--spec", other_network)
    assert refused.code == 2
    assert f"vpc can no longer change (cidr): vpc ({before['vpc']}), " in refused.err
    assert "tier1: Nothing was changed" in refused.err
    elsewhere = tier1.folder / "elsewhere.yaml"
    elsewhere.write_text("name: demo\nregion: eu-west-1\n", encoding="utf-8")
    tier1("resume", "demo", "--retry", "--spec", str(elsewhere)).refused(2, "us-east-1 and cannot move")
    assert tier1("resume", "demo", "--spec", other_network).code == 2
    mended = tier1("resume", "demo", "--retry", "--spec", tier1.spec("mended"), "-o", "json")
    assert (mended.code, mended.json["name"], mended.json["state"]) == (0, "demo", "active"), mended.err
    after = {r["name"]: r["aws_id"] for r in mended.json["resources"]}
    assert all(after[name] == id for name, id in before.items() if id)
    events = tier1.here("log", "demo", "-o", "json").json["events"]
    assert "the spec was corrected: instance (types)" in [event["message"] for event in events]
    assert "- t3.medium" in tier1.here("show", "demo", "--spec").out
    assert standing(aws) == WHOLE
