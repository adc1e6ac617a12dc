"""Reads times in AWS replies: as ISO 8601 in UTC, and compared with the clock of this host."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SKEW_SECONDS = 240.0
"""Less than AWS tolerates, so that no refusal for the clock is missed."""


def iso_8601(moment: object) -> str | None:
    """Return a time from a reply as text that sorts by time, or None if the reply has none."""
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat()
    return str(moment) if moment else None


def clock_skew(headers: Mapping[str, str]) -> str:
    """Say how wrong the clock of this host is, by the `Date` of a reply; empty if it is right.

    AWS refuses what was signed more than five minutes ago (IAM user guide, "Signing AWS API requests").
    """
    try:
        theirs = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError, TypeError):
        return ""
    ahead_seconds = time.time() - theirs.timestamp()
    if abs(ahead_seconds) < SKEW_SECONDS:
        return ""
    side = "ahead of" if ahead_seconds > 0 else "behind"
    return f"the clock of this host is {abs(ahead_seconds) / 60:.0f} minutes {side} AWS's"
