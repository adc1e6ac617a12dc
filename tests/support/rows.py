"""Records for tests, made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tier1_engine.deployment.failure import Failure
from tier1_engine.deployment.record import Deployment, Record, Resource, Step
from tier1_engine.deployment.states import FailureClass, Goal, Mode, Phase, ResourceState, State
from tier1_engine.store.holder import Holder, this_process
from tier1_engine.store.lease import Lease, take
from tier1_engine.store.store import Store

AT = datetime(2026, 1, 1, tzinfo=UTC)


class SteppedClock:
    """A clock whose two times a test sets, each by itself."""

    def __init__(self, wall: datetime = AT, seconds: float = 1000.0) -> None:
        self.wall = wall
        self.seconds = seconds

    def now(self) -> datetime:
        return self.wall

    def steady(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)


def deployment(id: str = "d1", **values: Any) -> Deployment:
    whole = Deployment(
        id=id,
        name="demo",
        blueprint="sim",
        blueprint_version=1,
        region="us-east-1",
        profile="",
        endpoint="",
        account_id="123456789012",
        state=State.PENDING,
        goal=Goal.ACTIVE,
        spec={"name": "demo"},
        tags={},
        output_templates={},
        delete_seconds=600.0,
        max_attempts=5,
        rollback_enabled=True,
        on_recoverable="stop",
        created_at=AT,
        updated_at=AT,
    )
    return replace(whole, **values)


def step(name: str = "net", deployment_id: str = "d1", **values: Any) -> Step:
    whole = Step(
        deployment_id=deployment_id,
        name=name,
        position=0,
        phase=Phase.NETWORK,
        kind="net",
        mode=Mode.CREATE,
        needs=(),
        inputs={},
        deadline_seconds=600.0,
        on_failure=FailureClass.CRITICAL,
    )
    return replace(whole, **values)


def resource(id: str = "r1", name: str = "net", deployment_id: str = "d1", **values: Any) -> Resource:
    whole = Resource(
        id=id,
        deployment_id=deployment_id,
        step=name.partition("~")[0],
        name=name,
        kind="net",
        state=ResourceState.CREATING,
        owned=True,
        tagged_as=id,
        request={},
        created_at=AT,
    )
    return replace(whole, **values)


def failure(step: str | None = "net", **values: Any) -> Failure:
    whole = Failure(
        step=step,
        failure_class=FailureClass.CRITICAL,
        code="X",
        message="x",
        operation=None,
        request_id=None,
        at=AT,
    )
    return replace(whole, **values)


def driven(store: Store, whole: Deployment | None = None, *steps: Step) -> tuple[Record, Lease]:
    """A stored deployment and a lease on it."""
    made = whole or deployment()
    store.create(made, steps or [step(deployment_id=made.id)], "asked for")
    held = take(store, made.id, this_process(), 60.0, SteppedClock())
    return store.load(made.id), held


__all__ = ["AT", "Holder", "SteppedClock", "deployment", "driven", "failure", "resource", "step"]
