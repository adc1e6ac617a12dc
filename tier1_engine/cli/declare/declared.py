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
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="Output format of the result on stdout.")
]
Retain = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Retain this resource (a name that `show` lists) and everything it needs. Repeatable.",
    ),
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Append what happens to this file, as JSON lines; private (mode 0600)."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

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
