"""Which images DescribeImages shows by id: not those that are deregistered or that the account may not use.

Source: DescribeImages of the EC2 API reference: "If you specify an AMI for which you do not have access, it
is not included in the returned results", while an id that does not exist is an error. With `--any-ami` every
unknown id is shown as a Linux image whose architecture and boot mode are not known.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import AmiBackend

from tier1_engine.sandbox.behaviour.patching import around
from tier1_engine.sandbox.catalogue import IMAGES, STAND_IN, not_found
from tier1_engine.sandbox.world import World


def install(world: World) -> None:
    """Apply the catalogue, and `world.any_ami`, to DescribeImages."""

    @around(AmiBackend, "describe_images")
    def describe_images(
        before: Callable[..., list[Any]],
        backend: Any,
        ami_ids: Sequence[str] | None = None,
        *given: Any,
        **named: Any,
    ) -> list[Any]:
        if not ami_ids:
            return before(backend, ami_ids, *given, **named)
        known = [one for one in ami_ids if one in backend.amis or one in backend.deleted_amis]
        unknown = [one for one in ami_ids if one not in known and one not in IMAGES]
        if unknown and not world.any_ami:
            raise EC2ClientError("InvalidAMIID.NotFound", not_found(unknown[0]))
        shown = before(backend, known, *given, **named) if known else []
        return [*shown, *(_stand_in(backend, one) for one in unknown)]


def _stand_in(backend: Any, image_id: str) -> Any:
    image = copy.copy(backend.amis[STAND_IN])
    image.id, image.name = image_id, f"stand-in-for-{image_id}"
    image.description = "The local AWS does not know this image, and shows a stand-in (--any-ami)"
    image.architecture = image.boot_mode = None
    return image
