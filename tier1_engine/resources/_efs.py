"""Shared by file system and mount target: EFS life cycle states, tags, lookups by id, remedies.

Owns the interpretation of EFS's answers. It never changes anything and never decides ownership.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tier1_engine.aws.words import tag_dict
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Presence, Problem
from tier1_engine.contract.remedy import Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import is_unsupported

FILE_SYSTEM_NOT_FOUND = "FileSystemNotFound"
UNSUPPORTED_ZONE = "UnsupportedAvailabilityZone"
MOUNT_TARGET_NOT_FOUND = "MountTargetNotFound"

AVAILABLE = "available"

# Source: the shape LifeCycleState of botocore's efs model. An emulator may leave the state out: `available`.
_PRESENCE: Mapping[str, Presence] = {
    "creating": Presence.PENDING,
    AVAILABLE: Presence.READY,
    "updating": Presence.PENDING,
    "deleting": Presence.LEAVING,
    "deleted": Presence.GONE,
    "error": Presence.BROKEN,
}


MOUNTS = ("efs", "describe-mount-targets", "--file-system-id", "{file_system_id}")
FILE_SYSTEMS = (
    "efs",
    "describe-file-systems",
    "--query",
    "FileSystems[].[FileSystemId,Name,LifeCycleState]",
    "--output",
    "text",
)
# Source: the efs model of botocore, and "Troubleshooting Amazon EFS" of its user guide.
REMEDIES: Remedies = {
    UNSUPPORTED_ZONE: Remedy(
        "EFS is not offered in {zone}.",
        ("Use other zones in `network.zones`.",),
    ),
    FILE_SYSTEM_NOT_FOUND: Remedy(
        "The file system {file_system_id:that the spec or the deployment names} does not exist, or not in "
        "{region}.",
        ("Correct `efs.file_system_id`; if tier1 created it and somebody deleted it, a retry recreates it.",),
        (FILE_SYSTEMS,),
    ),
    "IncorrectFileSystemLifeCycleState": Remedy(
        "The file system is not `available`.",
        ("Wait until it is, then retry.",),
        (FILE_SYSTEMS,),
    ),
    "LifeCycleState.error": Remedy(
        "EFS could not create it and marks it with an error.",
        ("Roll back, then deploy again: this deletes and recreates it.",),
        (MOUNTS,),
    ),
}


def life_cycle(description: Mapping[str, Any]) -> str:
    """The life cycle state of a file system or mount target."""
    return str(description.get("LifeCycleState") or AVAILABLE)


def presence_of(description: Mapping[str, Any]) -> Presence:
    """The presence for a life cycle state; an unknown state is not ready."""
    return _PRESENCE.get(life_cycle(description), Presence.PENDING)


def problem_of(description: Mapping[str, Any], title: str) -> Problem | None:
    """Why the resource will never be ready; None when it is being deleted, which is not a failure
    of its own.
    """
    if presence_of(description) is not Presence.BROKEN:
        return None
    return Problem("LifeCycleState.error", f"AWS could not create the {title} and marks it with an error.")


def tags_of(cloud: Cloud, description: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a file system; read with a separate call when its description has none."""
    if description.get("Tags") is not None:
        return tag_dict(description["Tags"])
    try:
        reply = cloud.read("efs", "list_tags_for_resource", ResourceId=description["FileSystemId"])
    except CallError as error:
        if error.code == FILE_SYSTEM_NOT_FOUND or is_unsupported(error):
            return {}
        raise
    return tag_dict(reply.get("Tags"))


def file_system(cloud: Cloud, file_system_id: str) -> dict[str, Any] | None:
    """The description of one file system; None when AWS does not show it."""
    try:
        reply = cloud.read("efs", "describe_file_systems", FileSystemId=file_system_id)
    except CallError as error:
        if error.code == FILE_SYSTEM_NOT_FOUND:
            return None
        raise
    found: list[dict[str, Any]] = reply.get("FileSystems") or []
    return next((one for one in found if one.get("FileSystemId") == file_system_id), None)


def mount_targets(cloud: Cloud, file_system_id: str) -> list[dict[str, Any]]:
    """The mount targets of a file system; empty when AWS does not show the file system."""
    try:
        found = list(
            cloud.pages("efs", "describe_mount_targets", "MountTargets", FileSystemId=file_system_id)
        )
    except CallError as error:
        if error.code == FILE_SYSTEM_NOT_FOUND:
            return []
        raise
    return [one for one in found if one.get("MountTargetId")]
