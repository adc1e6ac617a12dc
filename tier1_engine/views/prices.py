"""What is left costs about so much: an estimate from a small table of list prices. Pure.

Owns the table and the words around it. No network: prices are those of us-east-1, Linux, on demand, without
discounts, traffic and taxes. Other regions mostly cost more. What is not in the table is said to be unknown,
never taken as free.

Where the figures come from, as they were last compared:
- instances: the list that karpenter-provider-aws generates from AWS's Price List API
  (`pkg/providers/pricing/zz_generated.pricing_aws.go`, commit 265ee0ba, generated on 9 February 2026). In the
  families of `LARGE_HOUR` it is in proportion to the size, but for the rounding of AWS's fifth decimal;
- EFS: $0.30 on a stored copy of https://aws.amazon.com/efs/pricing/, and the same in guides of 2026;
- gp3 and the public address: not verified on AWS's own pages, which could not be read when this was written;
  several guides of 2024 to 2026 name the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

AS_OF = "February 2026"
CAVEAT = f"estimate from us-east-1 list prices, {AS_OF}; other regions differ"
HOURS_A_MONTH = 730.0
"""AWS's own figure in its price examples."""

GP3_GIB_MONTH = 0.08
PUBLIC_IPV4_HOUR = 0.005
EFS_GB_MONTH = 0.30
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
"""An hour of the size `large`; within these families the price is in proportion to the size."""

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
FREE_KINDS = frozenset(
    {
        "vpc",
        "subnet",
        "internet_gateway",
        "route_table",
        "security_group",
        "role",
        "instance_profile",
        "mount_target",
    }
)
_MULTIPLE = re.compile(r"(\d+)xlarge")


class Priced(Protocol):
    """What is asked of a resource to estimate it; a row of the record is one."""

    @property
    def kind(self) -> str: ...
    @property
    def request(self) -> Mapping[str, Any]: ...
    @property
    def candidate(self) -> int: ...
    @property
    def ended(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Price:
    """What one thing costs while it stands.

    Attributes:
        hourly: US dollars an hour; None where the table does not know.
        about: what it is made of, or why there is no figure.
    """

    hourly: float | None
    about: str = ""

    @property
    def words(self) -> str:
        """`$0.0466/h, $34.02/month (t3.medium, ...)`, `no charge`, or why there is no figure."""
        if not self.hourly:
            return self.about or "no charge"
        return f"${self.hourly:.4f}/h, ${self.hourly * HOURS_A_MONTH:.2f}/month ({self.about})"


def of_resource(resource: Priced) -> Price:
    """The estimate for one resource."""
    if resource.kind in FREE_KINDS:
        return Price(0.0)
    if resource.ended:
        return Price(0.0, "no charge: terminated")
    if resource.kind == "file_system":
        return Price(0.0, f"${EFS_GB_MONTH:.2f} per GB-month stored")
    if resource.kind == "instance":
        return _of_instance(resource.request, resource.candidate)
    return Price(None, "price unknown")


def monthly(kind: str, resource: Priced | None) -> float | None:
    """US dollars a month of one thing; None where nobody knows, as of what is billed by its contents.

    Args:
        resource: its row; without one only what costs nothing is known.
    """
    if resource is None:
        return 0.0 if kind in FREE_KINDS else None
    price = of_resource(resource)
    if price.hourly is None or (price.about and not price.hourly):
        return None
    return round(price.hourly * HOURS_A_MONTH, 2)


def hourly(resources: Iterable[Priced]) -> float:
    """US dollars an hour for all that the table knows."""
    return sum(of_resource(resource).hourly or 0.0 for resource in resources)


def briefly(dollars_an_hour: float) -> str:
    """`~$0.05/h`; empty where it would say nothing."""
    return f"~${dollars_an_hour:.2f}/h" if dollars_an_hour >= 0.005 else ""


def in_sum(resources: Iterable[Priced]) -> str:
    """`about $0.05/h, $34/month`; says so when some has no figure, and when nothing costs by the hour."""
    prices = [of_resource(resource) for resource in resources]
    known = sum(price.hourly or 0.0 for price in prices)
    words = f"about ${known:.2f}/h, ${known * HOURS_A_MONTH:.0f}/month" if known else "no hourly charge"
    unknown = sum(price.hourly is None for price in prices)
    return f"{words}, and {unknown} of unknown price" if unknown else words


def of_type(instance_type: str) -> float | None:
    """US dollars an hour of an instance type; None where the table does not know it."""
    if instance_type in ACCELERATED_HOUR:
        return ACCELERATED_HOUR[instance_type]
    family, _, size = instance_type.partition(".")
    multiple = _MULTIPLE.fullmatch(size)
    share = 2.0 * int(multiple[1]) if multiple else OF_LARGE.get(size)
    large = LARGE_HOUR.get(family)
    return None if large is None or share is None else large * share


def _of_instance(request: Mapping[str, Any], candidate: int) -> Price:
    """The machine, its volumes, and its public address."""
    candidates = request.get("candidates") or [{}]
    wanted: Mapping[str, Any] = candidates[min(candidate, len(candidates) - 1)]
    instance_type = str(wanted.get("type", ""))
    machine = of_type(instance_type)
    if machine is None:
        return Price(None, f"the price of {instance_type or 'its type'} is unknown")
    gib = int(request.get("root_volume_gib") or DEFAULT_ROOT_GIB)
    parts = [f"{instance_type}{', at most, because it is spot' if wanted.get('market') == 'spot' else ''}"]
    parts.append(f"{gib} GiB gp3")
    address = PUBLIC_IPV4_HOUR if request.get("associate_public_ip") else 0.0
    if address:
        parts.append("public IPv4")
    return Price(machine + gib * GP3_GIB_MONTH / HOURS_A_MONTH + address, ", ".join(parts))
