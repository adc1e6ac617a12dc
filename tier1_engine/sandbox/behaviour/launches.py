"""A launch names an image, type, key, root volume and groups that exist and fit together, or is refused.

Source: "Error codes for the Amazon EC2 API"; for the exact codes and messages:
hashicorp/packer-plugin-amazon#649 (architecture), hashicorp/terraform-provider-aws#19712 (ENA),
RhinoSecurityLabs/cloudgoat#247 (boot mode), scylladb/scylla-cluster-tests#2484 (root volume),
ansible/ansible-modules-core#347 (group of another VPC), hashicorp/terraform-provider-aws#35745 and the EC2
user guide, "Capacity Reservations" (reservations). "Amazon EC2 endpoints and quotas" for P instances,
whose default quota is 0. With `--any-ami` an image that is not known fits all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.catalogue import IMAGES, RESERVATIONS, Access, not_found
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import ec2_backend, zone_of
from tier1_engine.sandbox.wire.replies import Reply, refusal
from tier1_engine.sandbox.world import World

FORBIDDEN = 400
"""RunInstances sends `AuthFailure` for an image that is not shared with the account, with this status."""
DEFAULT_TYPE = "m1.small"
_RESERVATION_ID = re.compile(r"cr-[0-9a-f]{17}")
WITHOUT_QUOTA = ("p2.", "p3.", "p3dn.", "p4d.", "p4de.", "p5.", "p5e.", "p5en.", "p6-")


class Launches(CallBehaviour):
    """Refuses what RunInstances cannot launch."""

    def __init__(self, world: World) -> None:
        self._world = world

    def before(self, call: Call) -> Reply | None:
        if (call.service, call.operation) != ("ec2", "RunInstances"):
            return None
        image_id = str(call.parameters.get("ImageId") or "")
        image = ec2_backend(call).amis.get(image_id)
        return next((reply for reply in self._refusals(call, image_id, image) if reply is not None), None)

    def _refusals(self, call: Call, image_id: str, image: Any) -> Iterator[Reply | None]:
        yield _type(call)
        if image is None or image.state != "available":
            yield self._unusable(call, image_id)
        else:
            yield _misfit(call, image)
            yield _small_root(call, image)
        yield _quota(call)
        yield _reservation(call)
        yield _key(call)
        yield _groups(call)
        yield _zone(call)

    def _unusable(self, call: Call, image_id: str) -> Reply | None:
        """Why an image that the account cannot use is refused."""
        backend = ec2_backend(call)
        known = IMAGES.get(image_id)
        if known is not None and known.access is Access.NOT_SHARED:
            return refusal(call, "AuthFailure", f"Not authorized for images: [{image_id}]", FORBIDDEN)
        if known is not None or image_id in backend.deleted_amis or image_id in backend.amis:
            words = f"The image ID '{image_id}' is no longer available"
            return refusal(call, "InvalidAMIID.Unavailable", words)
        if self._world.any_ami or not image_id:
            return None  # a launch template may name the image
        return refusal(call, "InvalidAMIID.NotFound", not_found(image_id))


@cache
def _types() -> Mapping[str, Mapping[str, Any]]:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return INSTANCE_TYPES


@cache
def _zones_of(region: str) -> Mapping[str, frozenset[str]]:
    """The types that each zone of a region offers; empty where moto has no list of them."""
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    found: dict[str, set[str]] = {}
    for offer in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, ()):
        found.setdefault(offer["Location"], set()).add(offer["InstanceType"])
    return {zone: frozenset(types) for zone, types in found.items()}


def _asked_type(call: Call) -> str:
    return str(call.parameters.get("InstanceType") or DEFAULT_TYPE)


def _type(call: Call) -> Reply | None:
    asked = _asked_type(call)
    if asked in _types() or asked == DEFAULT_TYPE:
        return None
    return refusal(call, "InvalidParameterValue", f"Invalid value '{asked}' for InstanceType.")


def _zone(call: Call) -> Reply | None:
    asked, zone = _asked_type(call), zone_of(call)
    offered = _zones_of(call.region)
    if zone is None or zone not in offered or asked in offered[zone] or asked == DEFAULT_TYPE:
        return None
    words = (
        f"Your requested instance type ({asked}) is not supported in your requested Availability Zone "
        f"({zone})."
    )
    return refusal(call, "Unsupported", words)


def _misfit(call: Call, image: Any) -> Reply | None:
    """An image of another architecture or boot mode, or without ENA where the type needs it."""
    asked = _asked_type(call)
    described = _types().get(asked)
    if described is None:
        return None
    architectures = described["ProcessorInfo"]["SupportedArchitectures"]
    if image.architecture is not None and image.architecture not in architectures:
        words = (
            f"The architecture '{','.join(architectures)}' of the specified instance type does not match the "
            f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI "
            "that have matching architectures, and try again. You can use 'describe-instance-types' or "
            "'describe-images' to discover the architecture of the instance type or AMI."
        )
        return refusal(call, "InvalidParameterValue", words)
    if described["NetworkInfo"].get("EnaSupport") == "required" and not getattr(image, "ena_support", False):
        words = (
            f"Enhanced networking with the Elastic Network Adapter (ENA) is required for the '{asked}' "
            "instance type. Ensure that you are using an AMI that is enabled for ENA."
        )
        return refusal(call, "InvalidParameterCombination", words)
    if image.boot_mode in ("uefi", "legacy-bios") and image.boot_mode not in described["SupportedBootModes"]:
        mode = {"uefi": "UEFI", "legacy-bios": "Legacy BIOS"}[image.boot_mode]
        words = (
            f"The {asked} instance type does not support an AMI with a boot mode of {mode}. Specify an "
            f"instance type that supports {mode}, and try again."
        )
        return refusal(call, "InvalidParameterValue", words)
    return None


def _small_root(call: Call, image: Any) -> Reply | None:
    snapshot = image.ebs_snapshot
    for device in call.parameters.get("BlockDeviceMappings") or ():
        size = (device.get("Ebs") or {}).get("VolumeSize")
        if (
            device.get("DeviceName") == image.root_device_name
            and size
            and int(size) < int(snapshot.volume.size)
        ):
            words = (
                f"Volume of size {size}GB is smaller than snapshot '{snapshot.id}', expect size >= "
                f"{snapshot.volume.size}GB"
            )
            return refusal(call, "InvalidBlockDeviceMapping", words)
    return None


def _quota(call: Call) -> Reply | None:
    """A new account may run no P instance before its quota is raised."""
    return refusal(call, "VcpuLimitExceeded") if _asked_type(call).startswith(WITHOUT_QUOTA) else None


def _reservation(call: Call) -> Reply | None:
    """A targeted capacity reservation that does not exist, or is for another type, zone or market."""
    specified = call.parameters.get("CapacityReservationSpecification") or {}
    asked = (specified.get("CapacityReservationTarget") or {}).get("CapacityReservationId")
    if asked is None:
        return None
    if not _RESERVATION_ID.fullmatch(str(asked)):
        return refusal(call, "InvalidCapacityReservationId.Malformed", f'Invalid id: "{asked}"')
    if (call.parameters.get("InstanceMarketOptions") or {}).get("MarketType") == "spot":
        words = "You can't use Spot Instances with Capacity Reservations."
        return refusal(call, "InvalidParameterCombination", words)
    found = RESERVATIONS.get(str(asked))
    if found is None:
        words = f"The capacity reservation ID '{asked}' does not exist"
        return refusal(call, "InvalidCapacityReservationId.NotFound", words)
    if _asked_type(call) == found.type and zone_of(call) in (None, call.region + found.zone_letter):
        return None
    words = "The requested reservation does not have sufficient compatible and available capacity for this "
    return refusal(call, "ReservationCapacityExceeded", f"{words}request.")


def _key(call: Call) -> Reply | None:
    name = call.parameters.get("KeyName")
    if not name or name in ec2_backend(call).key_pairs:
        return None
    return refusal(call, "InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")


def _groups(call: Call) -> Reply | None:
    """A group of another VPC than its interface's subnet; what does not exist is moto's to refuse."""
    backend = ec2_backend(call)
    for subnet_id, group_ids in _interfaces(call.parameters):
        subnet = next((zone[subnet_id] for zone in backend.subnets.values() if subnet_id in zone), None)
        for group_id in group_ids:
            group = backend.get_security_group_from_id(group_id)
            if subnet is not None and group is not None and group.vpc_id != subnet.vpc_id:
                words = f"Security group {group_id} and subnet {subnet_id} belong to different networks."
                return refusal(call, "InvalidParameter", words)
    return None


def _interfaces(parameters: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    yield str(parameters.get("SubnetId") or ""), list(parameters.get("SecurityGroupIds") or ())
    for interface in parameters.get("NetworkInterfaces") or ():
        yield str(interface.get("SubnetId") or ""), list(interface.get("Groups") or ())
