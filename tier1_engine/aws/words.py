"""What resource kinds share: tags, filters, ARNs, and defensive reading of replies. Pure.

Makes no AWS call and knows no specific kind. A reply may come from an emulator that omits members, so
code here always defines what a missing member means.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import RESOURCE_PROOF, TAG_RESOURCE, Target
from tier1_engine.errors import Acted, CallError

ANY = "*"
"""The value of a wanted tag that matches any value."""


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
    """Return tags in the form that AWS APIs accept."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(entries: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return a `Tags` member of a reply as a mapping; None means no tags."""
    return {entry["Key"]: entry.get("Value", "") for entry in entries or () if "Key" in entry}


def tag_specifications(tags: Mapping[str, str], *resource_types: str) -> list[dict[str, Any]]:
    """Return the `TagSpecifications` of an EC2 create. Ownership of an untagged object cannot be proved.

    Raises:
        ValueError: there are no tags.
    """
    if not tags:
        raise ValueError("an owned resource is never created without tags")
    return [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in resource_types]


def tag_filters(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return EC2 `Filters` for all of `tags`. Check results with `carries`: filters accept wildcards."""
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def resource_filters(target: Target) -> list[dict[str, Any]]:
    """Return EC2 `Filters` for everything that was created for this resource, with any idempotency key."""
    return tag_filters({TAG_RESOURCE: target.resource_id})


def carries(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether `tags` has all of `wanted`; the value `*` means any."""
    return all(key in tags and value in (ANY, tags[key]) for key, value in wanted.items())


def partition(region: str) -> str:
    """Return the AWS partition of a region, such as `aws` or `aws-cn`."""
    return next((name for prefix, name, _ in _PARTITIONS if region.startswith(prefix)), "aws")


def arn(cloud: Cloud, service: str, resource: str) -> str:
    """Return the ARN of a regional resource, for APIs that do not return it."""
    return f"arn:{partition(cloud.region)}:{service}:{cloud.region}:{cloud.account_id}:{resource}"


def console(region: str, service: str, fragment: str) -> str:
    """Return the URL of an AWS console page, as in `console("us-east-1", "ec2", "Instances:")`."""
    domain = next(
        (domain for prefix, _, domain in _PARTITIONS if region.startswith(prefix)), "aws.amazon.com"
    )
    return f"https://{region}.console.{domain}/{service}/home?region={region}#{fragment}"


def aws(*words: str) -> str:
    """Return one `aws` command line, quoted for a shell, without region and profile."""
    return shlex.join(("aws", *words))


def find_line(operation: str, member: str, id_member: str, target: Target, *filters: str) -> str:
    """Return the `aws ec2` command line that prints the ids of all objects with this resource's tags.

    Args:
        operation: such as `describe-vpcs`; `member` and `id_member` locate the ids in its reply.
        filters: further EC2 filters, in command-line syntax.
    """
    tagged = [f"Name=tag:{tag},Values={target.tags[tag]}" for tag in RESOURCE_PROOF]
    query = f"{member}[].{id_member}"
    return aws("ec2", operation, "--filters", *tagged, *filters, "--query", query, "--output", "text")


def fixed_filters(target: Target, **names: str) -> list[str]:
    """Return filters for what no call can change after the create: members of the request, by EC2 filter."""
    return [
        f"Name={name},Values={target.request[member]}"
        for member, name in names.items()
        if member in target.request
    ]


def tagged_query(tags: Mapping[str, str]) -> str:
    """Return the JMESPath condition that `Tags` contains all of `tags`."""
    return " && ".join(f"Tags[?Key=='{key}' && Value=='{value}']" for key, value in tags.items())


def proof(target: Target) -> dict[str, str]:
    """Return the tags that prove that an object is this resource."""
    return {tag: target.tags[tag] for tag in RESOURCE_PROOF}


def part(reply: Mapping[str, Any], *path: str, operation: str) -> Any:
    """Return the member at `path` of the reply to a create.

    Raises:
        CallError: `UnreadableReply` if it is missing; AWS may have acted.
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
    """Sort objects that have no creation time by id, so that two reads agree; drop those without an id."""
    return sorted((hit for hit in hits if hit.get(id_member)), key=lambda hit: str(hit[id_member]))
