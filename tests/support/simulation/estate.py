"""A database with many deployments and an account with many objects, made directly for sweeps.

Owns how a row and its object are created, so that any state, age, owner and protection takes only a moment.
These deployments have not run; the scenarios with runs are in `test_sweep`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tests.support.rows import deployment, failure, resource, step
from tests.support.simulation import census
from tests.support.simulation.rig import Rig, plan
from tests.support.simulation.world import SimCloud, Thing, VirtualClock, World
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.plan import ordered
from tier1_engine.deployment.record import Attempt, Deployment, Resource
from tier1_engine.deployment.states import ENDED, Action, Goal, Outcome, ResourceState, State, StepState
from tier1_engine.engine.equipment import Equipment
from tier1_engine.store import statements
from tier1_engine.store.holder import this_process
from tier1_engine.store.lease import take
from tier1_engine.store.mapping import ATTEMPTS, RESOURCES, values_of
from tier1_engine.store.transactions import Transaction
from tier1_engine.survey.access import Access
from tier1_engine.sweep.plan import Plan, foreign_reported
from tier1_engine.sweep.rules import Choice
from tier1_engine.sweep.sweep import SweepSetup, Swept, carry_out, survey

HOUR = timedelta(hours=1)
NEEDS: dict[str, tuple[str, ...]] = {
    "net": (),
    "door-1": ("net",),
    "door-2": ("net",),
    "disk": (),
    "machine": ("door-1", "door-2", "disk"),
}
KIND = {"net": "net", "door-1": "door", "door-2": "door", "disk": "disk", "machine": "machine"}
SETTINGS_OF = {"net": {"dns"}, "door": {"rule", "route"}}
FAILURE = failure("machine", code="Broken", message="it broke")


@dataclass
class Estate:
    """One database and an account of several regions.

    Attributes:
        worlds: by region; all on one clock.
    """

    rig: Rig
    worlds: dict[str, World] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def world(self, region: str = "us-east-1") -> World:
        if region not in self.worlds:
            first = not self.worlds
            world = self.rig.world if first else World(self.rig.clock, numbers=self.rig.world.numbers)
            self.worlds[region] = world
            if not first:
                census.watch(world, self.rig.store)
        return self.worlds[region]

    @property
    def clock(self) -> VirtualClock:
        return self.rig.clock

    # --- what there is

    def plant(
        self,
        state: State = State.FAILED,
        goal: Goal = Goal.ACTIVE,
        *,
        age_hours: float = 30.0,
        owned: tuple[str, ...] = ("net", "door-1", "disk"),
        once_active: bool = False,
        region: str = "us-east-1",
        **values: Any,
    ) -> Deployment:
        """A deployment whose last event is `age_hours` old, with a row and a thing for each of `owned`."""
        number = next(self.numbers)
        at = self.clock.now() - timedelta(hours=age_hours)
        more: dict[str, Any] = {"name": f"d{number}", "state": state, "goal": goal, "region": region}
        if state is State.FAILED:
            more["failure"] = FAILURE
        if once_active or state is State.ACTIVE:
            more["activated_at"] = at
        whole = deployment(f"{number:012x}", created_at=at, updated_at=at, **{**more, **values})
        ended = {"state": StepState.DONE, "finished_at": at}
        steps = [
            step(
                s.name,
                whole.id,
                position=position,
                phase=s.phase,
                kind=s.kind,
                mode=s.mode,
                needs=s.needs,
                inputs=s.inputs,
                on_failure=s.on_failure,
                **(ended if s.name in owned else {}),
            )
            for position, s in enumerate(ordered(plan().steps))
        ]
        self.rig.store.create(whole, steps, "planted")
        for name in owned:
            self.own(whole, name)
        return whole

    def own(self, whole: Deployment, name: str, state: ResourceState = ResourceState.PRESENT) -> Thing:
        """A row of a deployment and the thing that it is about."""
        row_id = self.rig.ids()
        thing = self.thing(KIND[name], self.tags(whole, row_id, name), f"{row_id}-1-0", whole.region)
        world = self.world(whole.region)
        standing = {t.tags.get("Name", "").partition("-")[2]: t.id for t in self.things_of(whole)}
        thing.needs = tuple(standing[need] for need in NEEDS[name] if need in standing)
        assert thing.id in world.things
        self.row(
            resource(
                row_id,
                name,
                whole.id,
                kind=KIND[name],
                state=state,
                aws_id=thing.id,
                created_at=whole.created_at,
            )
        )
        return thing

    def row(self, row: Resource) -> Resource:
        with Transaction(self.rig.store.writers) as transaction:
            statements.add(transaction, RESOURCES, [values_of(row)])
        return row

    def tags(self, whole: Deployment, row_id: str, name: str) -> dict[str, str]:
        return {
            TAG_DATABASE: self.rig.store.database_id,
            TAG_DEPLOYMENT: whole.id,
            TAG_RESOURCE: row_id,
            TAG_NAME: whole.name,
            "Name": f"{whole.name}-{name}",
        }

    def thing(
        self,
        kind: str,
        tags: dict[str, str] | None = None,
        key: str = "",
        region: str = "us-east-1",
        inside: tuple[str, ...] = (),
    ) -> Thing:
        """Something in the account; the user's own, where it has no tags."""
        world = self.world(region)
        made = Thing(
            f"{kind}-{next(world.numbers):04}",
            kind,
            dict(tags or {}),
            key,
            self.clock.seconds - 100_000,
            inside,
        )
        made.settings = set(SETTINGS_OF.get(kind, ()))
        world.things[made.id] = made
        return made

    def stray(self, whole: Deployment, name: str = "disk", region: str | None = None) -> Thing:
        """What AWS made late for a deployment, after the search for it had ended: no row has its id."""
        rows = self.rig.store.load(whole.id).resources.values()
        made_by = next((row for row in rows if row.name == name), None) or self.row(
            resource(
                self.rig.ids(),
                name,
                whole.id,
                kind=KIND[name],
                state=ResourceState.DELETED,
                created_at=whole.created_at,
                deleted_at=whole.created_at,
            )
        )
        self.lost_reply(whole, made_by)
        tags = self.tags(whole, made_by.tagged_as, name)
        return self.thing(KIND[name], tags, f"{made_by.tagged_as}-1-0", region or whole.region)

    def lost_reply(self, whole: Deployment, row: Resource) -> None:
        """Record a create of a row without a known outcome, which was searched for in vain."""
        cut = Attempt(
            id=self.rig.ids(),
            deployment_id=whole.id,
            step=row.step,
            action=Action.CREATE,
            begun_at=whole.created_at,
            term=1,
            resource_id=row.id,
            key=row.key,
            ended_at=whole.created_at,
            outcome=Outcome.UNKNOWN,
            settled=True,
        )
        with Transaction(self.rig.store.writers) as transaction:
            statements.add(transaction, ATTEMPTS, [values_of(cut)])

    def copy(self, whole: Deployment, name: str = "disk", **tags: str) -> Thing:
        """What somebody's tool gave the tags of a deployment: no create on record proves that it is ours."""
        copied = {**self.tags(whole, self.rig.ids(), name), **tags}
        return self.thing(KIND[name], copied, "", whole.region)

    def things_of(self, whole: Deployment) -> list[Thing]:
        return [t for t in self.world(whole.region).living() if t.tags.get(TAG_DEPLOYMENT) == whole.id]

    def drive_elsewhere(self, whole: Deployment) -> None:
        """Another process runs it for as long as the test lasts."""
        take(self.rig.store, whole.id, this_process(), 1e9, self.clock)

    @property
    def living(self) -> set[str]:
        return {thing.id for world in self.worlds.values() for thing in world.living()}

    # --- sweeps

    def equipment(self, place: Place) -> Equipment:
        world = self.world(place.region)
        return replace(self.rig.equipment, cloud=lambda permit: SimCloud(world, permit, place.region))

    @property
    def ground(self) -> SweepSetup:
        def sleep(seconds: float) -> None:
            self.clock.move_to(self.clock.seconds + seconds)

        access = Access(self.equipment, sleep, side_by_side=1)
        known = self.rig.equipment.registry
        return SweepSetup(
            self.rig.store, self.clock, access, known, self.rig.stop, side_by_side=1, new_id=self.rig.ids
        )

    def mark(self, *, regions: tuple[str, ...] = (), **choice: Any) -> Plan:
        return survey(self.ground, Choice(**choice), regions, None)

    def sweep(self, *, regions: tuple[str, ...] = (), **choice: Any) -> Swept:
        """What `tier1 sweep --yes` does."""
        return carry_out(self.ground, foreign_reported(self.mark(regions=regions, **choice)))

    def state(self, whole: Deployment) -> State:
        return self.rig.store.load(whole.id).deployment.state


__all__ = ["ENDED", "HOUR", "Estate"]
