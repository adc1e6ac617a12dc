"""Rules that choose the proxy's act for a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.processes.proxy import Act, Call, Rule, delayed, first
from tests.support.processes.stage import EVENT_SECONDS, Stage

FIRST = "the first"


def at(point: str) -> Callable[[Call], bool]:
    """The calls of one operation, or the first changing call of all."""
    return lambda call: call.number == 1 if point == FIRST else call.operation == point


def at_number(number: int) -> Callable[[Call], bool]:
    return lambda call: call.number == number


def times(count: int, chosen: Callable[[Call], bool], act: Act) -> Rule:
    """The first `count` changing calls that are chosen meet the act."""
    met: list[Call] = []

    def rule(call: Call) -> Act | None:
        if len(met) == count or not call.changing or not chosen(call):
            return None
        met.append(call)
        return act

    return rule


def each_first(chosen: Callable[[Call], bool], act: Act) -> Rule:
    """Of the chosen calls, the first of each operation on each thing meets the act."""
    met: set[tuple[str, str]] = set()

    def rule(call: Call) -> Act | None:
        if not chosen(call) or (call.operation, call.subject) in met:
            return None
        met.add((call.operation, call.subject))
        return act

    return rule


@dataclass(frozen=True)
class Hold:
    """A call that the proxy holds until it is released."""

    came: threading.Event
    gone: threading.Event

    @classmethod
    def at(cls, stage: Stage, operation: str) -> Hold:
        hold = cls(threading.Event(), threading.Event())
        stage.proxy.rule = times(1, at(operation), first(hold.came.set, delayed(hold.gone)))
        return hold

    def wait(self) -> None:
        assert self.came.wait(EVENT_SECONDS)
