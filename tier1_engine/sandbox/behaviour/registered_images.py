"""An image that is registered, copied or created has the properties that the call or its source gives it.

Source: RegisterImage, CopyImage and CreateImage of the EC2 API reference, with their defaults (`i386`,
`paravirtual`, no ENA, no boot mode). moto keeps none of them, and one's own image could not be rehearsed.
"""

from __future__ import annotations

import re
from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import ec2_backend
from tier1_engine.sandbox.wire.replies import Reply

_IMAGE_ID: Final = re.compile(rb"<imageId>([^<]+)</imageId>")
_INHERITED: Final = (
    "architecture",
    "boot_mode",
    "ena_support",
    "hypervisor",
    "platform",
    "platform_details",
    "root_device_name",
    "root_device_type",
    "usage_operation",
    "virtualization_type",
)
_ROOT_GIB: Final = 8


class RegisteredImages(CallBehaviour):
    """Completes an image after moto has made it."""

    def after(self, call: Call, reply: Reply) -> Reply:
        if call.service != "ec2" or not reply.ok:
            return reply
        images = ec2_backend(call).amis
        found = _IMAGE_ID.search(reply.body) if call.operation in _SOURCES else None
        image = images.get(found[1].decode()) if found else None
        if image is not None and call.operation == "RegisterImage":
            _register(image, call)
        elif image is not None and (source := _SOURCES[call.operation](call)) is not None:
            for name in _INHERITED:
                if hasattr(source, name):
                    setattr(image, name, getattr(source, name))
            image.ebs_snapshot.volume.size = source.ebs_snapshot.volume.size
        return reply


def _register(image: Any, call: Call) -> None:
    given = call.parameters
    image.architecture = given.get("Architecture", "i386")
    image.virtualization_type = given.get("VirtualizationType", "paravirtual")
    image.boot_mode = given.get("BootMode")
    image.root_device_type = "ebs"
    image.root_device_name = given.get("RootDeviceName", "/dev/sda1")
    image.platform_details, image.usage_operation = "Linux/UNIX", "RunInstances"
    if given.get("EnaSupport"):
        image.ena_support = True
    devices = {one.get("DeviceName"): one.get("Ebs") or {} for one in given.get("BlockDeviceMappings") or ()}
    image.ebs_snapshot.volume.size = int(
        devices.get(image.root_device_name, {}).get("VolumeSize") or _ROOT_GIB
    )


def _copied(call: Call) -> Any:
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[call.account_id][str(call.parameters.get("SourceRegion") or call.region)]
    return backend.amis.get(str(call.parameters.get("SourceImageId")))


def _running(call: Call) -> Any:
    backend = ec2_backend(call)
    wanted = call.parameters.get("InstanceId")
    for reservation in backend.reservations.values():
        for instance in reservation.instances:
            if instance.id == wanted:
                return backend.amis.get(instance.image_id)
    return None


_SOURCES: Final = {"RegisterImage": lambda _: None, "CopyImage": _copied, "CreateImage": _running}
