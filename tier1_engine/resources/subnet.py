"""A subnet of a VPC. The route table decides whether it is public.

In an owned VPC its CIDR makes creation idempotent: AWS refuses a second one with `InvalidSubnet.Conflict`.
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
from tier1_engine.contract.kind import ABSENT, Holder, Kind, Observation, Presence, Problem, Target
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.resources import _ec2, _holders, _inside

NOT_FOUND = "InvalidSubnetID.NotFound"
# Source: SubnetState in the EC2 model. An endpoint may leave the state out: `available`.
PRESENCES = {
    "pending": Presence.PENDING,
    "unavailable": Presence.BROKEN,
    "failed": Presence.BROKEN,
    "failed-insufficient-capacity": Presence.BROKEN,
}
FIXED = {"vpc_id": "vpc_id", "cidr": "cidr"}
FACTS = {"vpc_id": "VpcId", "zone": "AvailabilityZone", "cidr": "CidrBlock"}


_SUBNETS_PER_VPC = Quota("vpc", "L-407747CB", "Subnets per VPC", 20)
REMEDIES: Remedies = {
    **_ec2.REMEDIES,
    "SubnetLimitExceeded": Remedy(
        "The VPC has reached its limit of subnets.",
        ("Delete subnets that are no longer needed, or use fewer zones in `network.zones`.",),
        quota=_SUBNETS_PER_VPC,
    ),
    "InvalidSubnet.Range": Remedy(
        "The subnet's range is outside that of its VPC, or not between /16 and /28.",
        ("Correct `network.cidr`, or use fewer zones in `network.zones`.",),
    ),
    "InvalidSubnet.Conflict": Remedy(
        "Another subnet of the VPC, which tier1 does not own, has this range.",
        ("Find out who owns it with the command below, or correct `network.cidr`.",),
        (("ec2", "describe-subnets", "--filters", "Name=vpc-id,Values={vpc_id}"),),
    ),
    "WrongVpc": Remedy(
        "A subnet of the spec is not in the VPC of the spec.",
        ("Correct `network.subnet_ids` or `network.vpc_id`.",),
    ),
    "Ipv6Only": Remedy(
        "A subnet of the spec has no IPv4 addresses, which the instance and its mount target need.",
        ("Use subnets with an IPv4 range in `network.subnet_ids`.",),
    ),
    "SubnetFailed": Remedy(
        "AWS could not create the subnet and marks it as failed.",
        ("Roll back and deploy again, if necessary in other zones.",),
    ),
}


class Subnet(Kind):
    """Inputs: `{vpc_id, cidr, zone}`, or `{reference, vpc_id}` for an existing one."""

    name = "subnet"
    title = "subnet"
    already_exists = frozenset({"InvalidSubnet.Conflict"})
    not_visible_yet = frozenset({NOT_FOUND, "InvalidVpcID.NotFound"})
    gone = frozenset({NOT_FOUND})
    holds_interfaces = True
    iam_actions = (
        "ec2:CreateSubnet",
        "ec2:CreateTags",
        "ec2:DeleteSubnet",
        "ec2:DescribeSubnets",
        *_holders.IAM_ACTIONS,
    )
    implied_actions = (("CreateSubnet", "ec2:CreateTags"),)
    remedies = REMEDIES
    list_price = FREE
    fixed = FIXED

    def reference(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        """READY when it exists in the VPC that the plan uses."""
        subnet_id, vpc_id = inputs["reference"], inputs["vpc_id"]
        subnet = self._look(cloud, subnet_id)
        if subnet is None:
            return _unfit(subnet_id, NOT_FOUND, f"The subnet {subnet_id} does not exist in {cloud.region}.")
        if subnet.get("VpcId") != vpc_id:
            place = subnet.get("VpcId", "an unknown VPC")
            return _unfit(subnet_id, "WrongVpc", f"The subnet {subnet_id} is in {place}, not in {vpc_id}.")
        if subnet.get("Ipv6Native"):
            return _unfit(
                subnet_id,
                "Ipv6Only",
                f"The subnet {subnet_id} is IPv6-only, and instance and mount target need IPv4 addresses: "
                "use a subnet with an IPv4 range.",
            )
        return _observation(cloud, subnet)

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return self._list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "create_subnet",
            VpcId=target.request["vpc_id"],
            CidrBlock=target.request["cidr"],
            AvailabilityZone=target.request["zone"],
            TagSpecifications=tag_specifications(target.tags, "subnet"),
        )
        part(reply, "Subnet", "SubnetId", operation="CreateSubnet")
        return _observation(cloud, reply["Subnet"])

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        subnet = self._look(cloud, target.aws_id or "")
        return ABSENT if subnet is None else _observation(cloud, subnet)

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("ec2", "delete_subnet", SubnetId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [
            observation
            for observation in self._list(cloud, tag_filters(tags))
            if carries(observation.tags, tags)
        ]

    def others_inside(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        where = {"Name": "subnet-id", "Values": [target.aws_id or ""]}
        return _inside.others_inside(cloud, where, ours)

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        where = {"Name": "subnet-id", "Values": [target.aws_id or ""]}
        return _holders.interfaces(cloud, where, ours)

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "vpcconsole", f"SubnetDetails:subnetId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [aws("ec2", "describe-subnets", "--subnet-ids", aws_id)],
            "delete": [aws("ec2", "delete-subnet", "--subnet-id", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        return Recipe(
            find=find_line(
                "describe-subnets",
                "Subnets",
                "SubnetId",
                target,
                *fixed_filters(target, vpc_id="vpc-id", cidr="cidr-block"),
            ),
            delete='aws ec2 delete-subnet --subnet-id "$id"',
        )

    def _list(self, cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
        hits = list(cloud.pages("ec2", "describe_subnets", "Subnets", Filters=filters))
        return [_observation(cloud, hit) for hit in oldest_first(hits, "SubnetId")]

    def _look(self, cloud: Cloud, subnet_id: str) -> Mapping[str, Any] | None:
        try:
            hits = list(cloud.pages("ec2", "describe_subnets", "Subnets", SubnetIds=[subnet_id]))
        except CallError as error:
            if error.code == NOT_FOUND:
                return None
            raise
        return next((hit for hit in hits if hit.get("SubnetId") == subnet_id), None)


def _unfit(subnet_id: str, code: str, message: str) -> Observation:
    return Observation(Presence.BROKEN, subnet_id, problem=Problem(code, message, "DescribeSubnets"))


def _observation(cloud: Cloud, subnet: Mapping[str, Any]) -> Observation:
    state = subnet.get("State", "")
    presence = PRESENCES.get(state, Presence.READY)
    problem = None
    if presence is Presence.BROKEN:
        problem = Problem("SubnetFailed", f"the subnet is {state}", "DescribeSubnets")
    return Observation(
        presence,
        subnet["SubnetId"],
        arn=subnet.get("SubnetArn") or arn(cloud, "ec2", f"subnet/{subnet['SubnetId']}"),
        tags=tag_dict(subnet.get("Tags")),
        facts={fact: subnet[member] for fact, member in FACTS.items() if member in subnet},
        problem=problem,
    )
