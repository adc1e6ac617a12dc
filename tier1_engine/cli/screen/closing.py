"""The final summary of a command: the result, what remains, and the next commands. Pure.

Every line is a fact from the record or a command that works as printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tier1_engine.cli.screen.lines import Line, Tone
from tier1_engine.cli.screen.streams import clean
from tier1_engine.compose.gone import command_to_start
from tier1_engine.deployment import standing
from tier1_engine.deployment.record import FOR_EVER, Deployment, Record, Resource
from tier1_engine.deployment.standing import asks_for_a_decision, left, retained
from tier1_engine.deployment.states import FailureClass, Goal, State
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.failures.codes import UNREACHABLE_CODES
from tier1_engine.masking import masked_text
from tier1_engine.views.prices import CAVEAT, Prices

if TYPE_CHECKING:
    from tier1_engine.engine.engine import Ended


@dataclass(frozen=True, slots=True)
class _End:
    """The result and the next commands."""

    facts: Sequence[Line]
    commands: Sequence[Line] = ()


def closing(ended: Ended, prices: Prices, *, driven_by: str | None = None) -> list[Line]:
    """Return the summary at the end of a run.

    Args:
        driven_by: the process that continues to run it, if this one only followed.
    """
    record = ended.record
    end = _detached(record.deployment, driven_by) if driven_by else _end_of(ended, prices)
    warnings = [Line(f"warning: {text}", Tone.WARNING) for text in record.deployment.warnings]
    lines = [*end.facts, *warnings, *end.commands]
    return [Line(_indented(line.text), line.tone) for line in lines]


def _end_of(ended: Ended, prices: Prices) -> _End:
    record, deployment = ended.record, ended.record.deployment
    if ended.why is EndReason.STOPPED:
        return _stopped(deployment)
    if ended.why is EndReason.BLOCKED:
        return _blocked_in_teardown(ended, prices)
    if deployment.state is State.ACTIVE:
        return _active(deployment)
    if deployment.state is State.ROLLED_BACK:
        return _rolled_back(record)
    if deployment.state is State.DESTROYED:
        return _End(_gone(record, "destroyed"))
    if asks_for_a_decision(deployment):
        return _End([*_failed(deployment), *_remaining(record, prices)], options(record))
    if deployment.state is State.FAILED:
        return _stalled(record, prices)
    return _End([Line(f"{_title(deployment)} is {deployment.state}.")], [_go_on("to resume", deployment)])


def _title(deployment: Deployment) -> str:
    return f"{deployment.name} ({deployment.id})"


def _active(deployment: Deployment) -> _End:
    outputs = [Line(f"  {row}") for row in output_rows(deployment.outputs)]
    return _End(
        [Line(f"{_title(deployment)} is active.", Tone.GOOD), *outputs],
        [_command("to destroy it", f"tier1 destroy {deployment.id}")],
    )


def output_rows(outputs: Mapping[str, Any]) -> list[str]:
    """Return outputs as aligned lines; a missing value, such as a private instance's public IP, is `-`."""
    width = max(map(len, outputs), default=0)
    return [f"{name:<{width}}  {'-' if value is None else value}" for name, value in outputs.items()]


def _stopped(deployment: Deployment) -> _End:
    said = f"{_title(deployment)} was stopped while {deployment.state}; everything it created is recorded."
    return _End([Line(said, Tone.WARNING)], [_go_on("to resume", deployment)])


def _detached(deployment: Deployment, driven_by: str) -> _End:
    said = f"{_title(deployment)} is {deployment.state}; the request is recorded, and {driven_by} continues."
    return _End([Line(said)], [_command("to follow it", f"tier1 show {deployment.id} --watch")])


def _rolled_back(record: Record) -> _End:
    deployment = record.deployment
    cause = _failed(deployment)
    return _End(
        [*cause, *_gone(record, "rolled back")],
        [_command("to see every attempt", f"tier1 log {deployment.id}")],
    )


def _gone(record: Record, how: str) -> list[Line]:
    """Report that nothing remains except the retained resources."""
    kept = retained(record)
    if not kept:
        said = f"{_title(record.deployment)} is {how}: no resources remain."
        return [Line(said, Tone.GOOD)]
    said = (
        f"{_title(record.deployment)} is {how}: everything it created is deleted, except what you retained:"
    )
    return [Line(said, Tone.GOOD), *(_of_resource(resource) for resource in kept)]


def _failed(deployment: Deployment) -> list[Line]:
    failure = deployment.failure
    if failure is None:
        return []
    where = f" at {failure.step}" if failure.step else ""
    call = f" ({failure.operation})" if failure.operation else ""
    said = f"{_title(deployment)} failed{where}: {failure.code}: {failure.message}{call}"
    return [Line(said, Tone.BAD)]


def _blocked_in_teardown(ended: Ended, prices: Prices) -> _End:
    record, deployment, why = ended.record, ended.record.deployment, ended.blocked
    reason = "AWS cannot be reached or refuses access." if why is None else f"{why.code}: {why.message}"
    said = f"{_title(deployment)} is {deployment.state}, but blocked: {reason}"
    commands = [
        _explained(deployment),
        *(_start_again(deployment) if why is not None and why.code in UNREACHABLE_CODES else []),
        _go_on("once AWS is accessible again, resume", deployment),
    ]
    return _End([Line(said, Tone.BAD), *_remaining(record, prices)], commands)


def _start_again(deployment: Deployment) -> list[Line]:
    """Return the command that starts the local AWS, if that is what does not respond."""
    start = command_to_start(deployment.endpoint)
    return [] if start is None else [_command("if the local AWS is gone, start it", start)]


def _stalled(record: Record, prices: Prices) -> _End:
    """Report what could not be deleted, why, and how to resume."""
    deployment = record.deployment
    said = f"{_title(deployment)} could not be deleted completely: some resources remain."
    # After a rollback, first report why provisioning failed; a destroy reports what could not be deleted.
    cause = _failed(deployment) if deployment.goal is Goal.ROLLED_BACK else []
    why = _remaining(record, prices) or _failed(deployment)
    return _End(
        [*cause, Line(said, Tone.BAD), *why],
        [_explained(deployment), _go_on("once that is fixed, resume", deployment)],
    )


def notes(record: Record, prices: Prices) -> list[Line]:
    """Return what remains of a failed deployment and what can be done about it."""
    ways = options(record) if asks_for_a_decision(record.deployment) else _stalled(record, prices).commands
    return [Line(_indented(line.text), line.tone) for line in (*_remaining(record, prices)[:1], *ways)]


def _remaining(record: Record, prices: Prices) -> list[Line]:
    remaining = left(record)
    if not remaining:
        return []
    count = f"{len(remaining)} {'resource' if len(remaining) == 1 else 'resources'}"
    head = f"{count} remaining in AWS: {prices.in_sum(remaining)} ({CAVEAT})"
    return [Line(head, Tone.WARNING), *(_with_price(resource, prices) for resource in remaining)]


def _with_price(resource: Resource, prices: Prices) -> Line:
    """Describe a resource, why it could not be deleted if that was attempted, and its cost."""
    return Line(f"{_of_resource(resource).text} [{prices.of_resource(resource).words}]")


def _of_resource(resource: Resource) -> Line:
    why = f": {resource.error.code}: {resource.error.message}" if resource.error else ""
    return Line(f"  {resource.name} {resource.aws_id or '(no reply to its create call)'}{why}")


def options(record: Record) -> list[Line]:
    """Return the operator's options after failed provisioning."""
    deployment = record.deployment
    failure = deployment.failure
    if failure is not None and failure.failure_class is FailureClass.BLOCKED:
        start = _start_again(deployment) if failure.code in UNREACHABLE_CODES else []
        return [
            _explained(deployment),
            *start,
            _go_on("sign in or restore the connection, then resume", deployment),
        ]
    lines = [_command("to retry the failed step", f"tier1 resume {deployment.id} --retry")]
    if standing.why_not_without(record) is None:
        lines.append(_command("to continue with a warning", f"tier1 resume {deployment.id} --continue"))
    if deployment.activated_at is None:
        lines.append(_command("to delete everything it created", f"tier1 rollback {deployment.id}"))
    if left(record):
        lines.append(_about_sweeps(deployment))
    lines.append(_explained(deployment))
    return lines


def _about_sweeps(deployment: Deployment) -> Line:
    """Say what a later sweep does; a protection names its end, so it is true whenever it is read."""
    if not deployment.protected(deployment.updated_at):
        return _command("a later sweep deletes it; to protect it from sweeps", f"tier1 keep {deployment.id}")
    until = deployment.keep_until
    ends = until is not None and deployment.updated_at < until < FOR_EVER
    return Line("  protected from sweeps" + (f" until {until:%Y-%m-%dT%H:%M:%SZ}" if ends else ""))


def deletions(record: Record, retain: Sequence[str], goal: Goal) -> list[Line]:
    """Return what a rollback or teardown will delete and retain, for confirmation."""
    verb = "destroyed" if goal is Goal.DESTROYED else "rolled back"
    kept = {*retain, *record.deployment.retain}
    going = [r for r in left(record) if r.name not in kept]
    staying = [r for r in left(record) if r.name in kept]
    lines = [Line(f"{_title(record.deployment)} will be {verb}.")]
    if going:
        lines.append(Line(f"To be deleted ({len(going)}):", Tone.WARNING))
        lines += [_of_resource(resource) for resource in going]
    if staying:
        lines.append(Line(f"To be retained ({len(staying)}), with everything they need:"))
        lines += [_of_resource(resource) for resource in staying]
    return [Line(_indented(line.text), line.tone) for line in lines]


def _explained(deployment: Deployment) -> Line:
    return _command("for what it means and how to fix it", f"tier1 guide {deployment.id}")


def _go_on(purpose: str, deployment: Deployment) -> Line:
    return _command(purpose, f"tier1 resume {deployment.id}")


def _command(purpose: str, command: str) -> Line:
    return Line(f"  {purpose}: {command}", Tone.COMMAND)


def _indented(text: str) -> str:
    """Remove control characters and secrets, but preserve the indentation."""
    text = masked_text(text)
    return text[: len(text) - len(text.lstrip(" "))] + clean(text)
