"""Lookups into moto: the backends of a call, and the zone of a subnet.

Owns the few lookups that several behaviours share. It changes nothing.
"""

from __future__ import annotations

from typing import Any

from tier1_engine.sandbox.wire.call import Call


def ec2_backend(call: Call) -> Any:
    """moto's EC2 backend for the call's account and region."""
    from moto.ec2.models import ec2_backends

    return ec2_backends[call.account_id][call.region]


def efs_backend(call: Call) -> Any:
    """moto's EFS backend for the call's account and region."""
    from moto.efs.models import efs_backends

    return efs_backends[call.account_id][call.region]


def iam_backend(call: Call) -> Any:
    """moto's IAM backend for the call's account."""
    from moto.iam.models import iam_backends
    from moto.utilities.utils import get_partition

    return iam_backends[call.account_id][get_partition(call.region)]


def s3_backend(call: Call) -> Any:
    """moto's S3 backend for the call's account."""
    from moto.s3.models import s3_backends
    from moto.utilities.utils import get_partition

    return s3_backends[call.account_id][get_partition(call.region)]


def zone_of(call: Call) -> str | None:
    """The availability zone that a call names, directly or by a subnet; None for none."""
    placement = call.parameters.get("Placement")
    named = placement.get("AvailabilityZone") if isinstance(placement, dict) else None
    named = named or call.parameters.get("AvailabilityZone")
    if isinstance(named, str):
        return named
    subnet_id = _subnet_id(call)
    if subnet_id is None:
        return None
    zones = ec2_backend(call).subnets
    return next((str(zone) for zone, subnets in zones.items() if subnet_id in subnets), None)


def _subnet_id(call: Call) -> str | None:
    interfaces = call.parameters.get("NetworkInterfaces")
    first = interfaces[0] if isinstance(interfaces, list) and interfaces else {}
    found = call.parameters.get("SubnetId") or (first.get("SubnetId") if isinstance(first, dict) else None)
    return found if isinstance(found, str) else None
