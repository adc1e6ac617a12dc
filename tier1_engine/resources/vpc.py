"""A VPC with DNS support and DNS host names, which mounting EFS by name requires.

AWS creates and deletes the default group, main table and default ACL with the VPC; nothing here changes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.words import (
    arn,
    aws,
    carries,
    console,
    find_line,
    fixed_filters,
    oldest_first,
    part,
    resource_filters,
    tag_dict,
    tag_filters,
    tag_specifications,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import (
    ABSENT,
    Holder,
    Kind,
    Observation,
    Presence,
    Problem,
    Target,
)
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.resources import _ec2, _holders, _inside

NOT_FOUND = "InvalidVpcID.NotFound"
# The required settings: the attribute to request, and the member of the response that holds it.
ATTRIBUTES = {
    "dns-support": ("enableDnsSupport", "EnableDnsSupport"),
    "dns-hostnames": ("enableDnsHostnames", "EnableDnsHostnames"),
}
FIXED = {"cidr": "cidr"}
# Source: VpcState in the EC2 model. An endpoint may leave the state out: `available`.
PRESENCES = {"pending": Presence.PENDING, "deleting": Presence.LEAVING}


_VPCS_PER_REGION = Quota("vpc", "L-F678F1CE", "VPCs per Region")
_NO_VPC_RANGE = Remedy(
    "A VPC must be between /16 and /28, and {cidr:the range of the spec} is not.",
    ("Correct `network.cidr`.",),
)
REMEDIES: Remedies = {
    **_ec2.REMEDIES,
    "VpcLimitExceeded": Remedy(
        "The account has reached its limit of VPCs in {region}.",
        (
            "Delete a VPC that is not needed any more, or deploy into one of yours with `network.vpc_id`.",
            "Ask AWS for a higher quota with the command below.",
        ),
        (_ec2.VPCS,),
        quota=_VPCS_PER_REGION,
    ),
    "InvalidVpcRange": _NO_VPC_RANGE,
    "InvalidVpc.Range": _NO_VPC_RANGE,
}


class Vpc(Kind):
    """Inputs: `{cidr}`, or `{reference}` for an existing one."""

    name = "vpc"
    title = "VPC"
    not_visible_yet = frozenset({NOT_FOUND})
    gone = frozenset({NOT_FOUND})
    iam_actions = (
        "ec2:CreateTags",
        "ec2:CreateVpc",
        "ec2:DeleteVpc",
        "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:ModifyVpcAttribute",
        *_holders.IAM_ACTIONS,
    )
    implied_actions = (("CreateVpc", "ec2:CreateTags"),)
    remedies = REMEDIES
    list_price = FREE
    fixed = FIXED

    def reference(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        """READY when it exists; its DNS settings are the user's responsibility."""
        vpc_id = inputs["reference"]
        vpc = self._look(cloud, vpc_id)
        if vpc is None:
            message = f"The VPC {vpc_id} does not exist in {cloud.region}."
            return Observation(Presence.BROKEN, vpc_id, problem=Problem(NOT_FOUND, message, "DescribeVpcs"))
        return _observation(cloud, vpc, unset=())

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return self._list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "create_vpc",
            CidrBlock=target.request["cidr"],
            TagSpecifications=tag_specifications(target.tags, "vpc"),
        )
        part(reply, "Vpc", "VpcId", operation="CreateVpc")
        return _observation(cloud, reply["Vpc"])

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        vpc = self._look(cloud, target.aws_id or "")
        if vpc is None:
            return ABSENT
        if vpc.get("State") in PRESENCES:
            return _observation(cloud, vpc)
        try:
            return _observation(cloud, vpc, unset=self._unset(cloud, vpc["VpcId"]))
        except CallError as error:
            if error.code == NOT_FOUND:
                return ABSENT
            raise

    def glance(self, cloud: Cloud, target: Target) -> Observation:
        vpc = self._look(cloud, target.aws_id or "")
        return ABSENT if vpc is None else _observation(cloud, vpc)

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        for name in observation.unset:
            member = ATTRIBUTES[name][1]
            # ModifyVpcAttribute takes one attribute per call, and succeeds when it is already set.
            cloud.change("ec2", "modify_vpc_attribute", VpcId=observation.aws_id, **{member: {"Value": True}})

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("ec2", "delete_vpc", VpcId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [
            observation
            for observation in self._list(cloud, tag_filters(tags))
            if carries(observation.tags, tags)
        ]

    def others_inside(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        """Foreign instances, interfaces and subnets."""
        where = {"Name": "vpc-id", "Values": [target.aws_id or ""]}
        subnets = [
            f"subnet {one['SubnetId']}"
            for one in cloud.pages("ec2", "describe_subnets", "Subnets", Filters=[where])
            if one.get("SubnetId") not in ours
        ]
        return [*_inside.others_inside(cloud, where, ours), *subnets]

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        return list(_holders.of_vpc(cloud, target, ours))

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "vpcconsole", f"VpcDetails:VpcId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [aws("ec2", "describe-vpcs", "--vpc-ids", aws_id)],
            "delete": [aws("ec2", "delete-vpc", "--vpc-id", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        return Recipe(
            find=find_line("describe-vpcs", "Vpcs", "VpcId", target, *fixed_filters(target, cidr="cidr")),
            delete='aws ec2 delete-vpc --vpc-id "$id"',
        )

    def _list(self, cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
        hits = list(cloud.pages("ec2", "describe_vpcs", "Vpcs", Filters=filters))
        return [_observation(cloud, hit) for hit in oldest_first(hits, "VpcId")]

    def _look(self, cloud: Cloud, vpc_id: str) -> Mapping[str, Any] | None:
        try:
            hits = list(cloud.pages("ec2", "describe_vpcs", "Vpcs", VpcIds=[vpc_id]))
        except CallError as error:
            if error.code == NOT_FOUND:
                return None
            raise
        return next((hit for hit in hits if hit.get("VpcId") == vpc_id), None)

    def _unset(self, cloud: Cloud, vpc_id: str) -> tuple[str, ...]:
        unset = []
        for name, (attribute, member) in ATTRIBUTES.items():
            reply = cloud.read("ec2", "describe_vpc_attribute", VpcId=vpc_id, Attribute=attribute)
            if not reply.get(member, {}).get("Value"):
                unset.append(name)
        return tuple(unset)


def _observation(cloud: Cloud, vpc: Mapping[str, Any], unset: tuple[str, ...] | None = None) -> Observation:
    """The observation of a VPC; pending while its attributes have not been read (`unset` is None)."""
    looked = Presence.UNSET if unset else Presence.READY
    presence = PRESENCES.get(vpc.get("State", ""), Presence.PENDING if unset is None else looked)
    return Observation(
        presence,
        vpc["VpcId"],
        arn=arn(cloud, "ec2", f"vpc/{vpc['VpcId']}"),
        tags=tag_dict(vpc.get("Tags")),
        facts={"cidr": vpc["CidrBlock"]} if "CidrBlock" in vpc else {},
        unset=unset or (),
    )
