"""Failed deployments by the hundred: one that is real, and copies of it in AWS and in the database.

Owns the planting only. The one is deployed by the command; each copy has the same steps and rows under ids
of its own, and its things are made by their kinds' own calls, with tags and keys that prove them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

from tier1_engine.clock import new_deployment_id, new_id
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Kind, Observation, Presence, Target
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.record import Deployment, Record, Resource, Step
from tier1_engine.errors import CallError
from tier1_engine.store import statements
from tier1_engine.store.mapping import RESOURCES, values_of
from tier1_engine.store.store import Store
from tier1_engine.store.transactions import Transaction

TRIES = 500
WAIT_SECONDS = 0.02
PLANTERS = 3
STRAY_OF = "vpc"
"""A copy has one more of these than its rows record: AWS executed a create late."""

Row = TypeVar("Row", Deployment, Step, Resource)
Words = dict[str, str]


def planted(store: Store, kinds: Mapping[str, Kind], cloud: Cloud, first: Record, copies: int) -> int:
    """Copy a deployment so many times; answer how many things were made."""

    def one(number: int) -> tuple[Record, int]:
        return _copy(store.database_id, kinds, cloud, first, f"{first.deployment.name}-{number}")

    with ThreadPoolExecutor(PLANTERS) as planters:
        made = list(planters.map(one, range(copies)))
    for record, _ in made:
        store.create(record.deployment, list(record.steps.values()), "planted")
        rows = [values_of(row) for row in record.resources.values()]
        with Transaction(store.writers) as transaction:
            statements.add(transaction, RESOURCES, rows)
    return sum(number for _, number in made)


def _copy(
    database_id: str, kinds: Mapping[str, Kind], cloud: Cloud, first: Record, name: str
) -> tuple[Record, int]:
    words: Words = {first.deployment.id: new_deployment_id(), first.deployment.name: name}
    deployment = _reworded(first.deployment, words)
    resources: dict[str, Resource] = {}
    made = 0
    for step in sorted(first.steps.values(), key=lambda step: step.position):
        old = first.resource_of(step.name)
        if old is None or old.aws_id is None:
            continue
        words[old.id] = new_id()
        row = replace(_reworded(old, words), deployment_id=deployment.id, aws_id=None)
        target, kind = target_of(row, deployment, database_id), kinds[old.kind]
        observation = _made(kind, cloud, target)
        words[old.aws_id] = observation.aws_id
        made += 1
        if old.kind == STRAY_OF:
            again(lambda k=kind, t=target: k.create(cloud, t))  # type: ignore[misc]
            made += 1
        resources[row.id] = replace(
            row, aws_id=observation.aws_id, arn=observation.arn, facts=dict(observation.facts)
        )
    steps = {step.name: _reworded(step, words) for step in first.steps.values()}
    return Record(deployment, steps, resources, {}), made


def _made(kind: Kind, cloud: Cloud, target: Target) -> Observation:
    """Make a thing and set its configuration; what it becomes by itself is not waited for."""
    made = again(lambda: kind.create(cloud, target))
    target = replace(target, aws_id=made.aws_id)
    observation = again(lambda: kind.describe(cloud, target))
    for _ in range(TRIES):
        if observation.presence is Presence.UNSET:
            again(lambda s=observation: kind.configure(cloud, target, s))  # type: ignore[misc]
        elif observation.presence is not Presence.ABSENT:
            return observation
        time.sleep(WAIT_SECONDS)
        observation = again(lambda: kind.describe(cloud, target))
    raise RuntimeError(f"the {kind.title} was never as wanted: {observation}")


Made = TypeVar("Made")


def again(call: Callable[[], Made]) -> Made:
    """Make a call until AWS takes it: planting is throttled, and runs ahead of what is visible."""
    for _ in range(TRIES):
        try:
            return call()
        except CallError as error:
            last = error
            time.sleep(WAIT_SECONDS)
    raise last


def _reworded(row: Row, words: Words) -> Row:
    """A row in which every old id is replaced by its new one."""
    pattern = re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))

    def new(value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | Enum | datetime | timedelta):
            return value
        if isinstance(value, tuple):
            return tuple(new(one) for one in value)
        if isinstance(value, Failure | Error):
            return replace(value, **{one.name: new(getattr(value, one.name)) for one in fields(value)})
        text = json.dumps(value)
        return json.loads(pattern.sub(lambda found: words[found[0]], text))

    return replace(row, **{field.name: new(getattr(row, field.name)) for field in fields(row)})
