"""The life of one deployment, cut at every instant, and the assertions after its recovery."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.simulation.databases import Kept, Rows, beside, kept
from tests.support.simulation.estate import Estate
from tests.support.simulation.faults import fail
from tests.support.simulation.moments import Moment, check_intent, moments, without_end
from tests.support.simulation.process import Killer, SpreadPool, gone_holder, run, watch
from tests.support.simulation.rig import Rig, placed_plan, plan
from tests.support.simulation.world import Thing, World, refused
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE
from tier1_engine.deployment.plan import Plan, StepPlan
from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import ENDED, Goal, Mode, Outcome, Phase, ResourceState, State
from tier1_engine.engine import engine
from tier1_engine.errors import Refused
from tier1_engine.settings import Settings
from tier1_engine.store.holder import Holder
from tier1_engine.store.store import Store
from tier1_engine.sweep.rules import Interrupted

MAX_INSTANTS = 400
DAY_SECONDS = 86_400.0
SETTINGS = Settings(
    poll_seconds=1.0, visibility_grace_seconds=5.0, lease_seconds=60.0, call_timeout_seconds=5.0
)

EXCLUDED = {
    "before and after a call that only reads": (
        "it changes neither AWS nor the database, so a kill there leaves what the kill at the point "
        "before it leaves"
    ),
    "another operator's request just before a driver's commit": (
        "the driver holds the deployment's row: the request waits for it, and comes at the point after it"
    ),
    "a late create without a key, where nothing may be made twice": (
        "AWS executes it after the grace, which nothing can prevent: promise 7 is what holds then, and "
        "`test_a_create_without_a_key_executed_after_the_grace_is_found_by_a_sweep` shows the window"
    ),
    "a SIGKILL of a real process at a commit to Postgres": (
        "real processes die at commits to SQLite; a server takes a commit whole or not at all, whoever asked "
        "for it has died or not, and `tests/simulation/storage` cuts each commit off before and after it"
    ),
}
"""Points at which nothing is killed or checked, each with its reason; `docs/guarantees.md` prints them."""

BROUGHT = "disk-of-user"


def the_plan(life: Life) -> Plan:
    """The rig's plan, with a disk that the user provided."""
    whole = placed_plan() if life.place_is_refused else plan()
    inputs = {"reference": BROUGHT}
    return replace(
        whole, steps=(*whole.steps, StepPlan("share", Phase.EFS, "disk", Mode.REFERENCE, (), inputs))
    )


def others() -> list[Thing]:
    """Foreign objects in the account: provided, unrelated, and of another database."""
    foreign = {TAG_DATABASE: "other", TAG_DEPLOYMENT: "f1", TAG_RESOURCE: "r1"}
    return [
        Thing(BROUGHT, "disk", {"Name": "mine"}, "", 0.0, ()),
        Thing("net-of-user", "net", {"Name": "demo-net", "team": "research"}, "", 0.0, (), {"dns"}),
        Thing("machine-of-user", "machine", {}, "", 0.0, ("net-of-user", BROUGHT)),
        Thing("net-of-other", "net", foreign, "r1-1-0", 0.0, (), {"dns"}),
    ]


def deploy(rig: Rig, id: str) -> None:
    rig.drive(id)


def destroy(rig: Rig, id: str) -> None:
    rig.ask(id, Goal.DESTROYED)


def resume(rig: Rig, id: str) -> None:
    engine.resume(rig.equipment, id)


def roll_back(rig: Rig, id: str) -> None:
    """A rollback or, when it is refused because the deployment became active, the command that the refusal
    names.
    """
    try:
        engine.request(rig.equipment, id, Goal.ROLLED_BACK)
    except Refused:
        destroy(rig, id)
    else:
        engine.resume(rig.equipment, id)


def take_down(rig: Rig, id: str) -> None:
    """Destroy the deployment in any state."""
    engine.request(rig.equipment, id, Goal.DESTROYED)
    engine.resume(rig.equipment, id)


def sweep(rig: Rig, id: str) -> None:
    """No one acts; a day later a sweep resumes what was interrupted."""
    _sweep(rig, id, Interrupted.RESUME)


def sweep_back(rig: Rig, id: str) -> None:
    """The same, by a sweep that rolls back what was interrupted."""
    _sweep(rig, id, Interrupted.ROLLBACK)


def _sweep(rig: Rig, id: str, how: Interrupted) -> None:
    """If the resumed deployment fails, the next sweep removes it."""
    sweep_later(rig, how)
    if rig.store.load(id).deployment.state is State.FAILED:
        sweep_later(rig, how)


def sweep_later(rig: Rig, how: Interrupted = Interrupted.RESUME) -> None:
    """A sweep, when all that there is has become old enough for it."""
    rig.clock.move_to(rig.clock.seconds + 2 * DAY_SECONDS)
    estate = Estate(rig)
    estate.world()
    estate.sweep(orphans=True, interrupted=how)


Command = Callable[[Rig, str], None]
WAYS_OUT: dict[str, Command] = {
    "resume": resume,
    "rollback": roll_back,
    "destroy": take_down,
    "sweep": sweep,
    "sweep back": sweep_back,
}


@dataclass(frozen=True)
class Life:
    """The command to cut, on a deployment in some state.

    Attributes:
        ends: the final states that each recovery may lead to.
        was_active: it was deployed before, by a process that was not killed.
        rollback_enabled: False as with `--no-rollback`: resources remain after a failure.
        place_is_refused: one of two places is not offered, and the deployment continues without its door.
        one_by_one: replies arrive one by one; otherwise each turn processes all those of the turn before.
    """

    name: str
    command: Command
    ends: dict[str, tuple[State, ...]]
    machine_is_refused: bool = False
    place_is_refused: bool = False
    was_active: bool = False
    rollback_enabled: bool = True
    one_by_one: bool = False


OUT = (State.ROLLED_BACK, State.DESTROYED)
LIVES = {
    life.name: life
    for life in (
        Life(
            "deploy",
            deploy,
            {
                "resume": (State.ACTIVE,),
                "rollback": OUT,
                "destroy": OUT,
                "sweep": (State.ACTIVE,),
                "sweep back": (State.ROLLED_BACK, State.ACTIVE),  # what became active is left alone
            },
        ),
        Life(
            "rollback",
            deploy,
            dict.fromkeys(WAYS_OUT, (State.ROLLED_BACK,)),
            machine_is_refused=True,
        ),
        Life(
            "destroy",
            destroy,
            {
                "resume": (State.ACTIVE, State.DESTROYED),
                "rollback": OUT,
                "destroy": (State.DESTROYED,),
                "sweep": (State.ACTIVE, State.DESTROYED),
                "sweep back": (State.ACTIVE, State.DESTROYED),
            },
            was_active=True,
        ),
    )
}
KEPT = Life(
    "kept",
    deploy,
    {**dict.fromkeys(WAYS_OUT, (State.ROLLED_BACK,)), "resume": (State.FAILED,)},
    machine_is_refused=True,
    rollback_enabled=False,
)
SPREAD = replace(LIVES["deploy"], name="spread", one_by_one=True)
ALL_LIVES = {**LIVES, KEPT.name: KEPT, SPREAD.name: SPREAD}


_numbers = itertools.count(1)


@dataclass(frozen=True)
class _Start:
    """A life that is about to begin."""

    rig: Rig
    id: str
    rows: Rows


def _set_up(rig: Rig, life: Life, visible_after: float) -> str:
    """What is there before the command of a life, and the id of its deployment."""
    rig.world.visible_after = visible_after
    rig.world.gone_after = 1.0
    if life.machine_is_refused:
        rig.world.before.append(fail("create", "machine"))
    if life.place_is_refused:
        rig.world.before.append(fail("create", "door-2", error=lambda: refused("NotOffered")))
    if life.one_by_one:
        rig.pool = lambda: SpreadPool(rig.clock)
    rig.world.things.update({thing.id: thing for thing in others()})
    id = rig.create(f"demo{next(_numbers)}", the_plan(life), rollback_enabled=life.rollback_enabled)
    if life.was_active:
        rig.drive(id)
    return id


def _start(life: Life, database: Kept, visible_after: float) -> _Start:
    """The same for every life of its kind: set up once, then put back."""
    kind = (
        life.machine_is_refused,
        life.place_is_refused,
        life.one_by_one,
        life.rollback_enabled,
        life.was_active,
    )
    key = (database, *kind, visible_after)
    if key not in _starts:
        rig = Rig(database.put_back(database.empty), settings=SETTINGS, holder=gone_holder)
        id = _set_up(rig, life, visible_after)
        _starts[key] = _Start(rig, id, database.committed())
    return _starts[key]


_starts: dict[tuple[object, ...], _Start] = {}


@dataclass
class Stage:
    """A rig with a killer, and its one deployment.

    Attributes:
        database: its path, unless a test provides a store of its own.
    """

    life: Life
    rig: Rig
    killer: Killer
    id: str
    database: Kept | None = None
    cut: set[str] = field(default_factory=set)
    others: list[Thing] = field(default_factory=others)

    @classmethod
    def set(
        cls,
        life: Life,
        source: Path | Store,
        visible_after: float,
        killer: Killer | None = None,
        holder: Callable[[], Holder] = gone_holder,
    ) -> Stage:
        """Set it on a store of the test's own, or on rows like those of the database at a path.

        Args:
            holder: who its commands are to others. A killed driver was this very test process: by default it
                looks gone, so that takeover is at once.
        """
        if isinstance(source, Store):
            rig, killer = Rig(source, settings=SETTINGS, holder=holder), killer or Killer()
            id = _set_up(rig, life, visible_after)
            watch(rig, killer)
            return cls(life, rig, killer, id)
        database = kept("crash", source)
        start = _start(life, database, visible_after)
        whole = cls(life, start.rig, killer or Killer(), start.id, database)
        return whole._at(start.rig.world, start.rows, whole.killer, holder)

    def _at(self, world: World, rows: Rows, killer: Killer, holder: Callable[[], Holder]) -> Stage:
        """A stage like this one, on an account and rows like these."""
        assert self.database is not None
        rig = self.rig.beside(world.copied(), self.database.put_back(rows))
        rig.holder = holder
        if self.life.one_by_one:
            rig.pool = lambda: SpreadPool(rig.clock)
        watch(rig, killer)
        return replace(self, rig=rig, killer=killer, cut=set(), others=others())

    def play(self, command: Command, kill_at: int | None = None) -> bool:
        """Run a command as a process of its own; answer whether it lived to its end."""
        lived = run(self.killer, lambda: command(self.rig, self.id), kill_at)
        self.note_what_was_cut(killed=not lived)
        return lived

    def note_what_was_cut(self, *, killed: bool) -> None:
        """Attempts whose end is not on record."""
        begun = without_end(self.rig.store)
        if killed:
            check_intent(self.killer.instants[-1], begun)
        self.cut |= begun

    def moments(self, command: Command) -> list[Moment]:
        """Run a command once to its end, and keep the world as it was at each of its instants."""
        assert self.database is not None
        return moments(self.rig, self.killer, self.database, lambda: self._lives(command))

    def _lives(self, command: Command) -> None:
        assert self.play(command)

    def killed_at(self, moment: Moment, killer: Killer | None = None) -> Stage:
        """A stage on which the process was killed at that moment of this one's life."""
        stage = self._at(moment.world, moment.rows, killer or Killer(), self.rig.holder)
        stage.cut |= moment.cut
        return stage

    @contextmanager
    def another_process(self) -> Iterator[Rig]:
        """Another process with the same database and account."""
        other = copy(self.rig)
        other.store = beside(self.rig.store) if self.database is None else self.database.another
        try:
            yield other
        finally:
            if self.database is None:
                other.store.close()

    def close(self) -> None:
        """Let go of a store of the test's own."""
        if self.database is None:
            self.rig.store.close()


def instants(life: Life, source: Path, visible_after: float) -> list[str]:
    """Every instant of a life at which it can be killed."""
    stage = Stage.set(life, source, visible_after)
    assert stage.play(life.command)
    stage.close()
    assert 20 < len(stage.killer.instants) < MAX_INSTANTS
    return stage.killer.instants


def cut_and_recover(life: Life, way: str, source: Path, visible_after: float, kills: Sequence[int]) -> bool:
    """Kill the life at the first instant and each recovery at the next ones; the last one lives.

    Answers whether every one of them was killed: one that has fewer instants ends by itself.
    """
    stage = Stage.set(life, source, visible_after)
    killed = not stage.play(life.command, kills[0])
    for kill_at in kills[1:]:
        killed &= not stage.play(WAYS_OUT[way], kill_at)
    assert stage.play(WAYS_OUT[way])
    check(stage, life.ends[way])
    stage.close()
    return killed


def check(stage: Stage, ends: tuple[State, ...], *, set_late: bool = False) -> None:
    """Assert what must be true once a recovery has ended.

    Args:
        set_late: a configuration was executed after the grace, or sent by a process that had been suspended.
    """
    record = stage.rig.store.load(stage.id)
    assert record.deployment.state in ends, record.deployment
    check_account(stage, record)
    assert set(stage.rig.world.executed_creates.values()) <= {1}
    assert set(stage.rig.world.executed_sets.values()) <= ({1, 2} if set_late else {1})
    check_attempts(stage, record)
    check_time_line(stage, record)


def check_account(stage: Stage, record: Record) -> None:
    """Every object is recorded once, or is foreign and unchanged in settings and tags."""
    rows = [row for row in record.resources.values() if row.owned]
    known = [row.aws_id for row in rows if row.state in (ResourceState.PRESENT, ResourceState.RETAINED)]
    here = {thing.id: thing for thing in stage.rig.world.living()}
    assert [here.pop(thing.id, None) for thing in stage.others] == stage.others
    assert sorted(here) == sorted(str(id) for id in known)
    if record.deployment.state in ENDED:
        assert not [row for row in rows if row.state is ResourceState.PRESENT]


def check_attempts(stage: Stage, record: Record) -> None:
    """No attempt is open, and those that the killed process left open are recorded as cut."""
    attempts = {a.id: a for a in stage.rig.store.attempts(stage.id)}
    assert not [a for a in attempts.values() if a.ended_at is None]
    for id in stage.cut:
        assert (attempts[id].outcome, attempts[id].code) == (Outcome.UNKNOWN, "Cut")
    assert not [a for a in record.attempts.values() if a.may_have_acted]


def check_time_line(stage: Stage, record: Record) -> None:
    """The moves follow each other without a gap, and end where the deployment is."""
    moves = [e for e in stage.rig.store.events(stage.id) if e.trigger is not None]
    places = [State.PENDING, *(e.to_state for e in moves)]
    assert [e.from_state for e in moves] == places[:-1]
    assert places[-1] is record.deployment.state
