"""What the last steps of all attempts share: one answer with everything needed to record it.

Owns how the end of an attempt, an adoption, a duplicate and an error are recorded, in provisioning and in
teardown. Changes nothing: record, pace and effects are values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tier1_engine.contract.kind import COMPANIONS, FORMER_COMPANIONS, Kind, Observation, Problem
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import (
    Attempt,
    AttemptAdd,
    AttemptSet,
    Change,
    DeploymentSet,
    Note,
    Record,
    Resource,
)
from tier1_engine.deployment.states import Action, FailureClass, Outcome
from tier1_engine.engine.effects import AtOnce, BackOff, Effect, Forget, Learn, PaceSet, Poll, on_record
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
    kind_of,
)
from tier1_engine.errors import Acted, CallError, DatabaseUnavailable
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import DOUBTFUL_CREDENTIALS, UNREACHABLE_CODES
from tier1_engine.masking import masked_text


@dataclass(frozen=True, slots=True)
class Case:
    """One answer, with the record and pace at its arrival.

    Attributes:
        term: the term of the lease, stored in each attempt.
        jitter: returns a random number from 0 to 1.
        kinds: the installed kinds, by name.
    """

    answer: Answer
    record: Record
    pace: Pace
    term: int
    new_id: Callable[[], str]
    jitter: Callable[[], float]
    kinds: Mapping[str, Kind]

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
        """The wall-clock time to record."""
        return self.pace.wall

    def after(self, effects: Iterable[Effect]) -> Case:
        """Return the case after `effects`."""
        return replace(self, record=self.record.apply(on_record(effects)))

    def counted(self) -> list[Effect]:
        """Start counting the driven time of the subject, unless it is already counted."""
        if self.subject in self.pace.counted_from:
            return []
        return [Learn("counted_from", self.subject, self.now)]

    def looked(self) -> Effect:
        """Record that the subject was observed since this driver started."""
        return PaceSet({"looked": self.pace.looked | {self.subject}})

    def poll(self) -> Effect:
        return Poll(self.subject)

    def back_off(self) -> Effect:
        return BackOff(self.subject, self.jitter())

    def at_once(self) -> Effect:
        return AtOnce(self.subject)


def access_refused(case: Case, error: CallError, step: str | None = None) -> list[Effect]:
    """Repeat a call to which AWS refused access; once that has lasted for `access_seconds`, stop all calls.

    EC2 may answer AuthFailure to a single call among hundreds (aws/aws-sdk-ruby#886), and the source of the
    credentials may be busy for a moment (boto/botocore#2117).
    """
    limit, so_far = case.pace.settings.access_seconds, case.pace.seconds_without_access(case.subject)
    if so_far >= limit:
        return [PaceSet({"blocked": problem_of(error), "blocked_step": step})]
    waits: list[Effect] = [without_access(case), Poll(case.subject, no_later_than=case.now + limit - so_far)]
    if case.subject not in case.pace.refused_since:
        waits.append(Note(f"no access to AWS ({error.code}): trying again for up to {limit:g} s", step))
    return waits


def without_access(case: Case) -> Effect:
    """Record since when the subject has no access to AWS."""
    return Learn("refused_since", case.subject, case.pace.refused_since.get(case.subject, case.now))


def access_granted(case: Case) -> list[Effect]:
    """Forget that access was refused, unless this answer is another refusal or says nothing about it.

    The driven time continues from where it was before.
    """
    since = case.pace.refused_since.get(case.subject)
    if since is None:
        return []
    result = case.answer.result
    if isinstance(result, Failed):
        asked = result.asked
        verdict = judge(result.error, asked.action, kind_of(asked), young=True)
        if verdict in (Verdict.BLOCKED, Verdict.TRANSIENT, Verdict.STOPPED):
            return []
    granted: list[Effect] = [Forget("refused_since", case.subject)]
    if (counted_from := case.pace.counted_from.get(case.subject)) is not None:
        driven = max(0.0, since - counted_from)
        granted.append(Learn("counted_from", case.subject, case.now - driven))
    return granted


def error_of(error: CallError | Problem, on_failure: FailureClass | None = None) -> Error:
    """Return the error to store in a row, with secrets masked."""
    return Error(
        code=error.code,
        message=masked_text(error.message),
        operation=error.operation,
        request_id=error.request_id,
        failure_class=on_failure,
    )


def problem_of(error: CallError) -> Problem:
    """Return the problem that prevents all calls, with a message that says what to do."""
    message = masked_text(error.message)
    if error.code in UNREACHABLE_CODES:
        message = (
            f"the AWS endpoint cannot be reached ({message}): check the network, or start it, and resume"
        )
    return Problem(error.code, message, error.operation, error.request_id)


def end_attempt(case: Case, outcome: Outcome = Outcome.DONE, **values: Any) -> list[Effect]:
    """End the attempt of the task, if it has one."""
    if not isinstance(case.asked, Recorded):
        return []
    answer = case.answer
    call = {"operation": answer.operation, "request_id": answer.request_id} if answer.operation else {}
    end = {"ended_at": case.wall, "outcome": outcome, **call, **values}
    return [AttemptSet(case.asked.attempt_id, end)]


def end_in_error(case: Case, failed: Failed) -> list[Effect]:
    """End a failed attempt; a failed read, which has no row yet, gets one."""
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
        if unknown and asked.action in (Action.CREATE, Action.CONFIGURE):
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
    """Record the adoption of an object that an unknown attempt, or a later state, created."""
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
    """Mark every unknown attempt of the resource as settled."""
    return [
        AttemptSet(attempt.id, {"settled": True})
        for attempt in case.record.attempts.values()
        if attempt.resource_id == resource.id and attempt.may_have_acted
    ]


def known_facts(record: Record, resource: Resource, seen: Observation) -> dict[str, Any]:
    """Return the facts of a resource after a look at it.

    What AWS made together with it is, of each kind, what the first look that showed any did, before the
    resource was complete: later, a user may have put their own in its place. The reply of `RunInstances` has
    the spot request and the interface, and no volume yet (AWS CLI reference, `run-instances`, example 1).
    """
    facts = {**resource.facts, **seen.facts}
    shown = {} if record.steps[resource.step].complete else seen.facts.get(COMPANIONS, {})
    facts[COMPANIONS] = {**shown, **resource.facts.get(COMPANIONS, {})}
    if not facts[COMPANIONS]:
        del facts[COMPANIONS]
    return facts


def first_facts(resource: Resource, seen: Observation) -> dict[str, Any]:
    """Return the facts of a resource that got its object just now."""
    former = resource.facts.get(FORMER_COMPANIONS)
    return {**seen.facts, **({FORMER_COMPANIONS: former} if former else {})}


def warning(case: Case, text: str) -> list[Effect]:
    """Add a warning to the deployment, once."""
    warnings = case.record.deployment.warnings
    return [] if text in warnings else [DeploymentSet({"warnings": (*warnings, text)}), Note(text)]


def unproved(case: Case) -> list[Effect]:
    """Record since when AWS shows the subject without the tags that prove it."""
    since = case.pace.unproved_since.get(case.subject, case.now)
    return [Learn("unproved_since", case.subject, since)]


def unproved_for_good(case: Case, seconds: float) -> bool:
    """Whether AWS has shown the subject without the tags that prove it for so long that it has none.

    Tags may become visible later than their object, and a describe call may omit them for a moment
    (https://github.com/ansible/ansible/issues/12642).
    """
    return case.now - case.pace.unproved_since.get(case.subject, case.now) >= seconds


def keep_searching(case: Case, resource: Resource) -> list[Effect]:
    """Nothing was found: search again until the grace period has passed, then settle the attempts."""
    until = grace_end(case.pace, resource)
    if case.now >= until:
        return [case.at_once(), *settled_attempts(case, resource)]
    return [Poll(case.subject, no_later_than=until)]


def duplicate_rows(case: Case, resource: Resource, observations: Iterable[Observation]) -> list[Change]:
    """Add rows for the duplicates of `resource`, to delete them."""
    return duplicates.rows_for(case.record, resource, observations, case.new_id, case.wall)


def with_unwritten(
    error: DatabaseUnavailable, changes: Sequence[Change], early: Sequence[Answer], record: Record
) -> DatabaseUnavailable:
    """Add to the error every AWS id that was returned but could not be written: stderr is its only record."""
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
    """Return the mutating calls that AWS accepted, each with its object."""
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
    """Record whether the credentials belong to the deployment's account."""
    if isinstance(result, Failed):
        tries = case.pace.identity_attempts + 1
        effects: list[Effect] = [case.back_off(), PaceSet({"identity_attempts": tries})]
        verdict = judge(result.error, Action.DESCRIBE, None, young=False)
        if result.error.code in DOUBTFUL_CREDENTIALS:
            return access_refused(case, result.error)
        # What is definitely refused at the start of a command is reported at once: the operator waits for it.
        if verdict is not Verdict.TRANSIENT or tries >= case.record.deployment.max_attempts:
            effects.append(PaceSet({"blocked": problem_of(result.error)}))
        return effects
    if result.account_id == case.record.deployment.account_id:
        granted: list[Effect] = [PaceSet({"identified": True}), case.at_once()]
        known = case.record.deployment.blocked is not None
        return [*granted, DeploymentSet({"blocked": None})] if known else granted
    message = (
        f"these credentials belong to {result.account_id}, but the deployment is in "
        f"{case.record.deployment.account_id}: sign in to that account, then resume"
    )
    return [PaceSet({"blocked": Problem("WrongAccount", message, "GetCallerIdentity")})]
