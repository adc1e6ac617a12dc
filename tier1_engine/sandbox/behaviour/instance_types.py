"""DescribeInstanceTypes shows the types that the region offers, and no others.

Source: DescribeInstanceTypes of the EC2 API reference: "Describes the specified instance types ... in the
current Region"; moto shows every type in every region. Regions whose offers moto does not know show all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.ec2.exceptions import InvalidInstanceTypeError
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, InstanceTypeBackend

from tier1_engine.sandbox.behaviour.patching import around


def install() -> None:
    """Restrict the types to those of the region."""

    @around(InstanceTypeBackend, "describe_instance_types")
    def describe_instance_types(
        before: Callable[..., list[Any]], backend: Any, *given: Any, **named: Any
    ) -> Any:
        found = before(backend, *given, **named)
        offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(backend.region_name)
        if not offers:
            return found
        offered = {one["InstanceType"] for one in offers}
        asked = named.get("instance_types") or (given[0] if given else None)
        elsewhere = {one["InstanceType"] for one in found} - offered
        if asked and elsewhere:
            raise InvalidInstanceTypeError(elsewhere, error_type="InvalidInstanceType")
        return [one for one in found if one["InstanceType"] in offered]
