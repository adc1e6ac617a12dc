"""The JSON output for deployments, built from records.

Owns the keys and the structure of everything that `-o json` prints and that tables show. Pure: it reads no
database and no clock, and knows neither AWS nor the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.place import is_local
from tier1_engine.deployment.standing import interrupted
from tier1_engine.deployment.states import Outcome, Trigger
from tier1_engine.masking import masked as masked
from tier1_engine.masking import masked_text

if TYPE_CHECKING:
    from tier1_engine.deployment.overview import Event, Summary
    from tier1_engine.deployment.record import Attempt, Deployment, Record, Resource, Step

ConsoleUrl = Callable[[str, str, str], str | None]
"""Returns the URL of an object in the AWS console, given its kind, region and AWS id."""


def moment(at: datetime | str | None) -> str | None:
    """Format a time as ISO 8601 in UTC, to the millisecond: `2026-05-04T03:02:01.000Z`."""
    if at is None:
        return None
    parsed = datetime.fromisoformat(at) if isinstance(at, str) else at
    return parsed.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def of_summary(summary: Summary, *, driven: bool) -> dict[str, Any]:
    """Return one deployment as `list -o json` prints it: `remaining` instead of steps and resources."""
    return {**_head(summary, driven=driven), "remaining": summary.remaining}


def of_record(record: Record, summary: Summary, *, driven: bool, console_url: ConsoleUrl) -> dict[str, Any]:
    """Return one deployment as `show -o json` prints it.

    Args:
        summary: of the same deployment, with the holder of its lease.
        driven: whether that holder counts as alive.
    """
    region = record.deployment.region
    resources = sorted(
        record.resources.values(), key=lambda r: (record.steps[r.step].position, r.created_at, r.name)
    )
    return {
        **_head(summary, driven=driven),
        "steps": [_of_step(step) for step in sorted(record.steps.values(), key=lambda s: s.position)],
        "resources": [_of_resource(resource, region, console_url) for resource in resources],
    }


def _head(summary: Summary, *, driven: bool) -> dict[str, Any]:
    deployment = summary.deployment
    return {
        "id": deployment.id,
        "name": deployment.name,
        "blueprint": deployment.blueprint,
        "region": deployment.region,
        "account_id": deployment.account_id,
        "endpoint": deployment.endpoint or None,
        "sandbox": is_local(deployment.endpoint, deployment.profile),
        "state": deployment.state.value,
        "goal": deployment.goal.value,
        "interrupted": interrupted(deployment, driven=driven),
        "holder": _of_holder(summary) if driven else None,
        "failure": _of_failure(deployment.failure),
        "blocked": _of_blocked(deployment.blocked),
        "warnings": [masked_text(warning) for warning in deployment.warnings],
        "rollback_enabled": deployment.rollback_enabled,
        "keep_until": moment(deployment.keep_until),
        "created_by": _of_actor(deployment.created_by),
        "asked_by": _of_actor(deployment.asked_by),
        "created_at": moment(deployment.created_at),
        "updated_at": moment(deployment.updated_at),
        "finished_at": moment(deployment.finished_at),
        "expires_at": moment(deployment.expires_at),
        "outputs": dict(deployment.outputs),
    }


def _of_holder(summary: Summary) -> dict[str, Any] | None:
    if summary.holder is None:
        return None
    return {
        "host": summary.holder["host"],
        "pid": summary.holder["pid"],
        "since": moment(summary.lease_since),
        "expires_at": moment(summary.lease_expires_at),
        "actor": summary.holder.get("actor"),
    }


def _of_actor(actor: Actor | None) -> dict[str, Any] | None:
    return None if actor is None else actor.to_stored()


def _of_failure(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {**masked(failure.to_stored()), "at": moment(failure.at)}


def _of_blocked(blocked: Failure | None) -> dict[str, Any] | None:
    """Return the call that stopped the last run: AWS refused access, or could not be reached."""
    shown = _of_failure(blocked)
    return None if shown is None else {key: shown[key] for key in ("code", "message", "operation", "at")}


def _of_error(error: Error | None) -> dict[str, Any] | None:
    """Return the last error of a step or resource; with `class`, if it decides what to do next."""
    if error is None:
        return None
    shown: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "operation": error.operation,
        "request_id": error.request_id,
    }
    shown = masked(shown)
    return {**shown, "class": error.failure_class.value} if error.failure_class else shown


def _of_step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "phase": step.phase.value,
        "state": step.state.value,
        "attempts": step.attempts,
        "started_at": moment(step.started_at),
        "finished_at": moment(step.finished_at),
        "error": _of_error(step.error),
    }


def _of_resource(resource: Resource, region: str, console_url: ConsoleUrl) -> dict[str, Any]:
    return {
        "id": resource.id,
        "name": resource.name,
        "kind": resource.kind,
        "aws_id": resource.aws_id,
        "arn": resource.arn,
        "state": resource.state.value,
        "owned": resource.owned,
        "step": resource.step,
        "created_at": moment(resource.created_at),
        "deleted_at": moment(resource.deleted_at),
        "console_url": console_url(resource.kind, region, resource.aws_id) if resource.aws_id else None,
        "error": _of_error(resource.error),
    }


# --- the log


def in_order(attempts: Iterable[Attempt], events: Iterable[Event]) -> list[dict[str, Any]]:
    """Merge attempts and events in chronological order, each with its `type`.

    `number` identifies an entry between two reads; it is internal.
    """
    entries = [{"type": "attempt", "number": a.id, **of_attempt(a)} for a in attempts]
    entries += [{"type": "event", "number": n, **of_event(e)} for n, e in enumerate(events)]
    return sorted(
        entries, key=lambda entry: (str(entry.get("begun_at") or entry.get("at")), entry["type"] == "attempt")
    )


def of_log(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return entries as `log -o json` prints them: attempts and events apart, each in chronological order."""
    found: dict[str, list[dict[str, Any]]] = {"attempt": [], "event": []}
    for entry in entries:
        found[entry["type"]].append({k: v for k, v in entry.items() if k not in ("type", "number")})
    return {"attempts": found["attempt"], "events": found["event"]}


def without_number(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry without the internal `number`."""
    return {name: value for name, value in entry.items() if name != "number"}


NO_FAILURE_CODES = frozenset({"NotNeeded"})
"""The codes of attempts that needed no call: the resource was already as requested."""
BAD_TURNS = frozenset({Trigger.FAIL, Trigger.ROLL_BACK, Trigger.STALL})


def went_wrong(entry: Mapping[str, Any]) -> bool:
    """Whether an entry records a failure."""
    if entry["type"] == "event":
        return entry["trigger"] in BAD_TURNS
    return entry["outcome"] not in (None, Outcome.DONE) and entry["code"] not in NO_FAILURE_CODES


def of_attempt(attempt: Attempt) -> dict[str, Any]:
    """Return one attempt of one call. Without an end it is in progress, or its driver is gone."""
    ended = attempt.ended_at
    return {
        "id": attempt.id,
        "step": attempt.step,
        "action": attempt.action.value,
        "key": attempt.key,
        "resource_id": attempt.resource_id,
        "aws_id": attempt.aws_id,
        "begun_at": moment(attempt.begun_at),
        "ended_at": moment(ended),
        "seconds": None if ended is None else round((ended - attempt.begun_at).total_seconds(), 3),
        "outcome": attempt.outcome.value if attempt.outcome else None,
        "operation": attempt.operation,
        "code": attempt.code,
        "message": masked(attempt.message),
        "request_id": attempt.request_id,
    }


def of_event(event: Event) -> dict[str, Any]:
    """Return one line of the timeline; `trigger`, `from` and `to` are null unless the state changed."""
    return {
        "at": moment(event.at),
        "trigger": event.trigger.value if event.trigger else None,
        "from": event.from_state.value if event.from_state else None,
        "to": event.to_state.value if event.to_state else None,
        "step": event.step,
        "message": masked_text(event.message),
        "actor": _of_actor(event.actor),
    }


# --- the export


def of_row(row: Deployment | Step | Resource | Attempt) -> dict[str, Any]:
    """Return every column of a row as JSON values, with secrets masked."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    masked_values: dict[str, Any] = masked({name: _plain(value) for name, value in values.items()})
    return masked_values


def _plain(value: Any) -> Any:
    """Convert a value to JSON."""
    if isinstance(value, datetime):
        return moment(value)
    return value.to_stored() if isinstance(value, Actor | Error | Failure) else value
