"""Malformed ids: EC2 distinguishes an invalid id from one that does not exist.

Source: "Error codes for the Amazon EC2 API" (`InvalidInstanceID.Malformed` and similar) and, for the message,
hashicorp/terraform-provider-aws#6104. Subnet ids are not in the table: for those EC2 answers
`InvalidSubnetID.NotFound` even when the value is no id at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.replies import Reply, refusal

_OF_PARAMETER: Final[Mapping[str, tuple[str, str]]] = {
    "GroupId": ("sg", "InvalidGroupId.Malformed"),
    "GroupIds": ("sg", "InvalidGroupId.Malformed"),
    "Groups": ("sg", "InvalidGroupId.Malformed"),
    "SecurityGroupIds": ("sg", "InvalidGroupId.Malformed"),
    "ImageId": ("ami", "InvalidAMIID.Malformed"),
    "ImageIds": ("ami", "InvalidAMIID.Malformed"),
    "InstanceId": ("i", "InvalidInstanceID.Malformed"),
    "InstanceIds": ("i", "InvalidInstanceID.Malformed"),
    "InternetGatewayId": ("igw", "InvalidInternetGatewayId.Malformed"),
    "InternetGatewayIds": ("igw", "InvalidInternetGatewayId.Malformed"),
    "NetworkInterfaceId": ("eni", "InvalidNetworkInterfaceId.Malformed"),
    "NetworkInterfaceIds": ("eni", "InvalidNetworkInterfaceId.Malformed"),
    "RouteTableId": ("rtb", "InvalidRouteTableId.Malformed"),
    "RouteTableIds": ("rtb", "InvalidRouteTableId.Malformed"),
    "VolumeId": ("vol", "InvalidVolumeID.Malformed"),
    "VolumeIds": ("vol", "InvalidVolumeID.Malformed"),
    "VpcId": ("vpc", "InvalidVpcID.Malformed"),
    "VpcIds": ("vpc", "InvalidVpcID.Malformed"),
}
_REST: Final = re.compile(r"-(?:[0-9a-f]{8}|[0-9a-f]{17})")
"""Ids are eight hexadecimal digits long, and since 2018 seventeen."""


class MalformedIds(CallBehaviour):
    """Refuses an id of the wrong form before anything is looked up."""

    def before(self, call: Call) -> Reply | None:
        if call.service != "ec2":
            return None
        for prefix, code, value in _ids(call.parameters):
            if not value.startswith(f"{prefix}-"):
                return refusal(call, code, f'Invalid id: "{value}" (expecting "{prefix}-...")')
            if not _REST.fullmatch(value[len(prefix) :]):
                return refusal(call, code, f'Invalid id: "{value}"')
        return None


def _ids(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in parameters.items():
        items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, dict):
                yield from _ids(item)
            elif isinstance(item, str) and name in _OF_PARAMETER:
                yield (*_OF_PARAMETER[name], item)
