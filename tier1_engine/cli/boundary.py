"""The outermost error handler: turns every error into one message and an exit code.

A `Tier1Error` carries its own message. Any other exception is a bug: its traceback is written to a file,
and the message names that file.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import typer

from tier1_engine.cli.screen.streams import complain
from tier1_engine.errors import CallError, Interrupted, Tier1Error
from tier1_engine.settings import state_directory


@contextmanager
def boundary() -> Iterator[None]:
    """Turn a `Tier1Error` that a command raises into its message and exit code.

    Raises:
        typer.Exit: with the exit code.
    """
    try:
        yield
    except CallError as error:
        from tier1_engine.compose.refusals import of_call

        refusal = of_call(error, endpoint="")
        complain(str(refusal))
        raise typer.Exit(refusal.exit_code) from error
    except Tier1Error as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from error
    except (KeyboardInterrupt, typer.Abort) as stop:
        complain("Stopped by a signal: everything started is recorded, see `tier1 list`.")
        raise typer.Exit(Interrupted.exit_code) from stop


def report_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report an uncaught exception; Python then exits with code 1."""
    from tier1_engine.masking import masked_text

    text = masked_text("".join(traceback.format_exception(kind, error, trace)))
    path = _keep(text)
    where = f"the traceback is in {path}" if path else "its traceback could not be saved"
    complain(f"This is a bug in tier1 ({kind.__name__}); {where}: please report it.")


def _keep(text: str) -> Path | None:
    name = f"defect-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    for folder in (state_directory(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / name
            descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return None


def install_hook() -> None:
    """Report uncaught exceptions with `report_defect` from now on."""
    sys.excepthook = report_defect
