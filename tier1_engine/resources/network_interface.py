"""A network interface. AWS makes and deletes that of an instance with it, unless somebody changed the latter.

No step of `tier1` creates one: the census and the sweeps look for interfaces that outlived their instance,
because each keeps its subnet. One that is attached belongs to its instance, and is never listed.
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
    part,
    resource_filters,
    tag_dict,
    tag_filters,
    tag_specifications,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, Holder, Kind, Observation, Presence, Target
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.errors import CallError

NOT_FOUND = "InvalidNetworkInterfaceID.NotFound"
# Source: NetworkInterfaceStatus in the EC2 model.
PRESENCES = {"pending": Presence.PENDING, "available": Presence.READY, "detaching": Presence.PENDING}


class NetworkInterface(Kind):
    """Inputs: `{subnet_id, security_group_ids}`. Source of codes: "Error codes for the Amazon EC2 API"."""

    name = "network_interface"
    title = "network interface"
    not_visible_yet = frozenset({NOT_FOUND, "InvalidSubnetID.NotFound", "InvalidGroup.NotFound"})
    gone = frozenset({NOT_FOUND})
    in_use = frozenset({"InvalidNetworkInterface.InUse", "InvalidParameterValue"})
    iam_actions = (
        "ec2:CreateNetworkInterface",
        "ec2:CreateTags",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DeleteNetworkInterface",
    )
    implied_actions = (("CreateNetworkInterface", "ec2:CreateTags"),)
    list_price = FREE

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return _list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "create_network_interface",
            SubnetId=target.request["subnet_id"],
            Groups=list(target.request["security_group_ids"]),
            ClientToken=target.key,
            TagSpecifications=tag_specifications(target.tags, "network-interface"),
        )
        shown = part(reply, "NetworkInterface", operation="CreateNetworkInterface")
        part(shown, "NetworkInterfaceId", operation="CreateNetworkInterface")
        return _observation(cloud, shown)

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        found = _shown(cloud, target)
        return ABSENT if found is None else _observation(cloud, found)

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("ec2", "delete_network_interface", NetworkInterfaceId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [one for one in _list(cloud, tag_filters(tags)) if carries(one.tags, tags)]

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """The instance of somebody else that it is attached to."""
        attachment = (_shown(cloud, target) or {}).get("Attachment") or {}
        instance, attached = attachment.get("InstanceId"), attachment.get("AttachmentId")
        if not instance or instance in ours:
            return []
        detach = aws("ec2", "detach-network-interface", "--attachment-id", attached) if attached else ""
        return [Holder(f"instance {instance}", detach)]

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "ec2", f"NetworkInterface:networkInterfaceId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {
            "look": [aws("ec2", "describe-network-interfaces", "--network-interface-ids", aws_id)],
            "delete": [aws("ec2", "delete-network-interface", "--network-interface-id", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        free = "Name=status,Values=available"
        return Recipe(
            find=find_line(
                "describe-network-interfaces", "NetworkInterfaces", "NetworkInterfaceId", target, free
            ),
            delete='aws ec2 delete-network-interface --network-interface-id "$id"',
        )


def _shown(cloud: Cloud, target: Target) -> Mapping[str, Any] | None:
    """Its description; None when AWS does not show it."""
    try:
        reply = cloud.read("ec2", "describe_network_interfaces", NetworkInterfaceIds=[target.aws_id or ""])
    except CallError as error:
        if error.code == NOT_FOUND:
            return None
        raise
    shown = reply.get("NetworkInterfaces") or ()
    return next((one for one in shown if one.get("NetworkInterfaceId") == target.aws_id), None)


def _list(cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
    """Every interface that matches and is attached to nothing."""
    shown = list(cloud.pages("ec2", "describe_network_interfaces", "NetworkInterfaces", Filters=filters))
    return [_observation(cloud, one) for one in shown if one.get("Status") != "in-use"]


def _observation(cloud: Cloud, interface: Mapping[str, Any]) -> Observation:
    interface_id = interface["NetworkInterfaceId"]
    return Observation(
        PRESENCES.get(str(interface.get("Status")), Presence.READY),
        interface_id,
        arn=arn(cloud, "ec2", f"network-interface/{interface_id}"),
        tags=tag_dict(interface.get("TagSet")),
        facts={"subnet_id": interface.get("SubnetId"), "private_ip": interface.get("PrivateIpAddress")},
    )
