"""Where a deployment lives: the account, region, profile and endpoint that every later command uses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deployment lives; remembered, so that every later command talks to the same AWS."""

    account_id: str
    region: str
    profile: str = ""
    endpoint: str = ""
