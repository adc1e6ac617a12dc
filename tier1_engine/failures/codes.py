"""Every error code that is judged by its name, each in exactly one list; for AWS's refusals, `final_codes`.

Owns what a code is: whoever asks whether a call was throttled, never answered or refused by what it is
about asks here, so that nobody's list can drift from another's. What follows from it is `calls`; what
only one kind's calls can answer, the kind declares. Codes are matched, never words.
"""

from __future__ import annotations

import re
from functools import cache

from tier1_engine.contract.cloud import PERMIT_REFUSED
from tier1_engine.errors import CallError
from tier1_engine.failures.final_codes import FINAL_CODES, About

# --- ours: what `aws` reports when AWS said nothing that could be read, or was not asked

CALL_TIMEOUT = "CallTimeout"
CONNECT_TIMEOUT = "ConnectTimeout"
CONNECTION_REFUSED = "ConnectionRefused"
CONNECTION_RESET = "ConnectionReset"
CREDENTIALS_UNUSABLE = "CredentialsUnusable"
NAME_NOT_RESOLVED = "NameNotResolved"
NO_CREDENTIALS = "NoCredentials"
UNREADABLE_REPLY = "UnreadableReply"
WRONG_ACCOUNT = "WrongAccount"

HELD_BACK_CODES = frozenset({PERMIT_REFUSED})
"""We did not let it go out: the lease was lost, or a signal asks us to stop."""

UNREACHABLE_CODES = frozenset({CONNECTION_REFUSED, CONNECT_TIMEOUT, NAME_NOT_RESOLVED})
"""Nobody is there: no connection was made."""

CUT_CODES = frozenset({CALL_TIMEOUT, CONNECTION_RESET, UNREADABLE_REPLY})
"""Sent, or perhaps sent, and not answered in a way that says what happened."""

NEVER_ANSWERED = UNREACHABLE_CODES | CUT_CODES

# --- credentials

MISSING_CREDENTIALS = frozenset({NO_CREDENTIALS, CREDENTIALS_UNUSABLE})
EXPIRED_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
)
REFUSED_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "InvalidAccessKeyId",  # S3
        "InvalidClientTokenId",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "SubscriptionRequiredException",
        "UnrecognizedClientException",
        # The same, as single services say it.
        "IncompleteSignature",
        "InvalidSecurity.RequestHasExpired",
        "InvalidToken",  # S3
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        WRONG_ACCOUNT,
    }
)
BLOCKED_CODES = MISSING_CREDENTIALS | EXPIRED_CREDENTIALS | REFUSED_CREDENTIALS
"""Everything that means "no access": nothing is deleted, and the operator signs in first."""

# --- AWS asks for patience, or fails

# Source: `ThrottledRetryableChecker` in botocore's retries/standard.py, and the common errors of the EC2,
# EFS, IAM and SSM API references. They come with 400, 429 or 503, and always instead of acting.
# `TooManyRequests` is what the load balancers before some services answer.
THROTTLE_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConcurrentModification",
        "ConcurrentModificationException",
        "ConcurrentTagAccess",
        "EC2ThrottledException",
        "LimitExceededException",
        "OperationAborted",  # S3: "a conflicting conditional operation is currently in progress. Try again."
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)

# Source: `TransientRetryableChecker` in the same file, and the server errors of the same references.
SERVER_CODES = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceFailure",
        "ServiceUnavailable",
        "Unavailable",
    }
)

# --- an emulator

UNSUPPORTED_CODES = frozenset(
    {
        "InvalidAction",
        "InvalidOperation",
        "NotImplemented",
        "NotImplementedException",
        "UnknownOperation",
        "UnknownOperationException",
        "UnsupportedOperation",
        "UnsupportedOperationException",
    }
)
"""What an emulator says of a call that it does not know. EC2 itself says none of them of a call of ours."""

TOKEN_MISMATCH = "IdempotentParameterMismatch"

HTTP_REQUEST_TIMEOUT = 408
HTTP_SERVER_ERROR = 500
HTTP_NOT_IMPLEMENTED = 501

# Source: the EC2 API reference's server error codes: InsufficientInstanceCapacity is sent with 500.
_CAPACITY = re.compile(r"^(Server\.)?Insufficient\w*Capacity\w*$")


def is_unsupported(error: CallError) -> bool:
    """Whether this endpoint does not know the call at all (an emulator; AWS knows all of ours)."""
    return error.code in UNSUPPORTED_CODES or error.http_status == HTTP_NOT_IMPLEMENTED


def acts_never(code: str, http_status: int | None) -> bool:
    """Whether AWS provably did not act, whatever the status says: a throttle, no capacity, no such call."""
    return code in THROTTLE_CODES or bool(_CAPACITY.match(code)) or http_status == HTTP_NOT_IMPLEMENTED


@cache
def about_of(code: str) -> About | None:
    """What a code is about; None for one that stands in no list."""
    if code in BLOCKED_CODES:
        return About.CREDENTIALS
    if code in THROTTLE_CODES | NEVER_ANSWERED | SERVER_CODES | UNSUPPORTED_CODES:
        return About.AWS
    return next((about for about, codes in FINAL_CODES.items() if code in codes), None)
