"""How long `tier1 guide` takes from its start to its end, against `tier1 list`, as processes.

    python -m benchmarks.start [--runs N]

The database has one deployment that failed and whose whole stack remains, so that the guide has every
section. The commands run alternately, so that other load on the host affects all of them. Prints one JSON
object: minimum and median of each in milliseconds, and the ratio to `list` by both. Exit code 1 when the
minimum of a guide is above 1.5 times that of `list`: load on the host makes a run longer and never shorter.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.rollback_time import deploy, sandbox
from tests.support.simulation.world import VirtualClock
from tier1_engine.deployment.states import State
from tier1_engine.settings import Settings
from tier1_engine.store.store import Store

LIMIT: Final = 1.5
LIST: Final = "list"
COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    LIST: ("list",),
    "guide": ("guide", "demo"),
    "guide -o json": ("guide", "demo", "-o", "json"),
    "guide -o shell": ("guide", "demo", "-o", "shell"),
}


def fill(database: Path) -> None:
    """Store a deployment that failed in its last phase and whose resources remain."""
    clock, store = VirtualClock(), Store.open(f"sqlite:///{database}")
    with sandbox(clock, 1, {"user_data": "fails:7"}) as (_, session):
        ended = deploy(store, clock, session, Settings(), rollback=False)
    store.close()
    assert ended.record.deployment.state is State.FAILED, ended.record.deployment


def run(command: Sequence[str], database: Path) -> float:
    """Milliseconds from the start of a process to its end."""
    environment = {**os.environ, "TIER1_DATABASE_URL": f"sqlite:///{database}"}
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tier1_engine.cli", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return (time.perf_counter() - begun) * 1000


def measure(runs: int) -> dict[str, list[float]]:
    """Milliseconds of each run of each command; the first of each, which fills the caches, is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "tier1.db"
        fill(database)
        found: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for number in range(runs + 1):
            for name, command in COMMANDS.items():
                took = run(command, database)
                if number:
                    found[name].append(took)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start")
    parser.add_argument("--runs", type=int, default=20)
    found = measure(parser.parse_args(arguments).runs)
    shown = {name: _summary(took, found[LIST]) for name, took in found.items()}
    print(json.dumps({"limit": LIMIT, **shown}, indent=2))
    return int(any(one["ratio_least"] > LIMIT for one in shown.values()))


def _summary(took: Sequence[float], of_list: Sequence[float]) -> dict[str, Any]:
    return {
        "least_ms": round(min(took)),
        "median_ms": round(statistics.median(took)),
        "ratio_least": round(min(took) / min(of_list), 2),
        "ratio_median": round(statistics.median(took) / statistics.median(of_list), 2),
    }


if __name__ == "__main__":
    raise SystemExit(main())
