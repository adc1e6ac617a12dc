"""The plan of a sweep: the marked items, as readable JSON that cannot be changed unnoticed. Pure.

Owns the format of the file, its digest, and when a plan is refused. The digest is a SHA-256 of everything
else in the file: it detects accidental edits and truncation. Anyone who can write the file can also compute a
digest: keep plans where only operators can write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tier1_engine.deployment.place import Place
from tier1_engine.deployment.states import Goal, State
from tier1_engine.errors import Refused
from tier1_engine.survey.access import Gap
from tier1_engine.sweep.rules import Act, Item, Marking, Owner

VERSION = 1
CLOCK_TOLERANCE = timedelta(minutes=5)
DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep is going to do.

    Attributes:
        digest: the digest of the file, if an operator reviewed it; the sweep then adds nothing to it.
        left_out: the items that the operator's filters removed.
    """

    database_id: str
    made_at: datetime
    marking: Marking
    gaps: tuple[Gap, ...] = ()
    digest: str | None = None
    left_out: tuple[Item, ...] = ()

    @property
    def reviewed(self) -> bool:
        return self.digest is not None

    @property
    def items(self) -> tuple[Item, ...]:
        return self.marking.items

    @property
    def deletions(self) -> int:
        """Return the number of deletions."""
        return sum(item.counts for item in self.items)


def narrowed(plan: Plan, only: Collection[str], exclude: Collection[str]) -> Plan:
    """Return the plan with only the kinds in `only`, and without what `exclude` names.

    Args:
        exclude: AWS ids, names of deployments, and ids of deployments or prefixes of them; each excludes
            everything that it matches.
    """

    def chosen(item: Item) -> bool:
        named = any(_is_named(item, word) for word in exclude)
        return not named and (not only or item.kind in only)

    kept = tuple(item for item in plan.items if chosen(item))
    out = tuple(item for item in plan.items if not chosen(item))
    return replace(plan, marking=replace(plan.marking, items=kept), left_out=out)


def unfitting(plan: Plan, exclude: Collection[str]) -> list[str]:
    """Return the entries of `exclude` that match nothing: they may be mistakes, so they are reported."""
    return [word for word in exclude if not any(_is_named(item, word) for item in plan.items)]


def _is_named(item: Item, word: str) -> bool:
    names = {item.id, item.aws_id, item.owner.name}
    return bool(word) and (word in names or item.owner.deployment.startswith(word))


def foreign_reported(plan: Plan) -> Plan:
    """Return the plan with foreign items only reported."""
    foreign = tuple(item for item in plan.items if item.act is Act.FOREIGN)
    reported = tuple(replace(item, act=None, order=0) for item in foreign)
    marking = Marking(
        tuple(item for item in plan.items if item.act is not Act.FOREIGN), (*plan.marking.reported, *reported)
    )
    return replace(plan, marking=marking)


# --- as JSON


def of_plan(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON values, with its digest."""
    whole = {
        "plan": "tier1 sweep",
        "version": VERSION,
        "database": plan.database_id,
        "made_at": plan.made_at.isoformat(),
        "deletions": plan.deletions,
        "items": [of_item(item) for item in plan.items],
        "reported": [of_item(item) for item in plan.marking.reported],
        "not_looked_at": [of_gap(gap) for gap in plan.gaps],
    }
    return {**whole, DIGEST: _digest(whole)}


def of_item(item: Item) -> dict[str, Any]:
    """Return one item as JSON values."""
    return {
        "order": item.order,
        "action": item.act.value if item.act else None,
        "id": item.id,
        "kind": item.kind,
        "name": item.name,
        "aws_id": item.aws_id,
        "region": item.place.region,
        "account_id": item.place.account_id,
        "profile": item.place.profile,
        "endpoint": item.place.endpoint,
        "owner": {
            "database": item.owner.database,
            "deployment": item.owner.deployment,
            "name": item.owner.name,
        },
        "age_seconds": None if item.age_seconds is None else round(item.age_seconds),
        "reason": item.reason,
        "estimated_cost": item.cost,
        "state": item.state.value if item.state else None,
        "goal": item.goal.value if item.goal else None,
        "last_event": item.last_event,
        "tags": None if item.tags is None else dict(item.tags),
    }


def of_gap(gap: Gap) -> dict[str, Any]:
    """Return what could not be checked, as JSON values."""
    return {
        "region": gap.place.region,
        "account_id": gap.place.account_id,
        "kind": gap.kind,
        "code": gap.code,
        "message": gap.message,
    }


def written(plan: Plan) -> str:
    """Return the text of a plan's file."""
    return json.dumps(of_plan(plan), indent=2) + "\n"


def read(text: str, *, database_id: str, now: datetime, max_age_seconds: float) -> Plan:
    """Read a reviewed plan from the text of `written`.

    Raises:
        Refused: it is not a plan, was changed, is too old, or belongs to another database.
    """
    whole = _parsed(text)
    if whole.get("version") != VERSION:
        raise Refused(f"This plan has version {whole.get('version')}; this tier1 supports version {VERSION}.")
    if whole.get(DIGEST) != _digest({name: value for name, value in whole.items() if name != DIGEST}):
        raise Refused(
            "This plan was changed after it was made (its digest does not fit), so nothing was deleted: make "
            "a new one with `tier1 sweep --dry-run --save`, and exclude things with --exclude."
        )
    if whole["database"] != database_id:
        raise Refused(
            f"This plan was made by the database {whole['database']}, and this is {database_id}: set "
            "TIER1_DATABASE_URL to the one it was made with."
        )
    made_at = datetime.fromisoformat(whole["made_at"])
    age = now - made_at
    if age > timedelta(seconds=max_age_seconds):
        raise Refused(
            f"This plan was made at {made_at:%Y-%m-%dT%H:%M:%SZ}, which is longer ago than --plan-max-age "
            "allows: make a new one with `tier1 sweep --dry-run --save`."
        )
    if age < -CLOCK_TOLERANCE:
        raise Refused(
            f"This plan was made at {made_at:%Y-%m-%dT%H:%M:%SZ}, which is in the future: correct the clock."
        )
    marking = Marking(
        tuple(_item(one) for one in whole["items"]), tuple(_item(one) for one in whole["reported"])
    )
    return Plan(database_id, made_at, marking, digest=whole[DIGEST])


def _parsed(text: str) -> dict[str, Any]:
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise Refused(f"This plan cannot be read as JSON ({error}): make a new one.") from error
    if not isinstance(whole, dict) or whole.get("plan") != "tier1 sweep":
        raise Refused(
            "This file is not a plan of `tier1 sweep`: make one with `tier1 sweep --dry-run --save`."
        )
    return whole


def _digest(whole: Mapping[str, Any]) -> str:
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _item(one: Mapping[str, Any]) -> Item:
    return Item(
        act=Act(one["action"]) if one["action"] else None,
        id=one["id"],
        kind=one["kind"],
        name=one["name"],
        aws_id=one["aws_id"],
        place=Place(one["account_id"], one["region"], one["profile"], one["endpoint"]),
        owner=Owner(**one["owner"]),
        age_seconds=one["age_seconds"],
        reason=one["reason"],
        state=State(one["state"]) if one["state"] else None,
        goal=Goal(one["goal"]) if one["goal"] else None,
        last_event=one["last_event"],
        tags=one["tags"],
        cost=one["estimated_cost"],
        order=one["order"],
    )


def described(items: Sequence[Item]) -> str:
    """Name the first few items, for a message."""
    named = [item.aws_id or item.name for item in items[:5]]
    return ", ".join(named) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
