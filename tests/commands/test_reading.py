"""Commands that only read, on rows written directly to the database: what they find and print."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.command import TIER1, Command
from tests.support.rows import AT
from tests.support.shell import program_of
from tier1_engine.cli.main import app
from tier1_engine.deployment.failure import Failure
from tier1_engine.deployment.states import FailureClass, Goal, State

FAILURE = Failure(
    step="net",
    failure_class=FailureClass.CRITICAL,
    code="VpcLimitExceeded",
    message="The maximum number of VPCs has been reached.\nAsk for more.",
    operation="CreateVpc",
    request_id="req-1",
    at=AT,
)


@pytest.fixture
def three(tier1_here: Command) -> Command:
    """A failed deployment, an active one and one whose process is gone, each an hour younger than
    the last.
    """
    failed = {"state": State.FAILED, "failure": FAILURE}
    active = {"state": State.ACTIVE, "activated_at": AT}
    tier1_here.write("aaaa00000001", "first", created_at=AT, **failed)
    tier1_here.write(
        "aaaa00000002",
        "forty-characters-long-is-what-a-name-has",
        created_at=AT + timedelta(hours=1),
        **active,
    )
    tier1_here.write("bbbb00000003", "third", created_at=AT + timedelta(hours=2), state=State.LAUNCHING_EC2)
    return tier1_here


def test_the_list_is_newest_first_and_fits_80_columns(three: Command) -> None:
    """It shows state, reason and interruption without colours."""
    table = three("list").out.splitlines()
    assert [line.split()[0] for line in table if line[0] != " "] == [
        "ID",
        "bbbb00000003",
        "aaaa00000002",
        "aaaa00000001",
    ]
    assert "launching_ec2, interrupted" in table[1]
    assert "VpcLimitExceeded: The maximum number of VPCs has been reached." in table[4]
    assert all(len(line) <= 80 for line in table)
    assert "\x1b" not in "".join(table)


def test_the_list_can_be_filtered(three: Command) -> None:
    """Filters are state, several states, and number."""
    names = [
        one["name"] for one in three("list", "--state", "failed", "--state", "active", "-o", "json").json
    ]
    assert names == ["forty-characters-long-is-what-a-name-has", "first"]
    assert [one["id"] for one in three("list", "--limit", "1", "-o", "json").json] == ["bbbb00000003"]
    assert three("list", "--state", "well").code == 2
    assert three("list", "--limit", "0").code == 2


def test_an_empty_list_is_an_empty_array(tier1_here: Command) -> None:
    """The text output says how to begin."""
    assert tier1_here("list", "-o", "json").json == []
    assert "tier1 deploy" in tier1_here("list").out


def test_reads_use_the_newest_match_and_changes_need_a_unique_one(three: Command) -> None:
    """A change refuses an ambiguous prefix with 2; reads and changes refuse an unknown reference with 8."""
    assert three.show("bbbb")["name"] == "third"
    assert three.show("aaaa")["name"] == "forty-characters-long-is-what-a-name-has"
    for command in ("resume", "destroy"):
        three(command, "aaaa").refused(2, "matches several", "aaaa00000001", "aaaa00000002")
    for command in ("show", "rollback"):
        three(command, "nobody").refused(8, "nobody", "tier1 list")


def test_a_name_means_the_living_deployment_first(tier1_here: Command) -> None:
    """This holds even if a deployment that has ended is younger."""
    gone = {"state": State.ROLLED_BACK, "goal": Goal.ROLLED_BACK, "created_at": AT + timedelta(hours=1)}
    tier1_here.write("aaaa00000001", "demo")
    tier1_here.write("aaaa00000002", "demo", **gone)
    assert tier1_here.show("demo")["id"] == "aaaa00000001"


@pytest.mark.field_case(
    "a replaced script: a failed deployment could not be loaded again, and its error was not stored"
)
def test_show_prints_the_whole_error(three: Command) -> None:
    """It prints class, code, message, operation and request id, and how to resume."""
    shown = three("show", "first").out
    for words in ("critical", "VpcLimitExceeded", "CreateVpc", "request req-1", "123456789012"):
        assert words in shown
    assert "tier1 resume bbbb00000003" in three("show", "third").out
    assert three("show", "third", "--watch").code == 0  # no process runs it: nothing to wait for


@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_reader_that_closes_the_pipe_ends_the_output_quietly(three: Command, reader: str) -> None:
    """It covers `tier1 list | head -1`, and a pipe that nobody reads."""
    piped = into(f"| {reader}", three, "list")
    assert (piped.returncode, piped.stderr) == (0, "")


@pytest.mark.parametrize(("closed", "words"), [(">&-", "list -o json"), ("<&- >&- 2>&-", "list")])
def test_streams_closed_by_the_caller_are_no_error(three: Command, closed: str, words: str) -> None:
    """Nothing is printed, and no file that tier1 opens gets a stream's descriptor."""
    ran = into(closed, three, *words.split(), program=TIER1)  # a command that has opened nothing for itself
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert len(three("list", "-o", "json").json) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_behind_stdout_is_reported_in_a_sentence(three: Command) -> None:
    """It exits with 1 and no traceback; a command that changed something exits as that ended."""
    ran = into(">/dev/full", three, "list")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert ran.stderr.startswith("tier1: stdout could not be written (No space left on device)")
    three.write("dddd00000004", "up", state=State.ACTIVE, activated_at=AT)
    assert into(">/dev/full", three, "resume", "up").returncode == 0


def into(
    redirected: str, tier1: Command, *words: str, program: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command whose streams the shell has redirected, and return how it ended.

    Args:
        program: what to run in place of the warm process.
    """
    program = program or program_of(tier1.warm)
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$@" {redirected}', "bash", *program, *words],
        env=tier1.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


COMMANDS = ["deploy", "resume", "rollback", "destroy", "list", "show", "log", "guide"]
COMMANDS += ["sweep", "keep", "extend"]
NESTED = [
    "db upgrade",
    "db current",
    "db export",
    "sandbox start",
    "sandbox stop",
    "sandbox status",
    "sandbox rehearse",
    "sandbox census",
    "sandbox fault add",
    "sandbox fault list",
    "sandbox fault clear",
]


@pytest.mark.parametrize("command", [*COMMANDS, *NESTED])
def test_every_command_has_help_with_an_example(command: str) -> None:
    """The example begins with the command itself."""
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert f"tier1 {command}" in shown.output.partition("Example:")[2]


def test_the_help_names_only_what_works(tier1_here: Command) -> None:
    """A command of a later issue does not appear until it works."""
    whole = tier1_here("--help").out
    assert all(command.split()[0] in whole for command in [*COMMANDS, *NESTED])
    for later in ("doctor", "worker"):
        assert later not in whole
        assert tier1_here(later).code == 2
    assert "--detach" not in tier1_here("deploy", "--help").out


def test_the_version_is_reported(tier1_here: Command) -> None:
    """`--version` prints one line."""
    assert re.fullmatch(r"tier1 \d+\.\d+\S*\n", tier1_here("--version").out)
