"""Error codes that are judged alike, each in exactly one list."""

from __future__ import annotations

from functools import cache

from tier1_engine.errors import CallError
from tier1_engine.failures.final_codes import FINAL_CODES, About

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


CALL_TIMEOUT = "CallTimeout"


CONNECTION_REFUSED = "ConnectionRefused"


CONNECTION_RESET = "ConnectionReset"


CONNECT_TIMEOUT = "ConnectTimeout"


NAME_NOT_RESOLVED = "NameNotResolved"


NO_CREDENTIALS = "NoCredentials"


UNREADABLE_REPLY = "UnreadableReply"
