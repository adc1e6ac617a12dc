"""The sweep: mark, check again, delete.

Owns its order: what is read, what is recorded before the first deletion, how units run concurrently, and the
summary. `sweep.rules` decides what may be deleted, and the engine makes every deletion under the lease of its
deployment: two concurrent sweeps do not interfere, and the next sweep finishes after one that was killed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from tier1_engine.clock import Clock, new_id
from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.place import Place
from tier1_engine.engine.equipment import Stop
from tier1_engine.store import lease as leases
from tier1_engine.store import sweeps
from tier1_engine.store.store import Store
from tier1_engine.store.sweeps import Sweep
from tier1_engine.survey.access import Access, Gap, in_turn
from tier1_engine.survey.around import TaggedResource, find_untracked, places, with_proofs
from tier1_engine.sweep.carry_out import Worker
from tier1_engine.sweep.outcome import ItemOutcome, Result, Unit
from tier1_engine.sweep.plan import Plan, described, of_item, of_plan
from tier1_engine.sweep.rules import Act, Choice, Item, mark
from tier1_engine.views.prices import Prices

UNITS_SIDE_BY_SIDE = 100
"""The most concurrent deployments. They share their reads (`aws.together`). EC2's token buckets pace their
changes: a throttled deletion is retried, and never remains for that reason."""
CLOCK_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SweepSetup:
    """What a sweep needs.

    Attributes:
        access: how AWS is read, and the engine's equipment for a place.
        registry: the installed kinds, which know the prices.
        tell: receives the progress, line by line.
        side_by_side: the number of concurrent deployments; 1 works in the calling thread.
    """

    store: Store
    clock: Clock
    access: Access
    registry: Registry
    stop: Stop = field(default_factory=Stop)
    tell: Callable[[str], None] = lambda text: None
    side_by_side: int = UNITS_SIDE_BY_SIDE
    new_id: Callable[[], str] = new_id


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of a sweep."""

    id: str
    plan: Plan
    results: tuple[Result, ...]
    stopped: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Return the five figures of the summary."""

        def of(outcome: ItemOutcome) -> int:
            return sum(result.outcome is outcome for result in self.results)

        return {
            "marked": len(self.plan.items),
            "deleted": of(ItemOutcome.DELETED),
            "skipped": of(ItemOutcome.SKIPPED) + len(self.plan.left_out),
            "remained": of(ItemOutcome.REMAINED),
            "reported": len(self.plan.marking.reported) + len(self.plan.gaps),
        }

    @property
    def exit_code(self) -> int:
        """0: all as planned. 5: something remained or could not be checked. 7: AWS refused everything."""
        if self.stopped:
            return 130
        if not self.counts["remained"] and not self.plan.gaps:
            return 0
        touched = any(result.outcome in (ItemOutcome.DELETED, ItemOutcome.DONE) for result in self.results)
        blocked = bool(self.plan.gaps) and all(gap.blocked for gap in self.plan.gaps)
        return 7 if blocked and not touched else 5


def summary(counts: Mapping[str, int]) -> str:
    """Return the summary as one line that can be found in a log."""
    return "tier1 sweep: " + " ".join(f"{name}={count}" for name, count in counts.items())


# --- mark


def survey(ground: SweepSetup, choice: Choice, regions: Sequence[str], here: Place | None) -> Plan:
    """Read everything and plan what to sweep. Changes nothing.

    Args:
        regions: read besides those that deployments used.
        here: the place from the environment, for `regions` if the database has no deployments.
    """
    store = ground.store
    now = sweeps.database_time(store, ground.clock.now())
    known = sweeps.all_known(store, _describe_driver(ground))
    seen: list[TaggedResource] = []
    gaps: list[Gap] = []
    if choice.reads_aws:
        where = places(known, regions, here)
        seen, gaps = find_untracked(where, known, ground.access)
        # Read again: a resource created while AWS was listed must not look untracked.
        known = sweeps.all_known(store, _describe_driver(ground))
        seen = with_proofs(seen, known, ground.access, store.load, store.database_id)
    marking = mark(known, seen, choice, now, store.database_id, Prices(ground.registry.kinds))
    return Plan(store.database_id, now, marking, (*gaps, *_clocks(known, now)))


def _describe_driver(ground: SweepSetup) -> sweeps.DescribeDriver:
    def words(holder: Mapping[str, Any] | None, expires_at: datetime | None) -> str | None:
        if holder is None or not leases.driven(ground.store, holder, expires_at, ground.clock):
            return None
        return f"process {holder['pid']} on host {holder['host']}"

    return words


def _clocks(known: Iterable[Known], now: datetime) -> list[Gap]:
    """Report events in the future: a clock is wrong, and so are the ages."""
    return [
        Gap(one.place, None, "ClockSkew", f"the last event of {one.deployment.name} is in the future")
        for one in known
        if one.last_event_at - now > CLOCK_TOLERANCE
    ]


# --- carry out


def carry_out(ground: SweepSetup, plan: Plan) -> Swept:
    """Carry out a plan, each deployment under its lease, and record the results.

    Raises:
        DatabaseUnavailable: nothing more can be recorded; what was started can be resumed.
    """
    sweep = Sweep(
        id=ground.new_id(),
        begun_at=ground.clock.now(),
        host=socket.gethostname(),
        pid=os.getpid(),
        plan={**of_plan(plan), sweeps.REVIEWED: plan.digest},
        marked=len(plan.items),
    )
    earlier = sweeps.applied(ground.store, plan.digest, plan.made_at) if plan.digest else frozenset()
    sweeps.begin(ground.store, sweep)
    worker = Worker(sweep.id, ground.access, ground.store.database_id, ground.stop, earlier)
    results: list[Result] = []
    recording = Lock()

    def work(of_one: Sequence[Unit]) -> None:
        for unit in of_one:
            found = worker.sweep(unit)
            with recording:
                results.extend(found)
                for line in _summary_lines(found):
                    ground.tell(line)
                sweeps.update(ground.store, sweep.id, _columns(_swept(sweep.id, plan, results)))

    at_once = Access(ground.access.equipment, ground.access.sleep, ground.side_by_side)
    for _ in in_turn(work, by_deployment(units(plan)), at_once):
        pass
    swept = _swept(sweep.id, plan, results, stopped=ground.stop.asked)
    end = {"ended_at": ground.clock.now(), "exit_code": swept.exit_code}
    sweeps.update(ground.store, sweep.id, {**_columns(swept), **end})
    return swept


def _swept(id: str, plan: Plan, results: Sequence[Result], *, stopped: bool = False) -> Swept:
    return Swept(id, plan, tuple(sorted(results, key=lambda result: result.item.order)), stopped)


def _columns(swept: Swept) -> dict[str, Any]:
    return {"results": [of_result(result) for result in swept.results], **swept.counts}


def of_result(result: Result) -> dict[str, Any]:
    """Return the result of one item as JSON values."""
    return {**of_item(result.item), "outcome": result.outcome.value, "why": result.why}


def units(plan: Plan) -> list[Unit]:
    """Group the plan by deployment, in its order. A filtered or reviewed plan deletes only what it names."""
    grouped: dict[tuple[Any, ...], list[Item]] = {}
    for item in plan.items:
        assert item.act is not None
        kind = item.act if item.act in (Act.FOREIGN, Act.RESUME) else None
        key = (kind, item.place, item.owner.database, item.owner.deployment)
        grouped.setdefault(key, []).append(item)
    partial = {item.owner.deployment for item in plan.left_out}
    found: list[Unit] = []
    for items in grouped.values():
        first, act = items[0], items[0].act
        assert act is not None
        whole = not plan.reviewed and first.owner.deployment not in partial
        found.append(Unit(act, first.owner.deployment, first.place, tuple(items), whole))
    return found


def by_deployment(found: Sequence[Unit]) -> list[list[Unit]]:
    """Group the units by deployment, to run in sequence: duplicates are cleared before a resume."""
    grouped: dict[tuple[Any, ...], list[Unit]] = {}
    for unit in found:
        owner = unit.items[0].owner
        grouped.setdefault((unit.place, owner.database, owner.deployment), []).append(unit)
    return [sorted(one, key=lambda unit: unit.act is Act.RESUME) for one in grouped.values()]


def _summary_lines(results: Sequence[Result]) -> list[str]:
    """Return one line for everything swept, and one for each reason why something was not."""
    gone = [result for result in results if result.outcome in (ItemOutcome.DELETED, ItemOutcome.DONE)]
    lines = []
    if gone:
        lines.append(f"{_whose(gone[0].item)}: {len(gone)} swept ({gone[0].item.reason})")
    kept: dict[tuple[str, ItemOutcome, str], list[Item]] = {}
    for result in results:
        if result not in gone:
            kept.setdefault((_whose(result.item), result.outcome, result.why), []).append(result.item)
    for (whose, outcome, why), items in kept.items():
        lines.append(f"{whose}: {described(items)} {outcome}: {why}")
    return lines


def _whose(item: Item) -> str:
    return item.owner.name or item.owner.deployment
