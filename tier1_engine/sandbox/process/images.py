"""The images of moto, completed with what AWS shows of an image, and the catalogue beside them.

Owns this patch of moto, permanent in the process as those of `region`: every local AWS has these images.
"""

from __future__ import annotations

from typing import Any

from tier1_engine.sandbox.catalogue import IMAGES, Access, CatalogueImage

WINDOWS_GIB = 30
LINUX_GIB = 8
OWNER = "137112412989"
"""Amazon's account."""


def complete_images() -> None:
    """Patch moto's loading of images; call it before anything copies what it loads."""
    from moto.ec2.models import amis
    from moto.settings import ec2_load_default_amis

    owner: Any = amis.AmiBackend
    before = owner._load_amis  # noqa: SLF001 - moto has no public access

    def load(backend: Any) -> None:
        before(backend)
        for image in backend.amis.values():
            _complete(image)
        if ec2_load_default_amis():
            for image_id, wanted in IMAGES.items():
                if wanted.access.shown:
                    backend.amis[image_id] = _made(amis.Ami, backend, image_id, wanted)

    owner._load_amis = load  # noqa: SLF001
    image_class: Any = amis.Ami
    image_class.block_device_mappings = property(_devices)


def _complete(image: Any) -> None:
    """Add what moto leaves out or makes up, as AWS describes images of this kind."""
    windows = image.platform == "windows"
    virtual = image.virtualization_type == "hvm"
    modern = "al2023" in str(image.name) or "al2027" in str(image.name)
    boot_mode = "uefi" if image.architecture == "arm64" else "uefi-preferred" if modern else "legacy-bios"
    _describe(image, WINDOWS_GIB if windows else LINUX_GIB, ena=virtual, boot_mode=boot_mode)


def _made(image_class: Any, backend: Any, image_id: str, wanted: CatalogueImage) -> Any:
    image = image_class(
        backend,
        image_id,
        name=f"tier1-catalogue-{image_id[-4:]}",
        description=f"Catalogue of the local AWS: {wanted.about}",
        owner_id=OWNER,
        owner_alias="amazon",
        public=True,
        virtualization_type="hvm",
        architecture=wanted.architecture,
        hypervisor="xen",
        root_device_type="ebs",
        root_device_name="/dev/xvda",
        state="disabled" if wanted.access is Access.DISABLED else "available",
    )
    _describe(image, wanted.root_gib, ena=wanted.ena, boot_mode=wanted.boot_mode)
    return image


def _describe(image: Any, root_gib: int, *, ena: bool, boot_mode: str) -> None:
    """AWS leaves out `EnaSupport` where it is not set, and shows the platform of every image."""
    image.ebs_snapshot.volume.size = root_gib
    image.boot_mode = boot_mode
    image.platform_details = "Windows" if image.platform == "windows" else "Linux/UNIX"
    image.usage_operation = "RunInstances:0002" if image.platform == "windows" else "RunInstances"
    if ena:
        image.ena_support = True


def _devices(image: Any) -> list[dict[str, Any]]:
    """The root device, with the size of its snapshot."""
    snapshot = image.ebs_snapshot
    root = {
        "SnapshotId": snapshot.id,
        "VolumeSize": int(snapshot.volume.size),
        "DeleteOnTermination": False,
        "VolumeType": "standard",
    }
    return [{"DeviceName": image.root_device_name, "Ebs": root}]
