"""Renders a dry run: steps by phase, their dependencies, and which are created or only referenced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from tier1_engine.cli.screen.render.base import PHASES, QUIET, drawn


def planned(plan: Mapping[str, Any]) -> str:
    """Render the plan as text."""
    head = Text.assemble((plan["name"], "bold"), f"  {plan['blueprint']} in {plan['region']}: plan only; ")
    head.append("neither AWS nor the database was contacted")
    found = [head]
    for phase in PHASES:
        steps = [step for step in plan["steps"] if step["phase"] == phase]
        if steps:
            found += [
                Text(""),
                Text(phase, style="bold"),
                *(line for step in steps for line in _planned(step)),
            ]
    rows = [Text(f"  {key}={value}") for key, value in plan["tags"].items()]
    return drawn(*found, Text(""), Text("tags on all resources", style="bold"), *rows)


_VERBS = {"create": "creates", "reference": "references", "check": "checks"}


def _planned(step: Mapping[str, Any]) -> list[Text]:
    verb = _VERBS[step["mode"]]
    line = Text.assemble(
        f"  {step['name']:<24} ", (verb, "cyan" if verb == "creates" else QUIET), f" {step['title']}"
    )
    if step["reference"]:
        line.append(f" {step['reference']}, which is yours and is never changed", style="magenta")
    elif step["aws_name"]:
        line.append(f" named {step['aws_name']}", style=QUIET)
    found = [line]
    if step["needs"]:
        found.append(Text(f"    needs {', '.join(step['needs'])}", style=QUIET))
    return found
