"""The real command on a copy of the database from before the deployment was completed."""

from __future__ import annotations

import shutil

import pytest

from tests.support.account import WHOLE, client, standing
from tests.support.backups import back_up
from tests.support.command import Command
from tests.support.processes.proxy import Call, Proxy, passes
from tests.support.sweeps import OLD, failed

pytestmark = pytest.mark.promise(3)


def tags_copied_to(aws: str) -> list[str]:
    """A user's subnet and route table in a VPC of theirs, which a tool gave the tags of tier1's."""
    ec2 = client("ec2", aws)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    where = [{"Name": "tag-key", "Values": ["tier1:resource"]}]
    ours = ec2.describe_subnets(Filters=where)["Subnets"][0]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=ours["CidrBlock"])["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_tags(Resources=[subnet], Tags=ours["Tags"])
    tables = ec2.describe_route_tables(Filters=where)["RouteTables"]
    ec2.create_tags(Resources=[table], Tags=tables[0]["Tags"])
    return [subnet, table]


@pytest.mark.leaves("somebody copied our tags", "unknown")
def test_a_backup_from_before_the_first_resource_continues_and_deletes_all(
    operator: Command, line: Proxy, aws: str
) -> None:
    """As docs/backup.md says, mount targets and all; a user's objects with copied tags stay."""
    path = operator.folder / "backup.db"

    def before_the_first(call: Call) -> None:
        if call.operation == "CreateVpc" and not path.exists():
            back_up(operator.database, path)

    line.rule = before_the_first
    assert operator("deploy", operator.spec()).code == 0
    line.rule = passes
    theirs = tags_copied_to(aws)

    def restored(name: str) -> Command:
        """One more host with the backup, where it is adopted."""
        here = path.with_name(name)
        shutil.copy(path, here)
        shutil.rmtree(operator.database.with_name("seen"))
        command = operator.with_(TIER1_DATABASE_URL=f"sqlite:///{here}")
        adopted = command("db", "adopt-copy", "--yes")
        assert (adopted.code, adopted.out.count("fsmt-")) == (0, 2), adopted
        assert not [id for id in theirs if id in adopted.out], adopted
        return command

    done = restored("first.db")("resume", "demo")
    assert (done.code, standing(aws)) == (0, {**WHOLE, "vpcs": 2}), done
    done = restored("second.db")("destroy", "demo", "--yes")
    assert (done.code, standing(aws)) == (0, {"vpcs": 1}), done
    tables = client("ec2", aws).describe_route_tables(RouteTableIds=theirs[1:])["RouteTables"]
    assert tables[0]["Associations"][0]["SubnetId"] == theirs[0]


def test_a_backup_with_the_role_learns_the_profile_of_the_same_name(
    operator: Command, line: Proxy, aws: str
) -> None:
    """A role and its instance profile have one name: what one row has may be new of the other kind."""
    path = operator.folder / "backup.db"

    def before_the_profile(call: Call) -> None:
        if call.operation == "AttachRolePolicy" and not path.exists():
            back_up(operator.database, path)

    line.rule = before_the_profile
    assert operator("deploy", operator.spec()).code == 0
    line.rule = passes
    shutil.rmtree(operator.database.with_name("seen"))
    backup = operator.with_(TIER1_DATABASE_URL=f"sqlite:///{path}")
    adopted = backup("db", "adopt-copy", "--yes")
    assert (adopted.code, adopted.out.count("tier1-demo-")) == (0, 1), adopted
    done = backup("resume", "demo")
    assert (done.code, standing(aws)) == (0, WHOLE), done


def test_a_copy_is_refused_until_it_is_adopted(tier1: Command) -> None:
    """Whatever acts exits with 7 (a sweep with 5) and changes nothing; then all of it can be deleted."""
    id = failed(tier1)
    path = tier1.folder / "copy.db"
    back_up(tier1.database, path)
    copy = tier1.with_(TIER1_DATABASE_URL=f"sqlite:///{path}")
    done = tier1("resume", id, "--retry", "--spec", tier1.spec("demo"), "-o", "json")
    assert (done.code, done.json["state"]) == (0, "active"), done
    (instance,) = [one["aws_id"] for one in done.json["resources"] if one["name"] == "instance"]
    copy("rollback", id, "--yes").refused(7, "This host has seen revision")
    shutil.rmtree(tier1.database.with_name("seen"))
    for command in (("rollback", id, "--yes"), ("resume", id, "--retry")):
        copy(*command).refused(7, instance, "tier1 db adopt-copy")
    assert copy("sweep", *OLD, "--yes").code == 5
    assert tier1("show", id, "-o", "json").json["state"] == "active"
    copy("db", "adopt-copy").refused(2, "--yes")
    adopted = copy("db", "adopt-copy", "--yes")
    assert adopted.code == 0, adopted
    assert instance in adopted.out
    assert copy("rollback", id, "--yes").code == 0
    assert tier1("show", id, "-o", "json").code == 0
