"""What a sweep prints: its plan, what came of it, and the sweeps on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from tier1_engine.cli.render.base import QUIET, drawn, elapsed
from tier1_engine.cli.streams import clean

STYLES = {"deleted": "green", "done": "green", "skipped": "yellow", "remained": "bold red"}


def planned(plan: Mapping[str, Any]) -> str:
    """What would be done, by deployment, in order; what is only reported; what could not be looked at."""
    found = [
        Text(
            f"To be swept ({plan['deletions']} deletions{_cost(plan['items'])})"
            if plan["items"]
            else "Nothing is to be swept."
        )
    ]
    found[0].stylize("bold")
    found += _grouped(plan["items"])
    return drawn(*found, *_rest(plan["reported"], plan["not_looked_at"]))


def done(swept: Mapping[str, Any]) -> str:
    """What came of each item, what was left out, and what is only reported."""
    found = _grouped(swept["items"])
    if swept["left_out"]:
        found.append(Text(f"Left out by --only or --exclude ({len(swept['left_out'])})", style="bold"))
        found += [_line(item) for item in swept["left_out"]]
    return drawn(
        *(found or [Text("Nothing was to be swept.")]), *_rest(swept["reports"], swept["not_looked_at"])
    )


def remembered(sweeps: Sequence[Mapping[str, Any]]) -> str:
    """A line for each sweep on record."""
    if not sweeps:
        return "There was no sweep yet."
    names = ("marked", "deleted", "skipped", "remained", "reported")
    head = Text(
        f"{'BEGUN':<24}  {'ID':<20}  {'CODE':>4}  " + "  ".join(f"{n.upper():>8}" for n in names),
        style="bold",
    )
    rows = [
        Text(
            f"{one['begun_at']:<24}  {one['id']:<20}  "
            f"{'cut' if one['exit_code'] is None else one['exit_code']:>4}  "
            + "  ".join(f"{one[name]:>8}" for name in names)
        )
        for one in sweeps
    ]
    return drawn(head, *rows)


def _cost(items: Sequence[Mapping[str, Any]]) -> str:
    """What they cost a month, as far as list prices tell."""
    known = sum(item["estimated_cost"] or 0.0 for item in items)
    return f", at least ${known:.2f} a month" if known else ""


def _grouped(items: Sequence[Mapping[str, Any]]) -> list[Text]:
    found: list[Text] = []
    last = None
    for item in items:
        owner = item["owner"]
        if (owner["deployment"], item["reason"]) != last:
            last = (owner["deployment"], item["reason"])
            title = f"{owner['name'] or '(no name)'} ({owner['deployment']}) in {item['region']}"
            found.append(
                Text.assemble((clean(title), "bold"), clean(f": {item['action']}: {item['reason']}"))
            )
        found.append(_line(item))
    return found


def _rest(reported: Sequence[Mapping[str, Any]], gaps: Sequence[Mapping[str, Any]]) -> list[Text]:
    found: list[Text] = []
    if reported:
        found.append(Text(f"Only reported ({len(reported)})", style="bold"))
        found += [_line(item, clean(item["reason"])) for item in reported]
    if gaps:
        found.append(
            Text(f"Could not be looked at ({len(gaps)}); nothing there is taken for gone", style="bold")
        )
        found += [
            Text(
                clean(f"  {gap['region']} {gap['kind'] or 'everything'}: {gap['code']}: {gap['message']}"),
                style="yellow",
            )
            for gap in gaps
        ]
    return found


def _line(item: Mapping[str, Any], why: str = "") -> Text:
    age = "" if item["age_seconds"] is None else f", {elapsed(item['age_seconds'])} old"
    line = Text.assemble("  ", clean(f"{item['kind']:<18} {item['aws_id'] or item['id']}"), (age, QUIET))
    outcome = item.get("outcome")
    if outcome:
        line.append(f"  {outcome}", style=STYLES.get(outcome, ""))
    said = why or clean(item.get("why") or "")
    if said:
        line.append(f": {said}", style=QUIET)
    return line
