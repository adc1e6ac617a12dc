"""`tier1 deploy`: from a spec to a deployment on record, driven until it has ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tier1_engine.cli import compose, refusals
from tier1_engine.cli.options import OnRecoverable, Output
from tier1_engine.cli.outcome import Session, finish, policy_of, see_through
from tier1_engine.cli.signals import Signals
from tier1_engine.permits import AlwaysPermitted
from tier1_engine.settings import Settings, from_environment
from tier1_engine.states import Goal

if TYPE_CHECKING:
    from tier1_engine.blueprint import Blueprint, Plan
    from tier1_engine.engine import Place
    from tier1_engine.spec import Spec
    from tier1_engine.store import Store

BLUEPRINT = "tier1"


def run(
    path: Path,
    *,
    name: str | None,
    use_sandbox: bool,
    rollback: bool,
    on_recoverable: OnRecoverable | None,
    output: Output,
    signals: Signals,
) -> int:
    """Deploy; answer the exit code."""
    from tier1_engine.spec import load_spec

    spec = load_spec(path, name=name)
    settings = from_environment()
    blueprint = compose.blueprints()[BLUEPRINT]
    with compose.opened_store(settings) as store:
        place, plan = _survey(spec, blueprint, settings, use_sandbox)
        return _deploy(store, settings, spec, plan, place, rollback, on_recoverable, output, signals)


def _survey(spec: Spec, blueprint: Blueprint, settings: Settings, use_sandbox: bool) -> tuple[Place, Plan]:
    """Ask AWS who we are and what the plan depends on. Nothing is made yet."""
    from tier1_engine.engine import Place

    profile = compose.environment_profile()
    if use_sandbox:
        endpoint, profile = compose.start_sandbox(), ""
    else:
        endpoint = compose.environment_endpoint(profile)
    compose.lend_credentials(endpoint, profile)
    somewhere = Place(account_id="", region=spec.region, profile=profile, endpoint=endpoint)
    session = compose.session(somewhere, settings)

    def look() -> tuple[str, dict[str, Any]]:
        account_id, _ = session.identity()
        return account_id, blueprint.survey(session.cloud(AlwaysPermitted()), spec)

    account_id, survey = refusals.looking(
        look, endpoint=endpoint, poll_seconds=settings.poll_seconds, sleep=time.sleep
    )
    place = Place(account_id=account_id, region=spec.region, profile=profile, endpoint=endpoint)
    return place, blueprint.plan(spec, survey)


def _deploy(
    store: Store,
    settings: Settings,
    spec: Spec,
    plan: Plan,
    place: Place,
    rollback: bool,
    on_recoverable: OnRecoverable | None,
    output: Output,
    signals: Signals,
) -> int:
    from tier1_engine import engine
    from tier1_engine.cli.progress import view

    watching = view()
    parts = compose.parts(store, place, settings, watching)
    wish = engine.Wish(
        name=spec.name,
        spec=spec.to_stored(),
        rollback_enabled=spec.policy.rollback and rollback,
        on_recoverable=(on_recoverable or spec.policy.on_recoverable),
        ttl_seconds=spec.ttl,
    )
    session = Session(parts, watching, signals)

    def create_and_drive() -> engine.Ended:
        # From the row on a signal only asks to stop, so that there is always a deployment to resume.
        deployment_id = engine.create(parts, wish, plan, place)
        watching.note(f"{spec.name} is deployment {deployment_id}")
        return engine.drive(parts, deployment_id)

    ended = session.drive(create_and_drive)
    ended = see_through(session, ended, policy_of(on_recoverable, spec.policy.on_recoverable))
    return finish(session, ended, Goal.ACTIVE, output)
