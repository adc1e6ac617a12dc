"""What keeps an owned resource from being deleted: foreign interfaces, rules, endpoints and peerings.

Owns how each holder is named, whose it is, and the one command that removes it. It only reads, and only after
AWS has refused a deletion for some time.

Sources: the `Description` and `InterfaceType` that AWS gives to the interfaces it manages
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html), and what must go before a
VPC (https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tier1_engine.aws.words import aws, carries, tag_dict
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import DEPLOYMENT_PROOF, Holder, Target
from tier1_engine.resources import _inside

INTERFACES = ("ec2:DescribeNetworkInterfaces", "elasticfilesystem:DescribeMountTargets")
"""The IAM actions that `interfaces` needs."""
IAM_ACTIONS = (
    *_inside.IAM_ACTIONS,
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcPeeringConnections",
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
}


def interfaces(cloud: Cloud, target: Target, where: Mapping[str, Any], ours: frozenset[str]) -> list[Holder]:
    """The owners of foreign interfaces that match the EC2 filter `where`."""
    return [_of_interface(one) for one in _inside.foreign_interfaces(cloud, target, where, ours)]


def _of_interface(interface: Mapping[str, Any]) -> Holder:
    interface_id = str(interface.get("NetworkInterfaceId"))
    if interface.get("RequesterManaged") and interface.get("Status") != "in-use":
        return Holder(f"network interface {interface_id}, which AWS is about to delete", leaves=True)
    if instance := (interface.get("Attachment") or {}).get("InstanceId"):
        return _named(f"instance {instance}", instance)
    description = str(interface.get("Description") or "")
    for pattern, words in _MANAGED:
        if found := pattern.search(description):
            named = words.format(*found.groups())
            ids = [one for one in found.groups() if one.partition("-")[0] in _REMOVES]
            return _named(f"{named} (network interface {interface_id})", ids[-1] if ids else "")
    said = f" ({description})" if description else ""
    return _named(f"network interface {interface_id}{said}", interface_id)


def rules(cloud: Cloud, target: Target) -> Iterator[Holder]:
    """Rules of other groups that refer to the group of the target."""
    group_id = target.aws_id or ""
    proof = {tag: target.tags[tag] for tag in DEPLOYMENT_PROOF}
    for direction, name in (
        ("ingress", "ip-permission.group-id"),
        ("egress", "egress.ip-permission.group-id"),
    ):
        filters = [_filter(name, group_id)]
        for group in cloud.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=filters):
            if group["GroupId"] == group_id or carries(tag_dict(group.get("Tags")), proof):
                continue
            protocol = _protocol(group, direction, group_id)
            rule = f"IpProtocol={protocol},UserIdGroupPairs=[{{GroupId={group_id}}}]"
            of = ("--group-id", group["GroupId"])
            command = aws("ec2", f"revoke-security-group-{direction}", *of, "--ip-permissions", rule)
            named = f"an {direction} rule of the security group {group['GroupId']} ({group['GroupName']})"
            yield Holder(named, command)


def _protocol(group: Mapping[str, Any], direction: str, group_id: str) -> str:
    permissions = group.get("IpPermissions" if direction == "ingress" else "IpPermissionsEgress") or ()
    for one in permissions:
        if any(pair.get("GroupId") == group_id for pair in one.get("UserIdGroupPairs") or ()):
            ports = "".join(f",{end}={one[end]}" for end in ("FromPort", "ToPort") if end in one)
            return f"{one['IpProtocol']}{ports}"
    return "-1"


def of_vpc(cloud: Cloud, target: Target, ours: frozenset[str]) -> Iterator[Holder]:
    """Foreign interfaces, endpoints, peerings, subnets, groups and route tables of a VPC."""
    vpc_id = target.aws_id or ""
    proof = {tag: target.tags[tag] for tag in DEPLOYMENT_PROOF}
    yield from interfaces(cloud, target, _filter("vpc-id", vpc_id), ours)
    for one, aws_id, what in _in_vpc(cloud, vpc_id):
        if (
            not _goes_with_the_vpc(one)
            and aws_id not in ours
            and not carries(tag_dict(one.get("Tags")), proof)
        ):
            yield _named(f"{what} {aws_id}", aws_id)


def _in_vpc(cloud: Cloud, vpc_id: str) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """Yield what is in a VPC besides interfaces: its description, id, and what it is."""
    inside = [_filter("vpc-id", vpc_id)]
    for one in cloud.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=inside):
        yield one, one["VpcEndpointId"], f"{one['ServiceName']} endpoint"
    for side in ("requester", "accepter"):
        peered = [_filter(f"{side}-vpc-info.vpc-id", vpc_id)]
        for one in cloud.pages(
            "ec2", "describe_vpc_peering_connections", "VpcPeeringConnections", Filters=peered
        ):
            yield one, one["VpcPeeringConnectionId"], "peering connection"
    for one in cloud.pages("ec2", "describe_subnets", "Subnets", Filters=inside):
        yield one, one["SubnetId"], "subnet"
    for one in cloud.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=inside):
        yield one, one["GroupId"], f"security group {one['GroupName']}"
    for one in cloud.pages("ec2", "describe_route_tables", "RouteTables", Filters=inside):
        yield one, one["RouteTableId"], "route table"


def _goes_with_the_vpc(one: Mapping[str, Any]) -> bool:
    """Whether AWS deletes it with the VPC (its default group and main table), or it is gone already."""
    status = (one.get("Status") or {}).get("Code") or str(one.get("State", "")).lower()
    main = any(association.get("Main") for association in one.get("Associations") or ())
    return main or one.get("GroupName") == "default" or status in _GONE


_GONE = frozenset({"deleted", "deleting", "rejected", "failed", "expired"})


def _filter(name: str, value: str) -> dict[str, Any]:
    return {"Name": name, "Values": [value]}


def _named(what: str, aws_id: str) -> Holder:
    """The holder with the command that removes it, if one id says which."""
    command = _REMOVES.get(aws_id.partition("-")[0])
    return Holder(what, aws(*command, aws_id) if command else "")
