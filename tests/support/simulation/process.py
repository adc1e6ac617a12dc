"""A process that can be killed at any instant that matters, in process and on a virtual clock.

The instants are: before AWS executes a call that changes something, after it did and before its
reply is there, and before and after each commit. Once killed, nothing of the process reaches the
database or the account any more, not even what its `finally` blocks would do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from sqlalchemy import Engine

from tests.support.simulation.faults import name_of
from tests.support.simulation.rig import Rig
from tests.support.simulation.world import Crash, SlowPool, VirtualClock, World
from tier1_engine.engine.pool import Call
from tier1_engine.store.holder import Holder, this_process

CHANGING = ("create", "set", "delete")


@dataclass
class Killer:
    """Counts instants, and kills at one of them."""

    kill_at: int | None = None
    instants: list[str] = field(default_factory=list)
    dead: bool = False
    armed: bool = False
    at_each: Callable[[], None] | None = None
    """Called at each instant of a life that continues afterwards."""
    turns: int = 0
    """How often the process has begun a transaction or committed one."""

    def instant(self, what: str) -> None:
        if self.dead:
            raise Crash(what)
        if not self.armed:
            return
        self.instants.append(what)
        if self.at_each is not None:
            turns = self.turns
            self.at_each()
            self.turns = turns  # calls by observers are not the process's
        if self.kill_at == len(self.instants):
            self.dead = True
            raise Crash(what)

    def alive(self) -> None:
        if self.dead:
            raise Crash("dead already")


KINDS = ("before a call", "executed, no reply yet", "replied, not committed", "before a commit", "committed")
BEFORE_CALL, EXECUTED, REPLIED, BEFORE_COMMIT, COMMITTED = KINDS
"""Of the instants; the proof asks for every one."""


def points(instants: Sequence[str]) -> Counter[str]:
    """How many instants there are of each kind that the proof asks for.

    A commit that takes in replies is one of both: what a process knows and has not written is lost.
    """
    found: Counter[str] = Counter()
    replied = False
    for instant in instants:
        when, _, what = instant.partition(" ")
        if what != "commit":
            found[BEFORE_CALL if when == "before" else EXECUTED] += 1
            replied |= when == "after"
        elif when == "before":
            found[BEFORE_COMMIT] += 1
            found[REPLIED] += replied
            replied = False
        else:
            found[COMMITTED] += 1
    return found


def watch(rig: Rig, killer: Killer) -> None:
    """Put the killer's instants into the account and the database of a rig, in the place of another's."""
    world, watcher = rig.world, _Watcher(killer)
    world.before = [watcher.before, *(fault for fault in world.before if not _watches(fault))]
    world.after = [*(fault for fault in world.after if not _watches(fault)), watcher.after]
    tap(rig.store.engine, killer)


class _Watcher:
    """Sits at the calls of one account, for one killer."""

    def __init__(self, killer: Killer) -> None:
        self.killer = killer

    def before(self, world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        self.killer.alive()
        if operation in CHANGING:
            self.killer.instant(f"before {operation} of {name_of(world, parameters)}")

    def after(self, world: World, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation in CHANGING:
            self.killer.instant(f"after {operation} of {name_of(world, parameters)}")


def _watches(fault: Any) -> bool:
    return isinstance(getattr(fault, "__self__", None), _Watcher)


def tap(engine: Engine, killer: Killer) -> None:
    """Put the killer's instants into a database."""
    _tap(engine).killer = killer


class SpreadPool(SlowPool):
    """AWS executes calls side by side, and their replies come one by one.

    So a process is killed with several calls executed and unread, and each reply has a commit of its own.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock, send_seconds=0.0, reply_seconds=0.0)

    def submit(self, call: Call) -> None:
        answer = call()
        self.reply_seconds = self.reply_seconds % 2.0 + 0.4
        self.clock.after(self.reply_seconds, lambda: self.answers.append(answer))


class _Tap:
    """Sits at the commits of one engine, for whichever killer is at work."""

    killer = Killer()


@cache
def _tap(engine: Engine) -> _Tap:
    tap = _Tap()
    dialect: Any = engine.dialect
    commit: Callable[[Any], None] = dialect.do_commit

    def do_commit(connection: Any) -> None:
        tap.killer.instant("before commit")
        commit(connection)
        tap.killer.turns += 1
        tap.killer.instant("after commit")

    begin: Callable[[Any], None] = dialect.do_begin

    def do_begin(connection: Any) -> None:
        tap.killer.alive()
        tap.killer.turns += 1
        begin(connection)

    dialect.do_commit, dialect.do_begin = do_commit, do_begin
    return tap


@contextmanager
def living_process(killer: Killer, kill_at: int | None) -> Iterator[None]:
    """One process's life; a kill ends it and nothing else."""
    killer.kill_at, killer.instants, killer.dead, killer.armed = kill_at, [], False, True
    try:
        yield
    except Crash:
        assert killer.dead
    finally:
        killer.armed = killer.dead = False


def run(killer: Killer, command: Callable[[], object], kill_at: int | None = None) -> bool:
    """Run a command as a process; answer whether it lived to its end."""
    lived = []
    with living_process(killer, kill_at):
        command()
        lived.append(True)
    return bool(lived)


def gone_holder() -> Holder:
    """A holder like this process, as if it were gone: its id is above the kernel's maximum."""
    return replace(this_process(), pid=2**22 + 1)
