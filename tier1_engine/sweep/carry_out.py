"""One deployment of a sweep's plan: checked again under its lease, then swept by the engine itself.

    take down   writes the target state; the engine rolls back, destroys or continues
    clear       records what was found as duplicates; the engine deletes only those
    foreign     records what an operator reviewed under an ended deployment, then clears it

Nothing here deletes: the engine makes every deletion, with its intent on disk before the call, a proof of
ownership by current tags, and a read-back. Anything that differs from what was marked is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, Observation
from tier1_engine.contract.target import target_of
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import Change, Deployment, Record, Resource, ResourceAdd, ResourceSet
from tier1_engine.deployment.standing import unaccounted_creates
from tier1_engine.deployment.states import ENDED, Goal, ResourceState
from tier1_engine.engine import engine
from tier1_engine.engine.decide import openings
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.engine.decide.deletions import clear, loose
from tier1_engine.engine.equipment import Equipment, Stop
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.protocol import duplicates
from tier1_engine.engine.protocol.actions import Failed
from tier1_engine.engine.protocol.proof import others_inside, ours
from tier1_engine.errors import CallError, DatabaseBehind, DrivenByAnother, LeaseLost, Tier1Error
from tier1_engine.store import sweeps
from tier1_engine.survey.access import Access, Gap, gap_of, identify, listed, patiently
from tier1_engine.sweep.foreign import stand_in, stand_in_row, stand_in_step
from tier1_engine.sweep.outcome import ItemOutcome, Result, Unit, deletions, results_of
from tier1_engine.sweep.rules import NOT_THERE, TAKING_DOWN, Act, Item, spared

Proved = dict[tuple[str, str], tuple[Observation, Resource]]
"""By kind and AWS id: an object, and the row that proves that its deployment created it."""
GOALS: Mapping[Act, Goal] = {Act.ROLL_BACK: Goal.ROLLED_BACK, Act.DESTROY: Goal.DESTROYED}


class NoLongerMatches(Tier1Error):
    """What was marked has changed: it is left alone."""


class DeletionBlocked(Tier1Error):
    """Something blocks its deletion: it is left alone and reported."""


@dataclass(slots=True)
class Worker:
    """Sweeps units, each under the lease of its deployment. Safe to use from several threads.

    Attributes:
        earlier: the ids of sweeps that were started with this same plan, and may have been killed.
        blocked: the places that AWS has blocked during this sweep, and why.
    """

    sweep_id: str
    access: Access
    database_id: str
    stop: Stop
    earlier: frozenset[str] = frozenset()
    blocked: dict[Place, str] = field(default_factory=dict)

    def sweep(self, unit: Unit) -> list[Result]:
        """Sweep one unit; a problem with it becomes its result, and stops no other unit.

        Raises:
            DatabaseUnavailable: nothing can be recorded, so the sweep stops.
        """
        if (why := self._hindrance(unit.place)) is not None:
            return unit.all(ItemOutcome.REMAINED, why)
        try:
            work = {Act.CLEAR: self._clear, Act.FOREIGN: self._foreign}
            return work.get(unit.act, self._drive)(unit)
        except NoLongerMatches as error:
            return unit.all(ItemOutcome.SKIPPED, str(error))
        except DeletionBlocked as error:
            return unit.all(ItemOutcome.REMAINED, str(error))
        except (LeaseLost, DatabaseBehind) as error:
            return unit.all(ItemOutcome.REMAINED, str(error))
        except DrivenByAnother as error:
            return unit.all(ItemOutcome.SKIPPED, str(error))

    def _hindrance(self, place: Place) -> str | None:
        """Return why nothing can be done in a place now; None if something can."""
        if self.stop.asked:
            return "stopped by a signal: sweep again"
        if place not in self.blocked and (gap := identify(self.access, place)) is not None:
            self.blocked[place] = _said(gap)
        return self.blocked.get(place)

    def _parts(self, unit: Unit) -> Equipment:
        named = frozenset((item.kind, item.aws_id) for item in unit.items if item.aws_id)
        limited = unit.act in TAKING_DOWN and not unit.whole
        return replace(
            self.access.equipment(unit.place),
            observes_within=unit.act is not Act.RESUME,
            may_delete=named if limited or unit.act in (Act.CLEAR, Act.FOREIGN) else None,
            stop=self.stop.below(),
        )

    # --- take down, finish, resume

    def _drive(self, unit: Unit) -> list[Result]:
        equipment = self._parts(unit)
        store, clock = equipment.store, equipment.clock

        begun = self._begun(equipment, unit)
        found: Proved = {}

        def allowed(deployment: Deployment, last_event: int) -> None:
            self._still_as_marked(unit, deployment, last_event, begun=begun)

        def first() -> None:
            known = self._known(equipment, unit)
            allowed(known.deployment, known.last_event)
            if unit.act is Act.RESUME:
                return
            record = store.load(unit.deployment_id)
            _same_ids(unit, record, begun=begun)
            for kind in _beside(unit, record):
                with suppress(DeletionBlocked):  # what cannot be checked remains, and the rest is deleted
                    found.update(self._observe_again(equipment, unit, record, kind))
            living = [row for row in record.resources.values() if not row.settled]
            self._nothing_strange(equipment, unit, record, living, found)
            goal, actor = GOALS.get(unit.act), equipment.holder().actor
            sweeps.claim(store, unit.deployment_id, self.sweep_id, goal, allowed, clock.now(), actor)

        def opening(record: Record, pace: Pace) -> Sequence[Change]:
            # A duplicate may be inside a resource to delete: record it now, not when a census finds it.
            changes = [*openings.go_on(record, pace)]
            return changes + _turned_up(unit, found, record.apply(changes), equipment)

        before = _gone(store.load(unit.deployment_id))
        ended = engine.drive(equipment, unit.deployment_id, opening, first=first)
        return self._ended(unit, equipment, ended, before)

    def _known(self, equipment: Equipment, unit: Unit) -> Known:
        """Read the deployment under the lease of this sweep, while no other process can drive it."""
        found = sweeps.all_known(equipment.store, lambda holder, end: None, only=unit.deployment_id)
        if not found:
            raise NoLongerMatches("its deployment is no longer in the database")
        return found[0]

    def _begun(self, equipment: Equipment, unit: Unit) -> bool:
        """Whether this sweep or an earlier one with the same plan has started on it, with nothing in between.

        It then continues from there: what the plan does not name is not deleted now either.
        """
        last_event = unit.items[0].last_event
        if last_event is None:
            return False
        ours = self.earlier | {self.sweep_id}
        return sweeps.taken_since(equipment.store, unit.deployment_id, last_event, ours)

    def _still_as_marked(
        self, unit: Unit, deployment: Deployment, last_event: int, *, begun: bool = False
    ) -> None:
        """Check that the deployment is as marked, or as an earlier sweep left it.

        Raises:
            NoLongerMatches: it is not, or something protects it.
        """
        first = unit.items[0]
        wanted = GOALS.get(unit.act, first.goal)
        on_its_way = begun and unit.act in TAKING_DOWN and deployment.state not in ENDED
        if (deployment.state, deployment.goal) != (first.state, first.goal) and not (
            on_its_way and deployment.goal is wanted
        ):
            raise NoLongerMatches(f"it is {deployment.state} now, with target state {deployment.goal}")
        if last_event != first.last_event and not begun:
            raise NoLongerMatches("it has changed since the plan was made: see `tier1 log`")
        known = Known(deployment, last_event, deployment.updated_at)
        if (why := spared(known, self.access.equipment(unit.place).clock.now())) is not None:
            raise NoLongerMatches(why)

    def _nothing_strange(
        self,
        equipment: Equipment,
        unit: Unit,
        record: Record,
        resources: Sequence[Resource],
        found: Proved,
    ) -> None:
        """Check that no resource to delete contains anything foreign.

        What a create without a known outcome may have made has no id on record yet: it is looked for when
        something is inside.

        Raises:
            DeletionBlocked: one does, or its contents could not be listed.
        """
        cloud, known = equipment.cloud(AlwaysPermitted()), ours(record) | {aws_id for _, aws_id in found}
        unknown = {r.kind for r in record.resources.values() if r.owned and unaccounted_creates(record, r)}
        for resource in resources:
            kind = equipment.registry.kinds.get(resource.kind)
            if kind is None or resource.aws_id is None:
                continue
            target = target_of(resource, record.deployment, self.database_id)
            try:
                others = patiently(self.access, equipment, partial(kind.others_inside, cloud, target, known))
                while others and unknown:
                    with suppress(DeletionBlocked):
                        late = self._observe_again(equipment, unit, record, unknown.pop())
                        known |= {aws_id for _, aws_id in late}
                    look = partial(kind.others_inside, cloud, target, known)
                    others = patiently(self.access, equipment, look)
            except CallError as error:
                raise DeletionBlocked(
                    f"the contents of {resource.aws_id} could not be listed: {error}"
                ) from error
            if others:
                raise DeletionBlocked(others_inside(resource.aws_id, others).message)

    def _ended(
        self, unit: Unit, equipment: Equipment, ended: engine.Ended, before: frozenset[str] = frozenset()
    ) -> list[Result]:
        """Return the result of each item from the rows, and of what was found and deleted besides."""
        if ended.why is EndReason.BLOCKED:
            self.blocked[unit.place] = "AWS no longer grants access: sign in, then sweep again"
        record = equipment.store.load(ended.record.deployment.id)
        last_words = equipment.store.events(record.deployment.id)[-1].message
        by_us = deletions(equipment.store.attempts(record.deployment.id))
        return results_of(unit, record, ended.why, before, by_us, last_words)

    # --- orphans and duplicates

    def _clear(self, unit: Unit) -> list[Result]:
        equipment = self._parts(unit)
        found: Proved = {}
        begun = self._begun(equipment, unit)

        def first() -> None:
            known = self._known(equipment, unit)
            self._still_as_marked(unit, known.deployment, known.last_event, begun=begun)
            what = f"{len(unit.items)} orphans or duplicates"
            now, actor = equipment.clock.now(), equipment.holder().actor
            sweeps.take(equipment.store, unit.deployment_id, self.sweep_id, what, now, actor)
            record = equipment.store.load(unit.deployment_id)
            held = {(r.kind, r.aws_id): r for r in record.resources.values() if not r.settled}
            for kind in _beside(unit, record):
                found.update(self._observe_again(equipment, unit, record, kind))
            named = {(item.kind, item.aws_id) for item in unit.items}
            rows = [row for pair, row in held.items() if pair in named]
            self._nothing_strange(equipment, unit, record, rows, found)

        def opening(record: Record, pace: Pace) -> Sequence[Change]:
            changes = _afresh(record)
            return changes + _turned_up(unit, found, record.apply(changes), equipment)

        before = _gone(equipment.store.load(unit.deployment_id))
        ended = engine.drive(equipment, unit.deployment_id, opening, first=first, decide=clear)
        return self._ended(unit, equipment, ended, before)

    def _observe_again(self, equipment: Equipment, unit: Unit, record: Record, kind_name: str) -> Proved:
        """Find the objects of a kind that the rows prove to be the deployment's."""
        kind = equipment.registry.kinds.get(kind_name)
        if kind is None:
            raise DeletionBlocked(f"the kind {kind_name} is not installed on this host")
        tags = {TAG_DATABASE: self.database_id, TAG_DEPLOYMENT: record.deployment.id}
        answer = listed(self.access, unit.place, kind, tags)
        if isinstance(answer, Failed):
            raise DeletionBlocked(_said(gap_of(unit.place, kind.title, answer.error)))
        seen = [one for _, one in answer.seen if one.presence not in NOT_THERE]
        rows = duplicates.proved(record, self.database_id, kind, seen)
        return {(kind_name, one.aws_id): (one, rows[one.aws_id]) for one in seen if one.aws_id in rows}

    # --- resources of another database

    def _foreign(self, unit: Unit) -> list[Result]:
        """Delete reviewed objects of another database, through the rows of an ended stand-in deployment."""
        equipment = self._parts(unit)
        there, gone = self._still_reviewed(equipment, unit)
        if not there:
            return [Result(item, ItemOutcome.SKIPPED, why) for item, why in gone]
        actor = equipment.holder().actor
        deployment = replace(stand_in(unit.items, equipment.clock.now()), created_by=actor, asked_by=actor)
        steps = [stand_in_step(deployment, number, item) for number, (item, _) in enumerate(there)]
        message = f"sweep {self.sweep_id}: {len(there)} foreign resources that an operator reviewed"
        equipment.store.create(deployment, steps, message)

        def opening(record: Record, pace: Pace) -> Sequence[Change]:
            return [
                ResourceAdd(stand_in_row(step, observation, equipment.new_id(), equipment.clock.now()))
                for step, (_, observation) in zip(steps, there, strict=True)
            ]

        ended = engine.drive(equipment, deployment.id, opening, decide=clear)
        tried = replace(unit, items=tuple(item for item, _ in there))
        skipped = [Result(item, ItemOutcome.SKIPPED, why) for item, why in gone]
        return skipped + self._ended(tried, equipment, ended)

    def _still_reviewed(
        self, equipment: Equipment, unit: Unit
    ) -> tuple[list[tuple[Item, Observation]], list[tuple[Item, str]]]:
        """Return the items whose current tags equal the reviewed ones, and the others with the reason."""
        there: list[tuple[Item, Observation]] = []
        gone: list[tuple[Item, str]] = []
        claim = {TAG_DEPLOYMENT: unit.items[0].owner.deployment}
        shown: dict[str, Mapping[str, Observation]] = {}
        for item in unit.items:
            kind = equipment.registry.kinds.get(item.kind)
            if kind is None:
                raise DeletionBlocked(f"the kind {item.kind} is not installed on this host")
            if item.kind not in shown:
                answer = listed(self.access, unit.place, kind, claim)
                if isinstance(answer, Failed):
                    raise DeletionBlocked(str(answer.error))
                shown[item.kind] = {observation.aws_id: observation for _, observation in answer.seen}
            observation = shown[item.kind].get(item.aws_id or "")
            if observation is None or observation.presence in NOT_THERE:
                gone.append((item, "it no longer exists"))
            elif dict(observation.tags) != dict(item.tags or {}):
                gone.append((item, "its tags have changed since the review"))
            else:
                there.append((item, observation))
        return there, gone


def _beside(unit: Unit, record: Record) -> set[str]:
    """Return the kinds of the items that have no row, or only a settled one."""
    held = {(row.kind, row.aws_id) for row in record.resources.values() if not row.settled}
    return {item.kind for item in unit.items if item.aws_id and (item.kind, item.aws_id) not in held}


def _turned_up(unit: Unit, found: Proved, record: Record, equipment: Equipment) -> list[Change]:
    """Return the changes that record the items of a unit that a read has just found."""
    changes: list[Change] = []
    for item in unit.items:
        if (pair := found.get((item.kind, item.aws_id or ""))) is not None:
            observation, row = pair
            after, now = record.apply(changes), equipment.clock.now()
            changes += duplicates.turned_up(after, row, item.kind, observation, equipment.new_id, now)
    return changes


def _afresh(record: Record) -> list[Change]:
    """Reset what could not be deleted last time: it gets its full deadline again."""
    return [
        ResourceSet(resource.id, {"error": None, "driven_seconds": 0.0})
        for resource in loose(record)
        if resource.error or resource.driven_seconds
    ]


def _same_ids(unit: Unit, record: Record, *, begun: bool) -> None:
    """Check that the rows have the marked AWS ids, and that no other process settled them.

    Raises:
        NoLongerMatches: one differs.
    """
    for item in unit.items:
        row = record.resources.get(item.id)
        if row is not None and ((row.settled and not begun) or row.aws_id != item.aws_id):
            raise NoLongerMatches(
                f"{item.name} is {row.state} as {row.aws_id} now; the plan has {item.aws_id}"
            )


def _gone(record: Record) -> frozenset[str]:
    return frozenset(row.id for row in record.resources.values() if row.state is ResourceState.DELETED)


def _said(gap: Gap) -> str:
    where = f"{gap.place.region} of account {gap.place.account_id}"
    return f"{where} could not be checked ({gap.code}: {gap.message})"
