"""Faults of the simulated account, for `World.before` or `World.after`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.simulation.world import Fault, World, refused
from tier1_engine.errors import CallError

Parameters = Mapping[str, Any]


def name_of(world: World, parameters: Parameters) -> str:
    """The step that a call is about, whether it names the step or the object."""
    if "step" in parameters:
        return str(parameters["step"])
    if thing := world.things.get(str(parameters.get("id"))):
        return thing.tags.get("Name", "").partition("-")[2]
    return str(parameters.get("kind", ""))


def fail(
    operation: str,
    step: str | None = None,
    *,
    error: Callable[[], CallError] = lambda: refused("UnauthorizedOperation"),
    times: int | None = None,
) -> Fault:
    """Raise `error` at a call, the first `times` times or always."""
    left = [times]

    def fault(world: World, called: str, parameters: Parameters) -> None:
        if called != operation or step not in (None, name_of(world, parameters)) or left[0] == 0:
            return
        if left[0] is not None:
            left[0] -= 1
        raise error()

    return fault


def once_each(operation: str, error: Callable[[], CallError]) -> Fault:
    """Raise `error` at the first call of `operation` for each step."""
    met: set[str] = set()

    def fault(world: World, called: str, parameters: Parameters) -> None:
        name = name_of(world, parameters)
        if called == operation and name not in met:
            met.add(name)
            raise error()

    return fault


def act(operation: str, step: str | None, do: Callable[[], None], *, at: int = 1) -> Fault:
    """Run an action at the `at`-th matching call, and let the call continue."""
    seen = [0]

    def fault(world: World, called: str, parameters: Parameters) -> None:
        if called == operation and step in (None, name_of(world, parameters)):
            seen[0] += 1
            if seen[0] == at:
                do()

    return fault


def break_new(step: str, code: str, *, times: int | None = None) -> Fault:
    """What is made for a step breaks at once (into `World.after`)."""
    left = [times]

    def fault(world: World, called: str, parameters: Parameters) -> None:
        if called == "create" and parameters["step"] == step and left[0] != 0:
            if left[0] is not None:
                left[0] -= 1
            world.of(step)[-1].broken = code

    return fault


def executed_late(world: World, step: str, seconds: float, error: Callable[[], CallError]) -> Fault:
    """The first create of a step is answered with an error, and executed so many seconds later."""
    done: list[bool] = []

    def fault(_: World, called: str, parameters: Parameters) -> None:
        if called == "create" and parameters["step"] == step and not done:
            done.append(True)
            late = dict(parameters)
            world.clock.after(seconds, lambda: world.make(late))
            raise error()

    return fault
