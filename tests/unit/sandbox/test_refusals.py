"""The local AWS refuses what AWS refuses, with AWS's codes and HTTP statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.moto_account import IMAGE, Rig, make_rig, prepare, refused
from tests.support.young_account import TRUST
from tier1_engine.sandbox.catalogue import IMAGES, RESERVATIONS

ARM, NO_ENA, UEFI, BIOS, LARGE, DISABLED, DEREGISTERED, FOREIGN = list(IMAGES)[1:]
LINUX = next(iter(IMAGES))
GONE = "0123456789abcdef0"
(RESERVATION,) = RESERVATIONS


@dataclass
class Account:
    """Two VPCs with what tests connect; `gateway` belongs to the first, `loose` to none."""

    rig: Rig
    ec2: Any
    efs: Any
    iam: Any
    subnet: str = ""
    other_subnet: str = ""
    vpc: str = ""
    other_vpc: str = ""
    other_group: str = ""
    gateway: str = ""
    loose: str = ""
    table: str = ""
    second_table: str = ""
    file_system: str = ""

    def fill(self) -> None:
        ec2 = self.ec2
        self.vpc, self.other_vpc = (
            ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in (0, 1)
        )
        self.subnet, self.other_subnet = (
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{n}.0.0/24", AvailabilityZone="us-east-1a")["Subnet"][
                "SubnetId"
            ]
            for n, vpc in enumerate((self.vpc, self.other_vpc))
        )
        self.other_group = ec2.create_security_group(GroupName="g", Description="g", VpcId=self.other_vpc)[
            "GroupId"
        ]
        self.gateway, self.loose = (
            ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _ in range(2)
        )
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.table, self.second_table = (
            ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _ in range(2)
        )
        ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)
        self.file_system = self.efs.create_file_system(CreationToken="t")["FileSystemId"]
        self.efs.create_mount_target(FileSystemId=self.file_system, SubnetId=self.subnet)
        self.iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)

    def launch(
        self, image: str = LINUX, type: str = "t3.medium", groups: tuple[str, ...] = (), **more: Any
    ) -> Any:
        interface = {"DeviceIndex": 0, "SubnetId": self.subnet, "Groups": list(groups)}
        asked = {"ImageId": image, "InstanceType": type, "MinCount": 1, "MaxCount": 1}
        return self.ec2.run_instances(**asked, NetworkInterfaces=[interface], **more)

    def instances(self) -> int:
        return len(self.ec2.describe_instances()["Reservations"])

    def route(self, **target: str) -> Any:
        return self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="192.0.2.0/24", **target)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with pytest.MonkeyPatch.context() as patched:
        prepare(patched)
        rig = make_rig()
        one = Account(rig, rig.client("ec2"), rig.client("efs"), rig.client("iam"))
        one.fill()
        yield one


def root(gib: int) -> list[dict[str, Any]]:
    return [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": gib}}]


def reserved(id: str) -> dict[str, Any]:
    return {"CapacityReservationSpecification": {"CapacityReservationTarget": {"CapacityReservationId": id}}}


LAUNCHES: dict[str, tuple[Callable[[Account], Any], str]] = {
    "unknown image": (lambda a: a.launch(f"ami-{GONE}"), "InvalidAMIID.NotFound"),
    "malformed image": (lambda a: a.launch("ami-nonsense"), "InvalidAMIID.Malformed"),
    "not an image": (lambda a: a.launch("nonsense"), "InvalidAMIID.Malformed"),
    "disabled image": (lambda a: a.launch(DISABLED), "InvalidAMIID.Unavailable"),
    "deregistered image": (lambda a: a.launch(DEREGISTERED), "InvalidAMIID.Unavailable"),
    "image not shared": (lambda a: a.launch(FOREIGN), "AuthFailure"),
    "arm64 image": (lambda a: a.launch(ARM), "InvalidParameterValue"),
    "arm64 type": (lambda a: a.launch(LINUX, "t4g.medium"), "InvalidParameterValue"),
    "image without ENA": (lambda a: a.launch(NO_ENA), "InvalidParameterCombination"),
    "UEFI on a BIOS type": (lambda a: a.launch(UEFI, "t2.micro"), "InvalidParameterValue"),
    "unknown type": (lambda a: a.launch(type="t9.huge"), "InvalidParameterValue"),
    "type not in the zone": (lambda a: a.launch(type="hpc6a.48xlarge"), "Unsupported"),
    "no quota": (lambda a: a.launch(type="p4d.24xlarge"), "VcpuLimitExceeded"),
    "unknown key": (lambda a: a.launch(KeyName="nobody"), "InvalidKeyPair.NotFound"),
    "small root": (lambda a: a.launch(BlockDeviceMappings=root(7)), "InvalidBlockDeviceMapping"),
    "root below a large snapshot": (
        lambda a: a.launch(LARGE, BlockDeviceMappings=root(99)),
        "InvalidBlockDeviceMapping",
    ),
    "malformed reservation": (
        lambda a: a.launch(**reserved("cr-1")),
        "InvalidCapacityReservationId.Malformed",
    ),
    "unknown reservation": (
        lambda a: a.launch(**reserved(f"cr-{GONE}")),
        "InvalidCapacityReservationId.NotFound",
    ),
    "reservation of another type": (
        lambda a: a.launch(type="t3.large", **reserved(RESERVATION)),
        "ReservationCapacityExceeded",
    ),
    "reservation with spot": (
        lambda a: a.launch(**reserved(RESERVATION), InstanceMarketOptions={"MarketType": "spot"}),
        "InvalidParameterCombination",
    ),
    "group of another VPC": (lambda a: a.launch(groups=(a.other_group,)), "InvalidParameter"),
}
CONNECTIONS: dict[str, tuple[Callable[[Account], Any], str]] = {
    "group in no VPC": (
        lambda a: a.ec2.create_security_group(GroupName="h", Description="h", VpcId=f"vpc-{GONE}"),
        "InvalidVpcID.NotFound",
    ),
    "second gateway": (
        lambda a: a.ec2.attach_internet_gateway(InternetGatewayId=a.loose, VpcId=a.vpc),
        "InvalidParameterValue",
    ),
    "gateway to no VPC": (
        lambda a: a.ec2.attach_internet_gateway(InternetGatewayId=a.loose, VpcId=f"vpc-{GONE}"),
        "InvalidVpcID.NotFound",
    ),
    "route to no gateway": (lambda a: a.route(GatewayId=f"igw-{GONE}"), "InvalidGatewayID.NotFound"),
    "route to an unattached gateway": (lambda a: a.route(GatewayId=a.loose), "InvalidParameterValue"),
    "route to no NAT gateway": (
        lambda a: a.route(NatGatewayId=f"nat-{GONE}"),
        "InvalidNatGatewayID.NotFound",
    ),
    "second table of a subnet": (
        lambda a: a.ec2.associate_route_table(RouteTableId=a.second_table, SubnetId=a.subnet),
        "Resource.AlreadyAssociated",
    ),
    "table of another VPC": (
        lambda a: a.ec2.associate_route_table(RouteTableId=a.table, SubnetId=a.other_subnet),
        "InvalidParameterValue",
    ),
    "list of a NAT gateway that is gone": (
        lambda a: a.ec2.describe_nat_gateways(NatGatewayIds=[f"nat-{GONE}"]),
        "NatGatewayNotFound",
    ),
    "list of a spot request that is gone": (
        lambda a: a.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=["sir-gone1234"]),
        "InvalidSpotInstanceRequestID.NotFound",
    ),
    "no subnet for a mount target": (
        lambda a: a.efs.create_mount_target(FileSystemId=a.file_system, SubnetId=f"subnet-{GONE}"),
        "SubnetNotFound",
    ),
    "no group for a mount target": (
        lambda a: a.efs.create_mount_target(
            FileSystemId=a.file_system, SubnetId=a.subnet, SecurityGroups=[f"sg-{GONE}"]
        ),
        "SecurityGroupNotFound",
    ),
    "group of another VPC for a mount target": (
        lambda a: a.efs.create_mount_target(
            FileSystemId=a.file_system, SubnetId=a.subnet, SecurityGroups=[a.other_group]
        ),
        "SecurityGroupNotFound",
    ),
    "trust that is no JSON": (
        lambda a: a.iam.create_role(RoleName="r", AssumeRolePolicyDocument="nonsense"),
        "MalformedPolicyDocument",
    ),
    "empty trust": (
        lambda a: a.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}"),
        "MalformedPolicyDocument",
    ),
    "policy that is no policy": (
        lambda a: a.iam.put_role_policy(RoleName="role", PolicyName="p", PolicyDocument="[]"),
        "MalformedPolicyDocument",
    ),
    "boundary that is no policy": (
        lambda a: a.iam.create_role(
            RoleName="r", AssumeRolePolicyDocument=TRUST, PermissionsBoundary="arn:aws:iam::aws:role/Admin"
        ),
        "ValidationError",
    ),
    "file system with an unknown key": (
        lambda a: a.efs.create_file_system(CreationToken="k", Encrypted=True, KmsKeyId="alias/gone"),
        "BadRequest",
    ),
    "bad ARN": (
        lambda a: a.iam.attach_role_policy(RoleName="role", PolicyArn="arn:aws:iam::aws:role/Admin"),
        "ValidationError",
    ),
}
OTHER_STATUS: dict[str, tuple[Callable[[Account], Any], tuple[str, int]]] = {
    "mount target in another VPC": (
        lambda a: a.efs.create_mount_target(FileSystemId=a.file_system, SubnetId=a.other_subnet),
        ("MountTargetConflict", 409),
    ),
    "tags of a file system that is gone": (
        lambda a: a.efs.list_tags_for_resource(ResourceId=f"fs-{GONE}"),
        ("FileSystemNotFound", 404),
    ),
    "policy of a file system that is gone": (
        lambda a: a.efs.describe_file_system_policy(FileSystemId=f"fs-{GONE}"),
        ("FileSystemNotFound", 404),
    ),
    "profiles of a role that is gone": (
        lambda a: a.iam.list_instance_profiles_for_role(RoleName="gone"),
        ("NoSuchEntity", 404),
    ),
    "boundary that does not exist": (
        lambda a: a.iam.create_role(
            RoleName="r",
            AssumeRolePolicyDocument=TRUST,
            PermissionsBoundary="arn:aws:iam::123456789012:policy/gone",
        ),
        ("NoSuchEntity", 404),
    ),
    "policy that does not exist": (
        lambda a: a.iam.attach_role_policy(RoleName="role", PolicyArn="arn:aws:iam::aws:policy/NoSuch"),
        ("NoSuchEntity", 404),
    ),
}
EVERY = {
    **{name: (call, (code, 400)) for name, (call, code) in {**LAUNCHES, **CONNECTIONS}.items()},
    **OTHER_STATUS,
}


@pytest.mark.parametrize("name", EVERY)
def test_what_aws_refuses_is_refused(account: Account, name: str) -> None:
    """Code and HTTP status are AWS's, and nothing is made."""
    account.rig.clock.wait(60)
    call, expected = EVERY[name]
    before = account.instances()
    with pytest.raises(ClientError) as error:
        call(account)
    assert refused(error.value) == expected
    assert account.instances() == before


@pytest.mark.parametrize(
    ("image", "type"),
    [
        (LINUX, "t3.medium"),
        (LINUX, "t2.micro"),
        (ARM, "t4g.medium"),
        (NO_ENA, "t2.micro"),
        (UEFI, "t3.medium"),
        (BIOS, "t3.medium"),
        (LARGE, "m5.large"),
        (IMAGE, "t3.medium"),
    ],
)
def test_what_fits_together_is_launched(account: Account, image: str, type: str) -> None:
    """Each image of the catalogue has types on which it runs."""
    account.rig.clock.wait(60)
    made = account.launch(image, type)["Instances"][0]["InstanceId"]
    account.ec2.terminate_instances(InstanceIds=[made])


def test_any_image_is_accepted_on_request(account: Account) -> None:
    """Only one that is malformed, or whose fate the catalogue names, is still refused."""
    world = account.rig.aws.world
    assert world is not None
    world.any_ami = True
    try:
        account.rig.clock.wait(60)
        account.launch(f"ami-{GONE}", "t4g.medium")
        account.launch(f"ami-{GONE}", "t3.medium")
        for image, code in (("nonsense", "InvalidAMIID.Malformed"), (DISABLED, "InvalidAMIID.Unavailable")):
            with pytest.raises(ClientError) as error:
                account.launch(image)
            assert refused(error.value) == (code, 400)
    finally:
        world.any_ami = False


def test_an_image_of_ones_own_has_the_properties_that_it_was_registered_with(account: Account) -> None:
    """So that one's own can be rehearsed; a copy and an image of an instance inherit them."""
    account.rig.clock.wait(60)
    ec2 = account.ec2
    device = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 40}}
    root = {"RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [device]}
    arm = {"Architecture": "arm64", "VirtualizationType": "hvm", "EnaSupport": True, "BootMode": "uefi"}
    own = ec2.register_image(Name="own", **arm, **root)["ImageId"]
    copied = ec2.copy_image(Name="copy", SourceImageId=own, SourceRegion="us-east-1")["ImageId"]
    launched = account.launch(own, "t4g.medium")["Instances"][0]["InstanceId"]
    made = ec2.create_image(Name="made", InstanceId=launched)["ImageId"]
    for one in ec2.describe_images(ImageIds=[own, copied, made])["Images"]:
        assert arm.items() <= one.items()
        assert one["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 40
    with pytest.raises(ClientError) as error:
        account.launch(copied)
    assert refused(error.value) == ("InvalidParameterValue", 400)
    bare = ec2.register_image(Name="bare", Architecture="x86_64", VirtualizationType="hvm")["ImageId"]
    with pytest.raises(ClientError) as error:
        account.launch(bare)
    assert refused(error.value) == ("InvalidParameterCombination", 400)
    ec2.deregister_image(ImageId=own)
    with pytest.raises(ClientError) as error:
        account.launch(own, "t4g.medium")
    assert refused(error.value) == ("InvalidAMIID.Unavailable", 400)


@pytest.mark.field_case("a trial: the local AWS accepted what AWS refuses")
def test_a_protected_instance_is_not_terminated_or_stopped(account: Account) -> None:
    """With `OperationNotPermitted`, until its attribute is changed; others of the call stay as they are."""
    account.rig.clock.wait(60)
    ec2 = account.ec2
    made = account.launch(DisableApiTermination=True, DisableApiStop=True)["Instances"][0]["InstanceId"]
    other = account.launch()["Instances"][0]["InstanceId"]
    for call in (ec2.terminate_instances, ec2.stop_instances):
        with pytest.raises(ClientError) as error:
            call(InstanceIds=[other, made])
        assert refused(error.value) == ("OperationNotPermitted", 400)
    shown = ec2.describe_instances(InstanceIds=[made, other])["Reservations"]
    assert {one["Instances"][0]["State"]["Name"] for one in shown} == {"running"}
    ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[other, made])
