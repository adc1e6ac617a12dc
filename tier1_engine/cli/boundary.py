"""The edge of the program: every error becomes one sentence and its exit code.

Errors that are raised on purpose say their own sentence. What nobody foresaw is a defect: its trace
goes to a file, and the operator is told where.
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
    """Turn what a command raises on purpose into its sentence and exit code.

    Raises:
        typer.Exit: with the code.
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
    """The hook for what nobody caught; Python then ends with code 1."""
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
    """From here on a defect ends in a sentence."""
    sys.excepthook = report_defect
