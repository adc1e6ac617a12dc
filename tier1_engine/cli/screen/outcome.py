"""Ends a command after its run: the recovery options, the summary, the exit code.

Owns what follows a failure that the operator or the policy can resolve. An answer acts like a new
command: it is given after `failed` is committed and the lease released.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tier1_engine.cli.options import OnRecoverable, Output
from tier1_engine.cli.screen import closing
from tier1_engine.cli.screen.log_file import Both, LogFile
from tier1_engine.cli.screen.progress import View, view
from tier1_engine.cli.screen.streams import complain, interactive, put, put_json, say
from tier1_engine.cli.signals import Signals
from tier1_engine.compose import engine as compose
from tier1_engine.compose.reading import holder, whole
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import Deployment
from tier1_engine.deployment.standing import asks_for_a_decision
from tier1_engine.deployment.states import ENDED, FailureClass, Goal, State
from tier1_engine.engine import engine
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.engine.engine import Ended, Resume
from tier1_engine.engine.equipment import Equipment, Observer
from tier1_engine.errors import Tier1Error
from tier1_engine.settings import Settings
from tier1_engine.store.store import Store
from tier1_engine.views.prices import Prices

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession

MAX_ANSWERS = 100
"""The most answers in one command; nobody retries more often by hand."""


@dataclass(frozen=True, slots=True)
class Session:
    """One command that runs one deployment."""

    equipment: Equipment
    view: View
    signals: Signals
    log: LogFile | None = None

    @property
    def prices(self) -> Prices:
        return Prices(self.equipment.registry.kinds)

    def drive(self, go: Callable[[], Ended]) -> Ended:
        """Show the progress of `go`, during which signals only request a stop."""
        with self.view, self.signals.driving(self.equipment.stop, self._report_stopping, self.view.restore):
            return go()

    def _report_stopping(self) -> None:
        self.view.note("stopping: finishing and recording calls in flight; repeat to exit at once")


def session(
    store: Store,
    place: Place | Deployment,
    settings: Settings,
    signals: Signals,
    log: LogFile | None,
    aws: AwsSession,
) -> Session:
    """Return a session for a deployment, observed by the screen and the log file.

    Args:
        aws: the session with AWS, signed in.
    """
    watching = view()
    observer: Observer = watching if log is None else Both(watching, log)
    equipment = compose.equipment(store, place, settings, observer, complain, aws)
    return Session(equipment, watching, signals, log)


def policy_of(flag: OnRecoverable | None, stored: str) -> OnRecoverable:
    """Return the policy of the flag, else of the spec; ask on a terminal if both leave it at the default."""
    chosen = flag or OnRecoverable(stored)
    if chosen is OnRecoverable.STOP and flag is None:
        chosen = OnRecoverable.ASK
    if chosen is OnRecoverable.ASK and not interactive():
        return OnRecoverable.STOP
    return chosen


def see_through(session: Session, ended: Ended, policy: OnRecoverable) -> Ended:
    """Follow the policy or the operator's answers until no decision remains.

    Raises:
        Interrupted: Ctrl-C at the prompt; everything is left unchanged.
    """
    tries = ended.record.deployment.max_attempts if policy is OnRecoverable.RETRY else MAX_ANSWERS
    for _ in range(tries):
        how, ended = _next(session, ended, policy)
        if how is None or session.equipment.stop.asked:
            break
        ended = session.drive(partial(engine.resume, session.equipment, ended.record.deployment.id, how))
    return ended


def _next(session: Session, ended: Ended, policy: OnRecoverable) -> tuple[Resume | None, Ended]:
    """Return what to do next, and the deployment's state at that point."""
    deployment = ended.record.deployment
    if not asks_for_a_decision(deployment) or deployment.failure_class is FailureClass.BLOCKED:
        return None, ended
    if policy is OnRecoverable.ASK:
        from tier1_engine.cli.screen.prompt import ask

        how, record = ask(session.equipment.store, ended.record, session.prices)
        return how, Ended(record, ended.why)
    if deployment.failure_class is not FailureClass.RECOVERABLE:
        return None, ended
    return _BY_POLICY.get(policy), ended


_BY_POLICY = {
    OnRecoverable.RETRY: Resume.RETRY,
    OnRecoverable.CONTINUE: Resume.CONTINUE,
    OnRecoverable.ROLLBACK: Resume.ROLL_BACK,
}


def finish(session: Session, ended: Ended, asked: Goal, output: Output) -> int:
    """Print the summary, and return the exit code."""
    equipment, id = session.equipment, ended.record.deployment.id
    driven_by = holder(equipment.store, id) if ended.why is EndReason.STOPPED else None
    shown = closing.closing(ended, session.prices, driven_by=driven_by)
    if output is Output.JSON:
        for line in shown:
            say(line.text)
        write: Callable[[], object] = partial(put_json, whole(equipment.store, id, equipment.registry))
    else:
        from tier1_engine.cli.screen.render.base import lines

        write = partial(put, lines(shown))
    try:
        write()
    except Tier1Error as unwritten:  # the exit code reports the result of the run, not of printing it
        complain(str(unwritten))
    code = exit_code(ended, asked)
    if session.log is not None:
        session.log.write("end", deployment=id, state=ended.record.deployment.state.value, exit_code=code)
    return code


def exit_code(ended: Ended, asked: Goal) -> int:
    """Return the contract's exit code for a run whose target state is `asked`."""
    deployment = ended.record.deployment
    state, goal = deployment.state, deployment.goal
    if ended.why is EndReason.STOPPED:
        return 130
    if ended.why is EndReason.BLOCKED:
        return 7
    if state.value == asked.value:
        return 0
    if state is State.FAILED:
        if goal is not Goal.ACTIVE:
            return 5
        return 7 if deployment.failure_class is FailureClass.BLOCKED else 4
    if state in ENDED:
        return 3 if asked is Goal.ACTIVE else 0
    return 4
