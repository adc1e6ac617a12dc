"""Builds the `Target` of a resource for its kind."""

from __future__ import annotations

from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE, Target
from tier1_engine.deployment.record import Deployment, Resource


def target_of(resource: Resource, deployment: Deployment, database_id: str) -> Target:
    """Return the target of a resource, with exactly the tags that an owned object carries."""
    tags = {
        **deployment.tags,
        TAG_DATABASE: database_id,
        TAG_DEPLOYMENT: deployment.id,
        TAG_RESOURCE: resource.tagged_as,
        TAG_NAME: deployment.name,
        "Name": f"{deployment.name}-{resource.step}",
        **(deployment.tags_as_deployed or {}),
    }
    return Target(
        deployment_id=tags[TAG_DEPLOYMENT],
        resource_id=resource.tagged_as,
        step=resource.step,
        tags=tags,
        request=resource.request,
        key=resource.key,
        candidate=resource.candidate,
        aws_id=resource.aws_id,
        facts=resource.facts,
    )
