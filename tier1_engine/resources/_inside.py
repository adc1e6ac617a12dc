"""Foreign objects in an owned network: instances and network interfaces of other owners.

Owns how each object is accounted for: by a recorded id, by the instance that an interface is attached to, or,
for EFS, by DescribeMountTargets. Tags account for nothing, because tools copy them. It only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tier1_engine.contract.cloud import Cloud
from tier1_engine.errors import CallError
from tier1_engine.resources._efs import MOUNT_TARGET_NOT_FOUND

IAM_ACTIONS = (
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "elasticfilesystem:DescribeMountTargets",
)
"""The IAM actions that `others_inside` needs."""

ENDED = frozenset({"terminated", "shutting-down"})
MOUNT_TARGET_PREFIX = "fsmt-"


def others_inside(cloud: Cloud, where: Mapping[str, Any], ours: frozenset[str]) -> list[str]:
    """Instances and interfaces that match the EC2 filter `where` and are not owned.

    Args:
        ours: every AWS id that the deployment has or had.
    """
    filters = [dict(where)]
    held = list(cloud.pages("ec2", "describe_instances", "Reservations", Filters=filters))
    instances = [one for reservation in held for one in reservation.get("Instances") or ()]
    ended = {one["InstanceId"] for one in instances if (one.get("State") or {}).get("Name") in ENDED}
    found = [f"instance {id}" for id in sorted({i["InstanceId"] for i in instances} - ours - ended)]
    # Some endpoints keep showing the interface of a deleted instance as attached to it.
    strange = foreign_interfaces(cloud, where, ours | ended)
    return found + [f"network interface {one.get('NetworkInterfaceId')}" for one in strange]


def foreign_interfaces(cloud: Cloud, where: Mapping[str, Any], ours: frozenset[str]) -> list[dict[str, Any]]:
    """Interfaces that match the EC2 filter `where` and belong to nothing in `ours`."""
    filters = [dict(where)]
    interfaces = list(cloud.pages("ec2", "describe_network_interfaces", "NetworkInterfaces", Filters=filters))
    strange = [one for one in interfaces if not _accounted_for(one, ours)]
    if strange:
        efs = set(_interfaces_of_mount_targets(cloud, ours))
        strange = [one for one in strange if one.get("NetworkInterfaceId") not in efs]
    return strange


def _accounted_for(interface: Mapping[str, Any], ours: frozenset[str]) -> bool:
    attached_to = (interface.get("Attachment") or {}).get("InstanceId")
    return interface.get("NetworkInterfaceId") in ours or attached_to in ours


def _interfaces_of_mount_targets(cloud: Cloud, ours: frozenset[str]) -> Iterator[str]:
    """The interfaces of the deployment's mount targets, as long as EFS shows them."""
    for mount_target_id in sorted(one for one in ours if one.startswith(MOUNT_TARGET_PREFIX)):
        try:
            reply = cloud.read("efs", "describe_mount_targets", MountTargetId=mount_target_id)
        except CallError as error:
            if error.code != MOUNT_TARGET_NOT_FOUND:
                raise
            continue
        for one in reply.get("MountTargets") or ():
            if one.get("NetworkInterfaceId"):
                yield one["NetworkInterfaceId"]
