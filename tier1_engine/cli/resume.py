"""`tier1 resume`: go on from the database, whatever the goal is."""

from __future__ import annotations

from pathlib import Path

from tier1_engine import engine
from tier1_engine.cli import compose
from tier1_engine.cli.log_file import opened
from tier1_engine.cli.options import Output
from tier1_engine.cli.outcome import finish, policy_of, see_through, session
from tier1_engine.cli.signals import Signals
from tier1_engine.engine import Resume
from tier1_engine.settings import from_environment
from tier1_engine.states import Goal, State


def run(reference: str, *, how: Resume, log_file: Path | None, output: Output, signals: Signals) -> int:
    """Resume; answer the exit code."""
    settings = from_environment()
    with opened(log_file) as log, compose.opened_store(settings) as store:
        deployment = engine.find(store, reference, to_change=True)
        asked = Goal.ROLLED_BACK if how is Resume.ROLL_BACK else deployment.goal
        command = session(store, deployment, settings, signals, log)
        ended = command.drive(lambda: engine.resume(command.parts, deployment.id, how))
        # What had failed before, or was just tried again by hand, is not tried by itself.
        if how is Resume.GO_ON and deployment.state is not State.FAILED:
            ended = see_through(command, ended, policy_of(None, deployment.on_recoverable))
        return finish(command, ended, asked, output)
