"""Rows for reviewed resources of another database, so that their deletion is recorded, too.

They belong to a stand-in deployment that is created in an ended state: no driver runs it, a sweep clears it,
and the next sweep finishes after one that was killed. Pure: it returns values and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tier1_engine.clock import new_deployment_id
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE, Observation
from tier1_engine.deployment.record import Deployment, Resource, Step
from tier1_engine.deployment.states import FailureClass, Goal, Mode, Phase, State
from tier1_engine.engine.protocol.duplicates import found_beside
from tier1_engine.sweep.rules import Item

FOREIGN_DELETE_SECONDS = 2_400.0
FOREIGN_ATTEMPTS = 5


def stand_in(items: Sequence[Item], now: datetime) -> Deployment:
    """Return the stand-in deployment for the rows of foreign resources, already ended."""
    first = items[0]
    place = first.place
    claims = {TAG_DATABASE: first.owner.database, TAG_DEPLOYMENT: first.owner.deployment}
    if first.owner.name:
        claims[TAG_NAME] = first.owner.name
    return Deployment(
        id=new_deployment_id(),
        name=f"foreign-{first.owner.deployment}"[:64],
        blueprint="(foreign)",
        blueprint_version=1,
        region=place.region,
        profile=place.profile,
        endpoint=place.endpoint,
        account_id=place.account_id,
        state=State.ROLLED_BACK,
        goal=Goal.ROLLED_BACK,
        spec={},
        tags={},
        output_templates={},
        delete_seconds=FOREIGN_DELETE_SECONDS,
        max_attempts=FOREIGN_ATTEMPTS,
        rollback_enabled=True,
        on_recoverable="stop",
        created_at=now,
        updated_at=now,
        finished_at=now,
        tags_as_deployed=claims,
    )


def stand_in_step(deployment: Deployment, number: int, item: Item) -> Step:
    """Return the step of one item, without needs: they are unknown, and AWS enforces them on deletion."""
    return Step(
        deployment_id=deployment.id,
        name=f"{item.kind}-{number + 1}",
        position=number,
        phase=Phase.NETWORK,
        kind=item.kind,
        mode=Mode.CREATE,
        needs=(),
        inputs={},
        deadline_seconds=FOREIGN_DELETE_SECONDS,
        on_failure=FailureClass.CRITICAL,
    )


def stand_in_row(step: Step, observation: Observation, id: str, now: datetime) -> Resource:
    """Return the row of one foreign resource, as AWS shows it now."""
    tag = observation.tags.get(TAG_RESOURCE, "")
    return found_beside(step, observation, id=id, name=step.name, tagged_as=tag, request={}, now=now)
