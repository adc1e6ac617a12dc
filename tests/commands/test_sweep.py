"""`tier1 sweep`, `keep` and `extend` as commands, on the local AWS."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts import generate_docs
from tests.support.account import client, standing
from tests.support.command import Command
from tests.support.processes.proxy import Call, Proxy, killed_after
from tests.support.sweeps import OLD, failed, summary, without_reply
from tests.support.terminal import Terminal
from tier1_engine.blueprints.tier1.parts import DEFAULT_CIDR
from tier1_engine.store.store import Store


def ids_of(shown: dict[str, Any]) -> set[str]:
    return {r["aws_id"] for r in shown["resources"] if r["aws_id"] and r["owned"]}


def database_id(tier1: Command) -> str:
    store = Store.open(f"sqlite:///{tier1.database}")
    try:
        return store.database_id
    finally:
        store.close()


def vpc(aws: str, **tags: str) -> str:
    """A VPC created outside tier1, with the range that a spec has by default."""
    ec2 = client("ec2", aws)
    made: str = ec2.create_vpc(CidrBlock=DEFAULT_CIDR)["Vpc"]["VpcId"]
    if tags:
        named = [{"Key": f"tier1:{key}", "Value": value} for key, value in tags.items()]
        ec2.create_tags(Resources=[made], Tags=named)
    return made


def vpcs(aws: str) -> set[str]:
    return {one["VpcId"] for one in client("ec2", aws).describe_vpcs()["Vpcs"] if not one["IsDefault"]}


def test_a_failed_one_is_read_refused_and_swept(tier1: Command, aws: str) -> None:
    """The dry run names everything and changes nothing; a sweep without consent deletes nothing; then all of
    it is deleted.
    """
    id = failed(tier1)
    before, shown = standing(aws), tier1.show(id)
    dry = tier1.here("sweep", *OLD, "--dry-run", "--yes", "-o", "json")
    assert dry.code == 0, dry
    plan = dry.json
    assert {item["aws_id"] for item in plan["items"]} == ids_of(shown)
    assert {item["owner"]["deployment"] for item in plan["items"]} == {id}
    assert all(item["reason"] and item["order"] for item in plan["items"])
    costs = {item["kind"]: item["estimated_cost"] for item in plan["items"]}
    assert (costs["vpc"], costs["file_system"]) == (0.0, None)  # EFS bills the bytes stored
    table = tier1.here("sweep", *OLD, "--dry-run")
    assert table.code == 0
    assert all(word in table.out for word in (id, *ids_of(shown)))
    assert tier1.show(id) == shown
    tier1.here("sweep", *OLD).refused(2, "--yes")
    assert (standing(aws), tier1.show(id)) == (before, shown)
    assert tier1("sweep", "--yes").code == 0  # not old enough
    assert standing(aws) == before
    done = tier1("sweep", *OLD, "--yes")
    assert done.code == 0, done
    assert standing(aws) == {}
    count = len([r for r in shown["resources"] if r["aws_id"]])
    assert summary(done) == {"marked": count, "deleted": count, "skipped": 0, "remained": 0, "reported": 0}
    assert tier1.show(id)["state"] == "rolled_back"
    newest, *_ = tier1.here("sweep", "--history", "-o", "json").json
    assert (newest["exit_code"], newest["deleted"], newest["marked"]) == (0, count, count)
    assert {item["outcome"] for item in newest["items"]} == {"deleted"}
    assert str(count) in tier1.here("sweep", "--history").out


def test_a_reviewed_plan_deletes_exactly_what_it_lists(tier1: Command, aws: str, tmp_path: Path) -> None:
    """A changed file is refused, what was protected since is skipped, and what was created since stays."""
    one, other = failed(tier1, "one"), failed(tier1, "other")
    plan = tmp_path / "plan.json"
    saved = tier1.here("sweep", *OLD, "--dry-run", "--save", str(plan))
    assert saved.code == 0, saved
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    assert f"tier1 sweep --apply {plan}" in saved.err
    third = failed(tier1, "third")
    whole = json.loads(plan.read_text())
    whole["items"] = whole["items"][:-1]
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(whole))
    tier1.here("sweep", "--apply", str(bad), "--yes").refused(2, "changed")
    absent = tier1.here("sweep", "--apply", str(tmp_path / "none.json"), "--yes")
    absent.refused(2, "none.json cannot be read (No such file or directory): give another file.")
    tier1.here("sweep", "--apply", str(plan), "--yes", "--orphans").refused(2, "--apply")
    tier1.here("sweep", "--apply", str(plan)).refused(2, "--yes")
    assert standing(aws)["vpcs"] == 3
    assert tier1.here("keep", other).code == 0
    done = tier1("sweep", "--apply", str(plan), "--yes", "-o", "json")
    assert done.code == 0, done
    assert [tier1.show(id)["state"] for id in (one, other, third)] == ["rolled_back", "failed", "failed"]
    skipped = {i["owner"]["deployment"] for i in done.json["items"] if i["outcome"] == "skipped"}
    assert skipped == {other}
    assert all(i["why"] for i in done.json["items"] if i["outcome"] == "skipped")
    again = tier1("sweep", "--apply", str(plan), "--yes")
    assert (again.code, summary(again)["deleted"]) == (0, 0)


def test_more_than_the_limit_is_refused(tier1: Command, aws: str) -> None:
    """`--yes` does not override the limit."""
    failed(tier1)
    before = standing(aws)
    tier1.here("sweep", *OLD, "--yes", "--max-deletions", "3").refused(2, "--max-deletions", "3")
    assert standing(aws) == before


def test_an_expired_stack_is_destroyed_unless_extended_or_protected(tier1: Command, aws: str) -> None:
    """This holds whatever `--older-than` says."""
    deployed = tier1("deploy", tier1.spec(more="ttl: 1s\n"))
    assert deployed.code == 0, deployed
    id = deployed.id
    first = datetime.fromisoformat(tier1.show(id)["expires_at"])
    extended = tier1.here("extend", id, "24h")
    assert extended.code == 0, extended
    moved = datetime.fromisoformat(tier1.show(id)["expires_at"])
    assert moved - first >= timedelta(hours=24)
    assert tier1("sweep", "--yes").code == 0
    assert tier1.show(id)["state"] == "active"
    expire(tier1, id)
    made = tier1.show(id)
    assert tier1.here("keep", id, "--until", "1h", CI_JOB_URL="https://ci.example/7").code == 0
    assert tier1.show(id)["asked_by"] == {**made["created_by"], "run_url": "https://ci.example/7"}
    kept = tier1("sweep", "--yes", "-o", "json")
    assert (kept.code, kept.json["reported"]) == (0, 1)
    assert "protected" in kept.json["reports"][0]["reason"]
    assert tier1.here("keep", id, "--off").code == 0
    plan = tier1.here("sweep", "--dry-run", "-o", "json").json["items"]
    (cost,) = (item["estimated_cost"] for item in plan if item["kind"] == "instance")
    assert cost == pytest.approx(730 * (0.0416 + 0.005) + 30 * 0.08, abs=0.01)  # t3.medium, address, volume
    assert "expired" in tier1.here("list").out
    done = tier1("sweep", "--yes")
    assert (done.code, tier1.show(id)["state"]) == (0, "destroyed"), done
    assert tier1.show(id)["asked_by"] == made["created_by"]  # the sweep's, in place of the keeper's
    asked = [e for e in tier1.here("log", id, "-o", "json").json["events"] if "by sweep" in e["message"]]
    assert [event["actor"] for event in asked] == [made["created_by"]]
    assert standing(aws) == {}


def expire(tier1: Command, id: str) -> None:
    store = Store.open(f"sqlite:///{tier1.database}")
    with store.engine.begin() as connection:
        at = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="microseconds")
        connection.exec_driver_sql("UPDATE deployments SET expires_at = ? WHERE id = ?", (at, id))
    store.close()


@pytest.mark.leaves("what is only reported, and what AWS made in the VPC that went", "unknown", "changed")
def test_orphans_are_deleted_and_what_is_not_owned_is_only_reported(tier1: Command, aws: str) -> None:
    """Tags and rows tell orphans of an ended deployment from resources of another database, of nobody and of
    the user.
    """
    id = tier1.deployed()
    ours = database_id(tier1)
    assert tier1("destroy", id, "--yes").code == 0
    orphan = vpc(aws, database=ours, deployment=id, resource=without_reply(tier1, "vpc"))
    foreign = vpc(aws, database="another", deployment=id, resource="late")
    unknown = vpc(aws, database=ours, deployment="nobody", resource="late")
    users = vpc(aws, database=ours, deployment=id, resource="copied")
    assert tier1("sweep", "--yes").code == 0
    assert vpcs(aws) == {orphan, foreign, unknown, users}
    done = tier1("sweep", "--orphans", "--yes", "--region", "eu-west-1", "-o", "json")
    assert done.code == 0, done
    assert vpcs(aws) == {foreign, unknown, users}
    assert {item["aws_id"] for item in done.json["reports"]} == {foreign, unknown, users}
    attempts = tier1.here("log", id, "-o", "json").json["attempts"]
    assert orphan in {attempt["aws_id"] for attempt in attempts if attempt["action"] == "delete"}


@pytest.mark.leaves("what AWS itself made in the VPC that went", "changed")
def test_foreign_resources_are_deleted_only_by_a_reviewed_plan(
    tier1: Command, aws: str, tmp_path: Path
) -> None:
    """A direct sweep never deletes them, whatever is confirmed."""
    id = tier1.deployed()
    assert tier1("destroy", id, "--yes").code == 0
    foreign = vpc(aws, database="another", deployment="theirs", resource="r1")
    plan = tmp_path / "plan.json"
    tier1.here("sweep", "--foreign", "--yes").refused(2, "--save")
    saved = tier1("sweep", "--foreign", "--save", str(plan), "--yes")
    assert saved.code == 0, saved
    assert vpcs(aws) == {foreign}
    applied = tier1("sweep", "--apply", str(plan), "--yes")
    assert (applied.code, summary(applied)["deleted"]) == (0, 1), applied
    assert vpcs(aws) == set()


@pytest.mark.field_case("skypilot-org/skypilot#2169: a failover terminated a user's machine")
@pytest.mark.field_case("a replaced script: a sweep deleted network interfaces that were not its own")
@pytest.mark.long
@pytest.mark.leaves("the instance that its user takes out", "changed")
def test_the_users_instance_in_an_owned_subnet_stops_the_deletion(tier1: Command, aws: str) -> None:
    """It exits with 5, names the instance and deletes nothing of that stack; without it the next sweep
    completes.
    """
    id = failed(tier1)
    subnet = next(r["aws_id"] for r in tier1.show(id)["resources"] if r["kind"] == "subnet")
    ec2 = client("ec2", aws)
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, InstanceType="t3.micro")
    guest = run["Instances"][0]["InstanceId"]
    before = standing(aws)
    stopped = tier1("sweep", *OLD, "--yes")
    assert stopped.code == 5
    assert guest in stopped.out
    assert standing(aws) == before
    assert tier1.show(id)["state"] == "failed"
    ec2.terminate_instances(InstanceIds=[guest])
    done = tier1("sweep", *OLD, "--yes")
    assert done.code == 0, done
    assert standing(aws) == {}


def test_a_gateway_that_was_moved_to_the_users_network_stays(tier1: Command, aws: str) -> None:
    """Detaching it would cut off the user's network."""
    id = failed(tier1)
    shown = {r["kind"]: r["aws_id"] for r in tier1.show(id)["resources"]}
    users = vpc(aws)
    ec2 = client("ec2", aws)
    gateway = shown["internet_gateway"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=shown["vpc"])
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=users)
    stopped = tier1("sweep", *OLD, "--yes")
    assert stopped.code == 5
    assert users in stopped.out
    assert ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]


@pytest.mark.long
def test_only_and_exclude_leave_the_rest_for_the_next_sweep(tier1: Command, aws: str) -> None:
    """The next sweep completes what `--only` and `--exclude` left."""
    id = failed(tier1)
    resources = {r["name"]: r for r in tier1.show(id)["resources"]}
    assert tier1("sweep", *OLD, "--yes", "--only", "file_systm").code == 2
    first = tier1("sweep", *OLD, "--yes", "--only", "mount_target")
    assert first.code == 0, first
    assert {r["state"] for r in tier1.show(id)["resources"] if r["kind"] == "mount_target"} == {"deleted"}
    assert standing(aws)["file_systems"] == 1
    kept = resources["file-system"]["aws_id"]
    second = tier1("sweep", *OLD, "--yes", "--exclude", kept)
    assert second.code == 0, second
    assert standing(aws) == {"file_systems": 1}
    assert tier1("sweep", "--yes").code == 0
    assert standing(aws) == {}
    assert tier1.show(id)["state"] == "rolled_back"


@pytest.mark.long
def test_an_unreachable_endpoint_is_reported_and_nothing_is_taken_for_gone(tier1: Command, aws: str) -> None:
    """It exits with 7 if AWS cannot be called at all; the next sweep completes."""
    tier1.write("aaaa00000001", "far", endpoint="http://127.0.0.1:1")
    near = failed(tier1, "near")
    mixed = tier1("sweep", *OLD, "--orphans", "--interrupted", "rollback", "--yes")
    assert mixed.code == 5, mixed
    assert "ConnectionRefused" in mixed.out
    assert tier1.show(near)["state"] == "rolled_back"
    assert tier1.show("far")["state"] == "pending"
    alone = tier1("sweep", *OLD, "--orphans", "--interrupted", "rollback", "--yes")
    assert alone.code in (5, 7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sweep", "--older-than", "soon", "--yes"), ("--older-than",)),
        (("keep", "demo", "--until", "someday"), ("someday",)),
        (("keep", "demo", "--until", "2020-01-01"), ("in the past",)),
        (("keep", "demo", "--until", "1h", "--off"), ("--off",)),
        (("extend", "demo", "much"), ("much",)),
        (("extend", "demo", "1h"), ("no expiry",)),
    ],
)
def test_invalid_arguments_are_refused(
    tier1_here: Command, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """It exits with 2 and one sentence."""
    tier1_here.active()
    tier1_here(*arguments).refused(2, *words)


def test_keep_refuses_what_is_unknown_or_gone(tier1: Command) -> None:
    """It exits with 8 for an unknown deployment and with 2 for one that is being taken down."""
    tier1.here("keep", "nobody").refused(8, "nobody")
    tier1.write("aaaa00000001")
    assert tier1("rollback", "demo").code == 0
    tier1.here("keep", "demo").refused(2, "rolled_back")
    assert tier1.here("keep", "demo", "--off").code == 0


SERVICE_PREFIX = {"efs": "elasticfilesystem"}


def test_a_killed_sweep_is_completed_by_the_next_with_the_policy_s_rights_alone(
    operator: Command, line: Proxy, aws: str
) -> None:
    """It is killed right after a deletion; the default age limits are enough to complete it."""
    id = failed(operator)
    before = len(line.calls)
    running = operator.begin("sweep", *OLD, "--orphans", "--yes")
    met: list[str] = []

    def kill_at_the_third(call: Call) -> Any:
        if not call.changing:
            return None
        met.append(call.operation)
        return killed_after(running.process.kill) if len(met) == 3 else None

    line.rule = kill_at_the_third
    assert running.end().code == -9
    assert operator.show(id)["interrupted"]
    done = operator("sweep", "--orphans", "--yes")
    assert (done.code, summary(done)["remained"]) == (0, 0), done
    used = {f"{SERVICE_PREFIX.get(c.service, c.service)}:{c.operation}" for c in line.calls[before:]}
    assert standing(aws) == {}
    assert operator.show(id)["state"] == "rolled_back"
    cut = operator("sweep", "--history", "-o", "json").json[-1]
    assert (cut["exit_code"], cut["ended_at"]) == (None, None)
    assert used - {"sts:GetCallerIdentity"} <= set(generate_docs.sweep_actions())


@pytest.mark.long
def test_two_concurrent_sweeps_share_the_work(tier1: Command, aws: str) -> None:
    """Each deployment is swept once; what the other sweep holds is skipped and reported."""
    counts = 0
    for name in ("one", "two"):
        counts += len([r for r in tier1.show(failed(tier1, name))["resources"] if r["aws_id"]])
    both = [one.end() for one in [tier1.begin("sweep", *OLD, "--yes") for _ in range(2)]]
    assert [one.code for one in both] == [0, 0], both
    assert sum(summary(one)["deleted"] for one in both) == counts
    assert standing(aws) == {}
    assert len(json.loads(tier1.here("db", "export").out)["sweeps"]) == 2


@pytest.mark.long
def test_at_a_terminal_the_plan_is_shown_and_confirmed(tier1: Command, aws: str) -> None:
    """No exits with 2 and deletes nothing; yes deletes all of it, even above the limit."""
    id = failed(tier1)
    with Terminal(tier1, "sweep", *OLD, "--max-deletions", "1") as terminal:
        terminal.see("more than --max-deletions 1. Continue?")
        terminal.enter("n\n")
        assert terminal.end() == 2
    assert id in terminal.screen
    assert standing(aws)["vpcs"] == 1
    with Terminal(tier1, "sweep", *OLD, "--max-deletions", "1") as terminal:
        terminal.see("Continue?")
        terminal.enter("y\n")
        assert terminal.end() == 0
    assert standing(aws) == {}


def test_a_region_is_read_before_the_first_deployment(tier1: Command, aws: str) -> None:
    """The environment names the region; without credentials the sweep is blocked."""
    foreign = vpc(aws, database="another", deployment="theirs", resource="r1")
    arguments = ("sweep", "--orphans", "--dry-run", "--region", "us-east-1", "-o", "json")
    done = tier1(*arguments)
    assert (done.code, [item["aws_id"] for item in done.json["reported"]]) == (0, [foreign])
    nobody = tier1.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    nobody(*arguments).refused(7, "credentials")
