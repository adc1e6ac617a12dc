"""Rules for single values of a spec: durations, CIDRs, regions, names, tags, ports, service addresses.

Each rule is a function that returns the value to store, or raises `ValueError` with a message that continues
"KEY is VALUE, but" and says what is allowed (`Wrong`: continues the key). The module reads no file except
botocore's list of regions, and knows no key.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DAY_SECONDS = 86_400.0
MAX_DURATION_SECONDS = 365 * DAY_SECONDS
MAX_ZONES = 6
MAX_TAGS = 50
"""AWS's limit of tags on one resource (the same for EC2, EFS and IAM)."""
OUR_TAGS = 5
TAG_KEY_CHARACTERS = 128
TAG_VALUE_CHARACTERS = 256
SMALLEST_SUBNET_PREFIX = 28
"""AWS accepts IPv4 blocks from /16 to /28, for a VPC and for a subnet (CreateVpc, CreateSubnet)."""
LARGEST_VPC_PREFIX = 16
USUAL_SUBNET_PREFIX = 20
"""The largest subnet, with 4091 addresses, so that a large VPC has room for more subnets."""
PLACEHOLDERS = ("{public_ip}", "{private_ip}")

KeyPath = tuple[str | int, ...]
_UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": DAY_SECONDS}


class Wrong(ValueError):
    """Several problems under one key: for each the key path from there, and the message that follows it."""

    def __init__(self, problems: Sequence[tuple[KeyPath, str]]) -> None:
        super().__init__("; ".join(sentence for _, sentence in problems))
        self.problems = tuple(problems)


def duration(value: Any) -> float:
    """Return the seconds of a duration such as `90s`, `10m`, `72h` or `3d`."""
    match = re.fullmatch(r"([0-9]{1,20})([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a whole number with a unit, such as 90s, 10m, 72h or 3d")
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]]
    if not 0 < seconds <= MAX_DURATION_SECONDS:
        raise ValueError("must be more than 0s and at most 365d")
    return seconds


def listed(
    what: str, most: int, *, least: int = 0, key: Callable[[Any], Any] = lambda item: item
) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return the rule: from `least` to `most` items with distinct `key`s; `what` names an item."""

    def check(items: tuple[Any, ...]) -> tuple[Any, ...]:
        if not least <= len(items) <= most:
            raise Wrong([((), f"has {len(items)} entries, but must have from {least} to {most}")])
        first: dict[Any, int] = {}
        repeats: list[tuple[KeyPath, str]] = [
            ((index,), f"repeats {what} [{first[key(item)]}]; remove one of them")
            for index, item in enumerate(items)
            if first.setdefault(key(item), index) != index
        ]
        if repeats:
            raise Wrong(repeats)
        return items

    return check


def matching(pattern: str, wanted: str) -> Callable[[str], str]:
    """Return the rule: the whole text matches `pattern`; `wanted` describes it for the message."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {wanted}")
        return text

    return check


def within(least: int, most: int, unit: str = "") -> Callable[[int], int]:
    """Return the rule: a number from `least` to `most`."""

    def check(number: int) -> int:
        if not least <= number <= most:
            raise ValueError(f"must be from {least} to {most}{unit}")
        return number

    return check


@cache
def known_regions() -> frozenset[str]:
    """Return the regions that the installed botocore knows.

    Reads botocore's `data/partitions.json` without importing botocore. Empty without botocore.
    """
    package = find_spec("botocore")
    if package is None or package.origin is None:
        return frozenset()
    try:
        data = json.loads((Path(package.origin).parent / "data" / "partitions.json").read_bytes())
        names = frozenset(str(name) for partition in data["partitions"] for name in partition["regions"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()  # a moved or changed list must not stop a deployment
    return frozenset(name for name in names if not name.endswith("-global"))


def region(text: str) -> str:
    """Check a region's name; if botocore is installed, it must know the region."""
    if not re.fullmatch(r"[a-z]{2,8}(-[a-z]{2,12}){1,2}-[0-9]{1,2}", text):
        raise ValueError(f"must be the name of an AWS region{_nearest_region(text)}")
    if known_regions() and text not in known_regions():
        raise ValueError(f"must be a region that the installed botocore knows{_nearest_region(text)}")
    return text


def _nearest_region(text: str) -> str:
    nearest = difflib.get_close_matches(text, sorted(known_regions()), n=1)
    return f"; did you mean {nearest[0]}" if nearest else ", such as us-east-1"


def zones(value: Any) -> int | tuple[str, ...]:
    """Check the number of zones, or their names; not whether the region has them."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_ZONES:
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(zone, str) for zone in value):
        raise ValueError(f"must be a number from 1 to {MAX_ZONES}, or a list of zone names")
    if not 1 <= len(value) <= MAX_ZONES:
        raise ValueError(f"must list from 1 to {MAX_ZONES} zones")
    if len(set(value)) != len(value):
        raise ValueError("must not name a zone twice")
    return tuple(value)


def vpc_cidr(text: str) -> str:
    """Check an IPv4 block for a VPC."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        raise ValueError(f"must be an IPv4 network{_meant(text, ipaddress.IPv4Network)}") from None
    if not LARGEST_VPC_PREFIX <= network.prefixlen <= SMALLEST_SUBNET_PREFIX or "/" not in text:
        raise ValueError(f"must be from a /{LARGEST_VPC_PREFIX} to a /{SMALLEST_SUBNET_PREFIX}")
    if network.is_loopback or network.is_link_local or network.is_multicast or network.is_reserved:
        raise ValueError("must be addresses that hosts can use, such as 10.0.0.0/16")
    if network.subnet_of(ipaddress.IPv4Network("0.0.0.0/8")):
        raise ValueError("must be addresses that hosts can use, such as 10.0.0.0/16")
    return str(network)


def peer_cidr(text: str) -> str:
    """Check an IPv4 or IPv6 network that may reach a port; a single address becomes a network of one."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"must be an IPv4 or IPv6 network{_meant(text, ipaddress.ip_network)}") from None


def _meant(text: str, network: Callable[..., object]) -> str:
    """Suggest the network without the host bits."""
    try:
        return f"; did you mean {network(text, strict=False)}"
    except ValueError:
        return ", such as 10.0.0.0/16"


def subnet_cidrs(vpc: str, count: int) -> tuple[str, ...]:
    """Return the first `count` equal blocks of `vpc`, each as large as possible, but at most a /20.

    Raises:
        ValueError: the block has no room for `count` subnets of /28.
    """
    network = ipaddress.IPv4Network(vpc)
    prefix = max(network.prefixlen + (count - 1).bit_length(), USUAL_SUBNET_PREFIX)
    if prefix > SMALLEST_SUBNET_PREFIX:
        room = 2 ** (SMALLEST_SUBNET_PREFIX - network.prefixlen)
        raise ValueError(
            f"has room for {room} of the smallest subnets (/{SMALLEST_SUBNET_PREFIX}), and {count} zones "
            f"need {count}; use a larger network"
        )
    size = 2 ** (32 - prefix)
    return tuple(str(ipaddress.IPv4Network((int(network[0]) + n * size, prefix))) for n in range(count))


def ports(value: Any) -> tuple[int, int]:
    """Return the first and last port of `443` or `8000-8010`."""
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", str(value))
    if match is None or isinstance(value, bool):
        raise ValueError("must be a port such as 443, or a range such as 8000-8010")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= 65_535:
        raise ValueError("must be a port from 1 to 65535, or a range such as 8000-8010")
    return first, last


def tags(value: dict[str, Any]) -> dict[str, Any]:
    """Check that EC2, EFS and IAM all accept the tags, beside those of tier1."""
    most = MAX_TAGS - OUR_TAGS
    if len(value) > most:
        sentence = (
            f"has {len(value)} tags, but may have {most}: AWS allows {MAX_TAGS}, and {OUR_TAGS} are tier1's"
        )
        raise Wrong([((), sentence)])
    wrong: list[tuple[KeyPath, str]] = [
        ((key,), problem) for key, item in value.items() if (problem := _tag_problem(key, item, value))
    ]
    if wrong:
        raise Wrong(wrong)
    return value


def _tag_problem(key: str, value: Any, others: Mapping[str, Any]) -> str | None:
    """Return the problem of one tag, as a message that continues the key."""
    if not isinstance(value, str):
        return "must be text; put the value in quotes"
    low = key.lower()
    checks = (
        (0 < len(key) <= TAG_KEY_CHARACTERS, f"must have a key of 1 to {TAG_KEY_CHARACTERS} characters"),
        (
            len(value) <= TAG_VALUE_CHARACTERS,
            f"has {len(value)} characters, but may have at most {TAG_VALUE_CHARACTERS}",
        ),
        (
            not low.startswith(("aws:", "tier1:")),
            "begins with aws: or tier1:, which are reserved; use another key",
        ),
        (low != "name", "is a tag that tier1 sets itself; use another key"),
        # IAM does not distinguish such keys (IAM user guide, "Tags for IAM resources").
        (
            [other.lower() for other in others].count(low) == 1,
            "differs from another key only in case; remove one",
        ),
        # The pattern of TagKey in the API models of EFS and IAM; EC2 accepts more.
        (all(map(_taggable, key + value)), "may have only letters, digits, spaces and _ . : / = + - @"),
    )
    return next((sentence for holds, sentence in checks if not holds), None)


def _taggable(character: str) -> bool:
    return character in "_.:/=+-@" or unicodedata.category(character)[0] in "LNZ"


def mount_path(text: str) -> str:
    """Check a mount path: a normalised absolute path that hides no system directory."""
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", text) or len(text) > 255:
        raise ValueError("must be an absolute path such as /mnt/efs, of letters, digits and . _ - only")
    top = text.split("/")[1]
    if top in ("dev", "proc", "sys", "run") or (text.count("/") == 1 and top in _SYSTEM_FOLDERS):
        raise ValueError("must be a directory that the system does not use, such as /mnt/efs")
    return text


_SYSTEM_FOLDERS = frozenset(
    ("bin", "boot", "etc", "home", "lib", "lib64", "opt", "root", "sbin", "tmp", "usr", "var")
)


def url_template(text: str) -> str:
    """Check an http or https URL whose only placeholders are `{public_ip}` and `{private_ip}`."""
    _only_placeholders(text)
    try:
        parts = urlsplit(_filled(text))
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("must be an http or https URL, such as http://{public_ip}:8080/healthz")
    return text


def tcp_template(text: str) -> str:
    """Check a `host:port`, where the host may be a placeholder."""
    _only_placeholders(text)
    host, _, port = _filled(text).rpartition(":")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9a-fA-F:]+\]", host):
        raise ValueError("must be host:port, such as {private_ip}:5432")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65_535:
        raise ValueError("must be host:port with a port from 1 to 65535, such as {private_ip}:5432")
    return text


def _only_placeholders(text: str) -> None:
    if re.search(r"[{}]|[^!-~]", _filled(text)):
        raise ValueError(
            "may hold only printable ASCII without spaces, and {public_ip} or {private_ip} in braces"
        )


def _filled(text: str) -> str:
    for placeholder in PLACEHOLDERS:
        text = text.replace(placeholder, "192.0.2.1")
    return text
