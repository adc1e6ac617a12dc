"""`tier1 log`: prints attempts, their errors and the timeline, filtered or in full, once or continuously."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tier1_engine.cli.options import LogOutput
from tier1_engine.cli.screen.streams import put, put_json, say
from tier1_engine.clock import SystemClock
from tier1_engine.compose import engine
from tier1_engine.compose.reading import holder
from tier1_engine.errors import Refused
from tier1_engine.masking import masked_text
from tier1_engine.settings import from_environment
from tier1_engine.spec.values import duration
from tier1_engine.store import names
from tier1_engine.views import as_json

if TYPE_CHECKING:
    from tier1_engine.deployment.record import Record
    from tier1_engine.store.store import Store

FOLLOW_SECONDS = 0.5
Entry = Mapping[str, Any]
Write = Callable[[Entry, Entry | None], bool]
"""Writes an entry, given who ran the command of the entries before; returns whether stdout is still open."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a log.

    Attributes:
        failed: only entries that report a failure.
        since: a duration before now (`10m`), or an ISO 8601 time.
        resource: the name of a step or resource, or its id in tier1 or AWS.
    """

    failed: bool = False
    since: str | None = None
    resource: str | None = None


def run(reference: str, wanted: Wanted, *, follow: bool, output: LogOutput) -> int:
    """Print the log; return the exit code."""
    if follow and output is LogOutput.JSON:
        raise Refused("--follow cannot write a single JSON document: use -o jsonl, one object per line.")
    since = _moment(wanted.since, SystemClock().now())
    with engine.opened_store(from_environment()) as store:
        id = names.find(store, reference, to_change=False).id
        chosen = _chooser(store.load(id), wanted, since)
        if output is LogOutput.JSON:
            found = [entry for entry in _entries(store, id) if chosen(entry)]
            put_json(as_json.of_log(found))
        else:
            _print(store, id, chosen, _writer(output), follow=follow)
    return 0


def console(reference: str, output: LogOutput) -> int:
    """Print the archived console output of the instances; return the exit code."""
    with engine.opened_store(from_environment()) as store:
        record = store.load(names.find(store, reference, to_change=False).id)
        kept = [
            {"resource": row.name, "aws_id": row.aws_id, "text": masked_text(text)}
            for row in record.resources.values()
            if (text := store.console(row.deployment_id, row.id)) is not None
        ]
    if output is LogOutput.JSON:
        put_json(kept)
        return 0
    if not kept:
        say("No console output is archived: that is done before a rollback terminates an instance.")
    for one in kept:
        put(json.dumps(one) if output is LogOutput.JSONL else _shown_console(one))
    return 0


def _shown_console(kept: Mapping[str, Any]) -> str:
    """Return the archived text without characters that would control the terminal."""
    text = "".join(c if c.isprintable() or c in "\n\t" else "" for c in kept["text"])
    return f"--- {kept['resource']} {kept['aws_id']}\n{text.rstrip()}"


def _entries(store: Store, id: str) -> list[dict[str, Any]]:
    return as_json.in_order(store.attempts(id), store.events(id))


def _print(store: Store, id: str, chosen: Callable[[Entry], bool], write: Write, *, follow: bool) -> None:
    """Write every entry once. While the deployment is running, an attempt in progress is held back."""
    written: set[Any] = set()
    last_actor: Entry | None = None
    while True:
        # Checked before the entries are read, so that the last of them is not missed.
        driven = follow and holder(store, id) is not None
        for entry in _entries(store, id):
            under_way = entry["type"] == "attempt" and entry["ended_at"] is None
            if entry["number"] in written or (driven and under_way):
                continue
            written.add(entry["number"])
            if chosen(entry) and not write(entry, last_actor):
                return
            last_actor = entry.get("actor") or last_actor
        if not driven:
            return
        time.sleep(FOLLOW_SECONDS)


def _writer(output: LogOutput) -> Write:
    if output is LogOutput.JSONL:
        return lambda entry, last_actor: put(json.dumps(as_json.without_number(entry)))
    from tier1_engine.cli.screen.render.history import logged

    return lambda entry, last_actor: put(logged(entry, last_actor))


# --- filters


def _chooser(record: Record, wanted: Wanted, since: datetime | None) -> Callable[[Entry], bool]:
    about = _subject(record, wanted.resource)

    def chosen(entry: Entry) -> bool:
        at = datetime.fromisoformat(
            entry["ended_at"] or entry["begun_at"] if "begun_at" in entry else entry["at"]
        )
        return (
            (since is None or at >= since)
            and (not wanted.failed or as_json.went_wrong(entry))
            and (about is None or about(entry))
        )

    return chosen


def _subject(record: Record, name: str | None) -> Callable[[Entry], bool] | None:
    """Return the filter for entries about the step or resource with a name or id.

    Raises:
        Refused: the deployment has no such step or resource.
    """
    if name is None:
        return None
    if name in record.steps:
        return lambda entry: entry["step"] == name
    found = [r for r in record.resources.values() if name in (r.id, r.name, r.aws_id)]
    if not found:
        known = ", ".join([*record.steps, *_duplicates(record)])
        raise Refused(f"{record.deployment.name} has no resource {name}; it has: {known}.")
    ids, steps = {r.id for r in found}, {r.step for r in found}
    return lambda entry: entry["resource_id"] in ids if "resource_id" in entry else entry["step"] in steps


def _duplicates(record: Record) -> Iterator[str]:
    return (r.name for r in record.resources.values() if r.name not in record.steps)


def _moment(since: str | None, now: datetime) -> datetime | None:
    """Return the time that `--since` means.

    Raises:
        Refused: the text is neither a duration nor a time.
    """
    if since is None:
        return None
    try:
        return now - timedelta(seconds=duration(since))
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        raise Refused(
            f"--since is {since!r}, but must be a duration such as 10m or 2h, or a time such as "
            "2026-05-04T03:02:01Z."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
