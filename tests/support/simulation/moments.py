"""The state that a process leaves when it is killed at an instant, recorded while it continues.

Owns the moments of one life, and when two of them are equal for a recovery. A life runs once; each kill of it
restores the rows and the account of a moment, and does not run the life up to there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from tests.support.simulation.databases import Kept, Rows
from tests.support.simulation.process import CHANGING, Killer
from tests.support.simulation.rig import Rig
from tests.support.simulation.world import World
from tier1_engine.store.store import Store
from tier1_engine.store.transactions import PooledReadTransaction


@dataclass(frozen=True)
class Moment:
    """What a process that is killed at an instant leaves: the account, its time, and what is committed.

    Attributes:
        cut: the attempts that have no end on record.
        turns: how often the process had begun or committed a transaction until then.
    """

    instant: str
    rows: Rows
    world: World
    cut: frozenset[str]
    turns: int

    @property
    def left(self) -> tuple[Rows, str]:
        """The state that a recovery can observe. When two moments are equal in it, including the clock and
        the account's pending actions, no recovery can act differently.
        """
        return self.rows, self.world.whole

    @property
    def between_transactions(self) -> tuple[int, float]:
        """Where it is the same at two moments, the process came from one to the other without the database
        and in no time: what others write there, who ask nothing else, comes to the same at either.
        """
        return self.turns, self.world.clock.seconds


def moments(rig: Rig, killer: Killer, database: Kept, play: Callable[[], object]) -> list[Moment]:
    """Everything that a process leaves at any of its instants; it lives on to its end."""
    found: list[Moment] = []

    def keep() -> None:
        instant, turns, cut = killer.instants[-1], killer.turns, without_end(rig.store)
        check_intent(instant, cut)
        found.append(Moment(instant, database.committed(), rig.world.copied(), cut, turns))

    killer.at_each = keep
    play()
    killer.at_each = None
    return found


def without_end(store: Store) -> frozenset[str]:
    """Attempts as they are on record now, that have no end there."""
    with PooledReadTransaction(store.writers) as reading:
        reading.cursor.execute("SELECT id FROM attempts WHERE ended_at IS NULL")
        return frozenset(id for (id,) in reading.cursor.fetchall())


def told_apart(found: Sequence[Moment]) -> Iterator[tuple[int, Moment]]:
    """Each moment with its number, without those that equal an earlier one."""
    known: set[object] = set()
    for number, moment in enumerate(found, start=1):
        if moment.left not in known:
            known.add(moment.left)
            yield number, moment


def check_intent(instant: str, begun: Collection[str]) -> None:
    """What a call was begun for was on record before it."""
    if is_call(instant):
        assert begun, "the intent was not on disk before the call"


def is_call(instant: str) -> bool:
    """Whether an instant is before or after the execution of a call that changes something."""
    return instant.split()[1] in CHANGING
