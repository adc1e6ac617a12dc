"""The images and capacity reservations of the local AWS, the same in every region: for rehearsals. Pure data.

Owns their ids and properties. moto's own images are there, too: those of Amazon Linux, which its public
parameters name. The instance types are moto's, which are AWS's own descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Access(StrEnum):
    """What the account may do with an image."""

    PUBLIC = "public"
    DISABLED = "disabled"
    DEREGISTERED = "deregistered"
    NOT_SHARED = "not shared"

    @property
    def shown(self) -> bool:
        """Whether DescribeImages includes it when it is asked for by id."""
        return self in (Access.PUBLIC, Access.DISABLED)


@dataclass(frozen=True, slots=True)
class CatalogueImage:
    """One image.

    Attributes:
        about: what it is for, in a few words.
        root_gib: the size of the snapshot of its root device.
        boot_mode: `legacy-bios`, `uefi` or `uefi-preferred`.
    """

    about: str
    architecture: str = "x86_64"
    root_gib: int = 8
    ena: bool = True
    boot_mode: str = "uefi-preferred"
    access: Access = Access.PUBLIC


IMAGES: Final[Mapping[str, CatalogueImage]] = {
    "ami-0a1b2c3d4e5f60001": CatalogueImage("Linux for x86_64"),
    "ami-0a1b2c3d4e5f60002": CatalogueImage("Linux for arm64", "arm64", boot_mode="uefi"),
    "ami-0a1b2c3d4e5f60003": CatalogueImage("Linux without ENA", ena=False, boot_mode="legacy-bios"),
    "ami-0a1b2c3d4e5f60004": CatalogueImage("boots by UEFI only", boot_mode="uefi"),
    "ami-0a1b2c3d4e5f60005": CatalogueImage("boots by BIOS only", boot_mode="legacy-bios"),
    "ami-0a1b2c3d4e5f60006": CatalogueImage("with a large root snapshot", root_gib=100),
    "ami-0a1b2c3d4e5f60007": CatalogueImage("disabled by its owner", access=Access.DISABLED),
    "ami-0a1b2c3d4e5f60008": CatalogueImage("deregistered", access=Access.DEREGISTERED),
    "ami-0a1b2c3d4e5f60009": CatalogueImage("of another account, not shared", access=Access.NOT_SHARED),
}


@dataclass(frozen=True, slots=True)
class CapacityReservation:
    """One capacity reservation of the account; it is never used up.

    Attributes:
        zone_letter: its zone in every region.
    """

    type: str
    zone_letter: str


RESERVATIONS: Final[Mapping[str, CapacityReservation]] = {
    "cr-0a1b2c3d4e5f60001": CapacityReservation("t3.medium", "a"),
}
STAND_IN: Final = "ami-0a1b2c3d4e5f60001"
"""What an unknown image is shown as with `--any-ami`, without its architecture and boot mode."""


def not_found(image_id: str) -> str:
    """AWS's message for an id that does not exist, and what only the local AWS can add."""
    return (
        f"The image id '[{image_id}]' does not exist (the local AWS knows only its catalogue; started with "
        "--any-ami it accepts every id)"
    )
