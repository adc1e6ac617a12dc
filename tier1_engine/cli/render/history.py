"""What `log` prints: attempts and time line, merged in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from tier1_engine.cli.render.base import QUIET, drawn
from tier1_engine.cli.streams import clean


def logged(log: Mapping[str, Any]) -> str:
    """Attempts and time line, merged in the order of time."""
    entries = [(a["begun_at"], 1, _attempt(a)) for a in log["attempts"]]
    entries += [(e["at"], 0, _event(e)) for e in log["events"]]
    entries.sort(key=lambda entry: entry[:2])
    return drawn(*(line for _, _, line in entries))


def _attempt(attempt: Mapping[str, Any]) -> Text:
    line = Text.assemble((_clock(attempt["begun_at"]), QUIET), "  ")
    line.append(f"{attempt['step']}: {attempt['action']} ", style="")
    outcome = _outcome(attempt)
    line.append(outcome, style={"done": "green", "refused": "red"}.get(outcome, "yellow"))
    if attempt["seconds"] is not None:
        line.append(f" after {attempt['seconds']:.2f} s", style=QUIET)
    if attempt["aws_id"]:
        line.append(f" {attempt['aws_id']}")
    if attempt["code"] or attempt["message"]:
        words = (attempt["operation"], attempt["code"], attempt["message"])
        line.append(" " + clean(": ".join(word for word in words if word)))
    if attempt["request_id"]:
        line.append(f" (request {attempt['request_id']})", style=QUIET)
    if attempt["key"]:
        line.append(f" [{attempt['key']}]", style=QUIET)
    return line


def _outcome(attempt: Mapping[str, Any]) -> str:
    if attempt["outcome"] is None:
        return "under way, or cut"
    return "cut" if attempt["code"] == "Cut" else str(attempt["outcome"])


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
