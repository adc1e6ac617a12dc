"""A whole engine on the simulated cloud, and a small plan that has one of everything."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.simulation import census
from tests.support.simulation.kinds import SimCheck, registry
from tests.support.simulation.world import InlinePool, SimCloud, VirtualClock, World
from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.creation import DeploymentRequest
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.plan import Plan, StepPlan, ref
from tier1_engine.deployment.record import Resource, Step
from tier1_engine.deployment.states import FailureClass, Goal, Mode, Phase
from tier1_engine.engine import engine
from tier1_engine.engine.engine import Ended
from tier1_engine.engine.equipment import Equipment, Observer, Silent, Stop
from tier1_engine.engine.pool import Pool
from tier1_engine.settings import Settings
from tier1_engine.store.holder import Holder, this_process
from tier1_engine.store.store import Store

SETTINGS = Settings(
    poll_seconds=1.0, visibility_grace_seconds=20.0, lease_seconds=60.0, call_timeout_seconds=5.0
)


def plan(**changes: Any) -> Plan:
    """net -> two doors; a disk that needs nothing; a machine that needs all; a check."""
    steps = (
        StepPlan("net", Phase.NETWORK, "net"),
        StepPlan("door-1", Phase.NETWORK, "door", needs=("net",), inputs={"needs": [ref("net")]}),
        StepPlan("door-2", Phase.NETWORK, "door", needs=("net",), inputs={"needs": [ref("net")]}),
        StepPlan("disk", Phase.EFS, "disk"),
        StepPlan(
            "machine",
            Phase.EC2,
            "machine",
            needs=("door-1", "door-2", "disk"),
            inputs={"needs": [ref("door-1"), ref("door-2"), ref("disk")], "candidates": 2},
        ),
        StepPlan(
            "alive",
            Phase.HEALTH,
            "sim_check",
            Mode.CHECK,
            needs=("machine",),
            inputs={"id": ref("machine")},
            on_failure=FailureClass.RECOVERABLE,
        ),
    )
    whole = Plan("sim", 1, steps, outputs={"machine": ref("machine")}, delete_seconds=600.0)
    return replace(whole, **changes)


def placed_plan() -> Plan:
    """The same with each door in a place of its own, so that the machine can do without one of them."""
    places = {"door-1": "a", "door-2": "b"}
    doors = {place: ref(door) for door, place in places.items()}
    inputs: dict[str, Mapping[str, Any]] = {
        **{door: {"needs": [ref("net")], "place": place} for door, place in places.items()},
        "machine": {"needs": [ref("disk")], "doors": doors, "candidates": 2},
    }
    whole = plan()
    steps = (replace(step, inputs=inputs.get(step.name, step.inputs)) for step in whole.steps)
    return replace(whole, steps=tuple(steps))


def failure_of(ended: Ended) -> Failure:
    """The failure of a deployment that has one."""
    failure = ended.record.deployment.failure
    assert failure is not None
    return failure


def error_of(row: Step | Resource | None) -> Error:
    """The error of a step or a resource that has one."""
    assert row is not None
    assert row.error is not None
    return row.error


@dataclass
class Rig:
    """One operator at one database and one simulated account.

    Attributes:
        holder: the holder recorded for its commands; this process, unless a test makes it look gone.
    """

    store: Store
    clock: VirtualClock = field(default_factory=VirtualClock)
    check: SimCheck = field(default_factory=SimCheck)
    settings: Settings = SETTINGS
    world: World = field(init=False)
    ids: Callable[[], str] = field(init=False)
    pool: Callable[[], Pool] = field(init=False)
    observer: Observer = field(default_factory=Silent)
    stop: Stop = field(default_factory=Stop)
    missing: tuple[str, ...] = ()
    seed: int = 1
    holder: Callable[[], Holder] = this_process

    def beside(self, world: World, store: Store) -> Rig:
        """A rig with another account and database, the same settings and the same id sequence."""
        other = copy(self)
        other.store, other.world, other.clock = store, world, world.clock
        other.check, other.stop = SimCheck(), Stop()
        other.pool = lambda: InlinePool(world.clock)
        census.watch(world, store)
        return other

    def __post_init__(self) -> None:
        self.world = World(self.clock)
        self.pool = lambda: InlinePool(self.clock)
        numbers = itertools.count(1)
        self.ids = lambda: f"{next(numbers):020d}"
        census.watch(self.world, self.store)

    @property
    def equipment(self) -> Equipment:
        """New for every command, as in a new process."""
        known = registry(self.check)
        return Equipment(
            store=self.store,
            registry=Registry({n: k for n, k in known.kinds.items() if n not in self.missing}, known.checks),
            settings=self.settings,
            clock=self.clock,
            cloud=lambda permit: SimCloud(self.world, permit),
            pool=self.pool,
            new_id=self.ids,
            rng=random.Random(self.seed),  # noqa: S311 - jitter
            observer=self.observer,
            stop=self.stop,
            holder=self.holder,
        )

    def create(self, name: str = "demo", the_plan: Plan | None = None, **request: Any) -> str:
        whole = DeploymentRequest(name=name, spec={"name": name}, **request)
        return engine.create(self.equipment, whole, the_plan or plan(), Place("123456789012", "us-east-1"))

    def drive(self, id: str) -> Ended:
        return engine.drive(self.equipment, id)

    def deploy(self, name: str = "demo", the_plan: Plan | None = None, **request: Any) -> Ended:
        whole = DeploymentRequest(name=name, spec={"name": name}, **request)
        place = Place("123456789012", "us-east-1")
        return engine.deploy(self.equipment, whole, the_plan or plan(), place)

    def ask(self, id: str, goal: Goal, *, retain: tuple[str, ...] = ()) -> Ended:
        """Write a goal and drive until it is reached, as `rollback` and `destroy` do."""
        engine.request(self.equipment, id, goal, retain=retain)
        return self.drive(id)
