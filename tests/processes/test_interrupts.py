"""Real signals and a closed terminal, at each phase of each command that drives, once and twice.

The proxy holds the call in flight while the process is interrupted. After one signal the call is released and
its reply arrives. After two the process has exited, and AWS still executes the call. `make crash` runs all
combinations, one test a point; a sample always runs. `tests.simulation.crash.test_interrupts` covers every
instant of the engine, in process.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.support.command import Command
from tests.support.processes.checks import (
    AT_ONCE_SECONDS,
    MAX_SECONDS_TO_HEED_A_SIGNAL,
    check_gone,
    check_once,
)
from tests.support.processes.proxy import Act, Call, Exchange, refused
from tests.support.processes.stage import END_SECONDS, EVENT_SECONDS, NAME, Process, Stage, wait_until
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.promise(2)]

CLOSED = "a closed terminal"
WAYS = ("SIGINT", "SIGTERM", "SIGHUP", CLOSED)
FORWARD = {
    "network": "CreateRouteTable",
    "efs": "CreateMountTarget",
    "ec2": "RunInstances",
    "health": "DescribeInstanceStatus",
    "rolling back": "DeleteFileSystem",
}
BACK = {"ec2": "TerminateInstances", "efs": "DeleteMountTarget", "network": "DeleteVpc"}
BACK_COMMANDS = ("rollback", "destroy")
PHASES = {"deploy": FORWARD, "resume": FORWARD, "rollback": BACK, "destroy": BACK}
POINTS = [
    (command, phase, way, times)
    for command, phases in PHASES.items()
    for phase, way, times in itertools.product(phases, WAYS, ("once", "twice"))
]
SAMPLE = {("rollback", "efs", "SIGHUP", "once")}


@dataclass
class Held:
    """The first call of an operation, held until it is released; `executed` is set once AWS has
    executed it.
    """

    operation: str
    came: threading.Event
    let_go: threading.Event
    executed: threading.Event

    @classmethod
    def at(cls, stage: Stage, phase: str, operation: str) -> Held:
        held = cls(operation, threading.Event(), threading.Event(), threading.Event())

        def rule(call: Call) -> Act | None:
            if phase == "rolling back" and call.operation == "RunInstances":
                return refused(403, "UnauthorizedOperation")
            return held.hold if call.operation == operation and not held.came.is_set() else None

        stage.proxy.rule = rule
        return held

    def hold(self, exchange: Exchange) -> None:
        self.came.set()
        assert self.let_go.wait(EVENT_SECONDS)
        reply = exchange.forward()
        self.executed.set()
        exchange.answer(reply)


@dataclass
class Interrupted:
    """How the command ended, and when it was first interrupted."""

    code: int
    asked: float


def parameters() -> list[object]:
    whole = bool(os.environ.get("TIER1_TEST_PROCESSES"))
    skip = pytest.mark.skipif(not whole, reason="`make crash` runs it")
    return [
        pytest.param(*point, id="-".join(point), marks=() if point in SAMPLE else (skip,)) for point in POINTS
    ]


@pytest.mark.parametrize(("command", "phase", "way", "times"), parameters())
def test_an_interrupted_command_is_resumable_whatever_was_in_flight(
    stage: Stage,
    command: str,
    phase: str,
    way: str,
    times: str,
    record_property: Callable[[str, object], None],
) -> None:
    """It exits with 130, records the call and frees the lease; a resume reaches the goal and creates nothing
    twice.
    """
    prepare(stage, command)
    held = Held.at(stage, phase, PHASES[command][phase])
    ended = interrupt(stage, arguments(stage, command), held, way, twice=times == "twice")
    assert held.executed.wait(EVENT_SECONDS)
    assert ended.code == 130
    latest = max(call.began for call in stage.proxy.changing)
    assert latest <= ended.asked + MAX_SECONDS_TO_HEED_A_SIGNAL
    check_on_record(stage, phase, twice=times == "twice")
    check_resumed(stage, command, phase)
    record_property("points", 1)


def prepare(stage: Stage, command: str) -> None:
    """Bring the deployment to where the command has all of its work to do."""
    if command == "destroy":
        assert stage.deploy().code == 0
    elif command != "deploy":
        at = Held.at(stage, "", FORWARD["health"] if command == "rollback" else "CreateVpc")
        assert interrupt(stage, arguments(stage, "deploy"), at, "SIGTERM", twice=False).code == 130


def arguments(stage: Stage, command: str) -> tuple[str, ...]:
    subject = str(stage.folder / "spec.yaml") if command == "deploy" else NAME
    return (command, subject, *(("--yes",) if command in ("rollback", "destroy") else ()))


def interrupt(stage: Stage, arguments: tuple[str, ...], held: Held, way: str, *, twice: bool) -> Interrupted:
    """Run the command up to the held call, and interrupt it there."""
    if way == CLOSED:
        return close_terminal(stage, arguments, held, twice=twice)
    process = stage.begin(*arguments)
    wait_until(lambda: held.came.is_set() or not process.running, END_SECONDS)
    assert held.came.is_set(), process.end()
    asked = time.monotonic()
    process.send(signal.Signals[way])
    if twice:
        process.send(another(way))
        return Interrupted(left_before(held, process), asked)
    held.let_go.set()
    return Interrupted(process.end().code, asked)


def close_terminal(stage: Stage, arguments: tuple[str, ...], held: Held, *, twice: bool) -> Interrupted:
    with Terminal(Command(stage.folder, stage.environment, stage.warm), *arguments) as terminal:
        terminal.watch_until(held.came.is_set)
        asked = time.monotonic()
        terminal.close()
        if twice:
            terminal.send(signal.SIGTERM)
        else:
            held.let_go.set()
        code = terminal.wait()
        held.let_go.set()
        return Interrupted(code, asked)


def another(way: str) -> signal.Signals:
    """The other signal, because two pending signals of one kind are delivered as one."""
    return signal.SIGINT if way == "SIGTERM" else signal.SIGTERM


def left_before(held: Held, process: Process) -> int:
    """The exit code of a process that does not wait for its call, which AWS executes afterwards."""
    code = process.end(AT_ONCE_SECONDS).code
    held.let_go.set()
    return code


def check_on_record(stage: Stage, phase: str, *, twice: bool) -> None:
    """Assert that nobody holds the lease, and that only attempts cut by an immediate exit are open."""
    assert stage.listed()["holder"] is None
    cut = stage.stored("SELECT action FROM attempts WHERE ended_at IS NULL")
    if not twice:
        assert cut == []
    elif phase != "health":  # a read is no attempt
        assert cut, "the call that AWS executed after the process had left is on record"


def check_resumed(stage: Stage, command: str, phase: str) -> None:
    goes_back = command in BACK_COMMANDS or phase == "rolling back"
    done = stage.resume()
    ends = {"destroy": "destroyed", "rollback": "rolled_back"}.get(command, "rolled_back")
    assert (done.code, done.json["state"]) == (0, ends if goes_back else "active"), done.err
    assert stage.stored("SELECT id FROM attempts WHERE ended_at IS NULL") == []
    check_once(stage)
    if not goes_back:
        assert stage.destroy().code == 0
    check_gone(stage)
