"""`tier1 resume`: resumes a deployment from the database, whatever its target state is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tier1_engine.cli.options import OnRecoverable, Output
from tier1_engine.cli.screen.log_file import opened
from tier1_engine.cli.screen.outcome import finish, policy_of, see_through, session
from tier1_engine.cli.screen.sign_in import signed_in
from tier1_engine.cli.signals import Signals
from tier1_engine.compose import engine as compose
from tier1_engine.deployment.states import Goal, State
from tier1_engine.engine import engine
from tier1_engine.engine.engine import Resume
from tier1_engine.settings import from_environment
from tier1_engine.store import names


def run(
    reference: str, *, how: Resume, spec: Path | None, log_file: Path | None, output: Output, signals: Signals
) -> int:
    """Resume; return the exit code.

    Args:
        spec: for a retry, the corrected spec.
    """
    settings = from_environment()
    with opened(log_file) as log, compose.opened_store(settings) as store:
        deployment = names.find(store, reference, to_change=True)
        asked = Goal.ROLLED_BACK if how is Resume.ROLL_BACK else deployment.goal
        connect = cache(lambda: signed_in(deployment, settings))
        amendment = None
        if spec is not None:
            from tier1_engine.cli.commands.amend import amendment as read

            amendment = read(spec, store.load(deployment.id), settings, connect)
        command = session(store, deployment, settings, signals, log, connect())
        ended = command.drive(lambda: engine.resume(command.equipment, deployment.id, how, amendment))
        # A failure from before, or one that was just retried by hand, is not retried automatically.
        by_itself = how is Resume.GO_ON and deployment.state is not State.FAILED
        policy = policy_of(None if by_itself else OnRecoverable.ASK, deployment.on_recoverable)
        return finish(command, see_through(command, ended, policy), asked, output)
