"""The progress messages for one turn of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tier1_engine.contract.cloud import PERMIT_REFUSED
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import (
    Attempt,
    AttemptAdd,
    AttemptSet,
    Change,
    Move,
    Note,
    Record,
    ResourceSet,
    StepSet,
)
from tier1_engine.deployment.states import Action, ResourceState, StepState


def messages_of(
    record: Record, changes: Sequence[Change], due: Mapping[str, float], steady: float
) -> Iterator[str]:
    """Yield the messages for a turn."""
    tried = {attempt.step for attempt in _refused(record, changes)}
    for change in changes:
        match change:
            case Move():
                because = f" ({change.message})" if change.message else ""
                yield f"{change.source} -> {change.target}{because}"
            case Note(message, step):
                yield f"{step}: {message}" if step else message
            case StepSet(name, values) if values.get("state") is StepState.RUNNING:
                yield f"{name}: started"
            case StepSet(name, values) if values.get("error") and "state" not in values and name not in tried:
                error: Error = values["error"]
                yield f"{name}: not ready: {error.code}: {error.message}"
            case ResourceSet(id, values) if values.get("state") is ResourceState.DELETING:
                resource = record.resources[id]
                yield f"{resource.name}: deleting {resource.aws_id}"
    for attempt in _refused(record, changes):
        if attempt.action is not Action.ADOPT:
            yield failed_attempt(attempt, due.get(attempt.step), steady)


def _refused(record: Record, changes: Sequence[Change]) -> list[Attempt]:
    """Return the attempts that failed in this turn, except those that were never sent because of a stop."""
    found: list[Attempt] = []
    for change in changes:
        if isinstance(change, AttemptAdd) and change.attempt.code:
            found.append(change.attempt)
        elif isinstance(change, AttemptSet) and change.values.get("code"):
            attempt = record.attempts.get(change.id)
            if attempt is not None:
                found.append(attempt)
    return [attempt for attempt in found if attempt.code != PERMIT_REFUSED]


def failed_attempt(attempt: Attempt, due: float | None, steady: float) -> str:
    """Describe one failed attempt, and when the next one is due."""
    said = f"{attempt.step}: {attempt.operation or attempt.action}: {attempt.code}: {attempt.message}"
    if due is None or due <= steady:
        return said
    return f"{said} (retrying in {due - steady:.1f} s)"
