"""The expiry warnings of `list`: which deployments a sweep will delete, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from tier1_engine.cli.screen.render.base import elapsed
from tier1_engine.deployment.states import ENDED

WARNED_BEFORE = timedelta(hours=24)
"""How long before its expiry a deployment is named in a warning."""
MAX_NAMED = 5


def expiries(deployments: Sequence[Mapping[str, Any]], now: datetime) -> list[Text]:
    """Return a line per deployment that has expired or soon will; if none, one for the next to expire."""
    ends = sorted(
        (datetime.fromisoformat(d["expires_at"]), d["name"], d["id"])
        for d in deployments
        if d["expires_at"] and d["state"] not in ENDED
    )
    near = [one for one in ends if one[0] - now <= WARNED_BEFORE]
    lines = [_warning(end, name, id, now) for end, name, id in near[:MAX_NAMED]]
    if len(near) > MAX_NAMED:
        lines.append(Text(f"and {len(near) - MAX_NAMED} more expire within a day", style="yellow"))
    if ends and not near:
        end, name, id = ends[0]
        left = elapsed((end - now).total_seconds())
        lines.append(Text(f"next to expire: {name} ({id}), in {left}", style="dim"))
    return lines


def _warning(end: datetime, name: str, id: str, now: datetime) -> Text:
    seconds = (end - now).total_seconds()
    when = f"expires in {elapsed(seconds)}" if seconds > 0 else f"expired {elapsed(-seconds)} ago"
    return Text(
        f"{name} {when}: the next sweep after that destroys it; `tier1 extend {id} 24h` postpones it",
        style="yellow",
    )
