"""What a sweep prints: its plan, what came of it, and the sweeps on record."""

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
"""The columns of a sweep in the history."""
STANDING = frozenset({State.FAILED, State.ACTIVE})
"""A deployment in any other state is on its way, or lost its driver on it."""
INTERRUPTED_WAY = "  interrupted deployments are only reported without --interrupted resume or rollback"
FOREIGN_WAY = (
    "  foreign resources are deleted only by a reviewed plan: tier1 sweep --foreign --dry-run --save PLAN"
)


def planned(plan: Mapping[str, Any], left_out: Sequence[Mapping[str, Any]] = ()) -> str:
    """What would be done, by deployment, in order; what is only reported; what could not be looked at."""
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
    """What came of each item, what was left out, and what is only reported."""
    found = _grouped(swept["items"]) or [Text("There was nothing to sweep.")]
    rest = _rest(swept["reports"], swept["not_looked_at"])
    return drawn(*found, *_left_out(swept["left_out"]), *rest)


def remembered(sweeps: Sequence[Mapping[str, Any]]) -> str:
    """A line for each sweep on record."""
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
    """A line for each reason that kept something, with how many things of which deployment."""
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
    """What they cost a month, as far as list prices tell."""
    known = sum(item["estimated_cost"] or 0.0 for item in items)
    return f", at least ${known:.2f} a month" if known else ""


def _grouped(items: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Groups by deployment and reason; what all of a group share is printed once."""
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
