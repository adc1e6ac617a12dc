"""The results of the items of one deployment, read from its rows after the sweep. Pure.

Owns the outcomes and their messages. What was to be deleted and still exists has the outcome `remained`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import Attempt, Record, Resource
from tier1_engine.deployment.states import ENDED, Action, Outcome, ResourceState, State
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.sweep.rules import DEPLOYMENT, TAKING_DOWN, Act, Item

NOT_THERE = "it no longer exists, but this sweep did not delete it"
NEVER_MADE = "AWS never created it"


class ItemOutcome(StrEnum):
    """The outcome of one item."""

    DELETED = "deleted"  # a read-back confirmed that it is gone
    DONE = "done"  # the deployment is in its target state; nothing of it had to be deleted
    SKIPPED = "skipped"  # it has changed since it was marked, or another process holds it
    REMAINED = "remained"  # it was to be deleted, and still exists


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one item, and the reason."""

    item: Item
    outcome: ItemOutcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """The items of one deployment.

    Attributes:
        whole: whether everything owned by it may be deleted; otherwise only what the items name.
    """

    act: Act
    deployment_id: str
    place: Place
    items: tuple[Item, ...]
    whole: bool

    def all(self, outcome: ItemOutcome, why: str) -> list[Result]:
        return [Result(item, outcome, why) for item in self.items]


def deletions(attempts: Iterable[Attempt]) -> frozenset[str]:
    """Return the ids of the rows whose deletion AWS accepted, or may have accepted, from tier1."""
    tried = (a for a in attempts if a.action is Action.DELETE and a.outcome is not Outcome.REFUSED)
    return frozenset(attempt.resource_id for attempt in tried if attempt.resource_id)


def results_of(
    unit: Unit, record: Record, why: EndReason, before: frozenset[str], by_us: frozenset[str], last_words: str
) -> list[Result]:
    """Return the result of each item from the rows, and of what was found and deleted besides.

    Args:
        why: why the drive ended.
        before: the ids of the rows that were deleted before it.
        by_us: the ids of the rows that tier1 deleted (`deletions`); others were already gone.
        last_words: the last message of the deployment's timeline.
    """
    rows: dict[tuple[str, str | None], Resource] = {
        (row.kind, row.aws_id): row for row in record.resources.values() if row.aws_id
    }
    named = {(item.kind, item.aws_id) for item in unit.items} | {("", item.id) for item in unit.items}
    more = [
        row
        for pair, row in rows.items()
        if not named & {pair, ("", row.id)}
        and row.state is ResourceState.DELETED
        and row.id in by_us - before
    ]
    found = [_result(item, record, rows, why, by_us, last_words) for item in unit.items]
    if unit.act in TAKING_DOWN and unit.whole and not _settled(record, found):
        # Every row is deleted, but AWS could not list whether anything else exists.
        what = _why_not_ended(record, why, last_words)
        found.append(Result(_as_a_whole(unit), ItemOutcome.REMAINED, what))
    return found + [Result(_beside(unit, row), ItemOutcome.DELETED, "found during the sweep") for row in more]


def _beside(unit: Unit, row: Resource) -> Item:
    """Return an item for a row that no item names: an adopted create, or a duplicate from the census."""
    return replace(
        unit.items[0], id=row.id, kind=row.kind, name=row.name, aws_id=row.aws_id, order=0, age_seconds=None
    )


def _settled(record: Record, found: Sequence[Result]) -> bool:
    return record.deployment.state in ENDED or any(r.outcome is ItemOutcome.REMAINED for r in found)


def _as_a_whole(unit: Unit) -> Item:
    name = unit.items[0].owner.name
    return replace(unit.items[0], id=unit.deployment_id, kind=DEPLOYMENT, name=name, aws_id=None, cost=None)


def _why_not_ended(record: Record, why: EndReason, last_words: str) -> str:
    """Return why a deployment has not ended, although all its known resources are gone."""
    stalled = record.deployment.state is State.FAILED
    return last_words if stalled and last_words else _why_it_remains(None, why)


def _result(
    item: Item,
    record: Record,
    rows: Mapping[tuple[str, str | None], Resource],
    why: EndReason,
    by_us: frozenset[str],
    last_words: str,
) -> Result:
    deployment = record.deployment
    if item.kind == DEPLOYMENT:
        # A resumed deployment that failed permanently has rolled itself back: nothing of it remains.
        done = deployment.state in (*ENDED, *((State.ACTIVE,) if item.act is Act.RESUME else ()))
        return Result(item, ItemOutcome.DONE if done else ItemOutcome.REMAINED, f"it is {deployment.state}")
    row = rows.get((item.kind, item.aws_id)) or record.resources.get(item.id)
    if row is None and item.act in TAKING_DOWN and deployment.state not in ENDED:
        return Result(item, ItemOutcome.REMAINED, _why_not_ended(record, why, last_words))
    if row is None:
        return Result(item, ItemOutcome.SKIPPED, "AWS no longer shows it as this deployment's")
    if row.state is ResourceState.DELETED:
        if row.id in by_us:
            return Result(replace(item, aws_id=row.aws_id), ItemOutcome.DELETED)
        return Result(item, ItemOutcome.SKIPPED, NOT_THERE if item.aws_id else NEVER_MADE)
    if row.state is ResourceState.RETAINED:
        return Result(item, ItemOutcome.SKIPPED, "it is retained")
    return Result(item, ItemOutcome.REMAINED, _why_it_remains(row.error, why))


def _why_it_remains(error: Error | None, why: EndReason) -> str:
    if error:
        return f"{error.code}: {error.message}"
    return {
        EndReason.BLOCKED: "AWS refuses access: sign in, then sweep again",
        EndReason.STOPPED: "stopped by a signal: sweep again",
        EndReason.HELD: "something that depends on it is not in the plan",
    }.get(why, "it still exists")
