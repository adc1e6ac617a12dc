"""What the commands' declarations share: argument and option types, and how a command begins and ends."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tier1_engine.cli.options import Output
from tier1_engine.cli.signals import Signals

Reference = Annotated[
    str, typer.Argument(metavar="ID", help="A deployment's id, a unique prefix of one, or its name.")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How the result is written to stdout.")]
Retain = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Keep this resource (a name that `show` lists) with all that it needs. May be given again.",
    ),
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Add what happens to this file, as JSON lines; for you alone (0600)."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

GARBAGE_THRESHOLD = 50_000
"""Objects made before they are looked through, in a command that ends at once. Python's own 700 costs a
tenth of its time; one that drives keeps it, and so a tenth of its memory."""


def end(code: int) -> NoReturn:
    """End the command with this exit code."""
    raise typer.Exit(code)


def reading() -> None:
    """What a command that only reads does first: nearly all that it makes stays until its end."""
    gc.set_threshold(GARBAGE_THRESHOLD)


def listening() -> Signals:
    """Signals of a command that drives, heard from its first moment."""
    signals = Signals()
    signals.install()
    return signals
