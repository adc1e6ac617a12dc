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
