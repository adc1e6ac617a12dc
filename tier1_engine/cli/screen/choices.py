"""The choices for a failed deployment, one line each with names and cost. Pure.

Owns the text of the prompt. The same choices are `resume --retry`, `--continue` and `--rollback`; the
engine carries them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tier1_engine.cli.screen.lines import Line, Tone
from tier1_engine.cli.screen.streams import clean
from tier1_engine.deployment import standing as standing_module
from tier1_engine.deployment.failure import Failure
from tier1_engine.deployment.record import Attempt, Record, Resource, Step
from tier1_engine.deployment.standing import left
from tier1_engine.deployment.states import StepState
from tier1_engine.engine.engine import Resume
from tier1_engine.masking import masked_text
from tier1_engine.views.as_json import moment
from tier1_engine.views.prices import Prices

MORE = "?"
LEAVE = "m"
_ATTEMPTS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Way:
    """One choice.

    Attributes:
        key, words: the accepted answers.
        does: what it does with this deployment.
        how: the request to the engine; None leaves everything as it is.
        possible: whether it can be chosen; if not, `does` says why.
    """

    key: str
    words: tuple[str, ...]
    does: str
    how: Resume | None = None
    possible: bool = True


def ways(record: Record, prices: Prices) -> list[Way]:
    """Return the choices in display order."""
    deployment = record.deployment
    why_not = standing_module.why_not_without(record)
    found = [
        Way("r", ("retry",), _retry(record), Resume.RETRY),
        Way(
            "c", ("continue",), _continue(record, why_not, prices), Resume.CONTINUE, possible=why_not is None
        ),
    ]
    if deployment.activated_at is None:
        found.append(
            Way("b", ("rollback", "roll back", "abort"), _roll_back(record, prices), Resume.ROLL_BACK)
        )
    return [
        *found,
        Way(LEAVE, ("manual", "leave"), _leave(record, prices)),
        Way(MORE, (), "show the full error"),
    ]


def chosen(answer: str, offered: Sequence[Way]) -> Way | None:
    """Return the choice for an answer; an empty answer leaves the deployment as it is."""
    word = answer.strip().lower() or LEAVE
    return next((way for way in offered if word == way.key or word in way.words), None)


def question(record: Record, prices: Prices) -> list[Line]:
    """Return what failed and the choices, as lines."""
    failure = _failure(record)
    first = failure.message.strip().partition("\n")[0]
    head = f"{failure.step} failed ({failure.failure_class}): {failure.code}: {first}"
    return _clean([Line(head, Tone.BAD), *(Line(f"  {way.key}  {way.does}") for way in ways(record, prices))])


def in_full(record: Record, attempts: Iterable[Attempt]) -> list[Line]:
    """Return the complete error: AWS's message, the call, and the step's attempts."""
    failure = _failure(record)
    lines = [Line(f"{failure.code}, at {moment(failure.at)}", Tone.BAD)]
    lines += [Line(f"  {text}") for text in failure.message.strip().splitlines()]
    known = {"step": failure.step, "call": failure.operation, "AWS request id": failure.request_id}
    lines += [Line(f"  {words}: {value}") for words, value in known.items() if value]
    tried = [a for a in attempts if a.step == failure.step]
    if tried:
        lines.append(Line(f"  {len(tried)} {'attempt' if len(tried) == 1 else 'attempts'}, the last:"))
    for attempt in tried[-_ATTEMPTS_SHOWN:]:
        parts = (moment(attempt.begun_at), attempt.action, attempt.operation, attempt.outcome, attempt.code)
        lines.append(Line("    " + " ".join(str(word) for word in parts if word)))
    return _clean(lines)


def _failure(record: Record) -> Failure:
    failure = record.deployment.failure
    assert failure is not None  # guaranteed by the schema: failed_has_a_reason
    return failure


def _clean(lines: Iterable[Line]) -> list[Line]:
    """Remove secrets and terminal control characters."""
    found = []
    for line in lines:
        text = masked_text(line.text)
        indent = text[: len(text) - len(text.lstrip(" "))]
        found.append(Line(indent + clean(text), line.tone))
    return found


# --- what each choice does


def _retry(record: Record) -> str:
    failed = [step for step in record.steps.values() if step.state is StepState.FAILED]
    waiting = sum(step.state is StepState.WAITING for step in record.steps.values())
    names = ", ".join(_with_deadline(step) for step in failed) or "what failed"
    then = f", then the {waiting} {'step' if waiting == 1 else 'steps'} waiting for it" if waiting else ""
    tries = record.deployment.max_attempts
    return f"retry the failed step: {names}, attempts reset to {tries}{then}; no resource is recreated"


def _with_deadline(step: Step) -> str:
    return f"{step.name} (up to {step.deadline_seconds:g} s)"


def _continue(record: Record, why_not: str | None, prices: Prices) -> str:
    if why_not is not None:
        return f"continue with a warning: not possible because of {why_not}"
    without = ", ".join(step.name for step in record.steps.values() if not step.complete)
    standing = left(record)
    return (
        f"continue with a warning: {record.deployment.name} counts as active without {without}; "
        f"{_count(standing)} remaining at {prices.in_sum(standing)}"
    )


def _roll_back(record: Record, prices: Prices) -> str:
    going = left(record)
    if not going:
        return "roll back and abort: there is nothing to delete"
    names = ", ".join(resource.name for resource in going)
    ends = f"; saves {prices.in_sum(going)}" if prices.hourly(going) else ""
    return f"roll back and abort: delete {_count(going)} ({names}){ends}"


def _count(resources: Sequence[Resource]) -> str:
    return f"{len(resources)} {'resource' if len(resources) == 1 else 'resources'}"


def _leave(record: Record, prices: Prices) -> str:
    deployment, standing = record.deployment, left(record)
    kept = f"{_count(standing)} remaining at {prices.in_sum(standing)}" if standing else "no resources exist"
    return (
        f"leave it for manual intervention: {kept}; `tier1 guide {deployment.id}` explains how, "
        f"`tier1 resume {deployment.id}` asks again"
    )
