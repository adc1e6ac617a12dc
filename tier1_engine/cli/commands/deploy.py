"""`tier1 deploy`: records a deployment for a spec and runs it until it ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tier1_engine.cli.options import OnRecoverable, Output
from tier1_engine.cli.screen.log_file import opened
from tier1_engine.cli.screen.outcome import Session, finish, policy_of, see_through, session
from tier1_engine.cli.screen.sign_in import signed_in
from tier1_engine.cli.screen.streams import complain
from tier1_engine.cli.signals import Signals
from tier1_engine.compose import engine as compose
from tier1_engine.compose import place as place_module
from tier1_engine.compose import plugins, refusals
from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.deployment import creation
from tier1_engine.deployment.states import Goal
from tier1_engine.settings import Settings, from_environment

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession
    from tier1_engine.contract.blueprint import Blueprint
    from tier1_engine.deployment.place import Place
    from tier1_engine.deployment.plan import Plan
    from tier1_engine.spec.base import BaseSpec


def run(
    path: Path,
    *,
    name: str | None,
    use_sandbox: bool,
    rollback: bool,
    on_recoverable: OnRecoverable | None,
    log_file: Path | None,
    output: Output,
    signals: Signals,
) -> int:
    """Deploy; return the exit code."""
    from tier1_engine.contract.blueprint import refuse_impossible

    loaded = plugins.load_spec(path, name=name)
    spec, settings = loaded.spec, from_environment()
    with opened(log_file) as log, compose.opened_store(settings) as store:
        aws, place, plan = _survey(spec, loaded.blueprint, settings, use_sandbox)
        command = session(store, place, settings, signals, log, aws)
        refuse_impossible(plan, command.equipment.registry)
        return _deploy(command, spec, plan, place, rollback, on_recoverable, output)


def _survey(
    spec: BaseSpec, blueprint: Blueprint[Any], settings: Settings, use_sandbox: bool
) -> tuple[AwsSession, Place, Plan]:
    """Ask AWS for the account, and for what the plan depends on. Nothing is created yet."""
    from tier1_engine.deployment.place import Place

    profile = place_module.environment_profile()
    if use_sandbox:
        endpoint, profile = place_module.start_sandbox(), ""
    else:
        endpoint = place_module.environment_endpoint(profile)
    somewhere = Place(account_id="", region=spec.region, profile=profile, endpoint=endpoint)
    aws = signed_in(somewhere, settings)

    def look() -> tuple[str, dict[str, Any]]:
        account_id, _ = aws.identity()
        return account_id, blueprint.survey(aws.cloud(AlwaysPermitted()), spec)

    account_id, survey = refusals.looking(
        look, endpoint=endpoint, poll_seconds=settings.poll_seconds, sleep=time.sleep
    )
    for sentence in survey.get("warnings") or ():
        complain(f"warning: {sentence}")
    place = Place(account_id=account_id, region=spec.region, profile=profile, endpoint=endpoint)
    return aws, place, blueprint.plan(spec, survey)


def _deploy(
    command: Session,
    spec: BaseSpec,
    plan: Plan,
    place: Place,
    rollback: bool,
    on_recoverable: OnRecoverable | None,
    output: Output,
) -> int:
    from tier1_engine.engine import engine

    equipment = command.equipment
    request = creation.DeploymentRequest(
        name=spec.name,
        spec=spec.to_stored(),
        rollback_enabled=spec.policy.rollback and rollback,
        on_recoverable=(on_recoverable or spec.policy.on_recoverable),
        ttl_seconds=spec.ttl,
    )

    def create_and_drive() -> engine.Ended:
        # Once the row exists, a signal only requests a stop, so that the deployment can always be resumed.
        def created(deployment_id: str) -> None:
            command.view.note(f"{spec.name} is deployment {deployment_id}")

        return engine.deploy(equipment, request, plan, place, created=created)

    ended = command.drive(create_and_drive)
    ended = see_through(command, ended, policy_of(on_recoverable, spec.policy.on_recoverable))
    return finish(command, ended, Goal.ACTIVE, output)
