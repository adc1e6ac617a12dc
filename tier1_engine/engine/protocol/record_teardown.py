"""Last step of an attempt in teardown: deletions, their read-backs, and the census.

A deletion is recorded when a read-back confirms that the object is gone, not when the call returns. A
resource that cannot be deleted is marked, and the others continue; `decide` ends with what remains.
Provisioning deletes duplicates through the same functions.
"""

from __future__ import annotations

from dataclasses import replace

from tier1_engine.contract.kind import Presence
from tier1_engine.deployment.record import AttemptSet, Console, Note, Resource, ResourceSet
from tier1_engine.deployment.states import Action, Outcome, ResourceState
from tier1_engine.engine.effects import Effect, Forget, Learn, PaceSet, Poll
from tier1_engine.engine.pace import HOLDER_WAITS
from tier1_engine.engine.protocol.actions import (
    Archive,
    Archived,
    Census,
    Confirmed,
    Deleted,
    Failed,
    Found,
    Identified,
    Identify,
    Listed,
    Settled,
    TokenSpent,
    kind_of,
)
from tier1_engine.engine.protocol.case import (
    Case,
    access_refused,
    adopted,
    duplicate_rows,
    end_attempt,
    end_in_error,
    error_of,
    first_facts,
    identified,
    keep_searching,
    known_facts,
    problem_of,
    settled_attempts,
    unproved,
    unproved_for_good,
    warning,
    without_access,
)
from tier1_engine.engine.protocol.proof import not_ours, with_commands, without_proof
from tier1_engine.engine.protocol.record_census import record_census
from tier1_engine.errors import CallError
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import UNREACHABLE_CODES


def record_teardown(case: Case) -> list[Effect]:
    """Return the effects of one answer in teardown."""
    match case.answer.result:
        case (Identified() | Failed(asked=Identify())) as result:
            return identified(case, result)
        case (Listed() | Failed(asked=Census())) as result:
            return record_census(case, result)
    resource = case.record.resource_of(case.subject)
    if resource is None:
        raise LookupError(f"teardown asks about {case.subject}, which has no row")
    counted = [] if isinstance(case.asked, Archive) else case.counted()
    return [case.looked(), *counted, *_recorded(case, resource)]


def _recorded(case: Case, resource: Resource) -> list[Effect]:
    match case.answer.result:
        case Failed(asked=Archive() as asked) as failed:
            return end_in_error(case, failed) + _not_archived(case, resource, asked, failed)
        case Failed() as failed:
            error = with_commands(failed.error, case.record.deployment)
            return _failed_call(case, resource, replace(failed, error=error))
        case Settled() as result:
            return _settled(case, resource, result)
        case Deleted() as result:
            return _deleted(case, resource, result)
        case Confirmed() as result:
            return _confirmed(case, resource, result)
        case Archived(text=text):
            return _archived(case, resource, text)
        case result:
            raise TypeError(f"teardown does not ask to {result.asked.do}")


def _failed_call(case: Case, resource: Resource, failed: Failed) -> list[Effect]:
    """Record a failed call: wait, retry, or mark the resource as undeletable with the reason."""
    error, effects = failed.error, end_in_error(case, failed)
    noted = error_of(error)
    # A resource that is not visible, yet or any more, is retried until the deadline of the deletion.
    match judge(error, case.asked.action, kind_of(case.asked), young=True):
        case Verdict.STOPPED:
            return [*effects, case.poll()]
        case Verdict.BLOCKED:
            effects += access_refused(case, error, resource.step)
        case Verdict.TRANSIENT if error.code in UNREACHABLE_CODES:
            effects += _unreachable(case, error, resource)
        case Verdict.GONE:
            return effects + _shown_absent(case, resource)
        case Verdict.IN_USE if failed.held and _held_for_good(case, resource):
            noted = replace(noted, stuck=True)
        case Verdict.IN_USE | Verdict.TRANSIENT | Verdict.UNSEEN:
            effects.append(case.back_off())
        case _:
            noted = replace(noted, stuck=True)
    return [*effects, ResourceSet(resource.id, {"error": noted})]


def _unreachable(case: Case, error: CallError, resource: Resource) -> list[Effect]:
    """Nothing was sent: try again for as long as a deletion may take, and then end the run as blocked."""
    without = case.pace.seconds_without_access(resource.name)
    driven = case.pace.driven(resource.name, resource.driven_seconds)
    if driven + without >= case.record.deployment.delete_seconds:
        return [PaceSet({"blocked": problem_of(error), "blocked_step": resource.step})]
    return [without_access(case), case.back_off()]


def _held_for_good(case: Case, resource: Resource) -> bool:
    """Whether what holds it had the time to leave by itself: AWS may be deleting it."""
    driven = case.pace.driven(resource.name, resource.driven_seconds)
    return driven >= HOLDER_WAITS * case.pace.holder_seconds(case.record.deployment.delete_seconds)


def _not_archived(case: Case, resource: Resource, asked: Archive, failed: Failed) -> list[Effect]:
    """Record a failed read of the console: a bounded number of attempts, then the termination continues.

    A resource that is gone has no console, so there is no retry; a young one may not be visible yet.
    """
    verdict = judge(failed.error, Action.ARCHIVE, asked.kind, young=False)
    if verdict is Verdict.GONE and _grace_left(case, resource) <= 0:
        return [case.at_once(), AttemptSet(asked.attempt_id, {"settled": True})]
    if verdict is Verdict.BLOCKED:
        return access_refused(case, failed.error, resource.step)
    return [case.back_off()]


def _archived(case: Case, resource: Resource, text: str) -> list[Effect]:
    message = f"{len(text)} characters of console output archived" if text else "the console was empty"
    effects = [case.at_once(), *end_attempt(case, message=message, operation="GetConsoleOutput")]
    if text:
        effects.append(Console(resource.id, text))
    return [*effects, Note(message, resource.step)]


def _settled(case: Case, resource: Resource, result: Settled) -> list[Effect]:
    """Record a search for what an unknown create may have created; what is found will be deleted."""
    match result.outcome:
        case Found(seen, beside):
            facts = first_facts(resource, seen)
            found = {"aws_id": seen.aws_id, "arn": seen.arn, "facts": facts, "made_at": case.wall}
            effects = [*adopted(case, resource, seen.aws_id), ResourceSet(resource.id, found)]
            effects += duplicate_rows(case.after(effects), resource, beside)
            # Its deletion has not begun.
            effects += [case.at_once(), Forget("counted_from", case.subject)]
            return [*effects, Note(f"found what an earlier attempt created: {seen.aws_id}", resource.step)]
        case TokenSpent():
            return [case.at_once(), *settled_attempts(case, resource)]
        case _:
            return keep_searching(case, resource)


def _deleted(case: Case, resource: Resource, result: Deleted) -> list[Effect]:
    """Record the answer of a delete: accepted, not needed, or not sent because ownership is unproven."""
    seen = result.seen
    if result.accepted:
        accepted = Learn("accepted", case.subject, case.now)
        # What AWS made with it may outlive it: its ids are known only as long as AWS shows them.
        facts = known_facts(case.record, resource, seen)
        shown = [ResourceSet(resource.id, {"facts": facts})] if facts != resource.facts else []
        warned = [one for text in result.left_behind for one in warning(case, text)]
        return [accepted, case.at_once(), *end_attempt(case, aws_id=seen.aws_id), *shown, *warned]
    found = end_attempt(case, Outcome.REFUSED, code="NotNeeded", message=f"it is {seen.presence}")
    if seen.presence is Presence.GONE:
        return found + _gone(case, resource)
    if seen.presence is Presence.ABSENT:
        return found + _shown_absent(case, resource)
    if seen.presence is Presence.LEAVING:
        return [*found, Learn("accepted", case.subject, case.now), case.poll()]
    error = not_ours(seen)
    if without_proof(seen) and not unproved_for_good(case, case.pace.settings.visibility_grace_seconds):
        again = end_attempt(case, Outcome.REFUSED, code=error.code, message=error.message)
        return [*again, *unproved(case), case.poll(), ResourceSet(resource.id, {"error": error_of(error)})]
    ended = end_attempt(case, Outcome.REFUSED, code=error.code, message=error.message)
    return [*ended, ResourceSet(resource.id, {"error": replace(error_of(error), stuck=True)})]


def _confirmed(case: Case, resource: Resource, result: Confirmed) -> list[Effect]:
    """Record a read-back after AWS accepted the deletion."""
    presence = result.seen.presence
    if presence in (Presence.GONE, Presence.ABSENT):
        return _gone(case, resource)
    waited = case.now - case.pace.accepted.get(case.subject, case.now)
    if presence is not Presence.LEAVING and waited > case.pace.settings.visibility_grace_seconds:
        # It exists as if no delete had been sent: send it again.
        return [case.poll(), Forget("accepted", case.subject)]
    return [case.poll()]


def _shown_absent(case: Case, resource: Resource) -> list[Effect]:
    """Record NotFound without an accepted deletion; it proves nothing until the grace period has passed."""
    left = _grace_left(case, resource)
    if left <= 0:
        return _gone(case, resource)
    return [Poll(case.subject, no_later_than=case.now + left)]


def _grace_left(case: Case, resource: Resource) -> float:
    """Return the seconds for which NotFound may still mean that the resource is not visible yet."""
    return case.pace.settings.visibility_grace_seconds - case.pace.age(resource.id)


def _gone(case: Case, resource: Resource) -> list[Effect]:
    values = {"state": ResourceState.DELETED, "deleted_at": case.wall, "error": None}
    return [
        case.at_once(),
        Forget("accepted", case.subject),
        Learn("gone_at", resource.id, case.now),
        ResourceSet(resource.id, values),
        Note(f"deleted: {resource.name} {resource.aws_id}", resource.step),
    ]
