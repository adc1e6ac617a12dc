"""Runs `tier1` within the test process: for tests of output, reads and refusals.

Starting a process takes longer than such a command, and measuring it as long again. Everything is as at its
entry point: arguments, environment, folder and streams, and a defect ends in its sentence. Only signals
belong to the tests, and a file that it leaves open stays open. Commands that run a deployment run as
processes.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from collections.abc import Mapping, Sequence

import pytest

from tier1_engine.cli import main
from tier1_engine.cli.signals import Signals

DEFECT = 1


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: str, given: str = ""
) -> tuple[int, str, str]:
    """Its exit code, stdout and stderr.

    Args:
        given: what it can read from stdin.
    """
    out, err, thresholds = io.StringIO(), io.StringIO(), gc.get_threshold()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        for name in set(os.environ) - set(environment):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["tier1", *arguments])
        patch.setattr(sys, "stdin", io.StringIO(given))
        patch.setattr(sys, "excepthook", sys.excepthook)  # the program puts its own in its place
        patch.setattr(Signals, "install", lambda _: None)
        code = _code()
    gc.set_threshold(*thresholds)
    return code, out.getvalue(), err.getvalue()


def _code() -> int:
    """What Python makes of how the program ends."""
    try:
        main.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:  # noqa: BLE001 - stands in for Python's own top level
        sys.excepthook(type(error), error, error.__traceback__)
        return DEFECT
    return 0
