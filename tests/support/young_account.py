"""A local AWS in this process with the behaviours of objects, on a clock that a test turns by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ec2.models import ec2_backends
from moto.efs.models import efs_backends
from moto.iam.models import iam_backends
from moto.ssm.models import ssm_backends

from tier1_engine.boot import userdata
from tier1_engine.sandbox.behaviour import objects
from tier1_engine.sandbox.behaviour.figures import FIGURES
from tier1_engine.sandbox.world import AwsClock, Dice, Figure, Speed, World

REGION = "us-east-1"
ZONE = f"{REGION}a"
AT_ONCE = Figure(0, 0, 0, "a test")
NOTHING_HIDDEN = {f"{service}.{lag}": AT_ONCE for service in ("ec2", "iam") for lag in ("visible", "vanish")}
TRUST = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
"Principal": {"Service": "ec2.amazonaws.com"}}]}"""


class HandClock(AwsClock):
    """A clock that stands still until the test advances it."""

    def __init__(self) -> None:
        super().__init__(Speed.MAX, source=lambda: 0.0)
        self._seconds = 0.0

    def now(self) -> float:
        return self._seconds

    def turn(self, seconds: float) -> None:
        self._seconds += seconds


@dataclass
class Stage:
    """Clients of the local AWS, and what tests make there again and again."""

    clock: HandClock
    world: World
    numbers: list[int] = field(default_factory=lambda: [0])

    def __post_init__(self) -> None:
        def client(service: Any) -> Any:
            return boto3.client(service, region_name=REGION)

        self.ec2, self.efs, self.iam, self.ssm = (client(one) for one in ("ec2", "efs", "iam", "ssm"))

    def until(self, holds: Callable[[], bool], within: float = 600.0, step: float = 1.0) -> float:
        """Advance the clock until a condition is true, and return the AWS seconds that this took."""
        passed = 0.0
        while not holds():
            assert passed < within, f"not within {within} s of AWS's"
            self.clock.turn(step)
            passed += step
        return passed

    def vpc(self) -> str:
        return str(self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])

    def subnet(self, vpc_id: str, number: int = 1, zone: str = ZONE) -> str:
        made = self.ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        return str(made["Subnet"]["SubnetId"])

    def group(self, vpc_id: str, *ports: int | tuple[int, int]) -> str:
        self.numbers[0] += 1
        name = f"group-{self.numbers[0]}"
        made = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc_id)
        for port in ports:
            first, last = port if isinstance(port, tuple) else (port, port)
            rule = {"IpProtocol": "tcp", "FromPort": first, "ToPort": last}
            self.ec2.authorize_security_group_ingress(
                GroupId=made["GroupId"], IpPermissions=[rule | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            )
        return str(made["GroupId"])

    def gateway(self, vpc_id: str) -> str:
        made = str(self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
        self.ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc_id)
        return made

    def file_system(self) -> str:
        """One that is available."""
        made = str(self.efs.create_file_system(CreationToken=uuid4().hex)["FileSystemId"])
        self.until(lambda: self.file_system_state(made) == "available")
        return made

    def file_system_state(self, file_system_id: str) -> str:
        try:
            found = self.efs.describe_file_systems(FileSystemId=file_system_id)["FileSystems"]
        except ClientError as error:
            return code_of(error)
        return str(found[0]["LifeCycleState"])

    def mount_target(self, file_system_id: str, subnet_id: str, *group_ids: str) -> str:
        made = self.efs.create_mount_target(
            FileSystemId=file_system_id, SubnetId=subnet_id, SecurityGroups=list(group_ids)
        )
        return str(made["MountTargetId"])

    def mount_target_state(self, mount_target_id: str) -> str:
        try:
            found = self.efs.describe_mount_targets(MountTargetId=mount_target_id)["MountTargets"]
        except ClientError as error:
            return code_of(error)
        return str(found[0]["LifeCycleState"])

    def profile(self) -> str:
        """One with a role."""
        name = f"profile-{uuid4().hex[:8]}"
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        self.iam.create_instance_profile(InstanceProfileName=name)
        self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return name

    def launch(self, subnet_id: str, *group_ids: str, **more: Any) -> str:
        interface = {
            "DeviceIndex": 0,
            "SubnetId": subnet_id,
            "Groups": list(group_ids),
            "DeleteOnTermination": True,
            "AssociatePublicIpAddress": True,
        }
        asked = {"ImageId": "ami-12c6146b", "InstanceType": "t3.medium", "MinCount": 1, "MaxCount": 1}
        made = self.ec2.run_instances(**asked | {"NetworkInterfaces": [interface]} | more)
        return str(made["Instances"][0]["InstanceId"])

    def instance(self, instance_id: str) -> dict[str, Any]:
        held = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        found: dict[str, Any] = held[0]["Instances"][0]
        return found

    def state(self, instance_id: str) -> str:
        return str(self.instance(instance_id)["State"]["Name"])

    def reach(self, instance_id: str, state: str) -> float:
        return self.until(lambda: self.state(instance_id) == state)

    def interfaces(self, **filters: str) -> list[dict[str, Any]]:
        wanted = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        found: list[dict[str, Any]] = self.ec2.describe_network_interfaces(Filters=wanted)[
            "NetworkInterfaces"
        ]
        return found


def user_data(file_system_id: str, script: str | None = "echo hello", mount_path: str = "/mnt/efs") -> str:
    """What tier1 has an instance run."""
    return userdata.render(
        script=script, file_system_id=file_system_id, mount_path=mount_path, region=REGION, mount_targets={}
    )


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


@contextmanager
def refused(code: str) -> Iterator[None]:
    """The call within is refused with this code."""
    with pytest.raises(ClientError) as caught:
        yield
    assert code_of(caught.value) == code, caught.value


def _forget_accounts() -> None:
    """Drop the accounts that moto has forgotten to empty.

    When one service that is emptied asks another that already was, the other has an account again, and moto
    no longer lists it as in use: it is not emptied any more, and keeps the settings of an earlier test.
    """
    for backends in (ec2_backends, efs_backends, iam_backends, ssm_backends):
        backends.clear()


@contextmanager
def staged(figures: Mapping[str, Figure] | None = None, seed: int = 1) -> Iterator[Stage]:
    """A stage with some figures of its own; moto is as it was afterwards."""
    clock = HandClock()
    world = World(clock, Dice(seed), {**FIGURES, **(figures or {})}, wrong={})
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing")
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        environment.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
        environment.delenv("MOTO_EC2_LOAD_DEFAULT_AMIS", raising=False)
        objects.install(world)
        try:
            with mock_aws() as mocked:
                mocked.reset()  # moto empties its accounts by itself only where no other mock is active
                _forget_accounts()
                yield Stage(clock, world)
        finally:
            objects.remove()
