"""Scenarios in a local AWS of this process: manual changes, the census, and reproducible runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.moto_account import IMAGE, REGION, ManualClock, Rig, prepare
from tests.support.young_account import TRUST
from tier1_engine.sandbox.behaviour import objects
from tier1_engine.sandbox.census import Thing, from_json, things
from tier1_engine.sandbox.faults import scenarios
from tier1_engine.sandbox.faults.scenario import Scenario
from tier1_engine.sandbox.process.late import never
from tier1_engine.sandbox.process.layer import ConnectionCut
from tier1_engine.sandbox.process.local import new_world, play, strict
from tier1_engine.sandbox.world import ManualAction, ManualChange, Speed

OWNED = {"tier1:deployment": "d1", "tier1:resource": "r1", "Name": "mine-thing"}
TAGS = [{"Key": key, "Value": value} for key, value in OWNED.items()]
ALLOW = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}'
TRAFFIC_SECONDS = 700.0
STEP_SECONDS = 70.0


@contextmanager
def sandbox(day: Scenario | None = None, seed: int = 7, record: Path | None = None) -> Iterator[Rig]:
    """A strict local AWS with the behaviour of objects, whose clock is at its start."""
    clock = ManualClock()
    world = new_world(seed, Speed.REAL, clock)
    aws = strict(world, record=record, schedule=never, wait=clock.wait)
    try:
        rig = Rig(aws, clock)
        rig.reset()
        if day is not None:
            play(aws, day)
        yield rig
    finally:
        objects.remove()


@pytest.fixture(autouse=True)
def _one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(monkeypatch)


def ours(kind: str, id: str, region: str, state: str | None = None) -> Thing:
    """Return an object with tier1's tags, as the census has it."""
    return Thing(kind, id, region, state, deployment="d1", resource="r1", name="mine-thing")


def tagged(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": TAGS}]


class Client:
    """Makes the calls of a deployment, whatever the answers."""

    def __init__(self, rig: Rig) -> None:
        self.clock = rig.clock
        self.ec2, self.efs, self.iam = (rig.client(service) for service in ("ec2", "efs", "iam"))

    def vpc(self) -> str:
        made = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc"))
        return str(made["Vpc"]["VpcId"])

    def subnet(self, vpc_id: str) -> str:
        made = self.ec2.create_subnet(
            VpcId=vpc_id,
            CidrBlock="10.0.1.0/24",
            AvailabilityZone=f"{REGION}a",
            TagSpecifications=tagged("subnet"),
        )
        return str(made["Subnet"]["SubnetId"])

    def file_system(self, token: str = "token") -> str:  # noqa: S107 - idempotency, no secret
        made = self.efs.create_file_system(CreationToken=token, Tags=TAGS)
        self.clock.wait(60)
        return str(made["FileSystemId"])

    def mount_target(self, file_system_id: str, subnet_id: str) -> str:
        made = self.efs.create_mount_target(FileSystemId=file_system_id, SubnetId=subnet_id)
        return str(made["MountTargetId"])

    def instance(self, subnet_id: str, **more: Any) -> str:
        interface = {"DeviceIndex": 0, "SubnetId": subnet_id, "DeleteOnTermination": True}
        made = self.ec2.run_instances(
            ImageId=IMAGE,
            InstanceType="t3.medium",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[interface],
            TagSpecifications=[*tagged("instance"), *tagged("volume")],
            **more,
        )
        return str(made["Instances"][0]["InstanceId"])

    def state(self, instance_id: str) -> str:
        [held] = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return str(held["Instances"][0]["State"]["Name"])


class TestByHand:
    def by_hand(self, after: str, do: ManualAction, seen: int = 1) -> Scenario:
        return Scenario("a-day", "A day", "", by_hand=(ManualChange(after, do, seen),))

    def test_an_instance_is_terminated_before_its_launch_is_answered(self) -> None:
        """It happens once, and the next instance lives."""
        with sandbox(self.by_hand("RunInstances", ManualAction.TERMINATE_INSTANCE)) as rig:
            client = Client(rig)
            subnet = client.subnet(client.vpc())
            first, second = client.instance(subnet), client.instance(subnet)
            client.clock.wait(120)
            assert (client.state(first), client.state(second)) == ("terminated", "running")

    def test_it_happens_after_the_given_number_of_calls(self) -> None:
        """Refused calls do not count."""
        with sandbox(self.by_hand("DescribeVpcs", ManualAction.TERMINATE_INSTANCE, seen=2)) as rig:
            client = Client(rig)
            instance = client.instance(client.subnet(client.vpc()))
            client.clock.wait(60)
            client.ec2.describe_vpcs()
            with pytest.raises(ClientError):
                client.ec2.describe_vpcs(VpcIds=["vpc-00000000"])
            assert client.state(instance) == "running"
            client.ec2.describe_vpcs()
            assert client.state(instance) == "shutting-down"

    def test_a_mount_target_and_a_file_system_can_be_deleted_too(self) -> None:
        """Each begins AWS's own deletion; a mounted file system cannot."""
        with sandbox(self.by_hand("DescribeSubnets", ManualAction.DELETE_MOUNT_TARGET)) as rig:
            client = Client(rig)
            target = client.mount_target(client.file_system(), client.subnet(client.vpc()))
            client.clock.wait(200)
            client.ec2.describe_subnets()
            [shown] = client.efs.describe_mount_targets(MountTargetId=target)["MountTargets"]
            assert shown["LifeCycleState"] == "deleting"
        with sandbox(self.by_hand("DescribeSubnets", ManualAction.DELETE_FILE_SYSTEM)) as rig:
            client = Client(rig)
            mounted, free = client.file_system("one"), client.file_system("two")
            client.mount_target(mounted, client.subnet(client.vpc()))
            client.ec2.describe_subnets()
            states = {
                one["FileSystemId"]: one["LifeCycleState"]
                for one in client.efs.describe_file_systems()["FileSystems"]
            }
            assert states == {mounted: "available", free: "deleting"}

    @pytest.mark.parametrize("deed", ManualAction)
    def test_what_belongs_to_no_deployment_is_left_alone(self, deed: ManualAction) -> None:
        """Manual changes affect deployments, never the user's own resources, and an empty account
        not at all.
        """
        with sandbox(self.by_hand("DescribeVpcs", deed)) as rig:
            client = Client(rig)
            made = client.ec2.run_instances(ImageId=IMAGE, InstanceType="t3.medium", MinCount=1, MaxCount=1)
            file_system = client.efs.create_file_system(CreationToken="theirs")["FileSystemId"]
            client.clock.wait(60)
            client.ec2.describe_vpcs()
            assert client.state(made["Instances"][0]["InstanceId"]) == "running"
            [shown] = client.efs.describe_file_systems(FileSystemId=file_system)["FileSystems"]
            assert shown["LifeCycleState"] == "available"

    def test_it_happens_again_in_an_account_that_was_emptied(self) -> None:
        with sandbox(self.by_hand("RunInstances", ManualAction.TERMINATE_INSTANCE)) as rig:
            for _ in range(2):
                client = Client(rig)
                first = client.instance(client.subnet(client.vpc()))
                client.clock.wait(120)
                assert client.state(first) == "terminated"
                rig.reset()


class TestExpiredCredentials:
    @pytest.mark.parametrize(
        ("service", "operation", "code"),
        [
            ("ec2", "describe_vpcs", "RequestExpired"),
            ("efs", "describe_file_systems", "ExpiredTokenException"),
            ("ssm", "describe_parameters", "ExpiredTokenException"),
            ("iam", "list_roles", "ExpiredToken"),
            ("sts", "get_caller_identity", "ExpiredToken"),
        ],
    )
    def test_each_service_reports_it_with_its_own_code(self, service: str, operation: str, code: str) -> None:
        """One fault applies to all of them."""
        with sandbox(scenarios.load("expired-credentials")) as rig:
            for _ in range(40):
                rig.client("sts").get_caller_identity()
            with pytest.raises(ClientError) as error:
                getattr(rig.client(service), operation)()
            assert error.value.response["Error"]["Code"] == code


class TestCensus:
    def test_every_resource_is_in_it_with_its_owner(self) -> None:
        """All regions in use are covered; a part names the resource that it is deleted with."""
        with sandbox() as rig:
            client = Client(rig)
            assert [one for one in things() if not one.default] == []
            vpc = client.vpc()
            subnet = client.subnet(vpc)
            file_system = client.file_system()
            target = client.mount_target(file_system, subnet)
            instance = client.instance(subnet)
            client.iam.create_role(RoleName="role", Path="/tier1/", AssumeRolePolicyDocument=TRUST, Tags=TAGS)
            client.iam.create_instance_profile(InstanceProfileName="profile", Tags=TAGS)
            client.iam.create_policy(PolicyName="policy", PolicyDocument=ALLOW)
            client.ec2.create_key_pair(KeyName="key")
            address = client.ec2.allocate_address(Domain="vpc")
            gateway = rig.client("ec2", "eu-west-1").create_internet_gateway()["InternetGateway"]
            client.clock.wait(300)
            client.ec2.describe_vpcs()
            found = {(one.kind, one.id): one for one in things() if not one.default}
            for expected in (
                ours("vpc", vpc, REGION, "available"),
                ours("subnet", subnet, REGION, "available"),
                ours("file system", file_system, REGION, "available"),
                Thing("mount target", target, REGION, "available", deployment="d1", name=file_system),
                ours("instance", instance, REGION, "running"),
                ours("role", "role", "global"),
                ours("instance profile", "profile", "global"),
                Thing("policy", "policy", "global", name="policy"),
                Thing("internet gateway", gateway["InternetGatewayId"], "eu-west-1", "detached"),
                Thing("address", address["AllocationId"], REGION, name=address["PublicIp"]),
            ):
                assert found.pop((expected.kind, expected.id)) == expected
            rest = sorted((one.kind, one.part_of) for one in found.values())
            assert rest == sorted(
                [
                    ("key pair", None),
                    ("network acl", vpc),
                    ("network interface", instance),
                    ("network interface", target),
                    ("route table", vpc),
                    ("security group", vpc),
                    ("volume", instance),
                ]
            )

    def test_the_default_vpc_s_own_parts_are_marked(self) -> None:
        """What somebody adds to it is not marked."""
        with sandbox() as rig:
            client = Client(rig)
            [default] = client.ec2.describe_vpcs()["Vpcs"]
            client.ec2.create_security_group(GroupName="mine", Description="d", VpcId=default["VpcId"])
            found = things()
            assert {one.kind for one in found if one.default} == {
                "vpc",
                "subnet",
                "route table",
                "security group",
                "network acl",
            }
            assert [(one.kind, one.name) for one in found if not one.default] == [("security group", "mine")]

    def test_a_terminated_instance_is_gone_before_its_interface(self) -> None:
        """AWS shows the instance for another hour."""
        with sandbox() as rig:
            client = Client(rig)
            instance = client.instance(client.subnet(client.vpc()))
            client.clock.wait(60)
            client.ec2.terminate_instances(InstanceIds=[instance])
            kinds: list[set[str]] = []
            for _ in range(100):
                client.clock.wait(3)
                client.ec2.describe_vpcs()
                now = {one.kind for one in things() if one.kind in ("instance", "network interface")}
                if not kinds or kinds[-1] != now:
                    kinds.append(now)
            assert kinds == [{"instance", "network interface"}, {"network interface"}, set()]
            assert client.state(instance) == "terminated"

    def test_it_is_transferred_unchanged(self) -> None:
        thing = Thing("vpc", "vpc-1", REGION, "available", "d1", "r1", "mine", "x", default=True)
        assert from_json(json.loads(json.dumps(thing.to_json()))) == thing


class TestTheSameAgain:
    """The same seed and calls give the same answers and delays."""

    @pytest.mark.leaves("what a client makes again whose replies are lost, and which never looks", "twice")
    @pytest.mark.parametrize(
        "name",
        ["lost-reply", *(pytest.param(one, marks=pytest.mark.long) for one in ("brownout", "late-create"))],
    )
    def test_two_runs_of_a_scenario_have_the_same_traffic(self, tmp_path: Path, name: str) -> None:
        """Ids, codes and AWS's times are equal call by call; another seed gives others."""
        first = traffic(name, 7, tmp_path / "first")
        again = traffic(name, 7, tmp_path / "again")
        other = traffic(name, 8, tmp_path / "other")
        assert len(first) > 50
        assert first == again
        assert first != other


def traffic(name: str, seed: int, record: Path) -> list[str]:
    """The recorded calls of a client that creates a stack, reads it and deletes it."""
    with sandbox(scenarios.load(name), seed, record) as rig:
        client = Client(rig)
        made: dict[str, str] = {}
        acts: list[Callable[[], None]] = [
            lambda: made.update(vpc=client.vpc()),
            lambda: made.update(subnet=client.subnet(made["vpc"])),
            lambda: made.update(file_system=client.file_system()),
            lambda: made.update(target=client.mount_target(made["file_system"], made["subnet"])),
            lambda: made.update(instance=client.instance(made["subnet"], ClientToken="token")),
            lambda: client.iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST),
            lambda: client.iam.delete_role(RoleName="role"),
            lambda: client.ec2.terminate_instances(InstanceIds=[made["instance"]]),
            lambda: client.efs.delete_mount_target(MountTargetId=made["target"]),
            lambda: client.efs.delete_file_system(FileSystemId=made["file_system"]),
            lambda: client.ec2.delete_subnet(SubnetId=made["subnet"]),
            lambda: client.ec2.delete_vpc(VpcId=made["vpc"]),
        ]
        while rig.clock.seconds < TRAFFIC_SECONDS:
            for act in (*acts, client.ec2.describe_instances, client.efs.describe_file_systems):
                with suppress(ClientError, ConnectionCut, KeyError):  # the record has the error
                    act()
            rig.clock.wait(STEP_SECONDS)
    return record.read_text().splitlines()
