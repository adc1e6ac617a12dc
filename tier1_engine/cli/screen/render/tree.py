"""Renders `show`: a deployment with its phases, steps, resources and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from tier1_engine.cli.screen.closing import output_rows
from tier1_engine.cli.screen.lines import Line
from tier1_engine.cli.screen.render.base import (
    PHASES,
    QUIET,
    STYLE_OF_STATE,
    STYLE_OF_TONE,
    age,
    drawn,
    elapsed,
    state_text,
    who,
)
from tier1_engine.cli.screen.streams import clean
from tier1_engine.deployment.states import ENDED


def shown(deployment: Mapping[str, Any], now: datetime, notes: Sequence[Line] = ()) -> str:
    """Render the summary and failures, then phases, steps and resources, then outputs.

    Args:
        notes: what remains and what can be done about it, printed before the tree.
    """
    return drawn(
        *_head(deployment, now),
        *_failed(deployment),
        *(Text(line.text, style=STYLE_OF_TONE[line.tone]) for line in notes),
        *_tree(deployment),
        *_duplicates(deployment),
        *_retained(deployment),
        *_outputs(deployment),
    )


def _failed(deployment: Mapping[str, Any]) -> list[Text]:
    """Return the failed steps, which are shown first because they matter most."""
    failed = [step for step in deployment["steps"] if step["state"] == "failed"]
    return [line for step in failed for line in _step(step, _of(deployment, step))]


def _of(deployment: Mapping[str, Any], step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [r for r in deployment["resources"] if r["name"] == step["name"]]


def _head(deployment: Mapping[str, Any], now: datetime) -> list[Text]:
    state = state_text(deployment["state"])
    if deployment["goal"] != deployment["state"]:
        state.append(f", target: {deployment['goal']}", style=QUIET)
    if deployment["interrupted"]:
        word = "blocked" if deployment["blocked"] else "interrupted"
        state.append(f"  {word}", style=STYLE_OF_STATE["interrupted"])
    where = f"{deployment['blueprint']} in {deployment['region']}, account {deployment['account_id']}"
    found = [
        Text.assemble((deployment["name"], "bold"), f"  {deployment['id']}  ", state),
        Text(f"{where}, {age(deployment['created_at'], now)} old{_expiry(deployment)}", style=QUIET),
    ]
    asked_by = deployment["asked_by"]
    if asked_by:
        found.append(Text(f"last command by {who(asked_by)}", style=QUIET))
    if holder := deployment["holder"]:
        text = f"locked by {holder['host']} (pid {holder['pid']}) since {holder['since']}"
        if holder["actor"] and holder["actor"] != asked_by:
            text += f", run by {who(holder['actor'])}"
        found.append(Text(text, style="cyan"))
    if failure := deployment["failure"]:
        found.append(_failure(failure))
    if (blocked := deployment["blocked"]) and deployment["state"] != "failed":
        found.append(_blocked(blocked))
    if deployment["interrupted"]:
        found.append(Text(f"to resume: tier1 resume {deployment['id']}", style="cyan"))
    return [*found, *(Text(f"warning: {clean(text)}", style="yellow") for text in deployment["warnings"])]


def _expiry(deployment: Mapping[str, Any]) -> str:
    return f", expires {deployment['expires_at']}" if deployment["expires_at"] else ""


def _failure(failure: Mapping[str, Any]) -> Text:
    where = f" at {failure['step']}" if failure["step"] else ""
    call = ", ".join(
        word
        for word in (failure["operation"], failure["request_id"] and f"request {failure['request_id']}")
        if word
    )
    said = f"failed{where} ({failure['class']}): {failure['code']}: {failure['message']}"
    return Text(clean(f"{said} ({call})" if call else said), style="red")


def _blocked(blocked: Mapping[str, Any]) -> Text:
    call = f" ({blocked['operation']})" if blocked["operation"] else ""
    said = f"blocked since {blocked['at']}: {blocked['code']}: {blocked['message']}{call}"
    return Text(clean(said), style="red")


def _tree(deployment: Mapping[str, Any]) -> list[Text]:
    found: list[Text] = []
    phases = list(dict.fromkeys(step["phase"] for step in deployment["steps"]))
    for phase in sorted(phases, key=PHASES.index):
        steps = [step for step in deployment["steps"] if step["phase"] == phase]
        complete = sum(step["state"] in ("done", "skipped") for step in steps)
        found += [Text(""), Text.assemble((phase, "bold"), (f"  {complete} of {len(steps)}", QUIET))]
        for step in steps:
            if step["state"] == "failed":
                found.append(
                    Text.assemble(f"  {step['name']:<24} ", state_text("failed"), (", see above", QUIET))
                )
            else:
                found += _step(step, _of(deployment, step))
    return found


def _step(step: Mapping[str, Any], resources: Iterable[Mapping[str, Any]]) -> list[Text]:
    line = Text.assemble(f"  {step['name']:<24} ", state_text(step["state"]))
    took = _took(step)
    if took:
        line.append(f"  {took}", style=QUIET)
    if step["attempts"] > 1:
        line.append(f"  {step['attempts']} attempts", style="yellow")
    found = [line]
    for resource in resources:
        found += _resource(resource)
    # A skipped step is a warning, not a failure.
    return found + _error(step["error"], "yellow" if step["state"] == "skipped" else "red")


def _took(step: Mapping[str, Any]) -> str:
    if not step["started_at"] or not step["finished_at"]:
        return ""
    began, ended = (datetime.fromisoformat(step[name]) for name in ("started_at", "finished_at"))
    return elapsed((ended - began).total_seconds())


def _resource(resource: Mapping[str, Any]) -> list[Text]:
    gone = resource["state"] == "deleted"
    line = Text("    ")
    without_id = "(not created)" if gone else "(no id yet)"
    line.append(resource["aws_id"] or without_id, style=QUIET if gone else "")
    line.append(" ").append_text(state_text(resource["state"]))
    if not resource["owned"]:
        line.append("  provided by you, never changed", style="magenta")
    found = [line]
    if resource["console_url"] and not gone:
        found.append(Text(f"    {resource['console_url']}", style=f"{QUIET} link {resource['console_url']}"))
    return found + _error(resource["error"])


def _error(error: Mapping[str, Any] | None, style: str = "red") -> list[Text]:
    if error is None:
        return []
    return [Text("    " + clean(f"{error['code']}: {error['message']}"), style=style)]


def _duplicates(deployment: Mapping[str, Any]) -> list[Text]:
    steps = {step["name"] for step in deployment["steps"]}
    duplicates = [
        resource
        for resource in deployment["resources"]
        if resource["name"] not in steps
        and resource["owned"]
        and (resource["aws_id"] or resource["state"] != "deleted")
    ]
    if not duplicates:
        return []
    found = [Text(""), Text("duplicates", style="bold")]
    for one in duplicates:
        found += [Text(f"  {one['name']}"), *_resource(one)]
    return found


def _retained(deployment: Mapping[str, Any]) -> list[Text]:
    retained = [resource for resource in deployment["resources"] if resource["state"] == "retained"]
    if not retained:
        return []
    rows = [Text(f"  {resource['name']} {resource['aws_id']}") for resource in retained]
    return [Text(""), Text("retained on request", style="bold"), *rows]


def _outputs(deployment: Mapping[str, Any]) -> list[Text]:
    """Return the outputs, or nothing once the deployment has ended: its addresses no longer exist."""
    outputs = deployment["outputs"]
    if not outputs or deployment["state"] in ENDED:
        return []
    return [Text(""), Text("outputs", style="bold"), *(Text(clean(row)) for row in output_rows(outputs))]
