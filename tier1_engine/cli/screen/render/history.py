"""Renders `log`: one line per attempt and per event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from tier1_engine.cli.screen.render.base import QUIET, drawn, who
from tier1_engine.cli.screen.streams import clean


def logged(entry: Mapping[str, Any], last_actor: Mapping[str, Any] | None = None) -> str:
    """Render one entry.

    Args:
        last_actor: who ran the command of the entry before. Each request names who made it; the lines of
            the run that follows name somebody only if it is another.
    """
    if entry["type"] == "attempt":
        return drawn(_attempt(entry))
    line, actor = _event(entry), entry["actor"]
    if actor and (actor != last_actor or not (entry["trigger"] or entry["step"])):
        line.append(f" (by {who(actor)})", style=QUIET)
    return drawn(line)


def _attempt(attempt: Mapping[str, Any]) -> Text:
    line = Text.assemble((_clock(attempt["begun_at"]), QUIET), "  ")
    line.append(f"{attempt['step']}: {attempt['action']} ", style="")
    outcome = _outcome(attempt)
    line.append(outcome, style={"done": "green", "refused": "red"}.get(outcome, "yellow"))
    if attempt["seconds"] is not None:
        line.append(f" after {attempt['seconds']:.2f} s", style=QUIET)
    if attempt["aws_id"]:
        line.append(f" {attempt['aws_id']}")
    if words := [word for name in ("operation", "code", "message") if (word := attempt[name])]:
        line.append(" " + clean(": ".join(words)))
    if attempt["request_id"]:
        line.append(f" (request {attempt['request_id']})", style=QUIET)
    if attempt["key"]:
        line.append(f" [{attempt['key']}]", style=QUIET)
    return line


def _outcome(attempt: Mapping[str, Any]) -> str:
    if attempt["outcome"] is None:
        return "in progress, or interrupted"
    return "interrupted" if attempt["code"] == "Cut" else str(attempt["outcome"])


def _event(event: Mapping[str, Any]) -> Text:
    line = Text.assemble((_clock(event["at"]), QUIET), "  ")
    if event["to"]:
        line.append(f"{event['from']} -> {event['to']}", style="bold")
        if event["message"]:
            line.append(f" ({clean(event['message'])})")
        return line
    said = f"{event['step']}: {event['message']}" if event["step"] else event["message"]
    return line.append(clean(said))


def _clock(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
