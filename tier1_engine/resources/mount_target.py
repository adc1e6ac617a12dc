"""The EFS mount target: one per file system and zone, without tags of its own.

Owns the EFS calls about a mount target, and the evidence of ownership: the tags of its file system, or of a
security group on it. A mount target without that evidence is only referenced and never changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.words import arn, aws, carries, console, part, tag_dict, tag_filters
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import (
    ABSENT,
    DEAD,
    DEPLOYMENT_PROOF,
    Kind,
    Observation,
    Presence,
    Target,
)
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.contract.remedy import Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import is_unsupported
from tier1_engine.resources import _ec2, _efs

INCORRECT_STATE = "IncorrectMountTargetState"
"""The code when a mount target's network interface is not created yet, or is gone, and its groups are
requested.
"""

SECURITY_GROUPS = "security_groups"
FILE_SYSTEM = "file_system_id"
"""The fact that records the file system, as AWS showed it; rows of older versions have none."""

SUBNET = "subnet_id"

REMEDIES: Remedies = {
    **_ec2.REMEDIES,
    **_efs.REMEDIES,
    "AvailabilityZonesMismatch": Remedy(
        "The file system is a One Zone file system in another zone than the subnet.",
        ("Use the zone of the file system in `network.zones`, or another file system.",),
        (_efs.FILE_SYSTEMS,),
    ),
    "MountTargetConflict": Remedy(
        "The file system already has a mount target in this zone, or is mounted in another VPC.",
        ("Find out who owns it with the command below; AWS allows one per zone, and one VPC.",),
        (_efs.MOUNTS,),
    ),
    "NoFreeAddressesInSubnet": Remedy(
        "The subnet {subnet_id:of the step} has no free address for the mount target.",
        ("Free up addresses in it, or use another subnet in `network.subnet_ids`.",),
        (_ec2.SHOW_SUBNET,),
    ),
    "IpAddressInUse": Remedy(
        "Another network interface already has the address of the mount target.",
        ("Retry: AWS chooses another one.",),
    ),
    "CreateMountTarget/NetworkInterfaceLimitExceeded": Remedy(
        "The account has reached its limit of network interfaces, or the VPC its limit of mount targets.",
        ("Delete interfaces that are `available`, or ask AWS for a higher quota.",),
        quota=_ec2.NETWORK_INTERFACES,
    ),
    "CreateMountTarget/SecurityGroupLimitExceeded": Remedy(
        "A mount target can have at most five security groups.",
        ("Use fewer groups; tier1 itself uses one.",),
    ),
    "SecurityGroupNotFound": Remedy(
        "The security group of the mount target no longer exists.",
        ("Retry: tier1 recreates what it created.",),
    ),
    "SubnetNotFound": Remedy(
        "The subnet of the mount target no longer exists.",
        ("Retry: tier1 recreates what it created. Correct what the spec names.",),
    ),
    "DependencyTimeout": Remedy(
        "EFS gave up waiting for EC2 while deleting the mount target.",
        ("Resume in a few minutes.",),
        (_efs.MOUNTS,),
    ),
}


class MountTarget(Kind):
    """An EFS mount target. Source of codes: the efs model of botocore.

    `Observation.tags` holds the proof: `tier1:database` and `tier1:deployment` of the file system or of a
    security group on it, and nothing when neither is owned.
    """

    name = "mount_target"
    title = "EFS mount target"
    already_exists = frozenset({"MountTargetConflict"})
    not_visible_yet = frozenset(
        {
            "IncorrectFileSystemLifeCycleState",
            INCORRECT_STATE,
            "SubnetNotFound",
            "SecurityGroupNotFound",
            _efs.FILE_SYSTEM_NOT_FOUND,
        }
    )
    # Of CreateMountTarget, with status 400 (EFS API reference): some zones of a region have no EFS.
    not_offered = frozenset({_efs.UNSUPPORTED_ZONE})
    gone = frozenset({_efs.MOUNT_TARGET_NOT_FOUND})
    in_use = frozenset({"DependencyTimeout", "DependencyViolation", INCORRECT_STATE})
    iam_actions = (
        "elasticfilesystem:CreateMountTarget",
        "elasticfilesystem:DescribeMountTargets",
        "elasticfilesystem:DescribeMountTargetSecurityGroups",
        "elasticfilesystem:ModifyMountTargetSecurityGroups",
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DeleteMountTarget",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeNetworkInterfaces",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
    )
    implied_actions = (
        ("CreateMountTarget", "ec2:CreateNetworkInterface"),
        ("CreateMountTarget", "ec2:DescribeSubnets"),
    )
    remedies = REMEDIES
    list_price = FREE
    may_reference = True

    def candidate_name(self, request: Mapping[str, Any], candidate: int) -> str:
        """Such as `us-east-1a`."""
        return str(request.get("zone") or "its subnet")

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        """The mount target of the file system in the zone, no matter who created it.

        Raises:
            CallError: `IncorrectMountTargetState` while the evidence of a new one cannot be read yet.
                `describe` raises it, too: treated as foreign, the mount target would be left behind.
        """
        file_system_id = str(target.request["file_system_id"])
        return [
            _look(cloud, target, one)
            for one in _efs.mount_targets(cloud, file_system_id)
            if _in_zone(one, target.request)
        ]

    def create(self, cloud: Cloud, target: Target) -> Observation:
        request = target.request
        reply = cloud.change(
            "efs",
            "create_mount_target",
            FileSystemId=request["file_system_id"],
            SubnetId=request["subnet_id"],
            SecurityGroups=list(request["security_group_ids"]),
        )
        part(reply, "MountTargetId", operation="CreateMountTarget")
        # This call set the groups, so they need no second check as proof of ownership.
        return _observation(cloud, reply, proof=_proof(target.tags), zone=request.get("zone"))

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        found = self._shown(cloud, target)
        return ABSENT if found is None else _look(cloud, target, found)

    def glance(self, cloud: Cloud, target: Target) -> Observation:
        found = self._shown(cloud, target)
        if found is None:
            return ABSENT
        proof = _file_system_proof(cloud, target, found)
        return _observation(cloud, found, proof=proof) if proof else _look(cloud, target, found)

    def _shown(self, cloud: Cloud, target: Target) -> Mapping[str, Any] | None:
        """Its description; None when AWS does not show it.

        EFS can list by id or by file system: listing by file system shows both mount targets of a stack in
        one call. The file system comes from what AWS showed (a duplicate's request may name another), and
        never changes.
        """
        if on := target.facts.get(FILE_SYSTEM):
            shown = _efs.mount_targets(cloud, str(on))
            return next((one for one in shown if one["MountTargetId"] == target.aws_id), None)
        try:
            reply = cloud.read("efs", "describe_mount_targets", MountTargetId=target.aws_id or "")
        except CallError as error:
            if error.code == _efs.MOUNT_TARGET_NOT_FOUND:
                return None
            raise
        return next((one for one in reply.get("MountTargets") or () if one.get("MountTargetId")), None)

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        if SECURITY_GROUPS in observation.unset:
            cloud.change(
                "efs",
                "modify_mount_target_security_groups",
                MountTargetId=observation.aws_id,
                SecurityGroups=list(target.request["security_group_ids"]),
            )

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("efs", "delete_mount_target", MountTargetId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return self.list_beyond(cloud, tags, {})

    def list_beyond(
        self, cloud: Cloud, tags: Mapping[str, str], known: Mapping[str, Mapping[str, Any]]
    ) -> Sequence[Observation]:
        """Mount targets of file systems with `tags`, and those that have a security group with `tags`.

        EFS lists them by file system only: a file system that reports as many as are recorded is skipped.
        """
        on_record = Counter(request.get("file_system_id") for request in known.values())
        groups = _groups_with(cloud, tags)
        vpcs = {group.get("VpcId") for group in groups.values()}
        owned: list[Observation] = []
        for one in list(cloud.pages("efs", "describe_file_systems", "FileSystems")):
            if (
                not one.get("FileSystemId")
                or one.get("NumberOfMountTargets") == on_record[one["FileSystemId"]]
            ):
                continue
            shown = _efs.tags_of(cloud, one)
            ours = carries(shown, tags)
            if not ours and not groups:
                continue
            for mounted in _efs.mount_targets(cloud, one["FileSystemId"]):
                if mounted["MountTargetId"] in known:
                    continue
                if ours:
                    owned.append(_observation(cloud, mounted, proof=_proof(shown)))
                elif mounted.get("VpcId") is None or mounted["VpcId"] in vpcs:
                    alive = _efs.presence_of(mounted) not in DEAD
                    evidence = _first(groups, _groups_on(cloud, mounted, needed=alive))
                    owned += [_observation(cloud, mounted, proof=_proof(evidence))] if evidence else []
        return owned

    def owns(self, target: Target, observation: Observation) -> bool:
        """Decide by the proof and the subnet: a mount target has no tags, and a file system one per zone.

        On a file system of the user's, theirs in another subnet can have our group, too.
        """
        if observation.facts.get(SUBNET) not in (None, target.request["subnet_id"]):
            return False
        return all(observation.tags.get(tag) == target.tags[tag] for tag in DEPLOYMENT_PROOF)

    def console_url(self, region: str, aws_id: str) -> str:
        # It has no console page of its own; the description of its network interface names it.
        return console(region, "ec2", f"NIC:search={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [aws("efs", "describe-mount-targets", "--mount-target-id", aws_id)],
            "delete": [aws("efs", "delete-mount-target", "--mount-target-id", aws_id)],
            # Until then its network interface is in the subnet and the group; AWS has no waiter.
            "wait": [aws("efs", "describe-mount-targets", "--mount-target-id", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        """The recipe for the file system's mount target in our subnet; the tags of either prove it, as in
        `owns`.
        """
        file_system_id, subnet_id = (str(target.request[name]) for name in ("file_system_id", "subnet_id"))
        query = f"MountTargets[?SubnetId=='{subnet_id}'].MountTargetId"
        there = ("--query", query, "--output", "text")
        groups = (
            '$(aws efs describe-mount-target-security-groups --mount-target-id "$id" '
            "--query 'SecurityGroups[]' --output text | tr '\\t' ,)"
        )
        text = ("--query", "Tags[].[Key,Value]", "--output", "text")
        return Recipe(
            find=aws("efs", "describe-mount-targets", "--file-system-id", file_system_id, *there),
            absent=frozenset({_efs.FILE_SYSTEM_NOT_FOUND, _efs.MOUNT_TARGET_NOT_FOUND, INCORRECT_STATE}),
            evidence=(
                aws("efs", "list-tags-for-resource", "--resource-id", file_system_id, *text),
                (
                    f'aws ec2 describe-tags --filters "Name=resource-id,Values={groups}" '
                    "--query 'Tags[].[Key,Value]' --output text"
                ),
            ),
            proof={tag: target.tags[tag] for tag in DEPLOYMENT_PROOF},
            delete='aws efs delete-mount-target --mount-target-id "$id"',
            lingers=True,
        )


def _in_zone(description: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a mount target serves the zone; decided by its subnet when the endpoint does not name
    the zone.
    """
    zone = description.get("AvailabilityZoneName")
    if zone and request.get("zone"):
        return bool(zone == request["zone"])
    return bool(description.get("SubnetId") == request["subnet_id"])


def _look(cloud: Cloud, target: Target, description: Mapping[str, Any]) -> Observation:
    """One mount target with its proof and, if it is owned, its groups compared with the requested ones."""
    presence = _efs.presence_of(description)
    proof = _file_system_proof(cloud, target, description)
    on_it = _groups_on(cloud, description, needed=not proof and presence not in DEAD)
    if not proof and on_it:
        wanted = {tag: target.tags[tag] for tag in DEPLOYMENT_PROOF}
        proof = _proof(_first(_tagged(cloud, on_it, wanted), on_it))
    differs = on_it is not None and set(on_it) != set(target.request.get("security_group_ids") or on_it)
    unset = (SECURITY_GROUPS,) if presence is Presence.READY and proof and differs else ()
    return _observation(cloud, description, proof=proof, unset=unset, zone=target.request.get("zone"))


def _file_system_proof(cloud: Cloud, target: Target, description: Mapping[str, Any]) -> dict[str, str]:
    """The tags that prove that the file system is owned; empty when it is not."""
    found = _efs.file_system(cloud, str(description.get("FileSystemId") or target.request["file_system_id"]))
    shown = _efs.tags_of(cloud, found) if found else {}
    return _proof(shown) if carries(shown, {tag: target.tags[tag] for tag in DEPLOYMENT_PROOF}) else {}


def _groups_on(cloud: Cloud, description: Mapping[str, Any], *, needed: bool) -> list[str] | None:
    """The ids of the security groups on a mount target; None when they cannot be read and are not needed.

    Raises:
        CallError: they cannot be read yet and are `needed`.
    """
    try:
        reply = cloud.read(
            "efs", "describe_mount_target_security_groups", MountTargetId=description["MountTargetId"]
        )
    except CallError as error:
        if error.code == _efs.MOUNT_TARGET_NOT_FOUND or is_unsupported(error):
            return None
        if error.code == INCORRECT_STATE and not needed:
            return None
        raise
    return list(reply.get("SecurityGroups") or ())


def _tagged(cloud: Cloud, group_ids: Sequence[str], wanted: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The groups that carry all of the tags `wanted`, by id."""
    filters = [{"Name": "group-id", "Values": list(group_ids)}]
    found = cloud.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=filters)
    return {one["GroupId"]: one for one in found if carries(tag_dict(one.get("Tags")), wanted)}


def _groups_with(cloud: Cloud, tags: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Every security group that carries all of `tags`, by id."""
    found = cloud.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=tag_filters(tags))
    return {one["GroupId"]: one for one in found if carries(tag_dict(one.get("Tags")), tags)}


def _first(groups: Mapping[str, Mapping[str, Any]], on_it: Sequence[str] | None) -> dict[str, str]:
    """The tags of the first of `groups` that the mount target has; empty when it has none."""
    return next((tag_dict(groups[one].get("Tags")) for one in on_it or () if one in groups), {})


def _proof(tags: Mapping[str, str]) -> dict[str, str]:
    return {tag: tags[tag] for tag in DEPLOYMENT_PROOF if tag in tags}


def _observation(
    cloud: Cloud,
    description: Mapping[str, Any],
    *,
    proof: Mapping[str, str] | None = None,
    unset: tuple[str, ...] = (),
    zone: str | None = None,
) -> Observation:
    mount_target_id = description["MountTargetId"]
    return Observation(
        Presence.UNSET if unset else _efs.presence_of(description),
        aws_id=mount_target_id,
        arn=arn(cloud, "elasticfilesystem", f"mount-target/{mount_target_id}"),
        tags=proof or {},
        facts={
            "ip_address": description.get("IpAddress"),
            "zone": description.get("AvailabilityZoneName") or zone,
            FILE_SYSTEM: description.get("FileSystemId"),
            SUBNET: description.get("SubnetId"),
            # The interface outlives the mount target for a while, and nothing else says whose it was.
            "network_interface_id": description.get("NetworkInterfaceId"),
        },
        problem=_efs.problem_of(description, "mount target"),
        unset=unset,
    )
