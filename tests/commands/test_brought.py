"""A network and a file system of the user's: what the user adds there is never deleted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.account import client
from tests.support.backups import back_up
from tests.support.command import Command
from tests.support.processes.proxy import Call, Proxy, passes

pytestmark = pytest.mark.promise(3)

SPEC = """name: demo
region: us-east-1
network: {{vpc_id: {vpc}, subnet_ids: [{subnet}]}}
efs: {{file_system_id: {file_system}}}
instance: {{types: [t3.medium], market: on-demand}}
"""
ZONES = ("us-east-1a", "us-east-1b")


class Estate:
    """A VPC with two public subnets and a file system, made by the user."""

    def __init__(self, aws: str) -> None:
        self.ec2, self.efs = client("ec2", aws), client("efs", aws)
        self.vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        for attribute in ("EnableDnsHostnames", "EnableDnsSupport"):
            self.ec2.modify_vpc_attribute(VpcId=self.vpc, **{attribute: {"Value": True}})
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=zone)[
                "Subnet"
            ]["SubnetId"]
            for n, zone in enumerate(ZONES)
        ]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        (table,) = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])[
            "RouteTables"
        ]
        self.ec2.create_route(
            RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
        )
        self.file_system = self.efs.create_file_system(CreationToken="mine")["FileSystemId"]
        while self.state() != "available":
            pass

    def state(self) -> Any:
        """The state of the file system; the local AWS counts each look."""
        (shown,) = self.efs.describe_file_systems(FileSystemId=self.file_system)["FileSystems"]
        return shown["LifeCycleState"]

    def mounts(self) -> dict[str, str]:
        """Mount targets by subnet."""
        shown: list[Any] = self.efs.describe_mount_targets(FileSystemId=self.file_system)["MountTargets"]
        return {one["SubnetId"]: one["MountTargetId"] for one in shown}

    def spec(self, folder: Path) -> str:
        path = folder / "brought.yaml"
        path.write_text(
            SPEC.format(vpc=self.vpc, subnet=self.subnets[0], file_system=self.file_system), encoding="utf-8"
        )
        return str(path)


@pytest.mark.field_case("a trial: a user's mount target that had an owned security group was deleted")
@pytest.mark.leaves("what the user made", "changed")
def test_the_users_mount_target_that_has_the_group_of_the_stack_stays(tier1: Command, aws: str) -> None:
    """It is in a zone that the plan never used; the user lets the stack use it. The rest is deleted."""
    users = Estate(aws)
    mine = users.efs.create_mount_target(FileSystemId=users.file_system, SubnetId=users.subnets[1])[
        "MountTargetId"
    ]
    done = tier1("deploy", users.spec(tier1.folder))
    assert done.code == 0, done
    (group,) = {
        group["GroupId"]
        for group in users.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [users.vpc]}])[
            "SecurityGroups"
        ]
        if "efs" in group["GroupName"]
    }
    users.efs.modify_mount_target_security_groups(MountTargetId=mine, SecurityGroups=[group])
    ended = tier1("destroy", done.id, "--yes")
    assert users.mounts() == {users.subnets[1]: mine}
    assert mine in ended.out + ended.err, ended


@pytest.mark.parametrize("command", ["resume", "destroy"])
def test_a_backup_learns_its_mount_target_on_a_brought_file_system(
    operator: Command, line: Proxy, aws: str, command: str
) -> None:
    """It has no tag of its own: it is known by the file system and the subnet that the spec names."""
    users, path = Estate(aws), operator.folder / "backup.db"

    def before_the_first(call: Call) -> None:
        if call.operation == "CreateSecurityGroup" and not path.exists():
            back_up(operator.database, path)

    line.rule = before_the_first
    done = operator("deploy", users.spec(operator.folder))
    assert done.code == 0, done
    line.rule = passes
    mounts = users.mounts()
    shutil.rmtree(operator.database.with_name("seen"))
    backup = operator.with_(TIER1_DATABASE_URL=f"sqlite:///{path}")
    adopted = backup("db", "adopt-copy", "--yes")
    assert (adopted.code, adopted.out.count("fsmt-")) == (0, 1), adopted
    done = backup("resume", "demo") if command == "resume" else backup("destroy", "demo", "--yes")
    assert (done.code, users.mounts()) == (0, mounts if command == "resume" else {}), done
    assert users.state() == "available"
