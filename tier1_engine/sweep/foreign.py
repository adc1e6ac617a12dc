"""Rows for what another database made and an operator reviewed, so that its deletion is on record too.

They hang on a deployment of ours that had ended before it began: nothing drives it, a sweep clears
it, and one that is killed is finished by the next. Pure: it makes values and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tier1_engine.clock import new_deployment_id
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE, Observation
from tier1_engine.deployment.record import Deployment, Resource, Step
from tier1_engine.deployment.states import FailureClass, Goal, Mode, Phase, ResourceState, State
from tier1_engine.sweep.rules import Item

FOREIGN_DELETE_SECONDS = 2_400.0
FOREIGN_ATTEMPTS = 5


def stand_in(items: Sequence[Item], now: datetime) -> Deployment:
    """A deployment of ours that holds the rows of foreign things: it ended before it began."""
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
        tagged_as=claims,
    )


def stand_in_step(deployment: Deployment, number: int, item: Item) -> Step:
    """They need nothing of each other that we know: AWS says what must wait (`DependencyViolation`)."""
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


def stand_in_row(
    deployment: Deployment, step: Step, item: Item, observation: Observation, id: str, now: datetime
) -> Resource:
    """The row of one foreign thing, as AWS shows it now."""
    return Resource(
        id=id,
        deployment_id=deployment.id,
        step=step.name,
        name=step.name,
        kind=item.kind,
        state=ResourceState.STRAY,
        owned=True,
        tagged_as=observation.tags.get(TAG_RESOURCE, ""),
        request={},
        created_at=now,
        aws_id=observation.aws_id,
        arn=observation.arn,
        facts=dict(observation.facts),
        made_at=now,
    )
