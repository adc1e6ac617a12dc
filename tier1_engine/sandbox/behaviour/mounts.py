"""EFS refuses what does not exist or belongs to another VPC, also in lists.

Source: the EFS API reference: CreateMountTarget (`SecurityGroupNotFound` "in the subnet's VPC",
`MountTargetConflict` for a subnet of another VPC than the file system's other mount targets), and
`FileSystemNotFound` of ListTagsForResource, DescribeAccessPoints and DescribeFileSystemPolicy.
"""

from __future__ import annotations

from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import ec2_backend, efs_backend
from tier1_engine.sandbox.wire.replies import Reply, refusal

_LISTS: Final = frozenset({"ListTagsForResource", "DescribeAccessPoints", "DescribeFileSystemPolicy"})


class Mounts(CallBehaviour):
    """Refuses what EFS refuses and moto accepts."""

    def before(self, call: Call) -> Reply | None:
        if call.service != "efs":
            return None
        if call.operation in _LISTS:
            return _gone(call)
        return _mount(call) if call.operation == "CreateMountTarget" else None


def _gone(call: Call) -> Reply | None:
    asked = str(call.parameters.get("FileSystemId") or call.parameters.get("ResourceId") or "")
    file_system_id = asked.rpartition("/")[2]
    if not file_system_id.startswith("fs-") or file_system_id in efs_backend(call).file_systems_by_id:
        return None
    return refusal(call, "FileSystemNotFound", f"File system '{file_system_id}' does not exist.")


def _mount(call: Call) -> Reply | None:
    network = ec2_backend(call)
    subnet_id = call.parameters.get("SubnetId")
    subnet = next((zone[subnet_id] for zone in network.subnets.values() if subnet_id in zone), None)
    file_system = efs_backend(call).file_systems_by_id.get(call.parameters.get("FileSystemId"))
    if subnet is None or file_system is None:
        return None  # moto refuses both
    for group_id in call.parameters.get("SecurityGroups") or ():
        group = network.get_security_group_from_id(group_id)
        if group is not None and group.vpc_id != subnet.vpc_id:
            words = f"The security group '{group_id}' does not exist in the VPC {subnet.vpc_id}"
            return refusal(call, "SecurityGroupNotFound", words)
    if _elsewhere(call, file_system.file_system_id, subnet.vpc_id):
        words = "The file system already has mount targets in another VPC"
        return refusal(call, "MountTargetConflict", words)
    return None


def _elsewhere(call: Call, file_system_id: str, vpc_id: Any) -> bool:
    return any(
        one.file_system_id == file_system_id and one.vpc_id != vpc_id
        for one in efs_backend(call).mount_targets_by_id.values()
    )
