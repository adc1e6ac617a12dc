"""The life cycle of a deployment through the commands: what they print, leave behind and exit with."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from tests.support.account import standing
from tests.support.command import Command
from tests.support.forked_aws import REFUSED_TYPE

SHOWN = [
    "id",
    "name",
    "blueprint",
    "region",
    "account_id",
    "endpoint",
    "sandbox",
    "state",
    "goal",
    "interrupted",
    "holder",
    "failure",
    "blocked",
    "warnings",
    "rollback_enabled",
    "keep_until",
    "created_by",
    "asked_by",
    "created_at",
    "updated_at",
    "finished_at",
    "expires_at",
    "outputs",
    "steps",
    "resources",
]
STEP = ["name", "phase", "state", "attempts", "started_at", "finished_at", "error"]
RESOURCE = [
    "id",
    "name",
    "kind",
    "aws_id",
    "arn",
    "state",
    "owned",
    "step",
    "created_at",
    "deleted_at",
    "console_url",
    "error",
]
FAILURE = ["step", "class", "code", "message", "operation", "request_id", "at"]


def test_a_deployment_is_made_shown_and_destroyed(newcomer: Command, aws: str) -> None:
    """It becomes active and is destroyed; every JSON object has exactly the contract's keys."""
    tier1 = newcomer
    deployed = tier1("deploy", tier1.spec(), "-o", "json")
    assert deployed.code == 0, deployed.err
    assert list(deployed.json) == SHOWN
    assert deployed.json["state"] == deployed.json["goal"] == "active"
    assert (deployed.json["interrupted"], deployed.json["holder"], deployed.json["failure"]) == (
        False,
        None,
        None,
    )
    assert standing(aws) == {
        "vpcs": 1,
        "groups": 2,
        "instances": 1,
        "file_systems": 1,
        "roles": 1,
        "profiles": 1,
    }
    shown = tier1.show("demo")
    assert shown == deployed.json
    assert all(list(step) == STEP for step in shown["steps"])
    assert all(list(resource) == RESOURCE for resource in shown["resources"])
    assert all(resource["console_url"].startswith("https://") for resource in shown["resources"])
    assert datetime.fromisoformat(shown["created_at"]).utcoffset() is not None
    (listed,) = tier1("list", "-o", "json").json
    assert list(listed) == [*SHOWN[:-2], "remaining"]
    assert listed["remaining"] == len(shown["resources"])
    assert "ssm_session" in tier1("show", "demo").out
    destroyed = tier1("destroy", "demo", "-o", "json", CI_JOB_URL="https://ci.example/7")
    assert (destroyed.code, destroyed.json["state"]) == (0, "destroyed")
    assert "ssm_session" not in tier1.here("show", "demo").out  # the instance is terminated
    assert standing(aws) == {}
    assert {resource["state"] for resource in destroyed.json["resources"]} == {"deleted"}
    assert tier1.here("list", "-o", "json").json[0]["remaining"] == 0
    names_who_asked(tier1, shown, destroyed.json)


def names_who_asked(tier1: Command, made: dict[str, Any], destroyed: dict[str, Any]) -> None:
    """`show`, `log` and JSON name who deployed, and the CI job that destroyed."""
    ann, job = made["created_by"], destroyed["asked_by"]
    assert ann["arn"].startswith("arn:aws:")
    assert made["account_id"] in ann["arn"]
    assert (ann["run_url"], made["asked_by"], destroyed["created_by"]) == (None, ann, ann)
    assert job == {**ann, "run_url": "https://ci.example/7"}
    events = tier1.here("log", "demo", "-o", "json").json["events"]
    asked = [event["message"] for event in events].index("requested: destroyed")
    assert [event["actor"] for event in events] == [ann] * asked + [job] * (len(events) - asked)
    local = f"{ann['user']}@{ann['host']}"
    assert f"last command by {ann['arn']} ({local}, https://ci.example/7)" in tier1.here("show", "demo").out
    log = tier1.here("log", "demo").out
    assert f"requested: demo in us-east-1 (by {ann['arn']} ({local}))\n" in log
    assert f"requested: destroyed (by {ann['arn']} ({local}, https://ci.example/7))\n" in log
    assert log.count("(by arn:") == 2


@pytest.mark.field_case(
    "a replaced script: the first live rollback crashed: a stub in the tests had another signature"
)
def test_a_launch_that_aws_refuses_is_rolled_back_with_its_reason(tier1: Command, aws: str) -> None:
    """It exits with 3, nothing remains, and show, list and log report the cause."""
    failed = tier1("deploy", tier1.spec(type=REFUSED_TYPE), "-o", "json")
    assert (failed.code, failed.json["state"]) == (3, "rolled_back")
    failure = failed.json["failure"]
    assert list(failure) == FAILURE
    assert (failure["step"], failure["class"], failure["code"]) == (
        "instance",
        "critical",
        "InvalidInstanceType.NotFound",
    )
    assert failure["operation"] == "RunInstances"
    assert standing(aws) == {}
    assert "InvalidInstanceType" in tier1.here("list").out
    log = tier1.here("log", "demo", "-o", "json").json
    assert list(log) == ["attempts", "events"]
    refused = [attempt for attempt in log["attempts"] if attempt["code"] == failure["code"]]
    assert [(a["step"], a["action"], a["outcome"]) for a in refused] == [("instance", "create", "refused")]
    moves = [(event["from"], event["to"]) for event in log["events"] if event["trigger"]]
    assert moves[0] == ("pending", "provisioning_network")
    assert moves[-1] == ("rolling_back", "rolled_back")
    assert tier1("rollback", "demo").code == 0  # already active


def test_without_rollback_what_remains_is_listed_with_working_commands(tier1: Command, aws: str) -> None:
    """It exits with 4 and prints each id; the printed rollback, run as it is, leaves nothing."""
    kept = tier1("deploy", tier1.spec(type=REFUSED_TYPE), "--no-rollback")
    assert kept.code == 4
    shown = tier1.show("demo")
    assert (shown["state"], shown["rollback_enabled"], shown["interrupted"]) == ("failed", False, False)
    present = [r for r in shown["resources"] if r["aws_id"]]
    assert len(present) >= 10
    for resource in present:
        assert f"{resource['name']} {resource['aws_id']}" in kept.out
    assert tier1("resume", "demo").code == 4  # prints the options and changes nothing
    assert tier1("resume", "demo", "--continue").code == 2  # a deployment cannot do without its instance
    printed = re.findall(r"tier1 (rollback \w+)", kept.out)
    assert tier1(*printed[0].split()).code == 0
    assert standing(aws) == {}


def test_destroying_a_deployment_that_was_never_active_rolls_it_back(tier1: Command) -> None:
    """The goal `rolled_back` is recorded and reached."""
    tier1.write("aaaa00000001")
    done = tier1("destroy", "demo", "-o", "json")
    assert (done.code, done.json["state"]) == (0, "rolled_back")
    assert "was never active: rolling it back instead" in done.err


def test_rolling_back_an_active_deployment_is_refused_with_the_right_command(tier1: Command) -> None:
    """It exits with 2 and records no request."""
    id = tier1.active()
    tier1("rollback", "demo").refused(2, f"tier1 destroy {id}")
    assert tier1.show(id)["goal"] == "active"


def test_what_is_retained_stays_with_everything_it_needs(tier1: Command, aws: str) -> None:
    """Retaining a subnet retains its VPC; an unknown name is refused before anything is recorded."""
    tier1.deployed()
    tier1("destroy", "demo", "--retain", "cellar").refused(2, "cellar", "subnet-1")
    done = tier1("destroy", "demo", "--retain", "subnet-1", "--yes")
    assert done.code == 0
    assert standing(aws) == {"vpcs": 1}
    states = {r["name"]: r["state"] for r in tier1.show("demo")["resources"]}
    assert {name for name, state in states.items() if state == "retained"} == {"vpc", "subnet-1"}
    assert "subnet-1 subnet-" in done.out


def test_a_dry_run_prints_the_plan_and_touches_nothing(newcomer: Command, aws: str) -> None:
    """It creates no row and no database and calls nothing; user data appears only by name."""
    tier1 = newcomer
    (tier1.folder / "boot.sh").write_text("echo pass$word\n", encoding="utf-8")
    path = tier1.folder / "plan.yaml"
    path.write_text("name: plan\nregion: us-east-1\ninstance: {user_data: boot.sh}\n", encoding="utf-8")
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    shown = tier1("deploy", str(path), "--dry-run", **nowhere)
    assert shown.code == 0
    for words in ("network", "creates VPC", "plan-vpc", "needs vpc", "tier1:deployment", "checks"):
        assert words in shown.out
    plan = tier1("deploy", str(path), "--dry-run", "--name", "other", "-o", "json", **nowhere)
    assert plan.json["name"] == "other"
    steps = {step["name"]: step for step in plan.json["steps"]}
    assert steps["subnet-1"]["needs"] == ["vpc"]
    assert steps["vpc"]["aws_name"] == "other-vpc"
    assert list(steps["instance"]["inputs"]["user_data"]) == ["sha256"]
    assert "pass$word" not in plan.out + shown.out
    assert not (tier1.folder / "state").exists()
    assert standing(aws) == {}


@pytest.mark.field_case(
    "a replaced script: a second deployment of a living name overwrote the state of the first"
)
def test_a_name_that_is_in_use_is_refused_until_it_is_free(tier1: Command, aws: str) -> None:
    """It exits with 2 and the command that frees the name; afterwards the name can be used again."""
    id = tier1.active()
    tier1("deploy", tier1.spec()).refused(2, "demo", id, "tier1 destroy demo")
    assert standing(aws) == {}
    assert tier1("destroy", "demo").code == 0
    assert tier1.deployed() != id


def test_two_deploys_of_one_name_at_once_are_one_deployment(tier1: Command, aws: str) -> None:
    """One succeeds, the other is refused with 2, and nothing is created twice."""
    assert tier1.here("list").code == 0
    spec = tier1.spec()
    ended = [running.end() for running in [tier1.begin("deploy", spec) for _ in range(2)]]
    assert sorted(one.code for one in ended) == [0, 2], ended
    next(one for one in ended if one.code == 2).refused(2, "demo", "in use")
    assert standing(aws)["vpcs"] == 1
