"""An EBS volume. AWS makes and deletes those of an instance with it, unless somebody changed the latter.

No step of `tier1` creates one: the census and the sweeps look for volumes that outlived their instance. One
that is attached belongs to its instance, and is never listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.times import iso_8601
from tier1_engine.aws.words import (
    arn,
    aws,
    carries,
    console,
    find_line,
    part,
    resource_filters,
    tag_dict,
    tag_filters,
    tag_specifications,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, Holder, Kind, Observation, Presence, Target
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import Price
from tier1_engine.errors import CallError
from tier1_engine.resources.instance_price import of_volume

NOT_FOUND = "InvalidVolume.NotFound"
# Source: VolumeState in the EC2 model.
PRESENCES = {
    "creating": Presence.PENDING,
    "deleting": Presence.LEAVING,
    "deleted": Presence.GONE,
    "error": Presence.BROKEN,
}


class Volume(Kind):
    """Inputs: `{zone, gib}`. Source of codes: "Error codes for the Amazon EC2 API"."""

    name = "volume"
    title = "EBS volume"
    not_visible_yet = frozenset({NOT_FOUND})
    gone = frozenset({NOT_FOUND})
    in_use = frozenset({"VolumeInUse", "IncorrectState"})
    iam_actions = ("ec2:CreateVolume", "ec2:CreateTags", "ec2:DescribeVolumes", "ec2:DeleteVolume")
    implied_actions = (("CreateVolume", "ec2:CreateTags"),)

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return _list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "create_volume",
            AvailabilityZone=target.request["zone"],
            Size=target.request["gib"],
            VolumeType="gp3",
            Encrypted=True,
            ClientToken=target.key,
            TagSpecifications=tag_specifications(target.tags, "volume"),
        )
        part(reply, "VolumeId", operation="CreateVolume")
        return _observation(cloud, reply)

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        volume = _shown(cloud, target)
        return ABSENT if volume is None else _observation(cloud, volume)

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("ec2", "delete_volume", VolumeId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [one for one in _list(cloud, tag_filters(tags)) if carries(one.tags, tags)]

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """The instances of somebody else that it is attached to."""
        volume = ("--volume-id", target.aws_id or "")
        return [
            Holder(f"instance {id}", aws("ec2", "detach-volume", *volume, "--instance-id", id))
            for one in (_shown(cloud, target) or {}).get("Attachments") or ()
            if (id := one.get("InstanceId")) and id not in ours
        ]

    def price(self, request: Mapping[str, Any], candidate: int) -> Price:
        return of_volume(request)

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "ec2", f"VolumeDetails:volumeId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [aws("ec2", "describe-volumes", "--volume-ids", aws_id)],
            "delete": [aws("ec2", "delete-volume", "--volume-id", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        return Recipe(
            find=find_line("describe-volumes", "Volumes", "VolumeId", target, _UNATTACHED_LINE),
            delete='aws ec2 delete-volume --volume-id "$id"',
        )


def _shown(cloud: Cloud, target: Target) -> Mapping[str, Any] | None:
    """Its description; None when AWS does not show it."""
    try:
        reply = cloud.read("ec2", "describe_volumes", VolumeIds=[target.aws_id or ""])
    except CallError as error:
        if error.code == NOT_FOUND:
            return None
        raise
    return next((one for one in reply.get("Volumes") or () if one.get("VolumeId") == target.aws_id), None)


_UNATTACHED = ("creating", "available", "error")
_UNATTACHED_LINE = f"Name=status,Values={','.join(_UNATTACHED)}"


def _list(cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
    """Every volume that matches and is attached to nothing."""
    unattached = {"Name": "status", "Values": list(_UNATTACHED)}
    shown = list(cloud.pages("ec2", "describe_volumes", "Volumes", Filters=[*filters, unattached]))
    return [_observation(cloud, one) for one in shown if one.get("VolumeId")]


def _observation(cloud: Cloud, volume: Mapping[str, Any]) -> Observation:
    return Observation(
        PRESENCES.get(str(volume.get("State")), Presence.READY),
        volume["VolumeId"],
        arn=arn(cloud, "ec2", f"volume/{volume['VolumeId']}"),
        tags=tag_dict(volume.get("Tags")),
        facts={"zone": volume.get("AvailabilityZone"), "gib": volume.get("Size")},
        made_at=iso_8601(volume.get("CreateTime")),
    )
