"""What a failed AWS call means before a deployment is on record: a sentence and an exit code.

Once a row exists the engine judges and records failures; here nothing was made, and the operator is
told what to fix.
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
    EXPIRED_CREDENTIALS,
    HTTP_SERVER_ERROR,
    MISSING_CREDENTIALS,
    NEVER_ANSWERED,
    UNREACHABLE_CODES,
    UNREADABLE_REPLY,
)

TRIES = 4
"""Of a look that AWS throttled or cut. What cannot be reached at all is not tried again."""

Seen = TypeVar("Seen")


def looking(
    look: Callable[[], Seen], *, endpoint: str, poll_seconds: float, sleep: Callable[[float], None]
) -> Seen:
    """What `look` answers; a look that changes nothing is tried again when AWS was busy.

    Raises:
        Blocked, Refused: it failed, in words for the operator.
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
    return judge(error, Action.DESCRIBE, None, young=False) is Verdict.TRANSIENT


def of_call(error: CallError, *, endpoint: str) -> Tier1Error:
    """Our refusal for a failed look.

    Args:
        endpoint: where AWS was asked; empty for AWS itself.
    """
    where = f"The endpoint {endpoint}" if endpoint else "AWS"
    said = f"{error.operation}: {error.code}: {_first_line(error.message)}"
    if error.code in MISSING_CREDENTIALS:
        return Blocked(
            f"There are no usable AWS credentials ({_first_line(error.message)}): "
            "sign in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and try again."
        )
    if error.code in EXPIRED_CREDENTIALS:
        return Blocked(f"The AWS credentials have expired ({said}): sign in again, and try again.")
    if error.code in BLOCKED_CODES:
        return Blocked(
            f"AWS does not accept these credentials ({said}): use other credentials, and try again."
        )
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


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")
