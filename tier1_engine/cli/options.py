"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum


class Output(StrEnum):
    """How a result is written to stdout."""

    TABLE = "table"
    JSON = "json"


class ExportOutput(StrEnum):
    """How an export is written to stdout: it is for programs."""

    JSON = "json"


class LogOutput(StrEnum):
    """How a log is written to stdout; `jsonl` is one object a line."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class GuideOutput(StrEnum):
    """How a guide is written to stdout."""

    TABLE = "table"
    JSON = "json"
    SHELL = "shell"


class OnRecoverable(StrEnum):
    """What follows a failure that the stack can live with."""

    ASK = "ask"
    STOP = "stop"
    RETRY = "retry"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class Pace(StrEnum):
    """How fast time passes in the local AWS. The same values as `sandbox.world.Speed`."""

    REAL = "1"
    TEN = "10"
    HUNDRED = "100"
    MAX = "max"


class Lost(StrEnum):
    """Which half of a call is lost. The same values as `sandbox.faults.Cut`."""

    BEFORE = "before"
    AFTER = "after"


class OnInterrupted(StrEnum):
    """What a sweep does with a deployment that lost its driver on the way."""

    RESUME = "resume"
    ROLLBACK = "rollback"
    REPORT = "report"
