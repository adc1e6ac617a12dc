"""Reads are eventually consistent: a new object is hidden for a moment, and a deleted one lingers for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.young_account import TRUST, Stage, refused, staged
from tier1_engine.sandbox.world import Figure

LAG = 3.0
LAGGING = {
    f"{service}.{lag}": Figure(LAG, LAG, LAG, "a test")
    for service in ("ec2", "iam")
    for lag in ("visible", "vanish")
}


@pytest.fixture(scope="module")
def behind() -> Iterator[Stage]:
    with staged(LAGGING) as stage:
        yield stage


Look = Callable[[Stage, str], Any]


def _ec2(operation: str, ids: str, member: str) -> tuple[Look, Look]:
    """Return how an object is read by its id, and whether it is in the list."""

    def by_id(stage: Stage, thing: str) -> Any:
        return getattr(stage.ec2, operation)(**{ids: [thing]})[member]

    def listed(stage: Stage, thing: str) -> bool:
        return any(thing in one.values() for one in getattr(stage.ec2, operation)()[member])

    return by_id, listed


def _role(stage: Stage) -> str:
    stage.iam.create_role(RoleName="late", AssumeRolePolicyDocument=TRUST)
    return "late"


def _profile(stage: Stage) -> str:
    stage.iam.create_instance_profile(InstanceProfileName="late")
    return "late"


KINDS: dict[str, tuple[Callable[[Stage], str], tuple[Look, Look], Look, str]] = {
    "vpc": (
        lambda stage: stage.vpc(),
        _ec2("describe_vpcs", "VpcIds", "Vpcs"),
        lambda stage, one: stage.ec2.delete_vpc(VpcId=one),
        "InvalidVpcID.NotFound",
    ),
    "subnet": (
        lambda stage: stage.subnet(stage.vpc()),
        _ec2("describe_subnets", "SubnetIds", "Subnets"),
        lambda stage, one: stage.ec2.delete_subnet(SubnetId=one),
        "InvalidSubnetID.NotFound",
    ),
    "group": (
        lambda stage: stage.group(stage.vpc()),
        _ec2("describe_security_groups", "GroupIds", "SecurityGroups"),
        lambda stage, one: stage.ec2.delete_security_group(GroupId=one),
        "InvalidGroup.NotFound",
    ),
    "route table": (
        lambda stage: str(stage.ec2.create_route_table(VpcId=stage.vpc())["RouteTable"]["RouteTableId"]),
        _ec2("describe_route_tables", "RouteTableIds", "RouteTables"),
        lambda stage, one: stage.ec2.delete_route_table(RouteTableId=one),
        "InvalidRouteTableID.NotFound",
    ),
    "gateway": (
        lambda stage: str(stage.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]),
        _ec2("describe_internet_gateways", "InternetGatewayIds", "InternetGateways"),
        lambda stage, one: stage.ec2.delete_internet_gateway(InternetGatewayId=one),
        "InvalidInternetGatewayID.NotFound",
    ),
    "role": (
        _role,
        (
            lambda stage, one: stage.iam.get_role(RoleName=one),
            lambda stage, one: one in [role["RoleName"] for role in stage.iam.list_roles()["Roles"]],
        ),
        lambda stage, one: stage.iam.delete_role(RoleName=one),
        "NoSuchEntity",
    ),
    "profile": (
        _profile,
        (
            lambda stage, one: stage.iam.get_instance_profile(InstanceProfileName=one),
            lambda stage, one: (
                one
                in [
                    profile["InstanceProfileName"]
                    for profile in stage.iam.list_instance_profiles()["InstanceProfiles"]
                ]
            ),
        ),
        lambda stage, one: stage.iam.delete_instance_profile(InstanceProfileName=one),
        "NoSuchEntity",
    ),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_new_objects_are_hidden_and_deleted_ones_linger(behind: Stage, kind: str) -> None:
    """Reads by id and lists lag for the drawn moment; a changing call sees the current state."""
    make, (by_id, listed), delete, not_found = KINDS[kind]
    made = make(behind)
    with refused(not_found):
        by_id(behind, made)
    assert not listed(behind, made)
    behind.clock.turn(LAG)
    assert by_id(behind, made)
    assert listed(behind, made)
    delete(behind, made)
    assert by_id(behind, made)
    assert listed(behind, made)
    with refused(not_found):
        delete(behind, made)
    behind.clock.turn(LAG)
    with refused(not_found):
        by_id(behind, made)
    assert not listed(behind, made)


def test_a_young_instance_is_unknown_to_every_call_that_reads(behind: Stage) -> None:
    """DescribeInstances, DescribeInstanceStatus and GetConsoleOutput do not find it, but it can be
    terminated.
    """
    place = behind.subnet(behind.vpc())
    behind.clock.turn(LAG)
    made = behind.launch(place)
    for look in (
        lambda: behind.instance(made),
        lambda: behind.ec2.describe_instance_status(InstanceIds=[made], IncludeAllInstances=True),
        lambda: behind.ec2.get_console_output(InstanceId=made),
    ):
        with refused("InvalidInstanceID.NotFound"):
            look()
    behind.ec2.terminate_instances(InstanceIds=[made])
    behind.clock.turn(LAG)
    assert behind.state(made) == "shutting-down"


def test_a_lingering_object_is_found_by_its_tags(behind: Stage) -> None:
    """Once it vanishes, its tags are gone, too."""
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "tier1:resource", "Value": "r-1"}]}]
    made = behind.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]

    def found() -> list[str]:
        wanted = [{"Name": "tag:tier1:resource", "Values": ["r-1"]}]
        return [one["VpcId"] for one in behind.ec2.describe_vpcs(Filters=wanted)["Vpcs"]]

    assert found() == []
    behind.clock.turn(LAG)
    assert found() == [made]
    behind.ec2.delete_vpc(VpcId=made)
    assert found() == [made]
    behind.clock.turn(LAG)
    assert found() == []
    left = behind.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [made]}])["Tags"]
    assert left == []


def test_a_reset_account_shows_nothing_from_before(behind: Stage) -> None:
    """It shows neither lingering objects nor pending changes."""
    from moto.moto_api._internal.models import moto_api_backend

    behind.ec2.delete_vpc(VpcId=behind.vpc())
    behind.ec2.create_internet_gateway()
    moto_api_backend.reset()
    assert [one["IsDefault"] for one in behind.ec2.describe_vpcs()["Vpcs"]] == [True]
    behind.clock.turn(LAG)
    assert behind.ec2.describe_internet_gateways()["InternetGateways"] == []
