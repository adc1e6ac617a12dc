"""Declares `tier1 sweep`, `keep` and `extend`; `main` registers them."""

# No `from __future__ import annotations`: typer would evaluate each string at every start.

from pathlib import Path
from typing import Annotated

import typer

from tier1_engine.cli.declare.declared import OutputOption, Reference, Yes, end, listening
from tier1_engine.cli.options import OnInterrupted, Output

SWEEPS_SHOWN = 50
"""How many of the latest sweeps `--history` shows."""


def sweep(
    older_than: Annotated[
        str,
        typer.Option(metavar="TIME", help="Failed and interrupted deployments whose last event is this old."),
    ] = "24h",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="PLAN", help="Write the plan to this file, for review.")
    ] = None,
    apply: Annotated[
        Path | None, typer.Option(metavar="PLAN", help="Carry out exactly this saved plan.")
    ] = None,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Also untracked resources: with tier1's tags, but in no row.")
    ] = False,
    foreign: Annotated[
        bool, typer.Option("--foreign", help="Include resources of other databases in the saved plan.")
    ] = False,
    interrupted: Annotated[
        OnInterrupted | None,
        typer.Option(
            help="What to do with interrupted deployments. Default: finish a rollback or teardown, "
            "and report interrupted provisioning."
        ),
    ] = None,
    max_deletions: Annotated[
        int, typer.Option(metavar="N", min=0, help="Refuse a plan with more deletions than this.")
    ] = 200,
    only: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only this kind. Repeatable.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Exclude this AWS id or deployment. Repeatable."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="R", help="Look for orphans in this region, too. Repeatable."),
    ] = None,
    plan_max_age: Annotated[
        str, typer.Option(metavar="TIME", help="Refuse a saved plan that is older than this.")
    ] = "24h",
    history: Annotated[bool, typer.Option("--history", help="Print past sweeps.")] = False,
    yes: Yes = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Clean up failed, interrupted and expired deployments, and orphans."""
    signals = listening()
    from tier1_engine.cli.commands import sweep as command
    from tier1_engine.sweep.rules import Interrupted

    if history:
        end(command.history(SWEEPS_SHOWN, output))
    asked = command.Asked(
        older_than=older_than,
        dry_run=dry_run,
        save=save,
        apply=apply,
        orphans=orphans,
        foreign=foreign,
        interrupted=Interrupted(interrupted.value) if interrupted else None,
        max_deletions=max_deletions,
        only=only or (),
        exclude=exclude or (),
        regions=region or (),
        plan_max_age=plan_max_age,
        yes=yes,
        output=output,
    )
    end(command.run(asked, signals))


def keep(
    id: Reference,
    until: Annotated[
        str | None,
        typer.Option(metavar="T", help="Protect until this time (ISO 8601) or for this long, such as 7d."),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Remove the protection.")] = False,
) -> None:
    """Protect a deployment from sweeps."""
    from tier1_engine.cli.commands import keep as command

    end(command.keep(id, until=until, off=off))


def extend(
    id: Reference,
    by: Annotated[str, typer.Argument(metavar="TIME", help="By how much, such as 24h or 3d.")],
) -> None:
    """Extend the expiry of a deployment."""
    from tier1_engine.cli.commands import keep as command

    end(command.extend(id, by))
