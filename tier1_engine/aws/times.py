"""Converts times in AWS replies to ISO 8601 in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_8601(moment: object) -> str | None:
    """Return a time from a reply as text that sorts by time, or None if the reply has none."""
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat()
    return str(moment) if moment else None
