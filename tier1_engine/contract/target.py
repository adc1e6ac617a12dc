"""A resource as its kind sees it."""

from __future__ import annotations

from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE, Target
from tier1_engine.deployment.record import Deployment, Resource


def target_of(resource: Resource, deployment: Deployment, database_id: str) -> Target:
    """The resource as its kind sees it, with exactly the tags that ours carries."""
    tags = {
        **deployment.tags,
        TAG_DATABASE: database_id,
        TAG_DEPLOYMENT: deployment.id,
        TAG_RESOURCE: resource.tagged_as,
        TAG_NAME: deployment.name,
        "Name": f"{deployment.name}-{resource.step}",
        **(deployment.tagged_as or {}),
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
