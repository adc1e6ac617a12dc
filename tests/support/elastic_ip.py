"""A kind that this package does not have: an Elastic IP address, complete in this file.

The conformance suite runs over it, and `tests.conformance.test_new_kind` registers a copy of this one file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.words import (
    aws,
    carries,
    console,
    find_line,
    oldest_first,
    part,
    resource_filters,
    tag_dict,
    tag_filters,
    tag_specifications,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, Kind, Observation, Presence, Target
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import Price
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError

NOT_FOUND = "InvalidAllocationID.NotFound"
REMEDIES: Remedies = {
    "AddressLimitExceeded": Remedy(
        "The account has reached its limit of Elastic IP addresses in {region}.",
        ("Release addresses that nothing uses, or ask AWS for a higher quota.",),
        (("ec2", "describe-addresses", "--query", "Addresses[].PublicIp", "--output", "text"),),
        quota=Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs"),
    ),
    "InvalidIPAddress.InUse": Remedy(
        "The address {elastic_ip_id} is still associated with an instance.",
        ("Disassociate it, then resume.",),
        (("ec2", "describe-addresses", "--allocation-ids", "{elastic_ip_id}"),),
    ),
}


class ElasticIp(Kind):
    """Made by `{}`: AWS chooses the address."""

    name = "elastic_ip"
    title = "Elastic IP address"
    not_visible_yet = frozenset({NOT_FOUND})
    gone = frozenset({NOT_FOUND})
    in_use = frozenset({"InvalidIPAddress.InUse"})
    remedies = REMEDIES
    iam_actions = ("ec2:AllocateAddress", "ec2:CreateTags", "ec2:DescribeAddresses", "ec2:ReleaseAddress")
    implied_actions = (("AllocateAddress", "ec2:CreateTags"),)
    list_price = Price(0.005, "public IPv4")
    still_safe = "Nobody else gets the address of {id} until it is released."

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return _list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "allocate_address",
            Domain="vpc",
            TagSpecifications=tag_specifications(target.tags, "elastic-ip"),
        )
        part(reply, "AllocationId", operation="AllocateAddress")
        return _observation({"Tags": [], **reply})

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        try:
            reply = cloud.read("ec2", "describe_addresses", AllocationIds=[target.aws_id or ""])
        except CallError as error:
            if error.code == NOT_FOUND:
                return ABSENT
            raise
        shown = (one for one in reply.get("Addresses") or () if one.get("AllocationId") == target.aws_id)
        return next(map(_observation, shown), ABSENT)

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("ec2", "release_address", AllocationId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [one for one in _list(cloud, tag_filters(tags)) if carries(one.tags, tags)]

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "ec2", f"ElasticIpDetails:AllocationId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [aws("ec2", "describe-addresses", "--allocation-ids", aws_id)],
            "delete": [aws("ec2", "release-address", "--allocation-id", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        return Recipe(
            find=find_line("describe-addresses", "Addresses", "AllocationId", target),
            delete='aws ec2 release-address --allocation-id "$id"',
        )


def _list(cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
    hits = cloud.read("ec2", "describe_addresses", Filters=filters).get("Addresses") or []
    return [_observation(hit) for hit in oldest_first(hits, "AllocationId")]


def _observation(address: Mapping[str, Any]) -> Observation:
    return Observation(
        Presence.READY,
        address["AllocationId"],
        tags=tag_dict(address.get("Tags")),
        facts={"public_ip": address.get("PublicIp")},
    )
