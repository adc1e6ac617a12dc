"""The results of a check: passed, not yet, permanently failed, or unknown. Pure."""

from __future__ import annotations

from tier1_engine.contract.kind import CONSOLE_FACT, Observation, Presence, Problem

CONSOLE_LINE = ("ec2", "get-console-output", "--instance-id", "{instance_id}", "--output", "text")
"""The command, for remedies, that reads the instance's console output."""
PASSED = Observation(Presence.READY)


def waiting(code: str, message: str, operation: str | None = None) -> Observation:
    """The check does not pass yet; the step's deadline decides how long that may last."""
    return Observation(Presence.PENDING, problem=Problem(code, message, operation))


def reason(error: Exception) -> str:
    """Return the system's message for a failed connection, without the errno."""
    return getattr(error, "strerror", None) or str(error)


def failed(code: str, message: str, operation: str | None = None, *, console: str = "") -> Observation:
    """The check will never pass. `console` is the end of the console output, if it explains why."""
    facts = {CONSOLE_FACT: console} if console else {}
    return Observation(Presence.BROKEN, facts=facts, problem=Problem(code, message, operation))


def unknown(message: str, operation: str | None = None) -> Observation:
    """The endpoint cannot answer: a warning, not a failure."""
    return Observation(Presence.UNKNOWN, problem=Problem("NotSupportedHere", message, operation))
