"""Renders `list`: one row per deployment; on a narrow screen, reason and lock holder are below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from tier1_engine.cli.screen.render.base import QUIET, STYLE_OF_STATE, age, drawn, width
from tier1_engine.cli.screen.render.expiry import expiries
from tier1_engine.cli.screen.streams import clean
from tier1_engine.views.prices import briefly

_GAP = 2
_ID, _LEFT, _AGE = 12, 6, 5
_LEAST_NAME = 8
_LEAST_REASON = 30
WIDE_COLUMNS = 140
"""The screen width from which the lock holder and the reason have their own columns."""

_DRIVER = 22


def listed(deployments: Sequence[Mapping[str, Any]], now: datetime, costs: Mapping[str, float]) -> str:
    """Render the table of `list`.

    Args:
        costs: US dollars per hour of a failed deployment's remaining resources, by its id.
    """
    if not deployments:
        return "No deployments found: `tier1 deploy SPEC` creates one."
    columns = width()
    states = [_state_text(d, costs.get(d["id"], 0.0)) for d in deployments]
    wide = columns >= WIDE_COLUMNS
    table = _Table(deployments, max(len("STATE"), *map(len, states)), columns, wide=wide)
    found = [table.head()]
    for deployment, words in zip(deployments, states, strict=True):
        found.append(table.row(deployment, words, now))
        if not wide:
            found += table.below(deployment)
    return drawn(*found, *expiries(deployments, now))


class _Table:
    """The columns of one table, sized to their contents and the screen."""

    def __init__(
        self, deployments: Sequence[Mapping[str, Any]], state_width: int, columns: int, *, wide: bool
    ) -> None:
        self._wide, self._columns, self._state = wide, columns, state_width
        rest = _ID + state_width + _LEFT + 2 * _AGE + 5 * _GAP
        rest += _DRIVER + _LEAST_REASON + 2 * _GAP if wide else 0
        longest = max(len("NAME"), *(len(d["name"]) for d in deployments))
        self._name = max(min(longest, columns - rest), _LEAST_NAME)
        self._reason = max(columns - (rest - _LEAST_REASON) - self._name, _LEAST_REASON)

    def head(self) -> Text:
        head = self._line(
            "ID", Text("NAME"), Text("STATE"), "REMAIN", "SINCE", "AGE", Text("LOCKED BY"), Text("REASON")
        )
        head.stylize("bold")
        return head

    def row(self, deployment: Mapping[str, Any], words: str, now: datetime) -> Text:
        style = STYLE_OF_STATE.get("interrupted" if deployment["interrupted"] else deployment["state"], QUIET)
        why = _why(deployment)
        return self._line(
            deployment["id"],
            Text(deployment["name"]),
            Text(words, style=style),
            str(deployment["remaining"] or "-"),
            age(_since(deployment), now),
            age(deployment["created_at"], now),
            Text(_driver(deployment) or "-", style="cyan" if deployment["holder"] else QUIET),
            Text(_reason(why) if why else "-", style="red" if why else QUIET),
        )

    def below(self, deployment: Mapping[str, Any]) -> Iterator[Text]:
        """Yield what has no column on a narrow screen: the lock holder and the failure."""
        indent = " " * (_ID + _GAP)
        if driver := _driver(deployment):
            yield self._cut(Text(f"{indent}locked by {driver}", style="cyan"))
        if why := _why(deployment):
            yield self._cut(Text(indent + _reason(why), style="red"))

    def _cut(self, text: Text) -> Text:
        text.truncate(self._columns, overflow="ellipsis")
        return text

    def _line(
        self, id: str, name: Text, state: Text, left: str, since: str, age: str, driver: Text, reason: Text
    ) -> Text:
        name.truncate(self._name, overflow="ellipsis", pad=True)
        state.truncate(self._state, pad=True)
        cells = [Text(f"{id:<{_ID}}"), name, state, Text(f"{left:>{_LEFT}}")]
        cells += [Text(f"{since:>{_AGE}}"), Text(f"{age:>{_AGE}}")]
        if self._wide:
            driver.truncate(_DRIVER, overflow="ellipsis", pad=True)
            reason.truncate(self._reason, overflow="ellipsis")
            cells += [driver, reason]
        return Text(" " * _GAP).join(cells)


def _why(deployment: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what stopped the last run for lack of access, else why the deployment failed."""
    found: Mapping[str, Any] | None = deployment["blocked"] or deployment["failure"]
    return found


def _state_text(deployment: Mapping[str, Any], dollars_an_hour: float) -> str:
    """Return the state, such as `failed (9 remaining, ~$0.04/h)` or `launching_ec2, interrupted`.

    Resources that a rollback or teardown could not delete are called undeletable.
    """
    state = str(deployment["state"])
    if deployment["interrupted"]:
        return f"{state}, {'blocked' if deployment['blocked'] else 'interrupted'}"
    if state != "failed" or not deployment["remaining"]:
        return state
    cost = briefly(dollars_an_hour)
    why = "remaining" if deployment["goal"] == "active" else "undeletable"
    return f"{state} ({deployment['remaining']} {why}{', ' + cost if cost else ''})"


def _since(deployment: Mapping[str, Any]) -> str:
    """Return when it failed, was locked, ended, or was last updated."""
    if deployment["holder"]:
        return str(deployment["holder"]["since"])
    if deployment["state"] == "failed" and deployment["goal"] == "active":
        return str(deployment["failure"]["at"] or deployment["updated_at"])
    return str(deployment["finished_at"] or deployment["updated_at"])


def _driver(deployment: Mapping[str, Any]) -> str:
    holder = deployment["holder"]
    return f"pid {holder['pid']} on {holder['host']}" if holder else ""


def _reason(failure: Mapping[str, Any]) -> str:
    """Return the code and the first line of the message."""
    first = (failure["message"] or "").strip().partition("\n")[0]
    return clean(f"{failure['code']}: {first}")
