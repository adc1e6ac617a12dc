"""The guide as a product: its script and its lines, run by bash with the real `aws`, leave nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.account import keys_of_another_account, standing
from tests.support.command import Command
from tests.support.processes.proxy import Act, Call, Proxy, Rule, killed_after, passes, refused
from tests.support.shell import Shell, put_programs
from tier1_engine.deployment.states import Goal, State

pytestmark = pytest.mark.promise(9)

ONE_ZONE = "network: {zones: 1}\n"
REFUSED_TYPE = "t9.huge"
HELD_BY_A_SCRIPT = 4
"""Refused by its reader, refused in another account, run to its end, and run once nothing is left."""


@pytest.fixture
def shell(operator: Command, warm_aws: Path, tmp_path: Path) -> Shell:
    return Shell(operator, put_programs(tmp_path / "programs", warm_aws, operator.warm))


def only(operation: str, act: Act) -> Rule:
    def rule(call: Call) -> Act | None:
        return act if call.operation == operation else None

    return rule


# --- what went wrong

Scenario = Callable[[Command, Proxy], None]


def failed_launch(tier1: Command, line: Proxy) -> None:
    """EC2 refuses the instance, and everything is kept."""
    done = tier1("deploy", tier1.spec(type=REFUSED_TYPE, more=ONE_ZONE), "--no-rollback")
    assert done.code == 4, done.err


def failed_mount_target(tier1: Command, line: Proxy) -> None:
    """EFS refuses the mount target, and everything is kept."""
    line.rule = only("CreateMountTarget", refused(400, "UnsupportedAvailabilityZone"))
    done = tier1("deploy", tier1.spec(more=ONE_ZONE), "--no-rollback")
    assert done.code == 4, done.err


def crashed_launch(tier1: Command, line: Proxy) -> None:
    """The process is killed after EC2 made the instance and before it said so."""
    line.rule = only("RunInstances", killed_after(lambda: running.process.kill()))  # noqa: PLW0108 - it is not there yet
    running = tier1.begin("deploy", tier1.spec(more=ONE_ZONE))
    assert running.end().code == -signal.SIGKILL
    shown = {r["name"]: r for r in tier1.show("demo")["resources"]}
    assert (shown["instance"]["aws_id"], shown["instance"]["state"]) == (None, "creating")


def half_a_rollback(tier1: Command, line: Proxy) -> None:
    """The launch fails, and on the way back the subnet may not be deleted."""
    line.rule = only("DeleteSubnet", refused(403, "UnauthorizedOperation"))
    done = tier1("deploy", tier1.spec(type=REFUSED_TYPE, more=ONE_ZONE))
    assert done.code == 5, done.err


def active(tier1: Command, line: Proxy) -> None:
    """Nothing went wrong."""
    assert tier1("deploy", tier1.spec(more=ONE_ZONE)).code == 0


def is_clean(path: str) -> bool:
    """Whether shellcheck finds nothing to say."""
    found = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), path], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout
    return True


# --- the script


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(failed_launch, marks=pytest.mark.long),
        crashed_launch,
        pytest.param(active, marks=pytest.mark.long),
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_the_script_leaves_nothing(
    scenario: Scenario,
    shell: Shell,
    line: Proxy,
    aws: str,
    record_property: Callable[[str, object], None],
) -> None:
    """Whatever went wrong. It asks first, acts in one account only, and changes nothing once it is done."""
    scenario(shell.tier1, line)
    line.rule = passes
    there = standing(aws)
    assert there != {}
    script = shell.script()
    assert is_clean(script)
    assert shell(script, answer="no\n").code == 2
    elsewhere = shell(script, "--yes", **keys_of_another_account(aws, "210987654321"))
    assert (elsewhere.code, standing(aws)) == (7, there)
    done = shell(script, "--yes")
    assert done.code == 0, done.err
    assert standing(aws) == {}
    assert shell.tier1.show("demo")["state"] == ("destroyed" if scenario is active else "rolled_back")
    assert shell(shell.script()).code == 0  # of what has ended: it says so, and asks nothing
    record_property("points", HELD_BY_A_SCRIPT)


@pytest.mark.long
def test_the_script_can_be_run_twice(shell: Shell, line: Proxy, aws: str) -> None:
    """After half a rollback it does the rest; once more changes nothing, and ends as before."""
    half_a_rollback(shell.tier1, line)
    line.rule = passes
    script = shell.script()
    assert shell(script, "--yes").code == 0
    assert standing(aws) == {}
    executed = len(line.executed)
    again = shell(script, "--yes")
    assert again.code == 0, again.err
    assert "subnet-1: nothing has its tags" in again.err
    assert len(line.executed) == executed


@pytest.mark.long
@pytest.mark.parametrize("scenario", [half_a_rollback, crashed_launch], ids=lambda one: one.__name__)
def test_every_line_that_is_printed_works_as_printed(
    scenario: Scenario, shell: Shell, line: Proxy, aws: str
) -> None:
    """Looks, what the cause is looked at with, and the lines by hand: none fails, and nothing is left."""
    scenario(shell.tier1, line)
    line.rule = passes
    guide = shell.tier1.here("guide", "demo", "-o", "json").json
    looks = [look for item in guide["standing"] for look in item["look"]]
    cause = [command["line"] for command in (guide["cause"] or {}).get("commands", ())]
    by_hand = [command["line"] for command in guide["by_hand"]["commands"]]
    table = shell.tier1.here("guide", "demo").out
    for words in (*looks, *cause, *by_hand):
        assert f" {words}\n" in table
        done = shell.line(words)
        assert done.code == 0, (words, done.err)
    assert standing(aws) == {}
    assert shell.tier1.show("demo")["state"] == "rolled_back"


@pytest.mark.long
def test_the_script_asks_first_and_takes_no_for_an_answer(tier1: Command, aws: str, tmp_path: Path) -> None:
    """Exit 2, with the plain `aws` of a user, and without tier1 on the path as well."""
    shell = Shell(tier1, put_programs(tmp_path / "programs", None, None))
    assert tier1("deploy", tier1.spec(type=REFUSED_TYPE, more=ONE_ZONE), "--no-rollback").code == 4
    there = standing(aws)
    script = shell.script()
    refused_by_hand = shell(script, answer="no\n")
    assert (refused_by_hand.code, standing(aws)) == (2, there)
    assert "subnet-1: subnet subnet-" in refused_by_hand.err
    assert shell(script, "--yse").code == 2
    elsewhere = shell(script, "--yes", **keys_of_another_account(aws, "210987654321"))
    assert (elsewhere.code, standing(aws)) == (7, there)
    assert "210987654321" in elsewhere.err


def test_the_script_is_refused_while_somebody_drives(
    shell: Shell, line: Proxy, closed_port: int, aws: str
) -> None:
    """Exit 6, and nothing is touched."""
    door = f'health: {{services: [{{name: door, tcp: "127.0.0.1:{closed_port}"}}]}}\n'
    running = shell.tier1.begin("deploy", shell.tier1.spec(more=ONE_ZONE + door))
    running.hear("service-door: started")
    there = standing(aws)
    # A guide that was written before somebody took it up.
    guide = shell.tier1.here("guide", "demo", "-o", "json").json
    assert (guide["situation"], guide["by_hand"]) == ("driven", None)
    done = shell(shell.script(), "--yes")
    assert done.code == 6, done.err
    assert standing(aws) == there
    running.signal(signal.SIGTERM)
    assert running.end().code == 130


@pytest.mark.long
def test_without_tier1_the_last_command_is_printed(shell: Shell, line: Proxy, aws: str) -> None:
    """After a mount target that failed; what was deleted is settled by the command later."""
    failed_mount_target(shell.tier1, line)
    line.rule = passes
    script = shell.script()
    (shell.programs / "tier1").unlink()
    done = shell(script, "--yes")
    assert done.code == 0, done.err
    assert standing(aws) == {}
    last = done.err.splitlines()[-1].split()
    assert last[:2] == ["tier1", "rollback"]
    assert shell.tier1(*last[1:]).code == 0


@pytest.mark.long
def test_what_is_not_ours_any_more_is_left_alone(shell: Shell, line: Proxy, aws: str) -> None:
    """A subnet whose tags somebody took off stays, with the VPC that it is in."""
    line.rule = only("CreateRouteTable", refused(400, "RouteTableLimitExceeded"))
    soon = "timeouts: {delete: 3s}\n"
    assert shell.tier1("deploy", shell.tier1.spec(more=ONE_ZONE + soon), "--no-rollback").code == 4
    line.rule = passes
    subnet = next(r["aws_id"] for r in shell.tier1.show("demo")["resources"] if r["name"] == "subnet-1")
    place = f"--region us-east-1 --endpoint-url {line.url}"
    taken = shell.line(f"aws {place} ec2 delete-tags --resources {subnet} --tags Key=tier1:deployment")
    assert taken.code == 0, taken.err
    done = shell(shell.script(), "--yes")
    assert done.code == 5, done.err  # tier1 says the same of it
    assert "subnet-1: nothing has its tags" in done.err
    assert "Remaining: vpc" in done.err
    kept = shell.line(f"aws {place} ec2 describe-subnets --subnet-ids {subnet}")
    assert kept.code == 0


# --- what it says


def test_a_healthy_one_and_an_ended_one_are_reported_in_a_sentence(tier1_here: Command) -> None:
    """Exit 0; nothing is asked of anybody."""
    tier1_here.active()
    tier1_here.write("aaaa00000002", "old", state=State.ROLLED_BACK, goal=Goal.ROLLED_BACK)
    for name, words in (("demo", "is active, as intended"), ("old", "no resources remain")):
        told = tier1_here("guide", name)
        assert told.code == 0
        assert words in told.out
        assert tier1_here("guide", name, "-o", "json").json["needed"] is False
    assert tier1_here("guide", "nobody").code == 8


def test_a_guide_needs_no_aws(tier1_here: Command) -> None:
    """It is made of the database alone: with AWS out of reach it says the same."""
    tier1_here.active()
    there = tier1_here("guide", "demo", "-o", "json").json
    assert tier1_here("guide", "demo", "-o", "json", AWS_ENDPOINT_URL="http://127.0.0.1:1").json == there
