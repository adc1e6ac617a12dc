"""How a check answers: passed, not yet, failed for good, or not to be known here. Pure."""

from __future__ import annotations

from tier1_engine.contract.kind import CONSOLE_FACT, Observation, Presence, Problem

CONSOLE_LINE = ("ec2", "get-console-output", "--instance-id", "{instance_id}", "--output", "text")
"""What a remedy prints to read the instance's console."""
PASSED = Observation(Presence.READY)


def waiting(code: str, message: str, operation: str | None = None) -> Observation:
    """It does not pass yet; the step's deadline decides how long that may last."""
    return Observation(Presence.PENDING, problem=Problem(code, message, operation))


def reason(error: Exception) -> str:
    """Why no connection came about, in the system's words and without its number for them."""
    return getattr(error, "strerror", None) or str(error)


def failed(code: str, message: str, operation: str | None = None, *, console: str = "") -> Observation:
    """It will never pass. `console` is the end of the instance's console, where that says why."""
    facts = {CONSOLE_FACT: console} if console else {}
    return Observation(Presence.BROKEN, facts=facts, problem=Problem(code, message, operation))


def unknown(message: str, operation: str | None = None) -> Observation:
    """This endpoint cannot say: a warning, no failure."""
    return Observation(Presence.UNKNOWN, problem=Problem("NotSupportedHere", message, operation))
