"""How many steps a second the engine makes durable.

    python -m benchmarks.durable_steps --workflows 50 --steps 12 --threads 1 [--url URL] [--baseline]

Runs whole deployments whose steps do nothing through the real engine, with everything written as for
a real one: intent, attempt, result and event of every step. Prints one JSON object to stdout. The
time is that of creating and driving the deployments; loading the program and making the schema are
not in it.
"""

from __future__ import annotations

import argparse
import json
import platform
import queue
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from benchmarks import raw, workload
from tier1_engine import __version__
from tier1_engine.deployment import creation
from tier1_engine.deployment.plan import Plan
from tier1_engine.deployment.states import State, Trigger
from tier1_engine.deployment.transitions import Facts, next_state
from tier1_engine.engine import engine
from tier1_engine.errors import Tier1Error
from tier1_engine.settings import Settings
from tier1_engine.store import database, schema
from tier1_engine.store.store import Store

SETTINGS = Settings()
ROUNDS = 10
"""How often the engine and the baseline take turns."""
ASKED_OF_SQLITE = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint", "page_size")
ASKED_OF_POSTGRES = ("synchronous_commit", "fsync", "full_page_writes", "wal_sync_method")
SYNCHRONOUS_OF_SQLITE = {0: "off", 1: "normal", 2: "full", 3: "extra"}


class NotActive(Tier1Error):
    """A workflow did not end as it should have: the numbers would mean nothing."""


@dataclass(frozen=True)
class Measured:
    """The measurements of one run. `commits` are those of the engine, counted at the database driver."""

    seconds: float
    commits: int


class Drivers:
    """What `threads` processes that drive at the same time have open: a store each, from first to last."""

    def __init__(self, url: str, threads: int) -> None:
        self._idle: queue.SimpleQueue[Store] = queue.SimpleQueue()
        self._commits: list[None] = []
        self._run = secrets.token_hex(4)
        self._driven = 0
        with ExitStack() as opened:
            for _ in range(threads):
                store = Store.open(url, lease_seconds=SETTINGS.lease_seconds)
                opened.callback(store.close)
                _count_commits(store.engine, self._commits)
                self._idle.put(store)
            self._pool = opened.enter_context(ThreadPoolExecutor(threads))
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def measure(self, workflows: int, steps: int) -> Measured:
        """Run so many more workflows, as many at a time as there are stores.

        Raises:
            NotActive: one of them did not end `active`.
        """
        next_state(State.PENDING, Trigger.START, Facts())  # loads the state machine's library
        plan, commits = workload.plan(steps), len(self._commits)
        numbers = range(self._driven, self._driven + workflows)
        self._driven += workflows
        began = time.perf_counter()
        list(self._pool.map(lambda number: self._workflow(number, plan), numbers))
        return Measured(time.perf_counter() - began, len(self._commits) - commits)

    def _workflow(self, number: int, plan: Plan) -> None:
        name = f"bench-{self._run}-{number}"
        store = self._idle.get()
        try:
            parts = workload.parts(store, SETTINGS)
            request = creation.DeploymentRequest(name=name, spec={"name": name})
            state = engine.deploy(parts, request, plan, workload.PLACE).record.deployment.state
        finally:
            self._idle.put(store)
        if state is not State.ACTIVE:
            raise NotActive(f"Workflow {name} ended {state} and not active: nothing was measured.")


def _count_commits(engine: Engine, seen: list[None]) -> None:
    """Put an entry into `seen` for each COMMIT that goes to the database driver."""
    dialect: Any = engine.dialect
    commit = dialect.do_commit

    def counted(connection: Any) -> None:
        commit(connection)
        seen.append(None)

    dialect.do_commit = counted


def report(url: str, *, workflows: int, steps: int, threads: int, baseline: bool) -> dict[str, Any]:
    """Measure, and report the conditions of the measurement."""
    described = _prepared(url)
    measured, raw_seconds = _in_turn(url, workflows, steps, threads, baseline)
    done = workflows * steps
    numbers: dict[str, Any] = {
        "steps_per_second": round(done / measured.seconds, 1),
        "ms_per_step": round(measured.seconds / done * 1000, 3),
        "commits_per_step": round(measured.commits / done, 3),
        "workflows": workflows,
        "steps": steps,
        "threads": threads,
        "url": masked(url),
    }
    if baseline:
        numbers["raw_steps_per_second"] = round(done / raw_seconds, 1)
        numbers["ratio_to_raw"] = round(raw_seconds / measured.seconds, 3)
    numbers |= described
    numbers["versions"] = {
        "python": platform.python_version(),
        "sqlalchemy": sqlalchemy.__version__,
        "transitions": version("transitions"),
        "tier1": __version__,
    }
    return numbers


def _in_turn(url: str, workflows: int, steps: int, threads: int, baseline: bool) -> tuple[Measured, float]:
    """Run all workflows; with the baseline, both by turns, so that both meet the same disk and load."""
    rounds = min(ROUNDS, workflows) if baseline else 1
    seconds, commits, raw_seconds = 0.0, 0, 0.0
    with Drivers(url, threads) as drivers:
        for number in range(rounds):
            share = workflows * (number + 1) // rounds - workflows * number // rounds
            measured = drivers.measure(share, steps)
            seconds, commits = seconds + measured.seconds, commits + measured.commits
            if baseline:
                raw_seconds += raw.seconds(make_url(url), workflows=share, steps=steps, threads=threads)
    return Measured(seconds, commits), raw_seconds


def masked(url: str) -> str:
    """The URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _prepared(url: str) -> dict[str, Any]:
    """Make the schema of an empty database; answer what the database is and how it is set."""
    prepared = database.connect(url, lease_seconds=SETTINGS.lease_seconds)
    try:
        schema.upgrade(prepared)
        with database.translated(prepared), prepared.connect() as connection:
            if prepared.dialect.name == "sqlite":
                found = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
                asked = {
                    name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                    for name in ASKED_OF_SQLITE
                }
                asked["synchronous"] = SYNCHRONOUS_OF_SQLITE[asked["synchronous"]]
            else:
                found = connection.exec_driver_sql("SHOW server_version").scalar_one()
                asked = {
                    name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
                    for name in ASKED_OF_POSTGRES
                }
    finally:
        prepared.dispose()
    return {
        "database": f"{prepared.dialect.name} {found}",
        "settings": {**asked, **asdict(SETTINGS)},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command; answer its exit code."""
    asked = _arguments(arguments)
    shape = {"workflows": asked.workflows, "steps": asked.steps, "threads": asked.threads}
    with tempfile.TemporaryDirectory(prefix="tier1-benchmark-") as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'benchmark.db'}"
        try:
            print(json.dumps(report(url, **shape, baseline=asked.baseline), indent=2))
        except Tier1Error as error:
            print(error, file=sys.stderr)
            return error.exit_code
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.durable_steps", description="How many steps a second are made durable."
    )
    parser.add_argument("--workflows", type=_count, default=50, help="deployments to run (50)")
    parser.add_argument("--steps", type=_count, default=12, help="steps of each, in a chain (12)")
    parser.add_argument("--threads", type=_count, default=1, help="deployments at a time (1)")
    parser.add_argument("--url", help="sqlite:///FILE or postgresql://... (a temporary SQLite file)")
    parser.add_argument("--baseline", action="store_true", help="measure the plain driver too")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
