"""What an instance costs while it exists: the machine, its volumes and its public address. Pure.

Owns the table of list prices: us-east-1, Linux, on demand. Sources, last compared in February 2026:
- instances: the list that karpenter-provider-aws generates from AWS's Price List API
  (`pkg/providers/pricing/zz_generated.pricing_aws.go`, commit 265ee0ba, generated on 9 February 2026). In the
  families of `LARGE_HOUR` the price is proportional to the size, apart from rounding of the fifth decimal;
- gp3, snapshots and the public address: not verified on AWS's own pages, which could not be read when this
  was written; several guides of 2024 to 2026 name the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tier1_engine.contract.price import HOURS_A_MONTH, Price
from tier1_engine.resources.instance_request import SPOT, candidate_of

GP3_GIB_MONTH = 0.08
SNAPSHOT_GIB_MONTH = 0.05
PUBLIC_IPV4_HOUR = 0.005
DEFAULT_ROOT_GIB = 8

LARGE_HOUR: Mapping[str, float] = {
    "t2": 0.0928,
    "t3": 0.0832,
    "t3a": 0.0752,
    "t4g": 0.0672,
    "m5": 0.096,
    "m5a": 0.086,
    "m6i": 0.096,
    "m6a": 0.0864,
    "m6g": 0.077,
    "m7i": 0.1008,
    "m7i-flex": 0.09576,
    "m7a": 0.11592,
    "m7g": 0.0816,
    "m8i": 0.10584,
    "m8i-flex": 0.10055,
    "m8a": 0.12172,
    "m8g": 0.08976,
    "c5": 0.085,
    "c5a": 0.077,
    "c6i": 0.085,
    "c6a": 0.0765,
    "c6g": 0.068,
    "c7i": 0.08925,
    "c7i-flex": 0.08479,
    "c7a": 0.10264,
    "c7g": 0.0725,
    "c8i": 0.09371,
    "c8i-flex": 0.08902,
    "c8a": 0.10777,
    "c8g": 0.07976,
    "r5": 0.126,
    "r5a": 0.113,
    "r6i": 0.126,
    "r6a": 0.1134,
    "r6g": 0.1008,
    "r7i": 0.1323,
    "r7a": 0.15215,
    "r7g": 0.1071,
    "r8i": 0.13892,
    "r8i-flex": 0.13197,
    "r8a": 0.15976,
    "r8g": 0.11782,
}
"""The hourly price of the size `large`; within these families the price is proportional to the size."""

OF_LARGE: Mapping[str, float] = {
    "nano": 1 / 16,
    "micro": 1 / 8,
    "small": 1 / 4,
    "medium": 1 / 2,
    "large": 1,
    "xlarge": 2,
}
ACCELERATED_HOUR: Mapping[str, float] = {
    "g4dn.xlarge": 0.526,
    "g4dn.2xlarge": 0.752,
    "g4dn.4xlarge": 1.204,
    "g4dn.8xlarge": 2.176,
    "g4dn.12xlarge": 3.912,
    "g4dn.16xlarge": 4.352,
    "g5.xlarge": 1.006,
    "g5.2xlarge": 1.212,
    "g5.4xlarge": 1.624,
    "g5.8xlarge": 2.448,
    "g5.12xlarge": 5.672,
    "g5.16xlarge": 4.096,
    "g5.24xlarge": 8.144,
    "g5.48xlarge": 16.288,
    "g6.xlarge": 0.8048,
    "g6.2xlarge": 0.9776,
    "g6.4xlarge": 1.3232,
    "g6.8xlarge": 2.0144,
    "g6.12xlarge": 4.6016,
    "g6.16xlarge": 3.3968,
    "g6.24xlarge": 6.6752,
    "g6.48xlarge": 13.3504,
    "g6e.xlarge": 1.861,
    "g6e.2xlarge": 2.24208,
    "g6e.4xlarge": 3.00424,
    "g6e.8xlarge": 4.52856,
    "g6e.12xlarge": 10.49264,
    "g6e.16xlarge": 7.57719,
    "g6e.24xlarge": 15.06559,
    "g6e.48xlarge": 30.13118,
    "p3.2xlarge": 3.06,
    "p3.8xlarge": 12.24,
    "p3.16xlarge": 24.48,
    "p4d.24xlarge": 21.957642,
    "p5.4xlarge": 6.88,
    "p5.48xlarge": 55.04,
}
_MULTIPLE = re.compile(r"(\d+)xlarge")


def of_instance(request: Mapping[str, Any], candidate: int) -> Price:
    """The price of the instance, its volumes and its public address."""
    wanted = candidate_of(request, candidate)
    instance_type = str(wanted.get("type", ""))
    machine = of_type(instance_type)
    if machine is None:
        return Price(None, f"the price of {instance_type or 'its type'} is unknown")
    gib = int(request.get("root_volume_gib") or DEFAULT_ROOT_GIB)
    parts = [f"{instance_type}{', at most, because it is spot' if wanted.get('market') == SPOT else ''}"]
    parts.append(f"{gib} GiB gp3")
    address = PUBLIC_IPV4_HOUR if request.get("associate_public_ip") else 0.0
    if address:
        parts.append("public IPv4")
    return Price(machine + gib * GP3_GIB_MONTH / HOURS_A_MONTH + address, ", ".join(parts))


def of_volume(request: Mapping[str, Any]) -> Price:
    """The price of a volume; of one that outlived its instance, by the request of the instance."""
    gib = int(request.get("gib") or request.get("root_volume_gib") or DEFAULT_ROOT_GIB)
    return Price(gib * GP3_GIB_MONTH / HOURS_A_MONTH, f"{gib} GiB gp3")


def of_type(instance_type: str) -> float | None:
    """The hourly price of an instance type in US dollars; None when the table does not have it."""
    if instance_type in ACCELERATED_HOUR:
        return ACCELERATED_HOUR[instance_type]
    family, _, size = instance_type.partition(".")
    multiple = _MULTIPLE.fullmatch(size)
    share = 2.0 * int(multiple[1]) if multiple else OF_LARGE.get(size)
    large = LARGE_HOUR.get(family)
    return None if large is None or share is None else large * share
