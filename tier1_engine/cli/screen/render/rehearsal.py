"""Renders the tables of `sandbox rehearse` and `sandbox census`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from tier1_engine.cli.screen.render.base import QUIET, drawn, elapsed, state_text
from tier1_engine.cli.screen.streams import clean

_GAP = "  "


def table(played: Sequence[Mapping[str, Any]]) -> str:
    """Render the table of `rehearse`: one row per scenario."""
    head = ("SCENARIO", "OUTCOME", "EXIT", "AWS TIME", "CALLS", "REMAINING", "AS EXPECTED")
    rows = [
        (
            Text(one["scenario"]),
            state_text(one["outcome"]),
            Text("-" if one["exit_code"] is None else str(one["exit_code"])),
            Text(elapsed(one["seconds"])),
            Text(str(one["calls"])),
            Text(str(one["left"])),
            Text("yes" if one["ok"] else "NO", style="" if one["ok"] else "bold red"),
        )
        for one in played
    ]
    return _laid_out(head, rows, right=(2, 3, 4, 5))


def census(things: Sequence[Mapping[str, Any]]) -> str:
    """Render the table of `census`, with AWS's own defaults last."""
    if not things:
        return "The local AWS is empty: nothing has been created in it yet."
    head = ("KIND", "ID", "STATE", "DEPLOYMENT", "NAME", "REGION", "")
    rows = [
        tuple(
            Text(clean(cell), style=QUIET if one["default"] or one["part_of"] else "")
            for cell in (
                one["kind"],
                one["id"],
                one["state"] or "-",
                one["deployment"] or "-",
                one["name"] or "-",
                one["region"],
                _remark(one),
            )
        )
        for one in things
    ]
    own = sum(1 for one in things if one["default"])
    count = Text(f"{len(things) - own} objects, plus {own} of the default VPC", style="bold")
    return f"{_laid_out(head, rows)}\n{drawn(count)}"


def _remark(thing: Mapping[str, Any]) -> str:
    if thing["default"]:
        return "default VPC"
    return f"part of {thing['part_of']}" if thing["part_of"] else ""


def _laid_out(head: Sequence[str], rows: Sequence[Sequence[Text]], right: Sequence[int] = ()) -> str:
    """Render columns sized to their contents; those in `right` are right-aligned."""
    widths = [max(len(title), *(len(row[number].plain) for row in rows)) for number, title in enumerate(head)]
    lines = []
    for row in ([Text(title, style="bold") for title in head], *rows):
        cells = []
        for number, cell in enumerate(row):
            missing = " " * (widths[number] - len(cell.plain))
            cells.append(Text(missing) + cell if number in right else cell + Text(missing))
        line = Text(_GAP).join(cells)
        line.rstrip()
        lines.append(line)
    return drawn(*lines)
