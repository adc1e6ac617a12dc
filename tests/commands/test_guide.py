"""The guide works end to end: bash runs its script and its lines with the real `aws`, and nothing remains."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.account import keys_of_another_account, standing
from tests.support.command import Command
from tests.support.forked_aws import REFUSED_TYPE
from tests.support.processes.proxy import Act, Call, Proxy, Rule, killed_after, passes, refused
from tests.support.shell import Shell, put_programs
from tier1_engine.deployment.states import Goal, State

pytestmark = pytest.mark.promise(9)

ONE_ZONE = "network: {zones: 1}\n"
HELD_BY_A_SCRIPT = 4
"""The script's exit codes: declined by its reader, refused in another account, completed, and
nothing to do.
"""


@pytest.fixture
def shell(operator: Command, warm_aws: Path, tmp_path: Path) -> Shell:
    return Shell(operator, put_programs(tmp_path / "programs", warm_aws, operator.warm))


def only(operation: str, act: Act) -> Rule:
    def rule(call: Call) -> Act | None:
        return act if call.operation == operation else None

    return rule


# --- the failures

Scenario = Callable[[Command, Proxy], None]


def failed_launch(tier1: Command, line: Proxy) -> None:
    """EC2 refuses the instance, and rollback is off."""
    done = tier1("deploy", tier1.spec(type=REFUSED_TYPE, more=ONE_ZONE), "--no-rollback")
    assert done.code == 4, done.err


def failed_mount_target(tier1: Command, line: Proxy) -> None:
    """EFS refuses the mount target, and rollback is off."""
    line.rule = only("CreateMountTarget", refused(400, "UnsupportedAvailabilityZone"))
    done = tier1("deploy", tier1.spec(more=ONE_ZONE), "--no-rollback")
    assert done.code == 4, done.err


def crashed_launch(tier1: Command, line: Proxy) -> None:
    """The process is killed after EC2 created the instance and before the reply arrived."""
    line.rule = only("RunInstances", killed_after(lambda: running.process.kill()))  # noqa: PLW0108 - it is not there yet
    running = tier1.begin("deploy", tier1.spec(more=ONE_ZONE))
    assert running.end().code == -signal.SIGKILL
    shown = {r["name"]: r for r in tier1.show("demo")["resources"]}
    assert (shown["instance"]["aws_id"], shown["instance"]["state"]) == (None, "creating")


def half_a_rollback(tier1: Command, line: Proxy) -> None:
    """The launch fails, and during the rollback AWS refuses to delete the subnet."""
    line.rule = only("DeleteSubnet", refused(403, "UnauthorizedOperation"))
    done = tier1("deploy", tier1.spec(type=REFUSED_TYPE, more=ONE_ZONE))
    assert done.code == 5, done.err


def active(tier1: Command, line: Proxy) -> None:
    """The deployment succeeded."""
    assert tier1("deploy", tier1.spec(more=ONE_ZONE)).code == 0


def is_clean(path: str) -> bool:
    """Whether shellcheck reports nothing."""
    found = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), path], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout
    return True


# --- the script


@pytest.mark.parametrize(
    "scenario",
    [
        failed_launch,
        pytest.param(crashed_launch, marks=pytest.mark.long),
        pytest.param(active, marks=pytest.mark.long),
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_the_script_deletes_everything(
    scenario: Scenario,
    shell: Shell,
    line: Proxy,
    aws: str,
    record_property: Callable[[str, object], None],
) -> None:
    """After each failure, it asks first, acts in one account only, and changes nothing when run again."""
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
    assert shell(shell.script()).code == 0  # a deployment that has ended: it says so and asks nothing
    record_property("points", HELD_BY_A_SCRIPT)


@pytest.mark.long
def test_the_script_can_be_run_twice(shell: Shell, line: Proxy, aws: str) -> None:
    """It completes a partial rollback; a second run changes nothing and exits the same way."""
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


@pytest.mark.field_case(
    "eksctl-io/eksctl#1386, eksctl-io/eksctl#1967, eksctl-io/eksctl#4538: the printed clean-up cannot work"
)
@pytest.mark.long
@pytest.mark.parametrize("scenario", [half_a_rollback, crashed_launch], ids=lambda one: one.__name__)
def test_every_printed_line_works_as_printed(scenario: Scenario, shell: Shell, line: Proxy, aws: str) -> None:
    """Checks, diagnostic commands and manual deletions all succeed, and nothing remains."""
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
def test_the_script_asks_first_and_accepts_no(tier1: Command, aws: str, tmp_path: Path) -> None:
    """It exits with 2, using the user's `aws`, also when tier1 is not on the path."""
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


def test_the_script_is_refused_while_a_process_is_running_the_deployment(
    shell: Shell, line: Proxy, closed_port: int, aws: str
) -> None:
    """It exits with 6 and changes nothing."""
    door = f'health: {{services: [{{name: door, tcp: "127.0.0.1:{closed_port}"}}]}}\n'
    running = shell.tier1.begin("deploy", shell.tier1.spec(more=ONE_ZONE + door))
    running.hear("service-door: started")
    there = standing(aws)
    # A guide that was printed before another process acquired the lease.
    guide = shell.tier1.here("guide", "demo", "-o", "json").json
    assert (guide["situation"], guide["by_hand"]) == ("driven", None)
    done = shell(shell.script(), "--yes")
    assert done.code == 6, done.err
    assert standing(aws) == there
    running.signal(signal.SIGTERM)
    assert running.end().code == 130


@pytest.mark.long
def test_without_tier1_the_last_command_is_printed(shell: Shell, line: Proxy, aws: str) -> None:
    """The mount target had failed; the printed command later records what the script deleted."""
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
def test_what_is_no_longer_owned_is_left_alone(shell: Shell, line: Proxy, aws: str) -> None:
    """A subnet whose tags were removed stays, and so does its VPC."""
    line.rule = only("CreateRouteTable", refused(400, "RouteTableLimitExceeded"))
    soon = "timeouts: {delete: 3s}\n"
    assert shell.tier1("deploy", shell.tier1.spec(more=ONE_ZONE + soon), "--no-rollback").code == 4
    line.rule = passes
    subnet = next(r["aws_id"] for r in shell.tier1.show("demo")["resources"] if r["name"] == "subnet-1")
    place = f"--region us-east-1 --endpoint-url {line.url}"
    taken = shell.line(f"aws {place} ec2 delete-tags --resources {subnet} --tags Key=tier1:deployment")
    assert taken.code == 0, taken.err
    done = shell(shell.script(), "--yes")
    assert done.code == 5, done.err  # tier1 reports the same
    assert "subnet-1: nothing has its tags" in done.err
    assert "Remaining: vpc" in done.err
    kept = shell.line(f"aws {place} ec2 describe-subnets --subnet-ids {subnet}")
    assert kept.code == 0


# --- the text of the guide


def test_an_active_and_an_ended_deployment_are_each_reported_in_a_sentence(tier1_here: Command) -> None:
    """The guide exits with 0 and asks the operator for nothing."""
    tier1_here.active()
    tier1_here.write("aaaa00000002", "old", state=State.ROLLED_BACK, goal=Goal.ROLLED_BACK)
    for name, words in (("demo", "is active, as intended"), ("old", "no resources remain")):
        reported = tier1_here("guide", name)
        assert reported.code == 0
        assert words in reported.out
        assert tier1_here("guide", name, "-o", "json").json["needed"] is False
    assert tier1_here("guide", "nobody").code == 8


def test_a_guide_needs_no_aws(tier1_here: Command) -> None:
    """It is built from the database alone: it prints the same text when AWS cannot be reached."""
    tier1_here.active()
    there = tier1_here("guide", "demo", "-o", "json").json
    assert tier1_here("guide", "demo", "-o", "json", AWS_ENDPOINT_URL="http://127.0.0.1:1").json == there
