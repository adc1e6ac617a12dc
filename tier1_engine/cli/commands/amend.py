"""`tier1 resume --retry --spec FILE`: from a corrected spec to what it changes of a deployment.

Owns the reading of the file for a deployment that is there already: its name stays, its region and
zones stay, and AWS is asked where the deployment lives. What may change is `amendment`'s to say.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from tier1_engine.blueprints.tier1.spec import Spec, load_spec
from tier1_engine.cli.screen.streams import complain
from tier1_engine.compose import place, plugins, refusals
from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.deployment.record import Record
from tier1_engine.engine.decide.amendment import Amendment
from tier1_engine.errors import Refused
from tier1_engine.settings import Settings


def amendment(path: Path, record: Record, settings: Settings) -> Amendment:
    """What is wanted instead. Asks AWS what the plan depends on; changes nothing.

    Raises:
        SpecError: the file cannot be a spec, or AWS does not have what it names.
        Refused, Blocked: it is of another region; AWS could not be asked.
    """
    deployment = record.deployment
    spec = load_spec(path, name=deployment.name)
    if spec.region != deployment.region:
        raise Refused(
            f"{path} is for {spec.region}, but {deployment.name} is in {deployment.region} and cannot move: "
            "correct the region, or deploy under another name."
        )
    place.lend_credentials(deployment.endpoint, deployment.profile)
    blueprint = plugins.blueprints(complain)[deployment.blueprint]
    cloud = place.session(deployment, settings).cloud(AlwaysPermitted())
    placed = _where_it_stands(spec, record)
    survey = refusals.looking(
        lambda: blueprint.survey(cloud, placed),
        endpoint=deployment.endpoint,
        poll_seconds=settings.poll_seconds,
        sleep=time.sleep,
    )
    return Amendment(spec.to_stored(), blueprint.plan(placed, survey), _values(spec, record))


def _where_it_stands(spec: Spec, record: Record) -> Spec:
    """The spec with the zones that were chosen for it, where it asks for as many as before.

    A survey prefers the zones that offer the wanted types; other types must not move the subnets.
    """
    before = record.deployment.spec.get("network") or {}
    zones = tuple(
        str(step.inputs["zone"])
        for step in record.steps.values()
        if step.kind == "subnet" and "zone" in step.inputs
    )
    if not zones or isinstance(spec.network.zones, tuple) or spec.network.zones != before.get("zones"):
        return spec
    return spec.model_copy(update={"network": spec.network.model_copy(update={"zones": zones})})


def _values(spec: Spec, record: Record) -> Mapping[str, Any]:
    """What the deployment's row says by the spec, where the spec says otherwise than before.

    A flag of `deploy` (`--no-rollback`) holds until the spec itself changes its mind.
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
