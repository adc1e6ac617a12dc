"""What `results` and `removal` share: one answer with all that is needed to take it in.

Owns how an attempt's end, an adoption, a stray and an error are recorded, on the way forward and
on the way back alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tier1_engine.contract.kind import Problem, Sight
from tier1_engine.deployment.record import Attempt, AttemptAdd, AttemptSet, Change, Record, Resource
from tier1_engine.deployment.states import Action, FailureClass, Outcome
from tier1_engine.engine.pace import Pacer, grace_end
from tier1_engine.engine.protocol import duplicates
from tier1_engine.engine.protocol.assignment import Answer, Assignment
from tier1_engine.engine.tasks import IDENTITY
from tier1_engine.errors import Acted, CallError, DatabaseUnavailable
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import UNREACHABLE_CODES
from tier1_engine.masking import masked_text


@dataclass(frozen=True, slots=True)
class Case:
    """One answer, the record it meets, and when.

    Attributes:
        now: steady seconds. wall: the time that is recorded.
        term: of our lease; attempts carry it.
    """

    answer: Answer
    record: Record
    pacer: Pacer
    now: float
    wall: datetime
    term: int
    new_id: Callable[[], str]

    @property
    def assignment(self) -> Assignment:
        return self.answer.assignment

    @property
    def subject(self) -> str:
        return self.assignment.task.subject

    @property
    def resource(self) -> Resource:
        """The resource that the task is about; only asked of tasks that have one."""
        resource = self.record.resource_of(self.subject)
        assert resource is not None
        return resource

    @property
    def sight(self) -> Sight:
        """What was seen; only asked of answers that bring one."""
        assert self.answer.sight is not None
        return self.answer.sight

    def after(self, changes: Collection[Change]) -> Case:
        """The same case, once `changes` hold."""
        return replace(self, record=self.record.apply(changes))

    def poll(self) -> None:
        self.pacer.poll(self.subject, self.now)

    def at_once(self) -> None:
        self.pacer.at_once(self.subject)


def error_of(error: CallError | Problem, on_failure: FailureClass | None = None) -> dict[str, Any]:
    """What a row keeps of an error."""
    noted: dict[str, Any] = {
        "code": error.code,
        "message": masked_text(error.message),
        "operation": error.operation,
        "request_id": error.request_id,
    }
    if on_failure is not None:
        noted["class"] = on_failure.value
    return noted


def problem_of(error: CallError) -> Problem:
    """What keeps us from acting, in words that say what to do."""
    message = masked_text(error.message)
    if error.code in UNREACHABLE_CODES:
        message = (
            f"the AWS endpoint cannot be reached ({message}): check the network, or start it, and resume"
        )
    return Problem(error.code, message, error.operation, error.request_id)


def end_attempt(case: Case, outcome: Outcome = Outcome.DONE, **values: Any) -> list[Change]:
    """The end of the attempt that was begun for the task, if it has one."""
    if case.assignment.attempt_id is None:
        return []
    answer = case.answer
    call = {"operation": answer.operation, "request_id": answer.request_id} if answer.operation else {}
    end = {"ended_at": case.wall, "outcome": outcome, **call, **values}
    return [AttemptSet(case.assignment.attempt_id, end)]


def end_in_error(case: Case, error: CallError) -> list[Change]:
    """The end of an attempt that failed; a failed look, which has no row before it, gets one now."""
    unknown = case.answer.in_change and error.acted is Acted.UNKNOWN
    outcome = Outcome.UNKNOWN if unknown else Outcome.REFUSED
    words: dict[str, Any] = {
        "operation": error.operation,
        "code": error.code,
        "message": masked_text(error.message),
        "request_id": error.request_id,
    }
    if case.assignment.attempt_id is not None:
        attempt = case.record.attempts[case.assignment.attempt_id]
        if unknown and attempt.action is Action.CREATE and attempt.resource_id:
            case.pacer.unknown_at[attempt.resource_id] = case.now
        return end_attempt(case, outcome, **words)
    resource = case.record.resource_of(case.subject)
    look = Attempt(
        id=case.new_id(),
        deployment_id=case.record.deployment.id,
        step=resource.step if resource else case.subject,
        action=case.assignment.action,
        begun_at=case.wall,
        term=case.term,
        resource_id=resource.id if resource else None,
        ended_at=case.wall,
        outcome=outcome,
        **words,
    )
    return [AttemptAdd(look)]


def adopted(case: Case) -> list[Change]:
    """The record of having found what an unknown try made."""
    resource = case.resource
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
        aws_id=case.sight.aws_id,
    )
    return [*settled_attempts(case), AttemptAdd(attempt)]


def settled_attempts(case: Case) -> list[Change]:
    """Every unknown try of the resource has been looked after."""
    return [
        AttemptSet(attempt.id, {"settled": True})
        for attempt in case.record.attempts.values()
        if attempt.resource_id == case.resource.id and attempt.may_have_acted
    ]


def keep_looking(case: Case) -> list[Change]:
    """Nothing was found: look again until the whole grace has passed, then the tries are settled."""
    until = grace_end(case.pacer.view(case.now, case.wall), case.resource)
    if case.now >= until:
        case.at_once()
        return settled_attempts(case)
    case.poll()
    case.pacer.due[case.subject] = min(case.pacer.due[case.subject], until)
    return []


def stray_rows(case: Case, resource: Resource, sights: Iterable[Sight]) -> list[Change]:
    """Rows for what was made beside the one that counts; they will be deleted."""
    return duplicates.rows_for(case.record, resource, sights, case.new_id, case.wall)


def with_what_is_held(
    error: DatabaseUnavailable, changes: Sequence[Change], early: Sequence[Answer], record: Record
) -> DatabaseUnavailable:
    """Name every AWS id that came back and could not be written: stderr is its only record."""
    held = [
        f"{attempt.action} of {attempt.step} (key {attempt.key}) returned {change.values['aws_id']}"
        for change in changes
        if isinstance(change, AttemptSet) and change.values.get("aws_id")
        for attempt in [record.attempts[change.id]]
    ] + [
        f"{answer.assignment.action} of {answer.assignment.task.subject} "
        f"(key {answer.assignment.target.key}) returned {answer.sight.aws_id}"
        for answer in early
        if answer.changed and answer.sight and answer.assignment.target
    ]
    text = str(error)
    if held:
        text += " Not yet recorded: " + "; ".join(held) + "."
    return DatabaseUnavailable(text)


def identified(case: Case) -> list[Change]:
    """AWS said which account this is, or would not."""
    pacer, wanted = case.pacer, case.record.deployment.account_id
    if error := case.answer.error:
        pacer.back_off(IDENTITY, case.now)
        pacer.identity_tries += 1
        verdict = judge(error, Action.DESCRIBE, None, young=False)
        if verdict is not Verdict.TRANSIENT or pacer.identity_tries >= case.record.deployment.max_attempts:
            pacer.blocked = problem_of(error)
    elif case.answer.account_id != wanted:
        message = (
            f"these credentials belong to {case.answer.account_id}, but the deployment is in {wanted}: "
            "sign in to that account, then resume"
        )
        pacer.blocked = Problem("WrongAccount", message, "GetCallerIdentity")
    else:
        pacer.identified = True
        case.at_once()
    return []
