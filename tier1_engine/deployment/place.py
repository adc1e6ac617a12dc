"""The place of a deployment: the account, region, profile and endpoint that every later command uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LOCAL = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?$")


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a deployment, recorded so that every later command uses the same AWS."""

    account_id: str
    region: str
    profile: str = ""
    endpoint: str = ""


_HOMES = {"cn-": "cn-north-1", "us-gov-": "us-gov-west-1"}
_NOT_OPTIONAL = ("us-iso", "eu-iso", "eusc-")


def home_of(region: str) -> str:
    """Return the region of the same partition that every account has, or itself if that is unknown.

    Source: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
    """
    if region.startswith(_NOT_OPTIONAL):
        return region
    return next((home for prefix, home in _HOMES.items() if region.startswith(prefix)), "us-east-1")


def is_local(endpoint: str, profile: str) -> bool:
    """Whether this is a local AWS, which accepts any keys."""
    return bool(_LOCAL.match(endpoint)) and not profile
