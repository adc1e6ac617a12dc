"""Shared declarations: argument and option types, and how a command begins and ends."""

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
"""The garbage collector's threshold in a short command, where Python's default of 700 costs a tenth of
the run time. A command that runs a deployment keeps the default, which saves a tenth of its memory."""


def end(code: int) -> NoReturn:
    """Exit the command with this code."""
    raise typer.Exit(code)


def reading() -> None:
    """Set up a read-only command: nearly all of its objects live until it ends."""
    gc.set_threshold(GARBAGE_THRESHOLD)


def listening() -> Signals:
    """Install the signal handlers of a command that runs a deployment, before it does anything else."""
    signals = Signals()
    signals.install()
    return signals
