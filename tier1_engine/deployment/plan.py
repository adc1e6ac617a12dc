"""Plans: steps, their dependencies, and references to values that later steps know. Pure.

A blueprint turns a validated spec into a `Plan`. The plan is stored with the deployment. Resume, rollback
and destroy use the stored plan, even if the spec file or the program has changed since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tier1_engine.deployment.states import FailureClass, Mode, Phase
from tier1_engine.errors import Refused

REF = "$ref"


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One unit of a plan.

    Attributes:
        name: unique in the plan; also the resource's logical name and part of its `Name` tag.
        kind: the name of a `Kind`, or of a `Check` if the mode is `check`.
        needs: names of the steps whose resources must be ready first; deletion uses the reverse order.
        inputs: JSON values; `ref(step, fact)` is replaced once that step is done.
        deadline_seconds: the running time within which it must become ready.
        on_failure: its failure class when its attempts or deadline are exhausted.
    """

    name: str
    phase: Phase
    kind: str
    mode: Mode = Mode.CREATE
    needs: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    deadline_seconds: float = 600.0
    on_failure: FailureClass = FailureClass.CRITICAL


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a deployment will do.

    Attributes:
        tags: the user's tags, added to everything besides those of tier1.
        outputs: the outputs for the user; values may be refs or templates of facts.
        delete_seconds: the running time that one deletion may take once nothing uses the resource.
        max_attempts: attempts of one call before the step fails.
    """

    blueprint: str
    version: int
    steps: tuple[StepPlan, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    delete_seconds: float = 2400.0
    max_attempts: int = 5


def ref(step: str, fact: str = "id") -> dict[str, str]:
    """Return a reference to a value known once `step` is done: its AWS id, its ARN (`arn`) or a fact."""
    return {REF: f"{step}.{fact}"}


def resolve(value: Any, facts: Mapping[str, Mapping[str, Any]]) -> Any:
    """Replace every ref in `value` with `facts[step][fact]`.

    Raises:
        Refused: a ref names a step or fact that does not exist.
    """
    if isinstance(value, Mapping):
        if set(value) == {REF}:
            step, _, fact = str(value[REF]).rpartition(".")
            try:
                return facts[step][fact]
            except KeyError:
                raise Refused(f"The plan refers to {value[REF]}, which no finished step provides.") from None
        return {key: resolve(item, facts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, facts) for item in value]
    return value


def refs_in(value: Any) -> Iterator[str]:
    """Find every reference in `value`, as `STEP.FACT`."""
    if isinstance(value, Mapping):
        if set(value) == {REF}:
            yield str(value[REF])
        else:
            for item in value.values():
                yield from refs_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from refs_in(item)


def ordered(steps: Sequence[StepPlan]) -> tuple[StepPlan, ...]:
    """Sort the steps topologically, otherwise preserving their order.

    Raises:
        Refused: a duplicate name, a need that is not a step, or a cycle.
    """
    by_name = {step.name: step for step in steps}
    if len(by_name) != len(steps):
        twice = next(name for name, count in Counter(step.name for step in steps).items() if count > 1)
        raise Refused(f"The plan has two steps named {twice}: rename one of them in the blueprint.")
    for step in steps:
        for need in step.needs:
            if need not in by_name:
                raise Refused(f"Step {step.name} needs {need}, which is not a step of the plan.")
    try:
        order = tuple(TopologicalSorter({step.name: step.needs for step in steps}).static_order())
    except CycleError as error:
        raise Refused(
            f"The plan's steps depend on each other in a cycle: {', '.join(error.args[1])}."
        ) from error
    return tuple(by_name[name] for name in order)
