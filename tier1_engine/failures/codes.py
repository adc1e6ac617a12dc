"""The lists of all error codes that tier1 classifies, each code in exactly one list.

Permanent refusals of AWS are in `final_codes`. Owns what a code means: every question whether a call was
throttled, unanswered or refused is answered here, so that no two lists can differ. The consequences are in
`calls`; codes specific to one kind are declared by the kind. Codes are matched, never messages.
"""

from __future__ import annotations

import re
from functools import cache

from tier1_engine.contract.cloud import PERMIT_REFUSED
from tier1_engine.errors import CallError
from tier1_engine.failures.final_codes import FINAL_CODES, About

# --- tier1's own: what `aws` reports when there was no readable reply, or no call

CALL_TIMEOUT = "CallTimeout"
CLOCK_SKEW = "ClockSkew"
CONNECT_TIMEOUT = "ConnectTimeout"
CONNECTION_REFUSED = "ConnectionRefused"
CONNECTION_RESET = "ConnectionReset"
CREDENTIAL_SOURCE_BUSY = "CredentialSourceBusy"
CREDENTIAL_SOURCE_SILENT = "CredentialSourceSilent"
CREDENTIALS_UNUSABLE = "CredentialsUnusable"
MFA_CODE_NEEDED = "MfaCodeNeeded"
NAME_NOT_RESOLVED = "NameNotResolved"
NO_CREDENTIALS = "NoCredentials"
REGION_NOT_ENABLED = "RegionNotEnabled"
SIGN_IN_NEEDED = "SignInNeeded"
UNREADABLE_REPLY = "UnreadableReply"
WRONG_ACCOUNT = "WrongAccount"

HELD_BACK_CODES = frozenset({PERMIT_REFUSED})
"""The call was not sent: the lease was lost, or a signal asked to stop."""

UNREACHABLE_CODES = frozenset({CONNECTION_REFUSED, CONNECT_TIMEOUT, NAME_NOT_RESOLVED})
"""No connection could be made."""

CUT_CODES = frozenset({CALL_TIMEOUT, CONNECTION_RESET, UNREADABLE_REPLY})
"""The call may have been sent, but there was no readable reply."""

NEVER_ANSWERED = UNREACHABLE_CODES | CUT_CODES

# --- credentials

NEEDS_A_PERSON = frozenset({MFA_CODE_NEEDED, SIGN_IN_NEEDED})
MISSING_CREDENTIALS = frozenset({NO_CREDENTIALS, CREDENTIALS_UNUSABLE, CREDENTIAL_SOURCE_SILENT})
EXPIRED_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
)
UNKNOWN_CREDENTIALS = frozenset({"InvalidClientTokenId", "UnrecognizedClientException"})
REFUSED_CREDENTIALS = frozenset(
    {
        "InvalidAccessKeyId",  # S3
        "OptInRequired",
        "SignatureDoesNotMatch",
        "SubscriptionRequiredException",
        # The same, as named by single services.
        "IncompleteSignature",
        "InvalidSecurity.RequestHasExpired",
        "InvalidToken",  # S3
        CLOCK_SKEW,
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        REGION_NOT_ENABLED,
        WRONG_ACCOUNT,
    }
)
DOUBTFUL_CREDENTIALS = frozenset({"AuthFailure", CREDENTIAL_SOURCE_BUSY})
"""Often over by itself: EC2 may answer AuthFailure to valid credentials, and their source may be busy."""
BLOCKED_CODES = (
    NEEDS_A_PERSON
    | MISSING_CREDENTIALS
    | EXPIRED_CREDENTIALS
    | UNKNOWN_CREDENTIALS
    | REFUSED_CREDENTIALS
    | DOUBTFUL_CREDENTIALS
)
"""Everything that means "no access": nothing is deleted, and the operator signs in first."""

PENDING_CODES = frozenset({"PendingVerification"})
"""The account is being verified. This passes by itself, so what exists remains for a retry."""

# --- throttles and server errors

# Source: `ThrottledRetryableChecker` in botocore's retries/standard.py, and the common errors of the EC2,
# EFS, IAM and SSM API references. Their status is 400, 429 or 503, and AWS never acts.
# `TooManyRequests` comes from the load balancers of some services.
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
        "DependencyTimeoutException",  # KMS: "You can retry the request."
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "KMSInternalException",
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
"""An emulator's codes for an unknown call. EC2 returns none of them for the calls of tier1."""

TOKEN_MISMATCH = "IdempotentParameterMismatch"

HTTP_BAD_REQUEST = 400
HTTP_REQUEST_TIMEOUT = 408
HTTP_TOO_MANY_REQUESTS = 429
HTTP_SERVER_ERROR = 500
HTTP_NOT_IMPLEMENTED = 501

# Source: the EC2 API reference's server error codes: InsufficientInstanceCapacity is sent with 500.
_CAPACITY = re.compile(
    r"^(Server\.)?(Insufficient\w*Capacity\w*|ReservationCapacityExceeded|UnfulfillableCapacity)$"
)


def is_unsupported(error: CallError) -> bool:
    """Whether this endpoint does not implement the call (an emulator; AWS implements every call of tier1)."""
    return error.code in UNSUPPORTED_CODES or error.http_status == HTTP_NOT_IMPLEMENTED


def acts_never(code: str, http_status: int | None) -> bool:
    """Whether AWS certainly did not act, whatever the HTTP status: throttled, no capacity, no such call."""
    return code in THROTTLE_CODES or is_capacity(code) or http_status == HTTP_NOT_IMPLEMENTED


def is_capacity(code: str) -> bool:
    """Whether AWS has no capacity, in any spelling: `InsufficientInstanceCapacity`, for example."""
    return bool(_CAPACITY.match(code))


@cache
def about_of(code: str) -> About | None:
    """Return what a code is about; None if it is in no list."""
    if code in BLOCKED_CODES:
        return About.CREDENTIALS
    if code in PENDING_CODES:
        return About.ACCOUNT
    if code in THROTTLE_CODES | NEVER_ANSWERED | SERVER_CODES | UNSUPPORTED_CODES:
        return About.AWS
    return next((about for about, codes in FINAL_CODES.items() if code in codes), None)
