"""What a failure means: the table of failures as a table, by step, call and AWS's error code. Pure.

Owns two tables. `CALLS` says what one failed call is: its first row that fits decides (`judge`). What
only one kind knows (already exists, in use, no capacity) the kind declares, and a row names the
declaration. `STEPS` says what it means for a deployment that a step has failed for good. Codes are
matched, never words. What then follows is done by `forward`, `backward` and the state table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from tier1_engine.error_codes import FINAL_CODES, About
from tier1_engine.errors import Acted, CallError
from tier1_engine.kinds import Kind
from tier1_engine.states import Action, FailureClass, Phase


class Verdict(StrEnum):
    """What one failed call means for the step or the deletion it belongs to."""

    STOPPED = "stopped"  # we did not let it go out: lease or stop
    BLOCKED = "blocked"  # credentials or account: nothing can be done, not even a rollback
    TRANSIENT = "transient"  # worth another try, counted
    UNSEEN = "unseen"  # what it refers to is too young to be seen; another try, not counted
    EXISTS = "exists"  # an earlier call acted: back to looking
    SPENT = "spent"  # what this key made is gone: the next key
    EXHAUSTED = "exhausted"  # this candidate has no capacity: the next one
    IN_USE = "in_use"  # a deletion that must wait for others
    GONE = "gone"  # a deletion that found nothing
    FATAL = "fatal"  # no further try will help


BLOCKED_CODES = frozenset(
    {
        "RequestExpired",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "OptInRequired",
        "SubscriptionRequiredException",
        # The same, as single services say it.
        "IncompleteSignature",
        "InvalidSecurity.RequestHasExpired",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        # Ours.
        "NoCredentials",
        "CredentialsUnusable",
        "WrongAccount",
    }
)
"""DESIGN section 8, with what the same refusals are called elsewhere."""

THROTTLE_CODES = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "SlowDown",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ConcurrentModification",
        "ConcurrentModificationException",
        "ConcurrentTagAccess",
        "TransactionInProgressException",
    }
)
"""botocore's own list of throttling codes (`retries/standard.py`), and what IAM and EC2 say to try again."""

NEVER_ANSWERED = frozenset(
    {
        "ConnectionRefused",
        "ConnectTimeout",
        "NameNotResolved",
        "ConnectionReset",
        "CallTimeout",
        "UnreadableReply",
    }
)
"""Ours: what `aws` reports when AWS said nothing that could be read."""

SERVER_CODES = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "ServiceFailure",
        "ServiceUnavailable",
        "Unavailable",
    }
)
UNSUPPORTED_CODES = frozenset(
    {"InvalidAction", "UnknownOperation", "UnknownOperationException", "NotImplemented", "InvalidOperation"}
)
"""What an emulator says of a call that it does not know."""

UNREACHABLE_CODES = frozenset({"ConnectionRefused", "ConnectTimeout", "NameNotResolved"})
TOKEN_MISMATCH = "IdempotentParameterMismatch"
PERMIT_REFUSED = "PermitRefused"
HTTP_SERVER_ERROR = 500


# --- one call


@dataclass(frozen=True, slots=True)
class CallFailure:
    """One row: which failed calls it is about, what they are, and what happens.

    Attributes:
        failure: in words.
        becomes: the class of DESIGN section 4, in words.
        happens: what the engine does then.
        codes: AWS's codes, or ours.
        declared: the attribute of a kind that adds codes of its own.
        actions: the actions that it is about; all of them when empty.
        while_young: only while something of ours that the call refers to is younger than the
            consistency deadline.
        without_end: whatever the code: AWS may have acted, or answered with 5xx.
        any_code: the last row.
    """

    failure: str
    verdict: Verdict
    becomes: str
    happens: str
    codes: frozenset[str] = frozenset()
    declared: str | None = None
    actions: frozenset[Action] = frozenset()
    but: frozenset[Action] = frozenset()
    while_young: bool = False
    without_end: bool = False
    any_code: bool = False

    def fits(self, error: CallError, action: Action, kind: Kind | None, *, young: bool) -> bool:
        """Whether this row is about the failed call."""
        if (self.actions and action not in self.actions) or action in self.but:
            return False
        if self.while_young and not young:
            return False
        if self.without_end:
            return error.acted is Acted.UNKNOWN or (error.http_status or 0) >= HTTP_SERVER_ERROR
        return self.any_code or error.code in self.codes or error.code in self.declared_by(kind)

    def declared_by(self, kind: Kind | None) -> frozenset[str]:
        """The codes that a kind adds to this row."""
        if kind is None or self.declared is None:
            return frozenset()
        found: frozenset[str] = getattr(kind, self.declared)
        return found


CALLS: tuple[CallFailure, ...] = (
    CallFailure(
        "not sent by us: the lease was lost, or a signal asks us to stop",
        Verdict.STOPPED,
        "none",
        "nothing is held against the step",
        codes=frozenset({PERMIT_REFUSED}),
    ),
    CallFailure(
        "expired or missing credentials, wrong account",
        Verdict.BLOCKED,
        "blocked",
        "stops as `failed` and keeps everything, on the way back in its state; the guide says how to sign in",
        codes=BLOCKED_CODES,
    ),
    CallFailure(
        "a deletion, or a last look at a console, that finds nothing",
        Verdict.GONE,
        "none",
        "gone: at once after a deletion that AWS accepted, else after the grace since the create",
        declared="gone",
        actions=frozenset({Action.DELETE, Action.ARCHIVE}),
    ),
    CallFailure(
        "a deletion of what something else still uses",
        Verdict.IN_USE,
        "transient",
        "waited out until the `delete` deadline; then it is reported as what would not delete",
        declared="in_use",
        actions=frozenset({Action.DELETE}),
    ),
    CallFailure(
        "a create that AWS knows already: an earlier call of ours acted",
        Verdict.EXISTS,
        "transient",
        "back to looking until the visibility deadline; what is then shown not to be ours is critical",
        codes=frozenset({TOKEN_MISMATCH}),
        declared="already_exists",
        actions=frozenset({Action.CREATE}),
    ),
    CallFailure(
        "a create under the token of what has been terminated since",
        Verdict.SPENT,
        "none",
        "made anew under the next token, three times at most; then the step has failed",
        declared="token_spent",
        actions=frozenset({Action.CREATE}),
    ),
    CallFailure(
        "no capacity, spot price, type not offered in the zone, a quota of one market",
        Verdict.EXHAUSTED,
        "next candidate",
        "the next (type, zone, market) of the spec; when none is left, the step has failed",
        declared="next_candidate",
        actions=frozenset({Action.CREATE}),
    ),
    CallFailure(
        "not visible yet: what it refers to is ours and younger than the consistency deadline",
        Verdict.UNSEEN,
        "transient",
        "tried again with backoff, not counted",
        declared="not_visible_yet",
        but=frozenset({Action.DELETE}),
        while_young=True,
    ),
    CallFailure(
        "throttling",
        Verdict.TRANSIENT,
        "transient",
        "tried again with backoff and jitter, every try recorded; when tries run out, the step has failed",
        codes=THROTTLE_CODES,
    ),
    CallFailure(
        "connection refused or reset, time-out, an answer that cannot be read",
        Verdict.TRANSIENT,
        "transient",
        "as above, after a look for what the call may have made",
        codes=NEVER_ANSWERED,
    ),
    CallFailure(
        "AWS itself failed",
        Verdict.TRANSIENT,
        "transient",
        "as above, after a look for what the call may have made",
        codes=SERVER_CODES,
    ),
    CallFailure(
        "any other code with HTTP status 5xx, or of a call that AWS may have executed",
        Verdict.TRANSIENT,
        "transient",
        "as above, after a look for what the call may have made",
        without_end=True,
    ),
    CallFailure(
        "permission denied",
        Verdict.FATAL,
        "the step's",
        "the step has failed; the guide names the missing action",
        codes=FINAL_CODES[About.ACCESS],
    ),
    CallFailure(
        "a quota, a value, a state or a name that no further try will change",
        Verdict.FATAL,
        "the step's",
        "the step has failed; on the way back it is reported as what would not delete",
        codes=frozenset().union(*FINAL_CODES.values()) - FINAL_CODES[About.ACCESS],
    ),
    CallFailure(
        "a code that nobody has heard of",
        Verdict.FATAL,
        "the step's",
        "the step has failed; on the way back it is reported as what would not delete",
        any_code=True,
    ),
)
"""The first row that fits decides."""


def row_of(error: CallError, action: Action, kind: Kind | None, *, young: bool) -> CallFailure:
    """The row that decides a failed call.

    Args:
        kind: whose call it was; None for a check or an identity.
        young: something of ours that it refers to was made within the consistency deadline.
    """
    return next(row for row in CALLS if row.fits(error, action, kind, young=young))


def judge(error: CallError, action: Action, kind: Kind | None, *, young: bool) -> Verdict:
    """Say what a failed call means. The arguments are those of `row_of`."""
    return row_of(error, action, kind, young=young).verdict


def is_unsupported(error: CallError) -> bool:
    """Whether this endpoint does not know the call at all (an emulator; AWS knows all of ours)."""
    return error.code in UNSUPPORTED_CODES or error.http_status == 501


@cache
def about_of(code: str) -> About | None:
    """What a code is about; None for one that stands in no list."""
    if code in BLOCKED_CODES:
        return About.CREDENTIALS
    if code in THROTTLE_CODES | NEVER_ANSWERED | SERVER_CODES | UNSUPPORTED_CODES:
        return About.AWS
    return next((about for about, codes in FINAL_CODES.items() if code in codes), None)


# --- a step that has failed for good


@dataclass(frozen=True, slots=True)
class StepFailure:
    """One row: which steps it is about, and what their failure means for the deployment.

    Attributes:
        failure: in words.
        phase: of the step.
        kinds: of the step; every other one of the phase when empty.
    """

    failure: str
    phase: Phase
    kinds: frozenset[str]
    becomes: FailureClass
    happens: str


_ROLLS_BACK = "automatic rollback; with rollback off, stops as `failed` and keeps everything"
STEPS: tuple[StepFailure, ...] = (
    StepFailure("network failure", Phase.NETWORK, frozenset(), FailureClass.CRITICAL, _ROLLS_BACK),
    StepFailure(
        "EFS failure: file system or mount target", Phase.EFS, frozenset(), FailureClass.CRITICAL, _ROLLS_BACK
    ),
    StepFailure("EC2 launch failure", Phase.EC2, frozenset(), FailureClass.CRITICAL, _ROLLS_BACK),
    StepFailure(
        "EFS failure: the mount on the instance, or its user data",
        Phase.HEALTH,
        frozenset({"efs_mount"}),
        FailureClass.CRITICAL,
        _ROLLS_BACK,
    ),
    StepFailure(
        "instance failure: EC2's own status checks",
        Phase.HEALTH,
        frozenset({"instance_status"}),
        FailureClass.CRITICAL,
        _ROLLS_BACK,
    ),
    StepFailure(
        "service health failure",
        Phase.HEALTH,
        frozenset(),
        FailureClass.RECOVERABLE,
        "stops as `failed`; the options are presented",
    ),
)
"""The first row that fits decides."""


def step_row(phase: Phase, kind: str) -> StepFailure:
    """The row about a step of this phase and kind."""
    return next(row for row in STEPS if row.phase is phase and (not row.kinds or kind in row.kinds))


def class_of(phase: Phase, kind: str) -> FailureClass:
    """What it means for a deployment that a step of this phase and kind has failed."""
    return step_row(phase, kind).becomes
