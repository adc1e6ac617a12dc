"""`tier1 keep` and `tier1 extend`: protect a deployment from sweeps, and move its expiry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tier1_engine.cli.screen.streams import put
from tier1_engine.clock import SystemClock
from tier1_engine.compose import caller
from tier1_engine.compose import engine as compose
from tier1_engine.deployment.record import FOR_EVER, Deployment
from tier1_engine.deployment.states import ENDED, Goal
from tier1_engine.errors import Refused
from tier1_engine.settings import from_environment
from tier1_engine.spec.values import duration
from tier1_engine.store import names, sweeps

Change = tuple[Mapping[str, Any], str]


def keep(reference: str, *, until: str | None, off: bool) -> int:
    """Protect a deployment from sweeps, or remove the protection; return the exit code."""
    now = SystemClock().now()
    if off and until is not None:
        raise Refused("--off and --until are mutually exclusive: give one.")
    end = None if off else moment(until, now) if until is not None else FOR_EVER

    def change(deployment: Deployment) -> Change:
        if end is None:
            return {"keep_until": None}, "no longer protected from sweeps"
        _refuse_unless_active(deployment, "protected")
        return {"keep_until": end}, f"protected from sweeps {_until(end)}"

    deployment = _protect(reference, change, now)
    title = f"{deployment.name} ({deployment.id})"
    if end is not None:
        put(
            f"{title} is protected from sweeps {_until(end)}. "
            f"`tier1 keep {deployment.id} --off` removes the protection."
        )
    elif deployment.protected(now):
        put(f"{title} is still protected from sweeps by its spec (policy.keep).")
    else:
        put(f"{title} is no longer protected: sweeps may delete it.")
    return 0


def extend(reference: str, by: str) -> int:
    """Move the expiry of a deployment; return the exit code."""
    now = SystemClock().now()
    seconds = _seconds(by)

    def change(deployment: Deployment) -> Change:
        _refuse_unless_active(deployment, "extended")
        if deployment.expires_at is None:
            raise Refused(
                f"{deployment.name} has no expiry (its spec has no ttl), so there is nothing to extend: it "
                "stays until it is destroyed."
            )
        later = max(deployment.expires_at, now) + timedelta(seconds=seconds)
        return {"expires_at": later}, f"now expires at {later:%Y-%m-%dT%H:%M:%SZ}"

    deployment = _protect(reference, change, now)
    put(f"{deployment.name} ({deployment.id}) now expires at {deployment.expires_at:%Y-%m-%dT%H:%M:%SZ}.")
    return 0


def _protect(reference: str, change: Any, now: datetime) -> Deployment:
    settings = from_environment()
    with compose.opened_store(settings) as store:
        found = names.find(store, reference, to_change=True)
        change(found)  # what is refused asks AWS nothing
        return sweeps.protect(store, found.id, change, now, caller.in_place(found, settings))


def _refuse_unless_active(deployment: Deployment, what: str) -> None:
    """Refuse a deployment that is being deleted or is gone: it can no longer be protected."""
    if deployment.state in ENDED or deployment.goal is not Goal.ACTIVE:
        state = f"{deployment.state}, with target state {deployment.goal}"
        raise Refused(f"{deployment.name} is {state}: it can no longer be {what}.")


def moment(text: str, now: datetime) -> datetime:
    """Return a future time: ISO 8601 (UTC if it names no zone), or a duration from now, such as `7d`.

    Raises:
        Refused: the text is neither, or the time is in the past.
    """
    try:
        found = now + timedelta(seconds=duration(text))
    except ValueError:
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            raise Refused(
                f"{text!r} is not a time: give one such as 2026-12-31T18:00Z, or a duration such as 7d."
            ) from None
        found = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    if found <= now:
        raise Refused(f"{text} is in the past: give a future time.")
    return found


def _seconds(text: str) -> float:
    try:
        return duration(text)
    except ValueError as error:
        raise Refused(f"{text!r} is not a duration: it {error}.") from None


def _until(end: datetime) -> str:
    return "indefinitely" if end == FOR_EVER else f"until {end:%Y-%m-%dT%H:%M:%SZ}"
