"""What the last steps of attempts share: one answer with all that recording it needs.

Owns how an attempt's end, an adoption, a duplicate and an error are recorded, in provisioning and in teardown
alike. Nothing here changes anything: record and pace are values, and so is all that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tier1_engine.contract.kind import Observation, Problem
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import Attempt, AttemptAdd, AttemptSet, Change, Record, Resource
from tier1_engine.deployment.states import Action, FailureClass, Outcome
from tier1_engine.engine.effects import AtOnce, BackOff, Effect, Learn, PaceSet, Poll, on_record
from tier1_engine.engine.pace import Pace, grace_end
from tier1_engine.engine.protocol import duplicates
from tier1_engine.engine.protocol.actions import (
    Answer,
    Assignment,
    Configured,
    Created,
    Deleted,
    Failed,
    Identified,
    Made,
    Recorded,
)
from tier1_engine.errors import Acted, CallError, DatabaseUnavailable
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import UNREACHABLE_CODES
from tier1_engine.masking import masked_text


@dataclass(frozen=True, slots=True)
class Case:
    """One answer, and the record and pace that it meets.

    Attributes:
        term: of our lease; attempts carry it.
        jitter: a number from 0 to 1, another each time.
    """

    answer: Answer
    record: Record
    pace: Pace
    term: int
    new_id: Callable[[], str]
    jitter: Callable[[], float]

    @property
    def asked(self) -> Assignment:
        return self.answer.asked

    @property
    def subject(self) -> str:
        return self.asked.subject

    @property
    def now(self) -> float:
        """Steady seconds."""
        return self.pace.now

    @property
    def wall(self) -> datetime:
        """The time that is recorded."""
        return self.pace.wall

    def after(self, effects: Iterable[Effect]) -> Case:
        """The same case, once `effects` hold on record."""
        return replace(self, record=self.record.apply(on_record(effects)))

    def counted(self) -> list[Effect]:
        """From now on the driven time of its subject runs, if it does not yet."""
        if self.subject in self.pace.counted_from:
            return []
        return [Learn("counted_from", self.subject, self.now)]

    def looked(self) -> Effect:
        """Its subject was looked at since this driver began."""
        return PaceSet({"looked": self.pace.looked | {self.subject}})

    def poll(self) -> Effect:
        return Poll(self.subject)

    def back_off(self) -> Effect:
        return BackOff(self.subject, self.jitter())

    def at_once(self) -> Effect:
        return AtOnce(self.subject)


def blocked(error: CallError, step: str | None = None) -> Effect:
    """AWS does not let us act."""
    return PaceSet({"blocked": problem_of(error), "blocked_step": step})


def error_of(error: CallError | Problem, on_failure: FailureClass | None = None) -> Error:
    """What a row keeps of an error."""
    return Error(
        code=error.code,
        message=masked_text(error.message),
        operation=error.operation,
        request_id=error.request_id,
        failure_class=on_failure,
    )


def problem_of(error: CallError) -> Problem:
    """What keeps us from acting, in words that say what to do."""
    message = masked_text(error.message)
    if error.code in UNREACHABLE_CODES:
        message = (
            f"the AWS endpoint cannot be reached ({message}): check the network, or start it, and resume"
        )
    return Problem(error.code, message, error.operation, error.request_id)


def end_attempt(case: Case, outcome: Outcome = Outcome.DONE, **values: Any) -> list[Effect]:
    """The end of the attempt that was begun for the task, if it has one."""
    if not isinstance(case.asked, Recorded):
        return []
    answer = case.answer
    call = {"operation": answer.operation, "request_id": answer.request_id} if answer.operation else {}
    end = {"ended_at": case.wall, "outcome": outcome, **call, **values}
    return [AttemptSet(case.asked.attempt_id, end)]


def end_in_error(case: Case, failed: Failed) -> list[Effect]:
    """The end of an attempt that failed; a failed look, which has no row before it, gets one now."""
    asked, error = failed.asked, failed.error
    unknown = failed.in_change and error.acted is Acted.UNKNOWN
    outcome = Outcome.UNKNOWN if unknown else Outcome.REFUSED
    words: dict[str, Any] = {
        "operation": error.operation,
        "code": error.code,
        "message": masked_text(error.message),
        "request_id": error.request_id,
    }
    if isinstance(asked, Recorded):
        ended = end_attempt(case, outcome, **words)
        if unknown and asked.action is Action.CREATE:
            return [*ended, Learn("unknown_at", asked.resource_id, case.now)]
        return ended
    resource = case.record.resource_of(case.subject)
    look = Attempt(
        id=case.new_id(),
        deployment_id=case.record.deployment.id,
        step=resource.step if resource else case.subject,
        action=asked.action,
        begun_at=case.wall,
        term=case.term,
        resource_id=resource.id if resource else None,
        ended_at=case.wall,
        outcome=outcome,
        **words,
    )
    return [AttemptAdd(look)]


def adopted(case: Case, resource: Resource, aws_id: str) -> list[Effect]:
    """The record of having found what an unknown attempt made."""
    attempt = Attempt(
        id=case.new_id(),
        deployment_id=resource.deployment_id,
        step=resource.step,
        action=Action.ADOPT,
        begun_at=case.wall,
        term=case.term,
        resource_id=resource.id,
        key=resource.key,
        ended_at=case.wall,
        outcome=Outcome.DONE,
        aws_id=aws_id,
    )
    return [*settled_attempts(case, resource), AttemptAdd(attempt)]


def settled_attempts(case: Case, resource: Resource) -> list[Effect]:
    """Every unknown attempt of the resource has been looked after."""
    return [
        AttemptSet(attempt.id, {"settled": True})
        for attempt in case.record.attempts.values()
        if attempt.resource_id == resource.id and attempt.may_have_acted
    ]


def keep_searching(case: Case, resource: Resource) -> list[Effect]:
    """Nothing was found: look again until the whole grace has passed, then the attempts are settled."""
    until = grace_end(case.pace, resource)
    if case.now >= until:
        return [case.at_once(), *settled_attempts(case, resource)]
    return [Poll(case.subject, no_later_than=until)]


def duplicate_rows(case: Case, resource: Resource, observations: Iterable[Observation]) -> list[Change]:
    """Rows for what was made beside the one that counts; they will be deleted."""
    return duplicates.rows_for(case.record, resource, observations, case.new_id, case.wall)


def with_unwritten(
    error: DatabaseUnavailable, changes: Sequence[Change], early: Sequence[Answer], record: Record
) -> DatabaseUnavailable:
    """Name every AWS id that came back and could not be written: stderr is its only record."""
    held = [
        f"{attempt.action} of {attempt.step} (key {attempt.key}) returned {change.values['aws_id']}"
        for change in changes
        if isinstance(change, AttemptSet) and change.values.get("aws_id")
        for attempt in [record.attempts[change.id]]
    ] + [
        f"{result.asked.action} of {result.asked.subject} "
        f"(key {result.asked.target.key}) returned {seen.aws_id}"
        for result, seen in _accepted(early)
    ]
    text = str(error)
    if held:
        text += " Not yet recorded: " + "; ".join(held) + "."
    return DatabaseUnavailable(text)


def _accepted(answers: Iterable[Answer]) -> list[tuple[Created | Configured | Deleted, Observation]]:
    """Of calls that change something, those that AWS accepted, with the object."""
    accepted: list[tuple[Created | Configured | Deleted, Observation]] = []
    for answer in answers:
        match answer.result:
            case Created(outcome=Made(seen)) as result:
                accepted.append((result, seen))
            case Configured(seen=Observation() as seen) as result:
                accepted.append((result, seen))
            case Deleted(accepted=True) as result:
                accepted.append((result, result.seen))
    return accepted


def identified(case: Case, result: Identified | Failed) -> list[Effect]:
    """AWS said which account this is, or would not."""
    if isinstance(result, Failed):
        tries = case.pace.identity_attempts + 1
        effects: list[Effect] = [case.back_off(), PaceSet({"identity_attempts": tries})]
        verdict = judge(result.error, Action.DESCRIBE, None, young=False)
        if verdict is not Verdict.TRANSIENT or tries >= case.record.deployment.max_attempts:
            effects.append(PaceSet({"blocked": problem_of(result.error)}))
        return effects
    if result.account_id == case.record.deployment.account_id:
        return [PaceSet({"identified": True}), case.at_once()]
    message = (
        f"these credentials belong to {result.account_id}, but the deployment is in "
        f"{case.record.deployment.account_id}: sign in to that account, then resume"
    )
    return [PaceSet({"blocked": Problem("WrongAccount", message, "GetCallerIdentity")})]
