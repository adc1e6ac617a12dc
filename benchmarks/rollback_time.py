"""How long a rollback of the whole stack takes, against the longest chain of AWS's own deletion times.

    python -m benchmarks.rollback_time [--seeds N] [--poll-seconds S]

Real engine, real kinds, real botocore, a strict sandbox in this process, and one virtual clock for both: a
second of AWS's is a second of the engine's, and passes when the engine waits. Nothing is written to a socket,
so a call takes no time; what is measured is waiting. Each deployment creates everything in the blueprint,
with two zones, fails, and rolls back by itself.

The sandbox draws how long AWS takes for each deletion from its figures (`sandbox/behaviour/figures.py`). The
longest chain is the longest sum of these along the dependencies: a mount target is deleted after the
instance, the file system after its mount targets, subnets and groups once the interfaces of instance and
mount targets are gone. Delays in the visibility of deletions are not included.

Prints one JSON object; exit code 1 when a rollback took longer than 1.2 times its chain.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import moto_account
from tests.support.simulation.world import EPOCH, InlinePool, VirtualClock
from tier1_engine.aws.session import AwsSession
from tier1_engine.blueprints.tier1.plan import Tier1
from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.compose.plugins import registry
from tier1_engine.deployment.creation import DeploymentRequest
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.states import State
from tier1_engine.engine import engine
from tier1_engine.engine.engine import Ended
from tier1_engine.engine.equipment import Equipment
from tier1_engine.sandbox.behaviour import objects
from tier1_engine.sandbox.behaviour.figures import FIGURES
from tier1_engine.sandbox.faults.faults import Fault
from tier1_engine.sandbox.process.late import never
from tier1_engine.sandbox.process.local import strict
from tier1_engine.sandbox.world import AwsClock, Dice, Speed, World
from tier1_engine.settings import Settings
from tier1_engine.store.store import Store

LIMIT: Final = 1.2
ACCOUNT_ID: Final = "123456789012"
SIGNED_IN: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
SPEC: Final = {
    "name": "demo",
    "region": moto_account.REGION,
    "network": {"zones": [f"{moto_account.REGION}a", f"{moto_account.REGION}b"]},
    "instance": {"ami": moto_account.IMAGE, "market": "on-demand"},
}
NO_LAUNCH: Final = Fault("RunInstances", "UnauthorizedOperation", times=None)


@dataclass
class TimedWorld(World):
    """A world that records the durations it returned, and when each was requested."""

    drawn: list[tuple[float, str, float]] = field(default_factory=list)

    def takes(self, name: str) -> float:
        seconds = super().takes(name)
        self.drawn.append((self.clock.now(), name, seconds))
        return seconds

    def since(self, when: float, name: str) -> list[tuple[float, float]]:
        """When `name` was requested, and its duration, in order."""
        return [(at, seconds) for at, drawn, seconds in self.drawn if drawn == name and at >= when]


@dataclass(frozen=True, slots=True)
class Rollback:
    """One rollback. All in seconds of AWS's clock.

    Attributes:
        launched: whether there was an instance to terminate.
        took: from the transition to `rolling_back` to the transition to `rolled_back`.
        chain: the longest chain of AWS's own deletion times.
    """

    seed: int
    launched: bool
    took: float
    chain: float

    @property
    def ratio(self) -> float:
        return self.took / self.chain


class InProcess(AwsSession):
    """The real session, whose requests are answered in this process."""

    rig: moto_account.Rig

    def _make_client(self, service: str, region: str) -> Any:
        client = super()._make_client(service, region)
        client.meta.events.register("before-send", self.rig.send)
        return client


@contextmanager
def sandbox(clock: VirtualClock, seed: int, wrong: Mapping[str, str]) -> Iterator[tuple[TimedWorld, Any]]:
    """A strict sandbox on the virtual clock, and a session on it. moto is as it was afterwards."""
    world = TimedWorld(AwsClock(Speed.REAL, clock.steady), Dice(seed), FIGURES, wrong=wrong)
    with pytest.MonkeyPatch.context() as patches:
        for name, value in SIGNED_IN.items():
            patches.setenv(name, value)
        moto_account.prepare(patches)
        aws = strict(world, schedule=never, wait=lambda seconds: clock.move_to(clock.seconds + seconds))
        try:
            session = InProcess(moto_account.REGION, None, moto_account.ENDPOINT)
            session.rig = moto_account.Rig(aws, moto_account.ManualClock())
            session.rig.reset()
            yield world, session
        finally:
            objects.remove()


def measure(seed: int, folder: Path, *, launched: bool, settings: Settings | None = None) -> Rollback:
    """Deploy, fail (at the launch, or when the user data has failed), and roll back.

    Raises:
        AssertionError: it ended in another state, or a resource remains.
    """
    clock = VirtualClock()
    with sandbox(clock, seed, {"user_data": "fails:7"} if launched else {}) as (world, session):
        if not launched:
            session.rig.aws.board.add(NO_LAUNCH)
        store = Store.open(f"sqlite:///{folder / f'{seed}-{launched}.db'}")
        ended = deploy(store, clock, session, settings or Settings())
        assert ended.record.deployment.state is State.ROLLED_BACK, ended.record.deployment
        at = {event.to_state: event.at for event in store.events(ended.record.deployment.id)}
        store.close()
    begun, end = ((at[state] - EPOCH).total_seconds() for state in (State.ROLLING_BACK, State.ROLLED_BACK))
    return Rollback(seed, launched, end - begun, longest_chain(world, begun - _BEGAN, launched=launched))


_BEGAN: Final = VirtualClock().seconds
"""A virtual clock does not begin at 0, and AWS's does."""


def deploy(
    store: Store, clock: VirtualClock, session: AwsSession, settings: Settings, *, rollback: bool = True
) -> Ended:
    """One deployment of the blueprint, until it has ended."""
    parts = Equipment(
        store=store,
        registry=registry(print),
        settings=settings,
        clock=clock,
        cloud=session.cloud,
        pool=lambda: InlinePool(clock),
        rng=random.Random(1),  # noqa: S311 - jitter
    )
    request = DeploymentRequest(name="demo", spec=SPEC, rollback_enabled=rollback)
    place = Place(ACCOUNT_ID, moto_account.REGION, "", moto_account.ENDPOINT)
    return engine.deploy(parts, request, Tier1().plan(Spec.model_validate(SPEC)), place)


def longest_chain(world: TimedWorld, since: float, *, launched: bool) -> float:
    """The longest sum of AWS's own deletion times along what must wait for each other."""
    lingers = [seconds for _, seconds in world.since(since, "interface.linger")]
    (_, file_system) = world.since(since, "file_system.delete")[0]
    # The interface of the mount target that goes first is the first to linger.
    targets = sorted(world.since(since, "mount_target.delete"), key=sum)
    instance = 0.0
    chains = []
    if launched:
        (_, instance) = world.since(since, "instance.terminate")[0]
        chains.append(lingers.pop(0))
    assert len(lingers) == len(targets) == 2
    chains += [target + linger for (_, target), linger in zip(targets, lingers, strict=True)]
    chains.append(max(target for _, target in targets) + file_system)
    return instance + max(chains)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollback_time")
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--poll-seconds", type=float, default=Settings().poll_seconds)
    wanted = parser.parse_args(arguments)
    settings = Settings(poll_seconds=wanted.poll_seconds)
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: [
                measure(seed, Path(folder), launched=launched, settings=settings)
                for seed in range(1, wanted.seeds + 1)
            ]
            for name, launched in (("whole_stack", True), ("launch_refused", False))
        }
    print(json.dumps({"limit": LIMIT, **{name: _summary(some) for name, some in found.items()}}, indent=2))
    return int(any(one.ratio > LIMIT for some in found.values() for one in some))


def _summary(rollbacks: list[Rollback]) -> dict[str, Any]:
    ratios = [one.ratio for one in rollbacks]
    return {
        "rollbacks": len(rollbacks),
        "seconds": [round(min(one.took for one in rollbacks)), round(max(one.took for one in rollbacks))],
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_most": round(max(ratios), 3),
    }


if __name__ == "__main__":
    raise SystemExit(main())
