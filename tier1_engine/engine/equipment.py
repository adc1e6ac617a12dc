"""The dependencies of a driver: everything that it does not create itself.

Owns the values and their contracts, so that the same driver runs on a simulated cloud and clock. Decides
nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tier1_engine.clock import Clock, new_id
from tier1_engine.contract.cloud import Cloud, Permit
from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.record import Change, Deployment, Record
from tier1_engine.engine.decide.decision import Decision
from tier1_engine.engine.pace import Pace
from tier1_engine.engine.pool import Pool
from tier1_engine.settings import Settings
from tier1_engine.store.holder import Holder, this_process
from tier1_engine.store.store import Store


class History(Protocol):
    """Knows whether the database is older than a deployment; `survey.history` has it for real."""

    def check(self, equipment: Equipment, deployment_id: str) -> None:
        """Called before a deployment of an earlier command is changed.

        Raises:
            DatabaseBehind: this database is a copy or a backup; nothing may be changed on its word.
        """
        ...

    def note(self, deployment: Deployment) -> None:
        """Called at the end of a run."""
        ...


class Unchecked:
    """Trusts the database."""

    def check(self, equipment: Equipment, deployment_id: str) -> None:
        pass

    def note(self, deployment: Deployment) -> None:
        pass


class Observer(Protocol):
    """Watches a driver; the live view is one."""

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
        """Called after each turn. `due`: when, in steady seconds, each waiting subject is tried again."""
        ...


class Silent:
    """An observer that does nothing."""

    def turn(self, record: Record, changes: Sequence[Change], due: Mapping[str, float]) -> None:
        pass


@dataclass(slots=True)
class Stop:
    """A request to stop, from a signal: calls in flight end and are recorded, and no new call starts."""

    asked: bool = False
    _wake: Callable[[], None] = field(default=lambda: None)
    _below: list[Stop] = field(default_factory=list)

    def ask(self) -> None:
        self.asked = True
        self._wake()
        for one in self._below:
            one.ask()

    def below(self) -> Stop:
        """Return a separate request for one of several drivers; asking this one also asks that one."""
        one = Stop()
        self._below.append(one)
        one.asked = one.asked or self.asked
        return one

    def wakes(self, wake: Callable[[], None]) -> None:
        self._wake = wake


Decide = Callable[[Record, Pace], Decision]
"""Chooses the next actions: `decide`, or `clear`, which only deletes duplicates and leftovers."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """Everything that a driver depends on; tests pass a simulated cloud and clock.

    Attributes:
        holder: returns a new lease holder at each call.
        may_delete: (kind, AWS id) of everything that may be deleted; None allows everything owned.
        observes_within: whether an object that contains something foreign is left alone.
    """

    store: Store
    registry: Registry
    settings: Settings
    clock: Clock
    cloud: Callable[[Permit], Cloud]
    pool: Callable[[], Pool]
    observer: Observer = field(default_factory=Silent)
    history: History = field(default_factory=Unchecked)
    stop: Stop = field(default_factory=Stop)
    new_id: Callable[[], str] = new_id
    holder: Callable[[], Holder] = this_process
    rng: random.Random = field(default_factory=random.Random)
    may_delete: frozenset[tuple[str, str]] | None = None
    observes_within: bool = False


Opening = Callable[[Record, Pace], Sequence[Change]]
"""The first changes of a command under the lease: those of a retry, of an accept, or none."""
