"""Turns an AWS call that fails before a deployment is recorded into a message and an exit code.

Once a row exists, the engine judges and records failures. Here nothing was created yet, and the message
says what to fix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tier1_engine.compose.gone import command_to_start
from tier1_engine.deployment.states import Action
from tier1_engine.errors import Blocked, CallError, Refused, Tier1Error
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import (
    BLOCKED_CODES,
    CLOCK_SKEW,
    CREDENTIAL_SOURCE_BUSY,
    DOUBTFUL_CREDENTIALS,
    EXPIRED_CREDENTIALS,
    HTTP_SERVER_ERROR,
    MISSING_CREDENTIALS,
    NEEDS_A_PERSON,
    NEVER_ANSWERED,
    REGION_NOT_ENABLED,
    SIGN_IN_NEEDED,
    UNREACHABLE_CODES,
    UNREADABLE_REPLY,
)

TRIES = 4
"""Attempts of a read that was throttled or interrupted, or whose credentials are in doubt. An unreachable
endpoint and definitely refused credentials are reported at once: nothing has begun, and the operator waits.
"""

Seen = TypeVar("Seen")


def looking(
    look: Callable[[], Seen], *, endpoint: str, poll_seconds: float, sleep: Callable[[float], None]
) -> Seen:
    """Return the result of a read, and retry it while AWS is busy.

    Raises:
        Blocked, Refused: the read failed; the message is for the operator.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return look()
        except CallError as error:
            if attempt == TRIES or not _is_transient(error):
                raise of_call(error, endpoint=endpoint) from error
        sleep(poll_seconds * 2.0**attempt)
    raise AssertionError("the last attempt answers or raises")


def _is_transient(error: CallError) -> bool:
    if error.code in UNREACHABLE_CODES or error.code == UNREADABLE_REPLY:
        return False
    return (
        error.code in DOUBTFUL_CREDENTIALS
        or judge(error, Action.DESCRIBE, None, young=False) is Verdict.TRANSIENT
    )


def of_call(error: CallError, *, endpoint: str) -> Tier1Error:
    """Return the error to raise for a failed read.

    Args:
        endpoint: the endpoint that was called; empty for AWS itself.
    """
    where = f"The endpoint {endpoint}" if endpoint else "AWS"
    said = f"{error.operation}: {error.code}: {_first_line(error.message)}"
    if error.code in NEEDS_A_PERSON:
        return Blocked(_for_a_person(error))
    if error.code in MISSING_CREDENTIALS or error.code == CREDENTIAL_SOURCE_BUSY:
        return Blocked(
            f"There are no usable AWS credentials ({_first_line(error.message)}): "
            "sign in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and try again."
        )
    if error.code in BLOCKED_CODES:
        return Blocked(_for_credentials(error, said))
    if error.code in UNREACHABLE_CODES:
        fix = "start it, or correct AWS_ENDPOINT_URL" if endpoint else "check the network and the region"
        if (start := command_to_start(endpoint)) is not None:
            fix = f"if it was the local AWS, start it with `{start}`, else correct AWS_ENDPOINT_URL"
        return Blocked(f"{where} cannot be reached ({said}): {fix}, and try again.")
    if error.code == UNREADABLE_REPLY:
        return Blocked(
            f"{where} does not respond like AWS ({said}): correct AWS_ENDPOINT_URL, and try again."
        )
    if error.code in NEVER_ANSWERED or (error.http_status or 0) >= HTTP_SERVER_ERROR:
        return Blocked(f"{where} gave no usable response ({said}): try again later.")
    return Refused(f"AWS refused a check that is needed first ({said}): fix that, and try again.")


def _for_credentials(error: CallError, said: str) -> str:
    if error.code == CLOCK_SKEW:
        return f"AWS refuses what this host signs ({said}): set the clock, and try again."
    if error.code == REGION_NOT_ENABLED:
        return f"{said}. Enable the region, or change `region` in the spec, and try again."
    if error.code in EXPIRED_CREDENTIALS:
        return f"The AWS credentials have expired ({said}): sign in again, and try again."
    return (
        f"AWS does not accept these credentials ({said}): use other credentials, or enable the region for "
        "the account, and try again."
    )


def _for_a_person(error: CallError) -> str:
    said = error.message[:1].upper() + error.message[1:]
    if error.code == SIGN_IN_NEEDED:
        return f"{said}, and try again."
    return (
        f"{said}, and there is no terminal: run this command in a terminal, or use credentials that need no "
        "code."
    )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")
