"""`tier1 rollback` and `tier1 destroy`: record the new target state and run until it is reached."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tier1_engine.cli.options import Output
from tier1_engine.cli.screen import closing
from tier1_engine.cli.screen.log_file import opened
from tier1_engine.cli.screen.outcome import finish, session
from tier1_engine.cli.screen.render.base import lines
from tier1_engine.cli.screen.sign_in import signed_in
from tier1_engine.cli.screen.streams import confirm, interactive, say
from tier1_engine.cli.signals import Signals
from tier1_engine.compose import engine as compose
from tier1_engine.deployment import standing
from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import ENDED, Goal
from tier1_engine.engine import engine
from tier1_engine.errors import Refused
from tier1_engine.settings import from_environment
from tier1_engine.store import names


def run(
    reference: str,
    goal: Goal,
    *,
    retain: Sequence[str],
    yes: bool,
    log_file: Path | None,
    output: Output,
    signals: Signals,
) -> int:
    """Roll back or destroy; return the exit code."""
    settings = from_environment()
    with opened(log_file) as log, compose.opened_store(settings) as store:
        deployment = names.find(store, reference, to_change=True)
        if not yes and interactive() and deployment.state not in ENDED:
            _confirm(store.load(deployment.id), retain, goal)
        aws = signed_in(deployment, settings)
        command = session(store, deployment, settings, signals, log, aws)
        equipment = command.equipment
        asked = engine.request(equipment, deployment.id, goal, retain=retain).goal
        if goal is Goal.DESTROYED and asked is Goal.ROLLED_BACK:
            say(f"{deployment.name} was never active: rolling it back instead.")
        ended = command.drive(
            lambda: engine.follow(
                equipment,
                deployment.id,
                asked,
                tell=lambda who: command.view.note(f"requested; following {who}"),
                wait=signals.wait,
            )
        )
        return finish(command, ended, asked, output)


def _confirm(record: Record, retain: Sequence[str], goal: Goal) -> None:
    """Show what would be deleted and what would be retained, and ask for confirmation.

    Raises:
        Refused: the operator declined, or a resource to retain does not exist.
    """
    kept = standing.closure(record, retain)
    say(lines(closing.deletions(record, kept, goal)))
    if not confirm("Continue?"):
        raise Refused("Nothing was changed.")
