"""`tier1 resume --retry --spec FILE`: turns a corrected spec into an amendment of a deployment.

Owns reading the file for an existing deployment: its name, region and blueprint stay the same, and AWS is
read in the deployment's own place. `engine.decide.amendment` decides what may change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tier1_engine.cli.screen.streams import complain
from tier1_engine.compose import plugins, refusals
from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.deployment.record import Record
from tier1_engine.engine.decide.amendment import Amendment, with_left_out
from tier1_engine.errors import Refused
from tier1_engine.settings import Settings

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession
    from tier1_engine.contract.blueprint import Blueprint
    from tier1_engine.deployment.record import Deployment
    from tier1_engine.spec.base import BaseSpec


def amendment(path: Path, record: Record, settings: Settings, connect: Callable[[], AwsSession]) -> Amendment:
    """Return the amendment for a corrected spec. Reads from AWS what the plan depends on; changes nothing.

    Args:
        connect: returns a session with the deployment's AWS; called once the spec fits the deployment.

    Raises:
        SpecError: the file is not a valid spec, or AWS does not have what it names.
        Refused, Blocked: the spec is for another region, or AWS could not be read.
    """
    from tier1_engine.contract.blueprint import refuse_impossible

    deployment = record.deployment
    loaded = plugins.load_spec(path, name=deployment.name)
    blueprint, spec = loaded.blueprint, loaded.spec
    _refuse_another(path, blueprint, spec, deployment)
    cloud = connect().cloud(AlwaysPermitted())
    placed = blueprint.as_deployed(spec, record)
    survey = refusals.looking(
        lambda: blueprint.survey(cloud, placed),
        endpoint=deployment.endpoint,
        poll_seconds=settings.poll_seconds,
        sleep=time.sleep,
    )
    for sentence in survey.get("warnings") or ():
        complain(f"warning: {sentence}")
    plan, registry = blueprint.plan(placed, survey), plugins.registry(complain)
    refuse_impossible(plan, registry)
    plan = with_left_out(plan, record, registry.kinds)
    return Amendment(spec.to_stored(), plan, _values(spec, record))


def _refuse_another(path: Path, blueprint: Blueprint[Any], spec: BaseSpec, deployment: Deployment) -> None:
    """Refuse a spec for another region or blueprint, and a blueprint older than the deployment's."""
    if blueprint.name != deployment.blueprint:
        raise Refused(
            f"{path} is a spec of the blueprint {blueprint.name}, but {deployment.name} was deployed with "
            f"{deployment.blueprint}: correct `blueprint`, or deploy under another name."
        )
    if blueprint.version < deployment.blueprint_version:
        raise Refused(
            f"{deployment.name} was deployed with version {deployment.blueprint_version} of the blueprint "
            f"{blueprint.name}, and this host has version {blueprint.version}: update the package that "
            "provides it."
        )
    if spec.region != deployment.region:
        raise Refused(
            f"{path} is for {spec.region}, but {deployment.name} is in {deployment.region} and cannot move: "
            "correct the region, or deploy under another name."
        )


def _values(spec: BaseSpec, record: Record) -> Mapping[str, Any]:
    """Return the columns of the deployment that the corrected spec changes.

    A flag of `deploy`, such as `--no-rollback`, applies until the spec changes that key.
    """
    deployment = record.deployment
    policy = deployment.spec.get("policy") or {}
    values: dict[str, Any] = {}
    if spec.policy.rollback != policy.get("rollback"):
        values["rollback_enabled"] = spec.policy.rollback
    if spec.policy.on_recoverable != policy.get("on_recoverable"):
        values["on_recoverable"] = spec.policy.on_recoverable
    if spec.ttl != deployment.spec.get("ttl"):
        expires = None if spec.ttl is None else deployment.created_at + timedelta(seconds=spec.ttl)
        values["expires_at"] = expires
    return values
