"""The place of a deployment: the account, region, profile and endpoint that every later command uses."""

from __future__ import annotations

from dataclasses import dataclass


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
