"""The parts of a network belong together: a VPC has one gateway, a subnet one table, all in the same VPC.

Source: "Error codes for the Amazon EC2 API"; for the exact codes and messages:
binlab/terraform-aws-vault-ha-raft#54 (a second gateway), hashicorp/terraform#4987
(`InvalidGatewayID.NotFound`), giantswarm/aws-operator#634 (a gateway of another network),
hashicorp/terraform-provider-aws#38960 (a second table of a subnet). moto accepts all of these, and lists
nothing where NAT gateways, peerings and spot requests are asked for by the id of what is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import ec2_backend
from tier1_engine.sandbox.wire.replies import Reply, refusal

_OTHER_TARGETS: Final = ("local", "vgw-", "vpce-", "nat-")
"""What `GatewayId` may name besides an internet gateway."""


class Topology(CallBehaviour):
    """Refuses to connect what does not belong together or does not exist."""

    def before(self, call: Call) -> Reply | None:
        check = _CHECKS.get(call.operation) if call.service == "ec2" else None
        return check(call, ec2_backend(call)) if check else None


def _unknown_vpc(call: Call, backend: Any) -> Reply | None:
    vpc_id = call.parameters.get("VpcId")
    if not vpc_id or vpc_id in backend.vpcs:
        return None
    return refusal(call, "InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")


def _attach(call: Call, backend: Any) -> Reply | None:
    vpc_id = call.parameters.get("VpcId")
    gateway = backend.internet_gateways.get(call.parameters.get("InternetGatewayId"))
    if gateway is None or gateway.vpc:
        return None  # moto refuses both
    if any(one.vpc and one.vpc.id == vpc_id for one in backend.internet_gateways.values()):
        words = f"Network {vpc_id} already has an internet gateway attached"
        return refusal(call, "InvalidParameterValue", words)
    return _unknown_vpc(call, backend)


def _route(call: Call, backend: Any) -> Reply | None:
    table = backend.route_tables.get(call.parameters.get("RouteTableId"))
    nat_id, gateway_id = call.parameters.get("NatGatewayId"), call.parameters.get("GatewayId")
    if table is None:
        return None  # moto refuses it
    if nat_id and nat_id not in backend.nat_gateways:
        return refusal(call, "InvalidNatGatewayID.NotFound", f"The natGateway ID '{nat_id}' does not exist")
    if not gateway_id or str(gateway_id).startswith(_OTHER_TARGETS):
        return None
    gateway = backend.internet_gateways.get(gateway_id)
    if gateway is None:
        return refusal(call, "InvalidGatewayID.NotFound", f"The gateway ID '{gateway_id}' does not exist")
    if not gateway.vpc or gateway.vpc.id != table.vpc_id:
        words = f"route table {table.id} and network gateway {gateway_id} belong to different networks"
        return refusal(call, "InvalidParameterValue", words)
    return None


def _associate(call: Call, backend: Any) -> Reply | None:
    table_id, subnet_id = call.parameters.get("RouteTableId"), call.parameters.get("SubnetId")
    table = backend.route_tables.get(table_id)
    subnet = next((zone[subnet_id] for zone in backend.subnets.values() if subnet_id in zone), None)
    if table is None or subnet is None:
        return None  # moto refuses both
    if subnet.vpc_id != table.vpc_id:
        words = f"Route table {table_id} and subnet {subnet_id} belong to different networks"
        return refusal(call, "InvalidParameterValue", words)
    for one in backend.route_tables.values():
        if one.id != table_id and subnet_id in vars(one)["_associations"].values():
            words = (
                f"the specified association for route table {table_id} conflicts with an existing association"
            )
            return refusal(call, "Resource.AlreadyAssociated", words)
    return None


_LISTS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "DescribeNatGateways": (
        "NatGatewayIds",
        "nat_gateways",
        "NatGatewayNotFound",
        "NatGateway {} was not found",
    ),
    "DescribeVpcPeeringConnections": (
        "VpcPeeringConnectionIds",
        "vpc_pcxs",
        "InvalidVpcPeeringConnectionID.NotFound",
        "The vpcPeeringConnection ID '{}' does not exist",
    ),
    "DescribeSpotInstanceRequests": (
        "SpotInstanceRequestIds",
        "spot_instance_requests",
        "InvalidSpotInstanceRequestID.NotFound",
        "The spot instance request ID '{}' does not exist",
    ),
}
"""The parameter, moto's collection, the code and the message."""


def _listed(call: Call, backend: Any) -> Reply | None:
    parameter, collection, code, words = _LISTS[call.operation]
    for one in call.parameters.get(parameter) or ():
        if one not in getattr(backend, collection):
            return refusal(call, code, words.format(one))
    return None


_CHECKS: Final[Mapping[str, Callable[[Call, Any], Reply | None]]] = {
    "CreateSecurityGroup": _unknown_vpc,
    "AttachInternetGateway": _attach,
    "CreateRoute": _route,
    "ReplaceRoute": _route,
    "AssociateRouteTable": _associate,
    **dict.fromkeys(_LISTS, _listed),
}
