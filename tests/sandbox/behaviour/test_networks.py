"""VPCs, subnets and NAT gateways take their time, and what goes with a subnet goes."""

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
    """For as long as its figure says; the reply of the create says so, too."""
    reply = stage.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    assert reply["State"] == vpc(stage, reply["VpcId"]) == "pending"
    assert within("vpc.create", stage.until(lambda: vpc(stage, reply["VpcId"]) == "available"))


def test_a_subnet_is_pending_before_it_is_available(stage: Stage) -> None:
    """For as long as its figure says."""
    made = stage.subnet(stage.vpc())
    assert subnet(stage, made) == "pending"
    assert within("subnet.create", stage.until(lambda: subnet(stage, made) == "available"))


def test_what_a_region_begins_with_is_there(stage: Stage) -> None:
    """The default VPC and its subnets wait for nobody."""
    default = stage.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    assert [one["State"] for one in default] == ["available"]
    held = stage.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [default[0]["VpcId"]]}])
    assert {one["State"] for one in held["Subnets"]} == {"available"}


def test_a_nat_gateway_lives_and_holds_its_subnet(stage: Stage) -> None:
    """Pending, available, deleting, deleted; its interface goes last, and it is shown for an hour."""
    place = stage.subnet(stage.vpc())
    made = stage.ec2.create_nat_gateway(SubnetId=place, ConnectivityType="private")["NatGateway"][
        "NatGatewayId"
    ]
    assert nat_gateways(stage, made)[0]["State"] == "pending"
    stage.until(lambda: nat_gateways(stage, made)[0]["State"] == "available")
    assert stage.interfaces(subnet_id=place)[0]["RequesterManaged"]
    stage.ec2.delete_nat_gateway(NatGatewayId=made)
    stage.ec2.delete_nat_gateway(NatGatewayId=made)  # again is success
    assert nat_gateways(stage, made)[0]["State"] == "deleting"
    with refused("DependencyViolation"):
        stage.ec2.delete_subnet(SubnetId=place)
    stage.until(lambda: nat_gateways(stage, made)[0]["State"] == "deleted")
    stage.ec2.delete_subnet(SubnetId=place)
    stage.clock.turn(HOUR)
    assert nat_gateways(stage, made) == []
    with refused("NatGatewayNotFound"):
        stage.ec2.delete_nat_gateway(NatGatewayId=made)


def test_a_nat_gateway_gives_its_address_back(stage: Stage) -> None:
    """Once it is deleted the address is not associated with it any more."""
    place = stage.subnet(stage.vpc())
    address = stage.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = stage.ec2.create_nat_gateway(SubnetId=place, AllocationId=address)["NatGateway"]["NatGatewayId"]
    stage.ec2.delete_nat_gateway(NatGatewayId=made)
    stage.until(lambda: nat_gateways(stage, made)[0]["State"] == "deleted")
    shown = stage.ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    assert not shown.get("AssociationId")


def test_associations_and_acls_go_with_their_subnet_and_vpc(stage: Stage) -> None:
    """A route table is left without those of the subnet, the account without the VPC's ACL."""
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
