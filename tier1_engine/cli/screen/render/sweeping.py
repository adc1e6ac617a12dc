"""Renders a sweep's plan, its results, and the recorded sweeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from tier1_engine.cli.screen.render.base import QUIET, drawn, elapsed
from tier1_engine.cli.screen.streams import clean
from tier1_engine.deployment.states import State
from tier1_engine.sweep.rules import DEPLOYMENT

STYLES = {"deleted": "green", "done": "green", "skipped": "yellow", "remained": "bold red"}
REASONS_SHOWN = 5
"""The most reasons that the result of a sweep shows."""
STANDING = frozenset({State.FAILED, State.ACTIVE})
"""The states at rest: a deployment in any other state is running or was interrupted."""
INTERRUPTED_WAY = "  interrupted deployments are only reported without --interrupted resume or rollback"
FOREIGN_WAY = (
    "  foreign resources are deleted only by a reviewed plan: tier1 sweep --foreign --dry-run --save PLAN"
)


def planned(plan: Mapping[str, Any], left_out: Sequence[Mapping[str, Any]] = ()) -> str:
    """Render what would be done, by deployment and in order, what is only reported, and what was not read."""
    found = [
        Text(
            f"To be swept ({_deletions(plan['deletions'])}{_cost(plan['items'])})"
            if plan["items"]
            else "Nothing to sweep."
        )
    ]
    found[0].stylize("bold")
    found += _grouped(plan["items"])
    return drawn(*found, *_left_out(left_out), *_rest(plan["reported"], plan["not_looked_at"]))


def done(swept: Mapping[str, Any]) -> str:
    """Render the result of each item, what was excluded, and what is only reported."""
    found = _grouped(swept["items"]) or [Text("There was nothing to sweep.")]
    rest = _rest(swept["reports"], swept["not_looked_at"])
    return drawn(*found, *_left_out(swept["left_out"]), *rest)


def remembered(sweeps: Sequence[Mapping[str, Any]]) -> str:
    """Render one line per recorded sweep."""
    if not sweeps:
        return "No sweeps so far."
    names = ("marked", "deleted", "skipped", "remained", "reported")
    head = Text(
        f"{'STARTED':<24}  {'ID':<20}  {'CODE':>4}  " + "  ".join(f"{n.upper():>8}" for n in names),
        style="bold",
    )
    rows: list[Text] = []
    for one in sweeps:
        code = "cut" if one["exit_code"] is None else one["exit_code"]
        figures = "  ".join(f"{one[name]:>8}" for name in names)
        rows.append(Text(f"{one['begun_at']:<24}  {one['id']:<20}  {code:>4}  {figures}"))
        rows += _not_as_planned(one["items"])
    return drawn(head, *rows)


def _not_as_planned(items: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Return one line per reason why items were not deleted, with their number and deployment."""
    counted = Counter(
        (_owner(item), item["outcome"], item["why"])
        for item in items
        if item["outcome"] in ("skipped", "remained")
    )
    lines = [
        Text("  " + clean(f"{owner}: {count} {outcome}: {why}"), style=QUIET)
        for (owner, outcome, why), count in counted.items()
    ]
    more = len(lines) - REASONS_SHOWN
    if more > 0:
        lines = [*lines[:REASONS_SHOWN], Text(f"  and {more} more: see them with -o json", style=QUIET)]
    return lines


def _deletions(count: int) -> str:
    return f"{count} {'deletion' if count == 1 else 'deletions'}"


def _cost(items: Sequence[Mapping[str, Any]]) -> str:
    """Return the monthly cost of the items, as far as list prices are known."""
    known = sum(item["estimated_cost"] or 0.0 for item in items)
    return f", at least ${known:.2f} a month" if known else ""


def _grouped(items: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Group items by deployment and reason; print once what a group has in common."""
    found: list[Text] = []
    for _, group in groupby(items, key=lambda item: (item["owner"]["deployment"], item["reason"])):
        of_one = list(group)
        found.append(_title(of_one[0]))
        outcomes = {(item.get("outcome"), item.get("why") or "") for item in of_one}
        outcome, why = outcomes.pop()
        if len(of_one) > 1 and not outcomes and why:
            said = Text.assemble("  ", (f"all {len(of_one)} {outcome}", STYLES.get(str(outcome), "")))
            found.append(said.append(clean(f": {why}")))
            of_one = [{**item, "outcome": None, "why": ""} for item in of_one]
        found += [_line(item) for item in of_one]
    return found


def _left_out(items: Sequence[Mapping[str, Any]]) -> list[Text]:
    head = Text(f"Excluded by --only or --exclude ({len(items)})", style="bold")
    return [head, *_grouped(items)] if items else []


def _title(item: Mapping[str, Any]) -> Text:
    action = f"{item['action']}: " if item["action"] else ""
    head = clean(f"{_owner(item)} in {item['region']}")
    return Text.assemble((head, "bold"), clean(f": {action}{item['reason']}"))


def _owner(item: Mapping[str, Any]) -> str:
    owner = item["owner"]
    return f"{owner['name'] or '(no name)'} ({owner['deployment']})"


def _rest(reported: Sequence[Mapping[str, Any]], gaps: Sequence[Mapping[str, Any]]) -> list[Text]:
    found: list[Text] = []
    if reported:
        found.append(Text(f"Reported only ({len(reported)})", style="bold"))
        found += _grouped(reported)
    if any(item["tags"] is not None for item in reported):
        found.append(Text(FOREIGN_WAY, style=QUIET))
    if any(item["kind"] == DEPLOYMENT and item["state"] not in STANDING for item in reported):
        found.append(Text(INTERRUPTED_WAY, style=QUIET))
    if gaps:
        found.append(
            Text(f"Could not be checked ({len(gaps)}); nothing there is assumed deleted", style="bold")
        )
        found += [
            Text(
                clean(f"  {gap['region']} {gap['kind'] or 'everything'}: {gap['code']}: {gap['message']}"),
                style="yellow",
            )
            for gap in gaps
        ]
    return found


def _line(item: Mapping[str, Any]) -> Text:
    if item["kind"] == DEPLOYMENT:
        what = f"{DEPLOYMENT:<18} {item['id']}"
    else:
        what = f"{item['kind']:<18} {item['aws_id'] or item['name'] + ' (no reply to its create call)'}"
    since = "since its last event" if item["kind"] == DEPLOYMENT else "old"
    age = "" if item["age_seconds"] is None else f", {elapsed(item['age_seconds'])} {since}"
    cost = f", ${item['estimated_cost']:.2f} a month" if item["estimated_cost"] else ""
    line = Text.assemble("  ", clean(what), (f"{age}{cost}", QUIET))
    outcome = item.get("outcome")
    if outcome:
        line.append(f"  {outcome}", style=STYLES.get(outcome, ""))
    if said := clean(item.get("why") or ""):
        line.append(f": {said}", style=QUIET)
    return line
