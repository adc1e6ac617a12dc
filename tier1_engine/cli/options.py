"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NoReturn

import typer


class Output(StrEnum):
    """How a result is written to stdout."""

    TABLE = "table"
    JSON = "json"


class OnRecoverable(StrEnum):
    """What follows a failure that the stack can live with."""

    ASK = "ask"
    STOP = "stop"
    RETRY = "retry"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class Pace(StrEnum):
    """How fast time passes in the local AWS. The same values as `sandbox.world.Speed`."""

    REAL = "1"
    TEN = "10"
    HUNDRED = "100"
    MAX = "max"


class Lost(StrEnum):
    """Which half of a call is lost. The same values as `sandbox.faults.Cut`."""

    BEFORE = "before"
    AFTER = "after"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How the result is written to stdout.")]


def end(code: int) -> NoReturn:
    """End a command with this exit code."""
    raise typer.Exit(code)
