"""What keeps an owned resource from being deleted: foreign interfaces, rules, endpoints and peerings.

Owns how each holder is named, whose it is, and the command that removes it. It only reads, and only after AWS
has refused a deletion for some time. Tags say nothing here: what is not on record by then is somebody else's.

Sources: the `Description` and `InterfaceType` that AWS gives to the interfaces it manages
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html), and what must go before a
VPC (https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from tier1_engine.aws.words import aws
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Holder, Target
from tier1_engine.errors import CallError
from tier1_engine.resources import _inside

INTERFACES = ("ec2:DescribeNetworkInterfaces", "elasticfilesystem:DescribeMountTargets")
"""The IAM actions that `interfaces` needs."""
IAM_ACTIONS = (
    *_inside.IAM_ACTIONS,
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpnGateways",
)
"""The IAM actions that `of_vpc` needs."""

_MANAGED = (
    (re.compile(r"EFS mount target for (fs-\S+) \((fsmt-\S+)\)"), "EFS mount target {1} of {0}"),
    (re.compile(r"(?:Interface for )?NAT Gateway (nat-\S+)", re.IGNORECASE), "NAT gateway {0}"),
    (re.compile(r"VPC Endpoint Interface (vpce-\S+)"), "VPC endpoint {0}"),
    (re.compile(r"AWS Lambda VPC ENI-(\S+?)(?:-[0-9a-f]{8}(?:-[0-9a-f]+)*)?$"), "Lambda function {0}"),
    (re.compile(r"ELB (\S+)"), "load balancer {0}"),
    (re.compile(r"RDSNetworkInterface"), "RDS database"),
)
_REMOVES = {
    "fsmt": ("efs", "delete-mount-target", "--mount-target-id"),
    "nat": ("ec2", "delete-nat-gateway", "--nat-gateway-id"),
    "vpce": ("ec2", "delete-vpc-endpoints", "--vpc-endpoint-ids"),
    "i": ("ec2", "terminate-instances", "--instance-ids"),
    "eni": ("ec2", "delete-network-interface", "--network-interface-id"),
    "subnet": ("ec2", "delete-subnet", "--subnet-id"),
    "sg": ("ec2", "delete-security-group", "--group-id"),
    "rtb": ("ec2", "delete-route-table", "--route-table-id"),
    "pcx": ("ec2", "delete-vpc-peering-connection", "--vpc-peering-connection-id"),
    "acl": ("ec2", "delete-network-acl", "--network-acl-id"),
}
_DETACHES = {
    "igw": ("detach-internet-gateway", "--internet-gateway-id"),
    "vgw": ("detach-vpn-gateway", "--vpn-gateway-id"),
}


def interfaces(cloud: Cloud, where: Mapping[str, Any], ours: frozenset[str]) -> list[Holder]:
    """The owners of interfaces that match the EC2 filter `where` and are not on record."""
    return [_of_interface(one) for one in _inside.foreign_interfaces(cloud, where, ours)]


def _of_interface(interface: Mapping[str, Any]) -> Holder:
    interface_id = str(interface.get("NetworkInterfaceId"))
    if interface.get("RequesterManaged") and interface.get("Status") != "in-use":
        return Holder(f"network interface {interface_id}, which AWS is about to delete", leaves=True)
    if instance := (interface.get("Attachment") or {}).get("InstanceId"):
        return _named(f"instance {instance}", instance)
    description = str(interface.get("Description") or "")
    for pattern, words in _MANAGED:
        if found := pattern.search(description):
            named = words.format(*(quoted(one) for one in found.groups()))
            ids = [one for one in found.groups() if one.partition("-")[0] in _REMOVES]
            return _named(f"{named} (network interface {interface_id})", ids[-1] if ids else "")
    said = f" ({quoted(description)})" if description else ""
    return _named(f"network interface {interface_id}{said}", interface_id)


def quoted(text: str) -> str:
    """A name or description that somebody else wrote: one line, short, and harmless where it is pasted."""
    plain = "".join(one if one.isprintable() and one != "`" else " " for one in str(text))
    return shlex.quote(" ".join(plain[:_QUOTED_CHARACTERS].split()))


_QUOTED_CHARACTERS = 80


def rules(cloud: Cloud, target: Target, ours: frozenset[str]) -> Iterator[Holder]:
    """Rules of other groups that refer to the group of the target."""
    group_id = target.aws_id or ""
    for direction, name in (
        ("ingress", "ip-permission.group-id"),
        ("egress", "egress.ip-permission.group-id"),
    ):
        filters = [_filter(name, group_id)]
        for group in cloud.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=filters):
            if group["GroupId"] in ours | {group_id}:
                continue
            of = ("--group-id", group["GroupId"])
            named = (
                f"an {direction} rule of the security group {group['GroupId']} ({quoted(group['GroupName'])})"
            )
            for protocol in _protocols(group, direction, group_id):
                rule = f"IpProtocol={protocol},UserIdGroupPairs=[{{GroupId={group_id}}}]"
                command = aws("ec2", f"revoke-security-group-{direction}", *of, "--ip-permissions", rule)
                yield Holder(named, command)


def _protocols(group: Mapping[str, Any], direction: str, group_id: str) -> Iterator[str]:
    """Yield the protocol and ports of each rule that refers to a group, as `aws` takes them."""
    for one in group.get("IpPermissions" if direction == "ingress" else "IpPermissionsEgress") or ():
        if any(pair.get("GroupId") == group_id for pair in one.get("UserIdGroupPairs") or ()):
            ports = "".join(f",{end}={one[end]}" for end in ("FromPort", "ToPort") if end in one)
            yield f"{one['IpProtocol']}{ports}"


def of_vpc(cloud: Cloud, target: Target, ours: frozenset[str]) -> Iterator[Holder]:
    """What is in a VPC or attached to it and not on record. What may not be listed is not named."""
    vpc_id = target.aws_id or ""
    with suppress(CallError):
        yield from interfaces(cloud, _filter("vpc-id", vpc_id), ours)
    named = set(ours)
    for listing in (_endpoints, _peerings, _gateways, _parts):
        with suppress(CallError):
            for one, aws_id, what in listing(cloud, vpc_id):
                if aws_id not in named and not _goes_with_the_vpc(one):
                    named.add(aws_id)
                    yield _named(f"{what} {aws_id}", aws_id, vpc_id)


Inside = Iterator[tuple[Mapping[str, Any], str, str]]
"""The description of each, its id, and what it is."""


def _endpoints(cloud: Cloud, vpc_id: str) -> Inside:
    inside = [_filter("vpc-id", vpc_id)]
    for one in cloud.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=inside):
        yield one, one["VpcEndpointId"], f"{quoted(one['ServiceName'])} endpoint"


def _peerings(cloud: Cloud, vpc_id: str) -> Inside:
    for side, key in (("requester", "RequesterVpcInfo"), ("accepter", "AccepterVpcInfo")):
        peered = [_filter(f"{side}-vpc-info.vpc-id", vpc_id)]
        for one in cloud.pages(
            "ec2", "describe_vpc_peering_connections", "VpcPeeringConnections", Filters=peered
        ):
            if (one.get(key) or {}).get("VpcId") == vpc_id:
                yield one, one["VpcPeeringConnectionId"], "peering connection"


def _gateways(cloud: Cloud, vpc_id: str) -> Inside:
    attached = [_filter("attachment.vpc-id", vpc_id)]
    for one in cloud.pages("ec2", "describe_internet_gateways", "InternetGateways", Filters=attached):
        yield one, one["InternetGatewayId"], "internet gateway"
    for one in cloud.read("ec2", "describe_vpn_gateways", Filters=attached).get("VpnGateways") or ():
        yield one, one["VpnGatewayId"], "VPN gateway"


def _parts(cloud: Cloud, vpc_id: str) -> Inside:
    inside = [_filter("vpc-id", vpc_id)]
    for one in cloud.pages("ec2", "describe_subnets", "Subnets", Filters=inside):
        yield one, one["SubnetId"], "subnet"
    for one in cloud.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=inside):
        yield one, one["GroupId"], f"security group {quoted(one['GroupName'])}"
    for one in cloud.pages("ec2", "describe_route_tables", "RouteTables", Filters=inside):
        yield one, one["RouteTableId"], "route table"
    for one in cloud.pages("ec2", "describe_network_acls", "NetworkAcls", Filters=inside):
        yield one, one["NetworkAclId"], "network ACL"


def _goes_with_the_vpc(one: Mapping[str, Any]) -> bool:
    """Whether AWS deletes it with the VPC (its default group and ACL, its main table), or it is gone."""
    status = (one.get("Status") or {}).get("Code") or str(one.get("State", "")).lower()
    main = any(association.get("Main") for association in one.get("Associations") or ())
    return main or one.get("GroupName") == "default" or bool(one.get("IsDefault")) or status in _GONE


_GONE = frozenset({"deleted", "deleting", "rejected", "failed", "expired"})


def _filter(name: str, value: str) -> dict[str, Any]:
    return {"Name": name, "Values": [value]}


def _named(what: str, aws_id: str, vpc_id: str = "") -> Holder:
    """The holder with the command that removes it, if one id says which."""
    prefix = aws_id.partition("-")[0]
    if prefix in _DETACHES:
        operation, option = _DETACHES[prefix]
        return Holder(what, aws("ec2", operation, option, aws_id, "--vpc-id", vpc_id))
    command = _REMOVES.get(prefix)
    return Holder(what, aws(*command, aws_id) if command else "")
