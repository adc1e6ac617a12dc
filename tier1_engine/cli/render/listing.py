"""The table of `list`: a line for each deployment, and the reason below it where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from tier1_engine.cli.render.base import QUIET, STYLE_OF_STATE, age, drawn, width
from tier1_engine.cli.render.expiry import expiries
from tier1_engine.cli.streams import clean

_GAP = 2
_ID, _LEFT, _AGE = 12, 4, 5
_LEAST_NAME = 8


def listed(deployments: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """The table of `list`: a line each, and the reason below it where there is one."""
    if not deployments:
        return "There is no deployment: `tier1 deploy SPEC` makes one."
    states = [_state_words(d) for d in deployments]
    state_width = max(len("STATE"), *(len(words) for words in states))
    room = width() - (_ID + state_width + _LEFT + _AGE + 4 * _GAP)
    longest = max(len("NAME"), *(len(d["name"]) for d in deployments))
    name_width = max(min(longest, room), _LEAST_NAME)
    gap = " " * _GAP

    def row(id: str, name: Text, state: Text, left: str, age: str) -> Text:
        name.truncate(name_width, overflow="ellipsis", pad=True)
        state.truncate(state_width, pad=True)
        return Text(gap).join(
            [Text(f"{id:<{_ID}}"), name, state, Text(f"{left:>{_LEFT}}"), Text(f"{age:>{_AGE}}")]
        )

    head = row("ID", Text("NAME"), Text("STATE"), "LEFT", "AGE")
    head.stylize("bold")
    drawn_rows: list[Text] = [head]
    for deployment, words in zip(deployments, states, strict=True):
        style = STYLE_OF_STATE.get("interrupted" if deployment["interrupted"] else deployment["state"], QUIET)
        left, since = str(deployment["remaining"] or "-"), age(deployment["created_at"], now)
        drawn_rows.append(
            row(deployment["id"], Text(deployment["name"]), Text(words, style=style), left, since)
        )
        if deployment["failure"]:
            drawn_rows.append(_reason(deployment["failure"]))
    return drawn(*drawn_rows, *expiries(deployments, now))


def _state_words(deployment: Mapping[str, Any]) -> str:
    return f"{deployment['state']}, interrupted" if deployment["interrupted"] else str(deployment["state"])


def _reason(failure: Mapping[str, Any]) -> Text:
    first = (failure["message"] or "").strip().partition("\n")[0]
    indent = " " * (_ID + _GAP)
    text = Text(indent + clean(f"{failure['code']}: {first}"), style="red")
    text.truncate(width(), overflow="ellipsis")
    return text
