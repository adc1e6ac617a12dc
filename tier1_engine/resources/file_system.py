"""The EFS file system: encrypted, created once per creation token, found by its tags.

Owns the EFS calls about a file system. It never changes one that the user provided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.times import iso_8601
from tier1_engine.aws.words import arn, aws, carries, console, part, proof, tag_dict, tag_list, tagged_query
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import (
    ABSENT,
    TAG_RESOURCE,
    Holder,
    Kind,
    Observation,
    Presence,
    Problem,
    Target,
)
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import Price
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.resources import _efs

USABLE_STATES = frozenset({"available", "updating"})
"""A provided file system can be mounted in these states; `updating` changes its throughput."""


GB_MONTH = 0.30
"""US dollars, in us-east-1: from a stored copy of https://aws.amazon.com/efs/pricing/ of February 2026;
guides of 2026 name the same.
"""
_FILE_SYSTEMS_PER_ACCOUNT = Quota("elasticfilesystem", "L-848C634D", "File systems per account", 100)
REMEDIES: Remedies = {
    **_efs.REMEDIES,
    "FileSystemLimitExceeded": Remedy(
        "The account has reached its limit of file systems in {region}.",
        ("Delete file systems that are no longer needed, or use one of yours with `efs.file_system_id`.",),
        (_efs.FILE_SYSTEMS,),
        quota=_FILE_SYSTEMS_PER_ACCOUNT,
    ),
    "InsufficientThroughputCapacity": Remedy(
        "EFS has no capacity for this throughput mode at the moment.",
        ("Retry later, or use `efs.throughput_mode: bursting`.",),
    ),
    "ThroughputLimitExceeded": Remedy(
        "The requested throughput exceeds the limit of the file system.",
        ("Use `efs.throughput_mode: elastic` or `bursting`.",),
    ),
    "FileSystemInAnotherVpc": Remedy(
        "The file system of the spec is mounted in another VPC, and AWS allows only one.",
        ("Deploy into that VPC with `network.vpc_id`, or use another file system.",),
        (_efs.MOUNTS,),
    ),
    "FileSystemInUse": Remedy(
        "The file system still has mount targets.",
        ("Delete those that tier1 did not create; tier1 deletes its own.",),
        (_efs.MOUNTS,),
    ),
}


class FileSystem(Kind):
    """An EFS file system. Source of codes: the efs model of botocore, and the EFS API reference.

    With a KMS key of yours the caller also needs `kms:DescribeKey` and `kms:CreateGrant` on it.
    """

    name = "file_system"
    title = "EFS file system"
    already_exists = frozenset({"FileSystemAlreadyExists"})
    gone = frozenset({_efs.FILE_SYSTEM_NOT_FOUND})
    in_use = frozenset({"FileSystemInUse", "IncorrectFileSystemLifeCycleState"})
    iam_actions = (
        "elasticfilesystem:CreateFileSystem",
        "elasticfilesystem:TagResource",
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DescribeMountTargets",
        "elasticfilesystem:ListTagsForResource",
        "elasticfilesystem:DeleteFileSystem",
    )
    implied_actions = (
        ("CreateFileSystem", "elasticfilesystem:TagResource"),
        ("CreateFileSystem", "iam:CreateServiceLinkedRole"),
    )
    remedies = REMEDIES
    list_price = Price(0.0, f"${GB_MONTH:.2f} per GB-month stored")
    still_safe = "The files on {id} remain until the file system is deleted."

    def reference(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        """Whether the provided file system can be mounted in the VPC `inputs["vpc_id"]`."""
        file_system_id, vpc_id = inputs["reference"], inputs.get("vpc_id")
        description = _efs.file_system(cloud, file_system_id)
        if description is None:
            return _unfit(
                _efs.FILE_SYSTEM_NOT_FOUND,
                f"The file system {file_system_id} does not exist in {cloud.region}: "
                "correct efs.file_system_id in the spec.",
            )
        state = _efs.life_cycle(description)
        if state not in USABLE_STATES:
            return _unfit(
                "IncorrectFileSystemLifeCycleState",
                f"The file system {file_system_id} is {state}, not available: "
                "wait until it is, or use another one in efs.file_system_id.",
            )
        elsewhere = next((vpc for vpc in _vpcs(cloud, file_system_id) if vpc_id and vpc != vpc_id), None)
        if elsewhere is not None:
            return _unfit(
                "FileSystemInAnotherVpc",
                f"The file system {file_system_id} is mounted in the VPC {elsewhere}, and AWS allows one VPC "
                f"per file system: deploy into {elsewhere}, or use another file system.",
            )
        return _observation(cloud, description, presence=Presence.READY)

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        """Search the whole list by tag, because EFS has no filters; the token matches where tags
        appear late.
        """
        return [
            _observation(cloud, one)
            for one in cloud.pages("efs", "describe_file_systems", "FileSystems")
            if one.get("FileSystemId") and _made_for(target, one)
        ]

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "efs",
            "create_file_system",
            CreationToken=target.key,
            PerformanceMode=target.request.get("performance_mode") or "generalPurpose",
            ThroughputMode=target.request.get("throughput_mode") or "elastic",
            Encrypted=True,
            **({"KmsKeyId": key} if (key := target.request.get("kms_key_id")) else {}),
            Tags=tag_list(target.tags),
        )
        part(reply, "FileSystemId", operation="CreateFileSystem")
        return _observation(cloud, reply, tags=tag_dict(reply.get("Tags")) or target.tags)

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        description = _efs.file_system(cloud, target.aws_id or "")
        return ABSENT if description is None else _observation(cloud, description)

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("efs", "delete_file_system", FileSystemId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        everything = cloud.pages("efs", "describe_file_systems", "FileSystems")
        observations = [_observation(cloud, one) for one in everything if one.get("FileSystemId")]
        return [one for one in observations if carries(one.tags, tags)]

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """Mount targets that somebody else made on it."""
        return [
            Holder(
                f"EFS mount target {one['MountTargetId']} in {one.get('SubnetId')}",
                aws("efs", "delete-mount-target", "--mount-target-id", one["MountTargetId"]),
            )
            for one in _efs.mount_targets(cloud, target.aws_id or "")
            if one["MountTargetId"] not in ours
        ]

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "efs", f"/file-systems/{aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [aws("efs", "describe-file-systems", "--file-system-id", aws_id)],
            "delete": [aws("efs", "delete-file-system", "--file-system-id", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        query = f"FileSystems[?{tagged_query(proof(target))}].FileSystemId"
        return Recipe(
            find=aws("efs", "describe-file-systems", "--query", query, "--output", "text"),
            delete='aws efs delete-file-system --file-system-id "$id"',
            lingers=True,
        )


def _made_for(target: Target, description: Mapping[str, Any]) -> bool:
    """Whether a listed file system is a candidate: it has our tag, or one of our keys as its
    creation token.
    """
    shown = tag_dict(description.get("Tags")).get(TAG_RESOURCE)
    token = str(description.get("CreationToken") or "")
    return shown == target.resource_id or token.startswith(f"{target.resource_id}-")


def _observation(
    cloud: Cloud,
    description: Mapping[str, Any],
    *,
    tags: Mapping[str, str] | None = None,
    presence: Presence | None = None,
) -> Observation:
    file_system_id = description["FileSystemId"]
    return Observation(
        presence or _efs.presence_of(description),
        aws_id=file_system_id,
        arn=description.get("FileSystemArn")
        or arn(cloud, "elasticfilesystem", f"file-system/{file_system_id}"),
        tags=_efs.tags_of(cloud, description) if tags is None else tags,
        facts={
            "dns_name": dns_name(file_system_id, cloud.region),
            **({"kms_key_id": description["KmsKeyId"]} if description.get("KmsKeyId") else {}),
        },
        key=description.get("CreationToken"),
        made_at=iso_8601(description.get("CreationTime")),
        problem=_efs.problem_of(description, "file system"),
    )


def dns_name(file_system_id: str, region: str) -> str:
    """The DNS name of the mount targets (EFS user guide, "Mounting by DNS name")."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{file_system_id}.efs.{region}.{suffix}"


def _vpcs(cloud: Cloud, file_system_id: str) -> list[str]:
    """The VPCs that a file system is mounted in; derived from the subnets when the endpoint does not name the
    VPC.
    """
    mounted = _efs.mount_targets(cloud, file_system_id)
    vpcs = [str(one["VpcId"]) for one in mounted if one.get("VpcId")]
    unsaid = [str(one["SubnetId"]) for one in mounted if not one.get("VpcId") and one.get("SubnetId")]
    if unsaid:
        try:
            reply = cloud.read("ec2", "describe_subnets", SubnetIds=unsaid)
        except CallError as error:
            if error.code != "InvalidSubnetID.NotFound":
                raise
            return vpcs
        vpcs += [str(subnet["VpcId"]) for subnet in reply.get("Subnets") or () if subnet.get("VpcId")]
    return vpcs


def _unfit(code: str, sentence: str) -> Observation:
    return Observation(Presence.BROKEN, problem=Problem(code, sentence, operation="DescribeFileSystems"))
