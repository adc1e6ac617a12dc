"""How a sweep performs under load: hundreds of failed deployments, with fourteen resources each.

    python -m benchmarks.sweep_load [--deployments 200] [--orphans 50] [--call-ms 5] [--url URL]

The account is simulated and counts the calls; everything else is real: the engine, its threads, the leases,
and the database on disk. Prints one JSON object; exit code 1 when a promise does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.sweep_account import ACCOUNT_ID, KINDS, REGION, Account, AccountCloud, registry
from tier1_engine.clock import SystemClock, new_id
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE
from tier1_engine.deployment.failure import Failure
from tier1_engine.deployment.record import Attempt, Deployment, Resource, Step
from tier1_engine.deployment.states import (
    Action,
    FailureClass,
    Goal,
    Mode,
    Outcome,
    Phase,
    ResourceState,
    State,
    StepState,
)
from tier1_engine.engine.equipment import Equipment
from tier1_engine.engine.pool import ThreadPool
from tier1_engine.settings import Settings
from tier1_engine.store import database, schema, statements
from tier1_engine.store.mapping import ATTEMPTS, RESOURCES, values_of
from tier1_engine.store.store import Store
from tier1_engine.store.transactions import Transaction
from tier1_engine.survey.access import Access
from tier1_engine.sweep.rules import Choice
from tier1_engine.sweep.sweep import UNITS_SIDE_BY_SIDE, SweepSetup, carry_out, survey

MAX_RATIO = 1.2
MAX_SECONDS = 120.0
SETTINGS = Settings(poll_seconds=0.01, visibility_grace_seconds=0.05)
LONG_AGO = datetime.now(UTC) - timedelta(days=2)


def planted(store: Store, account: Account, number: int, orphans: int) -> None:
    """A failed deployment with its fourteen things, a chain of four levels like a network, and orphans."""
    id = f"{number:012x}"
    failure = Failure(KINDS[-1], FailureClass.CRITICAL, "Broken", "it broke", None, None, LONG_AGO)
    whole = Deployment(
        id=id,
        name=f"load-{number}",
        blueprint="load",
        blueprint_version=1,
        region=REGION,
        profile="",
        endpoint="",
        account_id=ACCOUNT_ID,
        state=State.FAILED,
        goal=Goal.ACTIVE,
        spec={},
        tags={},
        output_templates={},
        delete_seconds=600.0,
        max_attempts=5,
        rollback_enabled=False,
        on_recoverable="stop",
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
        failure=failure,
    )
    steps = [_step(id, position, kind) for position, kind in enumerate(KINDS)]
    store.create(whole, steps, "planted")
    rows = [_row(store.database_id, whole, kind, account) for kind in KINDS]
    late = [_late(whole, rows[0], account, one) for one in range(orphans)]
    with Transaction(store.writers) as transaction:
        statements.add(transaction, RESOURCES, [values_of(row) for row in rows])
        if late:
            statements.add(transaction, ATTEMPTS, [values_of(attempt) for attempt in late])


def _late(whole: Deployment, row: Resource, account: Account, number: int) -> Attempt:
    """Return a create without a reply, which AWS executed after the search for it."""
    account.things[row.kind][f"late-{whole.id}-{number}"] = dict(account.things[row.kind][row.aws_id or ""])
    return Attempt(
        id=new_id(),
        deployment_id=whole.id,
        step=row.step,
        action=Action.CREATE,
        begun_at=LONG_AGO,
        term=1,
        resource_id=row.id,
        key=row.key,
        ended_at=LONG_AGO,
        outcome=Outcome.UNKNOWN,
        settled=True,
    )


def _step(id: str, position: int, kind: str) -> Step:
    return Step(
        deployment_id=id,
        name=kind,
        position=position,
        phase=Phase.NETWORK,
        kind=kind,
        mode=Mode.CREATE,
        needs=(KINDS[position - 4],) if position >= 4 else (),
        inputs={},
        deadline_seconds=600.0,
        on_failure=FailureClass.CRITICAL,
        state=StepState.DONE,
        finished_at=LONG_AGO,
    )


def _row(database_id: str, whole: Deployment, kind: str, account: Account) -> Resource:
    row_id, aws_id = new_id(), f"{kind}-{whole.id}"
    account.things[kind][aws_id] = _tags(database_id, whole.id, whole.name, row_id)
    return Resource(
        id=row_id,
        deployment_id=whole.id,
        step=kind,
        name=kind,
        kind=kind,
        state=ResourceState.PRESENT,
        owned=True,
        tagged_as=row_id,
        request={},
        created_at=LONG_AGO,
        aws_id=aws_id,
        made_at=LONG_AGO,
    )


def _tags(database_id: str, deployment_id: str, name: str, row_id: str) -> dict[str, str]:
    return {
        TAG_DATABASE: database_id,
        TAG_DEPLOYMENT: deployment_id,
        TAG_NAME: name,
        TAG_RESOURCE: row_id,
    }


def measured(store: Store, deployments: int, orphans: int, call_seconds: float) -> dict[str, Any]:
    """Plant, mark and sweep; answer the figures."""
    account, clock = Account(), SystemClock()
    for number in range(1, deployments + 1):
        planted(store, account, number, orphans // deployments + (number <= orphans % deployments))
    account.seconds = call_seconds

    def parts(_: object) -> Equipment:
        return Equipment(
            store=store,
            registry=registry(),
            settings=SETTINGS,
            clock=clock,
            cloud=lambda permit: AccountCloud(account, permit),
            pool=lambda: ThreadPool(clock),
        )

    ground = SweepSetup(store, clock, Access(parts, time.sleep), registry())
    standing, pages_needed = account.standing, account.pages_needed
    began = time.perf_counter()
    plan = survey(ground, Choice(orphans=True), (), None)
    marked_at, marking = time.perf_counter(), Counter(account.calls)
    swept = carry_out(ground, plan)
    ended = time.perf_counter()
    looks = sum(marking.values())
    return {
        "deployments": deployments,
        "resources": standing,
        "pages_needed": pages_needed,
        "calls_to_mark": looks,
        "ratio_to_pages": round(looks / pages_needed, 3),
        "seconds_to_mark": round(marked_at - began, 2),
        "calls_to_delete": dict(account.calls - marking),
        "seconds_to_delete": round(ended - marked_at, 2),
        "seconds": round(ended - began, 2),
        "most_calls_at_once": account.most_in_flight,
        "deployments_at_once": UNITS_SIDE_BY_SIDE,
        "call_ms": call_seconds * 1000,
        **swept.counts,
        "left": account.standing,
        "exit_code": swept.exit_code,
        "database": store.engine.dialect.name,
        "settings": asdict(SETTINGS),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deployments", type=int, default=200)
    parser.add_argument("--orphans", type=int, default=50)
    parser.add_argument("--call-ms", type=float, default=5.0)
    parser.add_argument("--url", help="a database of its own; without one a SQLite file is made")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'sweep.db'}"
        engine = database.connect(url)
        schema.upgrade(engine)
        engine.dispose()
        store = Store.open(url)
        try:
            found = measured(store, asked.deployments, asked.orphans, asked.call_ms / 1000)
        finally:
            store.close()
    print(json.dumps(found, indent=2))
    holds = (
        found["ratio_to_pages"] <= MAX_RATIO
        and found["seconds"] <= MAX_SECONDS
        and not found["left"]
        and found["exit_code"] == 0
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
