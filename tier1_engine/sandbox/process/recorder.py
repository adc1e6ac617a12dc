"""Records every call of the local AWS and its result in a file, one line of JSON each.

Owns the lines, by which two runs are compared. A line has no credentials (a call has none), and no times but
AWS's own. It has the parameters, so the file is private (mode 0600).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from tier1_engine.sandbox.wire.call import Call

LOST = "connection cut"
"""Recorded in place of a code when the client got no answer."""


class Recorder:
    """Appends one line per call to a file. The caller holds the world's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))

    def write(self, at: float, call: Call, status: int | None, code: str | None) -> None:
        """Append a call.

        Args:
            at: when it ended, in AWS seconds.
            status: of HTTP; None where there was no answer.
            code: AWS's error code; `LOST` where there was no answer.
        """
        line = {
            "at": round(at, 3),
            "service": call.service,
            "operation": call.operation,
            "region": call.region,
            "parameters": call.parameters,
            "status": status,
            "code": code,
        }
        # Opened for each line, so that nothing has to be closed when a signal ends the process.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True, default=str) + "\n")
