"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum


class Output(StrEnum):
    """How a result is written to stdout."""

    TABLE = "table"
    JSON = "json"


class OnRecoverable(StrEnum):
    """What follows a failure that the stack can live with."""

    ASK = "ask"
    STOP = "stop"
    RETRY = "retry"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class OnInterrupted(StrEnum):
    """What a sweep does with a deployment that lost its driver on the way."""

    RESUME = "resume"
    ROLLBACK = "rollback"
    REPORT = "report"
