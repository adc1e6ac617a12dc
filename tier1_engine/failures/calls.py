"""Classifies failed calls: the table of failures, by action, error code, operation and HTTP status. Pure.

The first row that matches decides (`judge`). Most codes mean the same for every call; where AWS uses one code
for two things, a row names the operation and, if need be, the status. Codes specific to one kind (already
exists, in use, no capacity) are declared by the kind, and a row names the declaration. `StepPlan.on_failure`
decides what the permanent failure of a step means for the deployment. Codes are matched, never messages. The
engine acts on the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tier1_engine.contract.kind import Kind
from tier1_engine.deployment.states import Action
from tier1_engine.errors import Acted, CallError
from tier1_engine.failures.codes import (
    BLOCKED_CODES,
    CUT_CODES,
    HELD_BACK_CODES,
    HTTP_BAD_REQUEST,
    HTTP_SERVER_ERROR,
    PENDING_CODES,
    SERVER_CODES,
    THROTTLE_CODES,
    TOKEN_MISMATCH,
    UNREACHABLE_CODES,
    is_capacity,
)
from tier1_engine.failures.final_codes import FINAL_CODES, About


class Verdict(StrEnum):
    """What one failed call means for its step or deletion."""

    STOPPED = "stopped"  # tier1 did not send it: the lease was lost, or a signal asked to stop
    BLOCKED = "blocked"  # credentials or account: nothing is possible, not even a rollback
    TRANSIENT = "transient"  # another attempt, counted
    UNSEEN = "unseen"  # it refers to a resource that is not visible yet; another attempt, not counted
    EXISTS = "exists"  # an earlier call acted: search for its result
    SPENT = "spent"  # the resource of this key is gone: the next key
    EXHAUSTED = "exhausted"  # this candidate has no capacity: the next one
    NOT_OFFERED = "not_offered"  # AWS refuses this place: continue without it, if possible
    IN_USE = "in_use"  # a deletion that must wait for others
    GONE = "gone"  # a deletion that found nothing
    FATAL = "fatal"  # no further attempt will help


# --- one call


@dataclass(frozen=True, slots=True)
class CallFailure:
    """One row of the table: which failed calls it matches, their verdict, and what the engine does.

    Attributes:
        failure: a description for the documentation.
        becomes: the class of failure, in words.
        happens: what the engine does, in words.
        codes: error codes of AWS or of tier1.
        operations: the API operations that it matches; all if empty.
        statuses: the HTTP statuses that it matches; all if empty.
        declared: the attribute of a kind that adds its own codes.
        actions: the actions that it matches; all if empty. but: the actions that it does not match.
        while_young: only while an owned resource that the call refers to is younger than the consistency
            deadline.
        capacity: also with any code about capacity, for a kind that has candidates.
        without_end: with any code, if AWS may have acted or answered with 5xx.
        any_code: with any code; the last row.
    """

    failure: str
    verdict: Verdict
    becomes: str
    happens: str
    codes: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    declared: str | None = None
    actions: frozenset[Action] = frozenset()
    but: frozenset[Action] = frozenset()
    while_young: bool = False
    capacity: bool = False
    without_end: bool = False
    any_code: bool = False

    def fits(self, error: CallError, action: Action, kind: Kind | None, *, young: bool) -> bool:
        """Whether this row matches the failed call."""
        if (self.actions and action not in self.actions) or action in self.but:
            return False
        if self.while_young and not young:
            return False
        if self.operations and error.operation not in self.operations:
            return False
        if self.statuses and error.http_status not in self.statuses:
            return False
        if self.without_end:
            return error.acted is Acted.UNKNOWN or (error.http_status or 0) >= HTTP_SERVER_ERROR
        declared = self.declared_by(kind)
        if self.capacity and declared and is_capacity(error.code):
            return True
        return self.any_code or error.code in self.codes or error.code in declared

    def declared_by(self, kind: Kind | None) -> frozenset[str]:
        """Return the codes that a kind adds to this row."""
        if kind is None or self.declared is None:
            return frozenset()
        found: frozenset[str] = getattr(kind, self.declared)
        return found


CALLS: tuple[CallFailure, ...] = (
    CallFailure(
        "not sent: the lease was lost, or a signal asked to stop",
        Verdict.STOPPED,
        "none",
        "does not count against the step",
        codes=HELD_BACK_CODES,
    ),
    # AWS answers AuthFailure with 401 when it cannot validate the credentials, and with 400 and "Not
    # authorized for images" when they may not use the AMI (Orange-Cyberdefense/GOAD#304).
    CallFailure(
        "an AMI that is not shared with the account",
        Verdict.FATAL,
        "the step's",
        "the step fails; the guide names the AMI",
        codes=frozenset({"AuthFailure"}),
        operations=frozenset({"DescribeImages", "RunInstances"}),
        statuses=frozenset({HTTP_BAD_REQUEST}),
    ),
    # With status 401 and a link to the product (F5Networks/f5-aws-cloudformation#45). An account that is not
    # signed up for EC2 at all would have been refused its network before.
    CallFailure(
        "an AMI of the AWS Marketplace whose terms are not accepted",
        Verdict.FATAL,
        "the step's",
        "the step fails; the guide names the AMI and the page on which to subscribe",
        codes=frozenset({"OptInRequired"}),
        operations=frozenset({"RunInstances"}),
    ),
    CallFailure(
        "expired or missing credentials, wrong account",
        Verdict.BLOCKED,
        "blocked",
        "retried for a minute; then stops as `failed` and deletes nothing, and a rollback or teardown "
        "pauses; the guide says how to sign in",
        codes=BLOCKED_CODES,
    ),
    CallFailure(
        "an account that AWS is still verifying",
        Verdict.BLOCKED,
        "blocked",
        "as above: what exists remains, and a resume continues once AWS has verified the account",
        codes=PENDING_CODES,
    ),
    CallFailure(
        "a deletion, or a last read of a console, that finds nothing",
        Verdict.GONE,
        "none",
        "deleted: at once after a deletion that AWS accepted, else after the grace period since the create",
        declared="gone",
        actions=frozenset({Action.DELETE, Action.ARCHIVE}),
    ),
    CallFailure(
        "a deletion of a resource that is still in use",
        Verdict.IN_USE,
        "transient",
        "waits until the `delete` deadline; then reported as undeletable",
        declared="in_use",
        actions=frozenset({Action.DELETE}),
    ),
    CallFailure(
        "a create that AWS has already executed for an earlier call",
        Verdict.EXISTS,
        "transient",
        "looks for the resource until the visibility deadline; critical if it then proves not to be owned",
        codes=frozenset({TOKEN_MISMATCH}),
        declared="already_exists",
        actions=frozenset({Action.CREATE}),
    ),
    CallFailure(
        "a create whose token belongs to a resource terminated since",
        Verdict.SPENT,
        "none",
        "recreated with the next token, three times at most; then the step fails",
        declared="token_spent",
        actions=frozenset({Action.CREATE}),
    ),
    CallFailure(
        "no capacity, spot price, a zone or type not offered to the account, a quota of one market",
        Verdict.EXHAUSTED,
        "next candidate",
        "the next (type, zone, market) of the spec; after the last one, the step fails",
        declared="next_candidate",
        capacity=True,
        actions=frozenset({Action.CREATE}),
    ),
    CallFailure(
        "a zone that tier1 chose and AWS does not offer",
        Verdict.NOT_OFFERED,
        "next candidate",
        "continues with the other zones and a warning; after the last one, or in a zone that the spec names, "
        "the step fails",
        declared="not_offered",
        actions=frozenset({Action.CREATE}),
    ),
    CallFailure(
        "not visible yet: it refers to an owned resource younger than the consistency deadline",
        Verdict.UNSEEN,
        "transient",
        "retried with backoff; does not count as an attempt",
        declared="not_visible_yet",
        but=frozenset({Action.DELETE}),
        while_young=True,
    ),
    CallFailure(
        "throttling",
        Verdict.TRANSIENT,
        "transient",
        "retried with backoff and jitter, each attempt recorded; after the last attempt, the step fails",
        codes=THROTTLE_CODES,
    ),
    CallFailure(
        "no connection: nothing was sent",
        Verdict.TRANSIENT,
        "transient, then blocked",
        "a read is retried until the step's deadline, a change for a minute; then blocked as above, never a "
        "rollback",
        codes=UNREACHABLE_CODES,
    ),
    CallFailure(
        "connection reset, timeout, unreadable reply",
        Verdict.TRANSIENT,
        "transient",
        "as for throttling, after looking for what the call may have created",
        codes=CUT_CODES,
    ),
    CallFailure(
        "an AWS server error",
        Verdict.TRANSIENT,
        "transient",
        "as above, after looking for what the call may have created",
        codes=SERVER_CODES,
    ),
    CallFailure(
        "any other code with HTTP status 5xx, or of a call that AWS may have executed",
        Verdict.TRANSIENT,
        "transient",
        "as above, after looking for what the call may have created",
        without_end=True,
    ),
    CallFailure(
        "permission denied",
        Verdict.FATAL,
        "the step's",
        "the step fails; the guide names the missing action",
        codes=FINAL_CODES[About.ACCESS],
    ),
    CallFailure(
        "a quota, value, state or name that another attempt will not change",
        Verdict.FATAL,
        "the step's",
        "the step fails; during rollback or teardown, reported as undeletable",
        codes=frozenset().union(*FINAL_CODES.values()) - FINAL_CODES[About.ACCESS],
    ),
    CallFailure(
        "an unknown code",
        Verdict.FATAL,
        "the step's",
        "the step fails; during rollback or teardown, reported as undeletable",
        any_code=True,
    ),
)
"""The first row that matches decides."""


def row_of(error: CallError, action: Action, kind: Kind | None, *, young: bool) -> CallFailure:
    """Return the row that matches a failed call.

    Args:
        kind: the kind that made the call; None for a check or a read of the identity.
        young: whether an owned resource that it refers to was created within the consistency deadline.
    """
    return next(row for row in CALLS if row.fits(error, action, kind, young=young))


def judge(error: CallError, action: Action, kind: Kind | None, *, young: bool) -> Verdict:
    """Classify a failed call. The arguments are those of `row_of`."""
    return row_of(error, action, kind, young=young).verdict
