"""The launch request of an instance: AMI, candidates and user data, and the call's parameters.

Owns the conversion of a step's inputs into the request that the database stores, and of that request into the
parameters of `RunInstances`. It only reads; the kind makes the call.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.words import tag_specifications
from tier1_engine.boot import userdata
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Target
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import is_unsupported

SSM_PREFIX = "ssm:"
DEFAULT_AMI = "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
"""Amazon Linux 2023 (its user guide, "Launching with the SSM parameter")."""
DEFAULT_ROOT_DEVICE = "/dev/xvda"
X86_64, ARM64 = "x86_64", "arm64"

SPOT, ON_DEMAND = "spot", "on-demand"
MARKETS: Mapping[str, tuple[str, ...]] = {
    SPOT: (SPOT,),
    ON_DEMAND: (ON_DEMAND,),
    "spot-then-on-demand": (SPOT, ON_DEMAND),
}
METADATA_HOPS = 2
"""Two hops let containers on the instance reach the metadata service, which requires tokens."""

# After the family's letters and its generation, a leading `g` means Graviton: m7g, c7gn, is4gen.
_GRAVITON = re.compile(r"^(a1|[a-z]+\d+g[a-z]*)\.")
_AMI_UNKNOWN = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"})


def architecture_of(instance_type: str) -> str:
    """The architecture of an instance type, by its name (EC2 user guide, "Naming conventions")."""
    return ARM64 if _GRAVITON.match(instance_type) else X86_64


def resolve(cloud: Cloud, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a step's inputs into the request, which is stored and sent unchanged on every attempt.

    Raises:
        CallError: AWS did not name the AMI.
    """
    return {
        "images": _images(cloud, inputs.get("ami"), inputs["types"]),
        "candidates": _candidates(inputs),
        "security_group_ids": list(inputs["security_group_ids"]),
        "profile_name": inputs.get("profile_name"),
        "key_name": inputs.get("key_name"),
        "root_volume_gib": int(inputs["root_volume_gib"]),
        **{name: inputs[name] for name in ("kms_key_id", "capacity_reservation_id") if inputs.get(name)},
        "associate_public_ip": bool(inputs.get("associate_public_ip")),
        **_user_data(cloud, inputs),
    }


def without(inputs: Mapping[str, Any], missing: Mapping[str, Any]) -> tuple[dict[str, Any], str] | None:
    """The inputs without the zone of a missing mount target; None if the user named the zone, or if no zone
    with a mount target is left.
    """
    settings, zone = inputs.get("user_data") or {}, missing.get("zone")
    addresses = {name: at for name, at in (settings.get("mount_targets") or {}).items() if name != zone}
    subnets = [one for one in inputs["subnets"] if one["zone"] != zone]
    if not missing.get("zone_chosen") or not addresses or not subnets:
        return None
    names = ", ".join(dict.fromkeys(str(one["zone"]) for one in subnets))
    reduced = {**inputs, "subnets": subnets, "user_data": {**settings, "mount_targets": addresses}}
    return reduced, f"the instance could only be launched in {names}"


def _user_data(cloud: Cloud, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The user data as it is sent: text, or base64 of what is compressed because it is long."""
    settings = inputs.get("user_data")
    if not settings:
        return {"user_data": ""}
    iam = bool(settings.get("iam") and inputs.get("profile_name"))
    sent = userdata.packed(region=cloud.region, **{**settings, "iam": iam})
    if userdata.is_compressed(sent):
        return {"user_data": base64.b64encode(sent).decode(), "user_data_compressed": True}
    return {"user_data": sent.decode()}


def candidate_of(request: Mapping[str, Any], number: int) -> Mapping[str, str]:
    """A candidate of a stored request; empty when the row has none."""
    candidates = request.get("candidates") or [{}]
    found: Mapping[str, str] = candidates[min(number, len(candidates) - 1)]
    return found


def fields(request: Mapping[str, Any], number: int) -> dict[str, str]:
    """The fields that remedies may use: those of the candidate, and its AMI."""
    candidate = candidate_of(request, number)
    found = {name: str(candidate.get(name) or "") for name in ("type", "zone", "subnet_id", "market")}
    images = request.get("images") or {}
    image = images.get(architecture_of(found["type"])) or (next(iter(images.values())) if images else {})
    found["ami"] = str(image.get("id") or "")
    return {name: value for name, value in found.items() if value}


def _candidates(inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """The candidates in order: market by market, type by type, zone by zone."""
    return [
        {"type": instance_type, "zone": subnet["zone"], "subnet_id": subnet["id"], "market": market}
        for market in MARKETS[inputs.get("market") or ON_DEMAND]
        for instance_type in inputs["types"]
        for subnet in inputs["subnets"]
    ]


def _images(cloud: Cloud, ami: str | None, types: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The image for each architecture among the types: the given AMI, else Amazon Linux."""
    images: dict[str, dict[str, Any]] = {}
    known: dict[str, dict[str, Any]] = {}
    for type in types:
        wanted = wanted_image(ami, type)
        if wanted not in known:
            known[wanted] = _image(cloud, image_id(cloud, ami, type))
        images[architecture_of(type)] = known[wanted]
    return images


def wanted_image(ami: str | None, instance_type: str) -> str:
    """The AMI of the spec, or the public parameter of the default one for this type."""
    return ami or DEFAULT_AMI.format(architecture=architecture_of(instance_type))


def image_id(cloud: Cloud, ami: str | None, instance_type: str) -> str:
    """The id of the AMI that a type is launched from.

    Raises:
        CallError: AWS did not name it.
    """
    ami = wanted_image(ami, instance_type)
    if not ami.startswith(SSM_PREFIX):
        return ami
    parameter = ami.removeprefix(SSM_PREFIX)
    value = (cloud.read("ssm", "get_parameter", Name=parameter).get("Parameter") or {}).get("Value")
    if not value:
        raise CallError("UnreadableReply", f"{parameter} has no value", operation="GetParameter")
    return str(value)


def _image(cloud: Cloud, image_id: str) -> dict[str, Any]:
    """An image with its devices.

    An image that the endpoint does not describe gets the usual root device; `RunInstances` decides whether it
    exists.
    """
    try:
        found = cloud.read("ec2", "describe_images", ImageIds=[image_id]).get("Images") or []
    except CallError as error:
        if error.code not in _AMI_UNKNOWN and not is_unsupported(error):
            raise
        found = []
    image: Mapping[str, Any] = next((one for one in found if one.get("ImageId") == image_id), {})
    root, volumes = _root_device(image), _volumes_of(image)
    return {
        "id": image_id,
        "root_device": root,
        "root_gib": root_gib(image),
        "other_volumes": [
            {"device": device, "gib": ebs.get("VolumeSize"), "snapshot_id": ebs.get("SnapshotId")}
            for device, ebs in volumes.items()
            if device != root
        ],
    }


def root_gib(image: Mapping[str, Any]) -> int:
    """The size of the root device of an image as AWS describes it; 0 when it does not say."""
    return int(_volumes_of(image).get(_root_device(image), {}).get("VolumeSize") or 0)


def _root_device(image: Mapping[str, Any]) -> str:
    return str(image.get("RootDeviceName") or DEFAULT_ROOT_DEVICE)


def _volumes_of(image: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        str(mapping["DeviceName"]): mapping["Ebs"]
        for mapping in image.get("BlockDeviceMappings") or ()
        if mapping.get("DeviceName") and mapping.get("Ebs")
    }


def run_parameters(target: Target) -> dict[str, Any]:
    """The parameters of `RunInstances` for the target's candidate; the idempotency key is the
    client token.
    """
    request = target.request
    candidate = request["candidates"][target.candidate]
    image = request["images"][architecture_of(candidate["type"])]
    spot = candidate["market"] == SPOT
    tagged = ["instance", "volume", "network-interface", *(["spot-instances-request"] if spot else [])]
    parameters: dict[str, Any] = {
        "ClientToken": target.key,
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": image["id"],
        "InstanceType": candidate["type"],
        "TagSpecifications": tag_specifications(target.tags, *tagged),
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": METADATA_HOPS,
        },
        "BlockDeviceMappings": _volumes(image, request["root_volume_gib"], request.get("kms_key_id")),
        "NetworkInterfaces": [_interface(request, candidate)],
    }
    if spot:
        # A one-time request is closed when its instance is terminated; only a persistent one would open again
        # and launch another (EC2 user guide, "Spot Instance request states"). No API changes its type.
        once = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        parameters["InstanceMarketOptions"] = {"MarketType": SPOT, "SpotOptions": once}
    if request.get("profile_name"):
        parameters["IamInstanceProfile"] = {"Name": request["profile_name"]}
    if request.get("capacity_reservation_id"):
        reserved = {"CapacityReservationId": request["capacity_reservation_id"]}
        parameters["CapacityReservationSpecification"] = {"CapacityReservationTarget": reserved}
    if request.get("key_name"):
        parameters["KeyName"] = request["key_name"]
    if request.get("user_data"):
        # botocore encodes it as base64 (its handler `base64_encode_user_data`).
        text = request["user_data"]
        parameters["UserData"] = base64.b64decode(text) if request.get("user_data_compressed") else text
    return parameters


def devices(request: Mapping[str, Any], candidate: int) -> frozenset[str]:
    """Return the device names of the volumes that the launch asks for; empty for an incomplete request."""
    if not request.get("images"):
        return frozenset()
    image = request["images"][architecture_of(request["candidates"][candidate]["type"])]
    volumes = _volumes(image, request["root_volume_gib"])
    return frozenset(str(volume["DeviceName"]) for volume in volumes)


def _interface(request: Mapping[str, Any], candidate: Mapping[str, str]) -> dict[str, Any]:
    interface: dict[str, Any] = {
        "DeviceIndex": 0,
        "SubnetId": candidate["subnet_id"],
        "Groups": list(request["security_group_ids"]),
        "DeleteOnTermination": True,
    }
    if request.get("associate_public_ip"):
        interface["AssociatePublicIpAddress"] = True
    return interface


def _volumes(
    image: Mapping[str, Any], root_volume_gib: int, kms_key_id: str | None = None
) -> list[dict[str, Any]]:
    """Every volume of the image, encrypted and deleted with the instance; the root has the requested size.

    AWS refuses a root smaller than its snapshot, so a larger image size wins.
    """
    root = {
        "VolumeSize": max(root_volume_gib, image["root_gib"]),
        "VolumeType": "gp3",
        "Encrypted": True,
        "DeleteOnTermination": True,
    }
    mappings: list[dict[str, Any]] = [{"DeviceName": image["root_device"], "Ebs": root}]
    for volume in image["other_volumes"]:
        ebs: dict[str, Any] = {"Encrypted": True, "DeleteOnTermination": True}
        if volume.get("gib"):
            ebs["VolumeSize"] = volume["gib"]
        if volume.get("snapshot_id"):
            ebs["SnapshotId"] = volume["snapshot_id"]
        mappings.append({"DeviceName": volume["device"], "Ebs": ebs})
    if kms_key_id:
        for mapping in mappings:
            mapping["Ebs"]["KmsKeyId"] = kms_key_id
    return mappings
