"""VPCs, subnets and NAT gateways take time to change state, and a deleted subnet takes its parts with it."""

from __future__ import annotations

from typing import Any

from tests.support.young_account import Stage, refused
from tier1_engine.sandbox.behaviour.figures import FIGURES, HOUR


def vpc(stage: Stage, vpc_id: str) -> str:
    return str(stage.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["State"])


def subnet(stage: Stage, subnet_id: str) -> str:
    return str(stage.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]["State"])


def nat_gateways(stage: Stage, gateway_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.ec2.describe_nat_gateways(NatGatewayIds=[gateway_id])["NatGateways"]
    return found


def within(name: str, seconds: float) -> bool:
    figure = FIGURES[name]
    return figure.least <= seconds <= figure.most + 1


def test_a_vpc_is_pending_before_it_is_available(stage: Stage) -> None:
    """The reply of the create says so, too; the time is the documented figure."""
    reply = stage.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    assert reply["State"] == vpc(stage, reply["VpcId"]) == "pending"
    assert within("vpc.create", stage.until(lambda: vpc(stage, reply["VpcId"]) == "available"))


def test_a_subnet_is_pending_before_it_is_available(stage: Stage) -> None:
    """The time is the documented figure."""
    made = stage.subnet(stage.vpc())
    assert subnet(stage, made) == "pending"
    assert within("subnet.create", stage.until(lambda: subnet(stage, made) == "available"))


def test_the_defaults_of_a_region_are_available_at_once(stage: Stage) -> None:
    """The default VPC and its subnets have no delay."""
    default = stage.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    assert [one["State"] for one in default] == ["available"]
    held = stage.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [default[0]["VpcId"]]}])
    assert {one["State"] for one in held["Subnets"]} == {"available"}


def test_the_life_cycle_of_a_nat_gateway_which_blocks_its_subnet(stage: Stage) -> None:
    """It is pending, available, deleting, deleted; its interface goes last, and it is shown for an hour."""
    place = stage.subnet(stage.vpc())
    made = stage.ec2.create_nat_gateway(SubnetId=place, ConnectivityType="private")["NatGateway"][
        "NatGatewayId"
    ]
    assert nat_gateways(stage, made)[0]["State"] == "pending"
    stage.until(lambda: nat_gateways(stage, made)[0]["State"] == "available")
    assert stage.interfaces(subnet_id=place)[0]["RequesterManaged"]
    stage.ec2.delete_nat_gateway(NatGatewayId=made)
    stage.ec2.delete_nat_gateway(NatGatewayId=made)  # a repeated deletion is success
    assert nat_gateways(stage, made)[0]["State"] == "deleting"
    with refused("DependencyViolation"):
        stage.ec2.delete_subnet(SubnetId=place)
    stage.until(lambda: nat_gateways(stage, made)[0]["State"] == "deleted")
    stage.ec2.delete_subnet(SubnetId=place)
    stage.clock.turn(HOUR)
    assert nat_gateways(stage, made) == []
    with refused("NatGatewayNotFound"):
        stage.ec2.delete_nat_gateway(NatGatewayId=made)


def test_a_deleted_nat_gateway_releases_its_address(stage: Stage) -> None:
    """The address is no longer associated with it."""
    place = stage.subnet(stage.vpc())
    address = stage.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = stage.ec2.create_nat_gateway(SubnetId=place, AllocationId=address)["NatGateway"]["NatGatewayId"]
    stage.ec2.delete_nat_gateway(NatGatewayId=made)
    stage.until(lambda: nat_gateways(stage, made)[0]["State"] == "deleted")
    shown = stage.ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    assert not shown.get("AssociationId")


def test_associations_and_acls_are_deleted_with_their_subnet_and_vpc(stage: Stage) -> None:
    """A route table loses those of the subnet, and the account the VPC's ACL."""
    place = stage.vpc()
    gone = stage.subnet(place)
    stays = stage.subnet(place, number=2)
    table = stage.ec2.create_route_table(VpcId=place)["RouteTable"]["RouteTableId"]
    for one in (gone, stays):
        stage.ec2.associate_route_table(RouteTableId=table, SubnetId=one)
    with refused("DependencyViolation"):
        stage.ec2.delete_route_table(RouteTableId=table)
    stage.ec2.delete_subnet(SubnetId=gone)
    shown = stage.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"]
    assert [one["SubnetId"] for one in shown] == [stays]
    stage.ec2.delete_subnet(SubnetId=stays)
    stage.ec2.delete_route_table(RouteTableId=table)
    stage.ec2.delete_vpc(VpcId=place)
    acls = stage.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [place]}])["NetworkAcls"]
    assert acls == []
