"""What a failed call means: the table of failures, by AWS's error codes. Pure.

Owns the codes that mean the same everywhere; what only one kind knows (already exists, in use, no
capacity) the kind declares. It says what a failure is, never what to do with a deployment.
"""

from __future__ import annotations

from enum import StrEnum

from tier1_engine.errors import Acted, CallError
from tier1_engine.kinds import Kind
from tier1_engine.states import Action


class Verdict(StrEnum):
    """What one failed call means for the step or the deletion it belongs to."""

    STOPPED = "stopped"  # we did not let it go out: lease or stop
    BLOCKED = "blocked"  # credentials or account: nothing can be done, not even a rollback
    TRANSIENT = "transient"  # worth another try, counted
    UNSEEN = "unseen"  # what it refers to is too young to be seen; another try, not counted
    EXISTS = "exists"  # an earlier call acted: back to looking
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
        "NoCredentials",
        "CredentialsUnusable",
        "WrongAccount",
    }
)
"""DESIGN section 8; the last three are ours."""

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
        "TransactionInProgressException",
    }
)
"""botocore's own list of throttling codes (`retries/standard.py`), and IAM's advice to try again."""

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
        "ServiceUnavailable",
        "Unavailable",
        "RequestTimeout",
    }
)
UNSUPPORTED_CODES = frozenset(
    {"InvalidAction", "UnknownOperation", "UnknownOperationException", "NotImplemented", "InvalidOperation"}
)
"""What an emulator says of a call that it does not know."""

UNREACHABLE_CODES = frozenset({"ConnectionRefused", "ConnectTimeout", "NameNotResolved"})
TOKEN_MISMATCH = "IdempotentParameterMismatch"


def judge(error: CallError, action: Action, kind: Kind | None, *, young: bool) -> Verdict:
    """Say what a failed call means.

    Args:
        kind: whose call it was; None for a check or an identity.
        young: something of ours that it refers to was made within the consistency deadline.
    """
    code = error.code
    if code == "PermitRefused":
        return Verdict.STOPPED
    if code in BLOCKED_CODES:
        return Verdict.BLOCKED
    if kind is not None and (verdict := _by_kind(code, action, kind, young)):
        return verdict
    if code in THROTTLE_CODES or code in NEVER_ANSWERED or code in SERVER_CODES:
        return Verdict.TRANSIENT
    if error.acted is Acted.UNKNOWN or (error.http_status or 0) >= 500:
        return Verdict.TRANSIENT
    return Verdict.FATAL


def _by_kind(code: str, action: Action, kind: Kind, young: bool) -> Verdict | None:
    if action is Action.DELETE:
        if code in kind.gone:
            return Verdict.GONE
        return Verdict.IN_USE if code in kind.in_use else None
    if action is Action.CREATE and (code in kind.already_exists or code == TOKEN_MISMATCH):
        return Verdict.EXISTS
    if action is Action.CREATE and code in kind.next_candidate:
        return Verdict.EXHAUSTED
    return Verdict.UNSEEN if young and code in kind.not_visible_yet else None


def is_unsupported(error: CallError) -> bool:
    """Whether this endpoint does not know the call at all (an emulator; AWS knows all of ours)."""
    return error.code in UNSUPPORTED_CODES or error.http_status == 501
