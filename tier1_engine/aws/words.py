"""What the resource kinds share: tags, filters, ARNs, and careful reading of replies. Pure.

Owns no call to AWS and no knowledge of any one kind. A reply may come from an emulator that leaves
members out, so nothing here indexes into one without saying what its absence means.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import RESOURCE_PROOF, TAG_RESOURCE, Target
from tier1_engine.errors import Acted, CallError

ANY = "*"
"""The value of a wanted tag for which any value will do."""


# Source: the partitions in botocore's data/partitions.json.
_PARTITIONS = (
    ("cn-", "aws-cn", "amazonaws.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws-us-gov.com"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS's APIs take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(entries: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as a mapping, from a `Tags` member of a reply (None where the reply has none)."""
    return {entry["Key"]: entry.get("Value", "") for entry in entries or () if "Key" in entry}


def tag_specifications(tags: Mapping[str, str], *resource_types: str) -> list[dict[str, Any]]:
    """The `TagSpecifications` of an EC2 create. A create without tags could never be proved ours.

    Raises:
        ValueError: there are no tags.
    """
    if not tags:
        raise ValueError("an owned resource is never created without tags")
    return [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in resource_types]


def tag_filters(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """EC2 `Filters` for all of `tags`. Results still go through `carries`: filters take wildcards."""
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def resource_filters(target: Target) -> list[dict[str, Any]]:
    """EC2 `Filters` for whatever any key of this resource made."""
    return tag_filters({TAG_RESOURCE: target.resource_id})


def carries(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether `tags` has all of `wanted`; the value `*` means any."""
    return all(key in tags and value in (ANY, tags[key]) for key, value in wanted.items())


def partition(region: str) -> str:
    """The AWS partition of a region, e.g. `aws` or `aws-cn`."""
    return next((name for prefix, name, _ in _PARTITIONS if region.startswith(prefix)), "aws")


def arn(cloud: Cloud, service: str, resource: str) -> str:
    """The ARN of a regional resource, for APIs that do not answer with it."""
    return f"arn:{partition(cloud.region)}:{service}:{cloud.region}:{cloud.account_id}:{resource}"


def console(region: str, service: str, fragment: str) -> str:
    """A page of the AWS console of a region, e.g. `console("us-east-1", "ec2", "Instances:")`."""
    domain = next(
        (domain for prefix, _, domain in _PARTITIONS if region.startswith(prefix)), "aws.amazon.com"
    )
    return f"https://{region}.console.{domain}/{service}/home?region={region}#{fragment}"


def aws(*words: str) -> str:
    """One `aws` command line, quoted for a shell, without region and profile."""
    return shlex.join(("aws", *words))


def find_line(operation: str, member: str, id_member: str, target: Target, *filters: str) -> str:
    """The `aws ec2` line that prints the ids of whatever carries this resource's tags, one word each.

    Args:
        operation: e.g. `describe-vpcs`; `member` and `id_member` are where its reply has the ids.
        filters: more of EC2's filters, as the command line takes them.
    """
    tagged = [f"Name=tag:{tag},Values={target.tags[tag]}" for tag in RESOURCE_PROOF]
    query = f"{member}[].{id_member}"
    return aws("ec2", operation, "--filters", *tagged, *filters, "--query", query, "--output", "text")


def tagged_query(tags: Mapping[str, str]) -> str:
    """The condition, in the command line's query language, that `Tags` holds all of `tags`."""
    return " && ".join(f"Tags[?Key=='{key}' && Value=='{value}']" for key, value in tags.items())


def proof(target: Target) -> dict[str, str]:
    """The tags that prove an object to be this resource."""
    return {tag: target.tags[tag] for tag in RESOURCE_PROOF}


def part(reply: Mapping[str, Any], *path: str, operation: str) -> Any:
    """The member of a create's reply at `path`.

    Raises:
        CallError: `UnreadableReply`, which AWS may have acted on, when it is missing.
    """
    value: Any = reply
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if not value:
        raise CallError(
            "UnreadableReply",
            f"the reply has no {'.'.join(path)}",
            operation=operation,
            acted=Acted.UNKNOWN,
        )
    return value


def oldest_first(hits: Sequence[Mapping[str, Any]], id_member: str) -> list[Mapping[str, Any]]:
    """Hits that AWS gives no time of making, in an order that two looks agree on; none without an id."""
    return sorted((hit for hit in hits if hit.get(id_member)), key=lambda hit: str(hit[id_member]))
