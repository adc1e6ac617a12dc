"""The values of options that several commands share."""

from __future__ import annotations

from enum import StrEnum


class Output(StrEnum):
    """The output format of a result."""

    TABLE = "table"
    JSON = "json"


class ExportOutput(StrEnum):
    """The output format of an export, which is for programs."""

    JSON = "json"


class LogOutput(StrEnum):
    """The output format of a log; `jsonl` is one object per line."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class GuideOutput(StrEnum):
    """The output format of a guide."""

    TABLE = "table"
    JSON = "json"
    SHELL = "shell"


class OnRecoverable(StrEnum):
    """What to do after a recoverable failure."""

    ASK = "ask"
    STOP = "stop"
    RETRY = "retry"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class Pace(StrEnum):
    """How fast time passes in the local AWS. Same values as `sandbox.world.Speed`."""

    REAL = "1"
    TEN = "10"
    HUNDRED = "100"
    MAX = "max"


class Lost(StrEnum):
    """Which part of a call is lost. Same values as `sandbox.faults.Cut`."""

    BEFORE = "before"
    AFTER = "after"


class OnInterrupted(StrEnum):
    """What a sweep does with an interrupted deployment."""

    RESUME = "resume"
    ROLLBACK = "rollback"
    REPORT = "report"
