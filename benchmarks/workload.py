"""A deployment whose steps do nothing, so that all of its time is the engine's.

Owns the kind, the cloud and the plan of the benchmark. The engine that runs them is the real one, with its
real pool, lease, crash protocol and database; it writes everything that it always writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tier1_engine.clock import SystemClock
from tier1_engine.contract.cloud import Cloud, Reply
from tier1_engine.contract.kind import ABSENT, Kind, Observation, Presence, Registry, Target
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.plan import Plan, StepPlan, ref
from tier1_engine.deployment.states import Phase
from tier1_engine.engine import pool
from tier1_engine.engine.equipment import Equipment
from tier1_engine.settings import Settings
from tier1_engine.store.store import Store

ACCOUNT = "123456789012"
PLACE = Place(account_id=ACCOUNT, region="us-east-1")


class Nothing(Kind):
    """Makes nothing, and has it ready at once."""

    name = "nothing"
    title = "nothing"

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return ()

    def create(self, cloud: Cloud, target: Target) -> Observation:
        return Observation(Presence.READY, aws_id=f"nothing-{target.key}", tags=target.tags, key=target.key)

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        return ABSENT

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        pass

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return ()

    def console_url(self, region: str, aws_id: str) -> str:
        return ""

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {}


@dataclass(frozen=True)
class NoCloud:
    """An AWS that only answers which account it is."""

    region: str = PLACE.region
    account_id: str = ACCOUNT

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return {}

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        return iter(())

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        return Reply({}, operation)


def plan(steps: int) -> Plan:
    """A chain: each step needs the one before it and refers to it, over all four phases."""
    phases = list(Phase)
    return Plan(
        "benchmark",
        1,
        tuple(
            StepPlan(
                f"step-{number + 1}",
                phases[number * len(phases) // steps],
                Nothing.name,
                needs=(f"step-{number}",) if number else (),
                inputs={"before": ref(f"step-{number}") if number else None},
            )
            for number in range(steps)
        ),
    )


def parts(store: Store, settings: Settings) -> Equipment:
    """The real engine around the kind that does nothing."""
    clock = SystemClock()
    return Equipment(
        store=store,
        registry=Registry({Nothing.name: Nothing()}, {}),
        settings=settings,
        clock=clock,
        cloud=lambda permit: NoCloud(),
        pool=lambda: pool.ThreadPool(clock),
    )
