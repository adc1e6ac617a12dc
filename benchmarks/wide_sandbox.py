"""A strict sandbox at the speed `max`, of an account whose quotas AWS has raised: a load needs 200 VPCs.

    python -m benchmarks.wide_sandbox DIRECTORY RECORD

Serves until a signal comes. Everything else, the token buckets included, is as `tier1 sandbox start` has it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from tier1_engine.sandbox import serve
from tier1_engine.sandbox.manners import quotas
from tier1_engine.sandbox.state import Options

LIMIT = 5_000


def main(directory: str, record: str) -> None:
    """Serve the sandbox of this state directory."""
    raised = {name: replace(quota, limit=max(quota.limit, LIMIT)) for name, quota in quotas.QUOTAS.items()}
    cast("dict[Any, Any]", quotas.QUOTAS).update(raised)
    serve.run(Path(directory), 0, lambda found: None, Options(seed=1, record=Path(record)))


if __name__ == "__main__":
    main(*sys.argv[1:])
