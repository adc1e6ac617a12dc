"""A simulated AWS on a virtual clock: eventually consistent, slow to be ready, and able to fail anywhere.

Owns the fake cloud, and the virtual clock and pools that let a whole deployment run without a thread,
a socket or a real second. The kinds that speak to it by the real contract are in `kinds`.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tier1_engine.contract.cloud import Permit, Reply
from tier1_engine.contract.kind import TAG_RESOURCE
from tier1_engine.engine.pool import Call
from tier1_engine.engine.protocol.actions import Answer
from tier1_engine.errors import Acted, CallError

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Crash(BaseException):
    """The process is killed here; nothing may catch it."""


class VirtualClock:
    """Time that advances only while the code under test waits.

    Attributes:
        offset: the adjustment of the wall clock; the monotonic clock does not jump.
    """

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.offset = timedelta()
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def copied(self) -> VirtualClock:
        """Another clock that shows the same time; what is planned happens on it."""
        other = copy(self)
        other._plans, other._numbers = list(self._plans), copy(self._numbers)  # noqa: SLF001 - its own
        return other

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds) + self.offset

    def steady(self) -> float:
        return self.seconds

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Something that happens by itself, so many seconds from now."""
        heapq.heappush(self._plans, (self.seconds + seconds, next(self._numbers), act))

    def move_to(self, until: float) -> None:
        """Let time pass, with all that was planned in between."""
        while self._plans and self._plans[0][0] <= until:
            at, _, act = heapq.heappop(self._plans)
            self.seconds = max(self.seconds, at)
            act()
        self.seconds = max(self.seconds, until)


class InlinePool:
    """Performs a call when it is submitted; waiting moves the clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.answers: list[Answer] = []

    def submit(self, call: Call) -> None:
        self.answers.append(call())

    def wait(self, until: float | None) -> list[Answer]:
        answers, self.answers = self.answers, []
        if not answers:
            assert until is not None, "the engine would wait for ever"
            self.clock.move_to(until)
        return answers

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass


class SlowPool(InlinePool):
    """Calls take time: each is sent after `send_seconds`, and its answer is there `reply_seconds` later."""

    def __init__(self, clock: VirtualClock, send_seconds: float, reply_seconds: float) -> None:
        super().__init__(clock)
        self.send_seconds = send_seconds
        self.reply_seconds = reply_seconds

    def submit(self, call: Call) -> None:
        def send() -> None:
            answer = call()
            self.clock.after(self.reply_seconds, lambda: self.answers.append(answer))

        self.clock.after(self.send_seconds, send)

    def wait(self, until: float | None) -> list[Answer]:
        assert until is not None, "the engine would wait for ever"
        while not self.answers and self.clock.seconds < until:
            self.clock.move_to(min(until, self.clock.seconds + 0.25))
        answers, self.answers = self.answers, []
        return answers


@dataclass
class Thing:
    """One object of the simulated cloud."""

    id: str
    kind: str
    tags: dict[str, str]
    key: str
    born: float
    needs: tuple[str, ...]
    settings: set[str] = field(default_factory=set)
    deleting_since: float | None = None
    broken: str | None = None


Fault = Callable[["World", str, Mapping[str, Any]], None]


@dataclass
class World:
    """The simulated account.

    Attributes:
        ready_after, visible_after, gone_after: virtual seconds.
        made: ids of objects that a call created; a test planted the others.
        by_hand: ids of objects that were deleted by hand.
        on_call: called for each call before it is executed.
        shown_gone: how long a deleted object is still shown, as ended.
        listed_gone: how long lists by the deployment's tag still show a deleted object as existing.
        natural: kinds of which AWS makes no second one for the same resource.
        hidden_until: by id, until when AWS does not show an object, whatever it showed before.
        deaf_to: ids whose deletion is accepted that many times without effect.
        before, after: faults run before AWS executes a call and after it did; they may raise.
    """

    clock: VirtualClock
    ready_after: float = 0.0
    visible_after: float = 0.0
    gone_after: float = 0.0
    shown_gone: float = 0.0
    listed_gone: float = 0.0
    natural: frozenset[str] = frozenset()
    hidden_until: dict[str, float] = field(default_factory=dict)
    deaf_to: dict[str, int] = field(default_factory=dict)
    account_id: str = "123456789012"
    things: dict[str, Thing] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    before: list[Fault] = field(default_factory=list)
    after: list[Fault] = field(default_factory=list)
    executed_creates: dict[str, int] = field(default_factory=dict)
    executed_sets: dict[tuple[str, str], int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    made: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    on_call: Callable[[], None] = lambda: None

    def copied(self) -> World:
        """A copy of this account in its current state, with its own clock. Its calls have no observer."""
        own = {name: copy(getattr(self, name)) for name in _ITS_OWN}
        things = {
            id: replace(thing, tags=dict(thing.tags), settings=set(thing.settings))
            for id, thing in self.things.items()
        }
        return replace(self, clock=self.clock.copied(), things=things, on_call=lambda: None, **own)

    @property
    def whole(self) -> str:
        """The complete state that later calls depend on, including time and faults, without past calls."""
        stands = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _OUTSIDE}
        return repr((vars(self.clock), stands))

    def hide(self, step: str, seconds: float) -> None:
        """Show nothing of a step for so long: another server of AWS answers, which does not know it yet."""
        self.hidden_until |= {thing.id: self.clock.seconds + seconds for thing in self.of(step)}

    def living(self) -> list[Thing]:
        return [thing for thing in self.things.values() if self.exists(thing)]

    def exists(self, thing: Thing) -> bool:
        since = thing.deleting_since
        return since is None or self.clock.seconds < since + self.gone_after

    def _visible(self, thing: Thing) -> bool:
        if self.clock.seconds < max(thing.born + self.visible_after, self.hidden_until.get(thing.id, 0.0)):
            return False
        since = thing.deleting_since
        return since is None or self.clock.seconds < since + self.gone_after + self.shown_gone

    def _as_listed(self, thing: Thing) -> Thing | None:
        """A deleted object as a delayed list shows it."""
        since = thing.deleting_since
        if since is None or self._visible(thing) or self.clock.seconds >= since + self.listed_gone:
            return None
        return replace(thing, deleting_since=None)

    def of(self, step: str) -> list[Thing]:
        """What was made for a step, dead or alive, in the order of making."""
        return [t for t in self.things.values() if t.tags.get("Name", "").endswith(f"-{step}")]

    def lingering_interface(self, of: Thing) -> Thing:
        """An object of AWS's own that uses a thing, and that no one can delete."""
        thing = Thing(f"eni-{next(self.numbers):04}", "eni", {}, "", self.clock.seconds, (of.id,))
        self.things[thing.id] = thing
        return thing

    def remove_by_hand(self, thing: Thing) -> None:
        """Delete it by hand or by AWS itself; it is gone at once."""
        self.by_hand.add(thing.id)
        thing.deleting_since = self.clock.seconds - self.gone_after

    def executed(self, operation: str) -> list[str]:
        """Names or ids of every call of `operation` that reached AWS, in order."""
        return [name for op, name in self.calls if op == operation]

    def make(self, parameters: Mapping[str, Any]) -> None:
        """Execute a create whose sender has long given up."""
        self._create(**parameters)

    def set(self, id: str, setting: str) -> None:
        """Execute a configuration; a laxer API than AWS's would end with one more of it for each."""
        self.things[id].settings.add(setting)
        self.executed_sets[id, setting] = self.executed_sets.get((id, setting), 0) + 1

    # --- what a call does

    def execute(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.on_call()
        self.calls.append((operation, str(parameters.get("id") or parameters.get("step") or "")))
        for fault in list(self.before):
            fault(self, operation, parameters)
        reply: dict[str, Any] = getattr(self, f"_{operation}")(**parameters)
        for fault in list(self.after):
            fault(self, operation, parameters)
        return reply

    def _create(
        self, kind: str, step: str, tags: Mapping[str, str], key: str, needs: Sequence[str], token: bool
    ) -> dict[str, Any]:
        for need in needs:
            if need not in self.things or not self.exists(self.things[need]):
                raise refused("InvalidReference.NotFound", f"{need} does not exist")
        if token:
            for thing in self.things.values():
                if thing.key == key:
                    return {"id": thing.id}
        tag = tags[TAG_RESOURCE]
        if kind in self.natural and any(t.tags.get(TAG_RESOURCE) == tag for t in self.living()):
            raise refused("AlreadyExists", f"there is one of {step}")
        thing = Thing(
            f"{kind}-{next(self.numbers):04}", kind, dict(tags), key, self.clock.seconds, tuple(needs)
        )
        self.things[thing.id] = thing
        self.made.add(thing.id)
        self.executed_creates[tag] = self.executed_creates.get(tag, 0) + 1
        return {"id": thing.id}

    def _find(self, kind: str, tags: Mapping[str, str], step: str = "") -> dict[str, Any]:
        seen = [t for t in self.things.values() if t.kind == kind and self._visible(t)]
        if TAG_RESOURCE not in tags:
            seen += [t for t in map(self._as_listed, self.things.values()) if t and t.kind == kind]
        found = [t for t in seen if all(k in t.tags and v in ("*", t.tags[k]) for k, v in tags.items())]
        return {"things": found}

    def _inside(self, id: str) -> dict[str, Any]:
        return {"things": [thing for thing in self.living() if id in thing.needs]}

    def _describe(self, id: str) -> dict[str, Any]:
        thing = self.things.get(id)
        return {"thing": thing if thing and self._visible(thing) else None}

    def _set(self, id: str, setting: str) -> dict[str, Any]:
        self.set(id, setting)
        return {}

    def _delete(self, id: str) -> dict[str, Any]:
        thing = self.things.get(id)
        if thing is None or not self.exists(thing):
            raise refused("Thing.NotFound", f"{id} does not exist")
        if users := [t.id for t in self.living() if id in t.needs]:
            raise refused("DependencyViolation", f"{id} is used by {users[0]}")
        if self.deaf_to.get(id, 0):
            self.deaf_to[id] -= 1
        elif thing.deleting_since is None:
            thing.deleting_since = self.clock.seconds
        return {}

    def _look(self, **_: Any) -> dict[str, Any]:
        return {}

    def _console(self, id: str) -> dict[str, Any]:
        if not self._visible(self.things[id]):
            raise refused("Thing.NotFound", f"{id} does not exist")
        return {"text": f"console of {id}"}


_ITS_OWN = (
    "hidden_until",
    "deaf_to",
    "calls",
    "before",
    "after",
    "executed_creates",
    "executed_sets",
    "numbers",
    "made",
    "by_hand",
)
_OUTSIDE = ("clock", "calls", "on_call")


def refused(code: str, message: str = "") -> CallError:
    return CallError(code, message or code, operation="Sim", acted=Acted.REFUSED, http_status=400)


def unknown(code: str = "ConnectionReset") -> CallError:
    return CallError(code, "the reply was lost", operation="Sim", acted=Acted.UNKNOWN)


@dataclass(frozen=True)
class SimCloud:
    """The world through one permit."""

    world: World
    permit: Permit
    region: str = "us-east-1"

    @property
    def account_id(self) -> str:
        self.world.execute("look", {})
        return self.world.account_id

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.world.execute(operation, parameters)

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        yield from self.world.execute(operation, parameters)[result_key]

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        self.permit.check()
        return Reply(self.world.execute(operation, parameters), operation.capitalize())
