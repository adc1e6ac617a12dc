"""A strict sandbox at the speed `max`, of an account whose quotas AWS has raised: a load needs 200 VPCs.

    python -m benchmarks.wide_sandbox DIRECTORY RECORD

Serves until a signal arrives. Everything else, including the token buckets, is as in `tier1 sandbox start`.
At SIGUSR1 the buckets become so small that a few deployments at once are throttled by them (at this speed
AWS's own are filled a thousand times as fast as AWS does), and the file `TIGHT` of the directory says so.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from tier1_engine.sandbox.behaviour import quotas, throttling
from tier1_engine.sandbox.process import serve
from tier1_engine.sandbox.process.state import Options

LIMIT = 5_000


TIGHT = "tight"
SMALL_BUCKETS = {
    "READING": throttling.Rate(2, 0.01),
    "READING_ALL": throttling.Rate(2, 0.01),
    "CHANGING": throttling.Rate(1, 0.01),
    "ELSEWHERE": {
        **throttling.ELSEWHERE,
        "efs": throttling.Rate(2, 0.01),
        "iam": throttling.Rate(1, 0.01),
    },
}
"""One or two tokens, of which ten are refilled per real second. A census lists some things twice."""


def main(directory: str, record: str) -> None:
    """Serve the sandbox of this state directory."""

    def tighten(number: int, frame: object) -> None:
        for name, rates in SMALL_BUCKETS.items():
            setattr(throttling, name, rates)
        (Path(directory) / TIGHT).touch()

    signal.signal(signal.SIGUSR1, tighten)
    raised = {name: replace(quota, limit=max(quota.limit, LIMIT)) for name, quota in quotas.QUOTAS.items()}
    cast("dict[Any, Any]", quotas.QUOTAS).update(raised)
    serve.run(Path(directory), 0, lambda found: None, Options(seed=1, record=Path(record)))


if __name__ == "__main__":
    main(*sys.argv[1:])
