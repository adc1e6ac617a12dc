"""Builds the rows of a new deployment from the request, the plan and the place. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tier1_engine.clock import new_deployment_id
from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.plan import Plan, ordered
from tier1_engine.deployment.record import Deployment, Step
from tier1_engine.deployment.states import Goal, State


@dataclass(frozen=True, slots=True)
class DeploymentRequest:
    """What `deploy` requests in addition to the plan."""

    name: str
    spec: Mapping[str, Any]
    rollback_enabled: bool = True
    on_recoverable: str = "stop"
    ttl_seconds: float | None = None


def asked_for(request: DeploymentRequest, place: Place) -> str:
    """Return the first line of the timeline."""
    return f"requested: {request.name} in {place.region}"


def new_deployment(
    request: DeploymentRequest, plan: Plan, place: Place, now: datetime, actor: Actor | None = None
) -> tuple[Deployment, list[Step]]:
    """Return a `pending` deployment with a new id, and the steps of its plan in order.

    Raises:
        Refused: the plan is inconsistent.
    """
    deployment = Deployment(
        id=new_deployment_id(),
        name=request.name,
        blueprint=plan.blueprint,
        blueprint_version=plan.version,
        region=place.region,
        profile=place.profile,
        endpoint=place.endpoint,
        account_id=place.account_id,
        state=State.PENDING,
        goal=Goal.ACTIVE,
        spec=request.spec,
        tags=plan.tags,
        output_templates=plan.outputs,
        delete_seconds=plan.delete_seconds,
        max_attempts=plan.max_attempts,
        rollback_enabled=request.rollback_enabled,
        on_recoverable=request.on_recoverable,
        created_at=now,
        updated_at=now,
        expires_at=None if request.ttl_seconds is None else now + timedelta(seconds=request.ttl_seconds),
        created_by=actor,
        asked_by=actor,
    )
    steps = [
        Step(
            deployment_id=deployment.id,
            name=step.name,
            position=position,
            phase=step.phase,
            kind=step.kind,
            mode=step.mode,
            needs=step.needs,
            inputs=step.inputs,
            deadline_seconds=step.deadline_seconds,
            on_failure=step.on_failure,
        )
        for position, step in enumerate(ordered(plan.steps))
    ]
    return deployment, steps
