"""A scenario: one bad day of AWS by name, with how a deployment ends on it.

Owns the value; the named ones are YAML files in `scenarios/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tier1_engine.sandbox.faults import Fault


@dataclass(frozen=True, slots=True)
class Expected:
    """How a deployment ends on this day.

    Attributes:
        state: the deployment's state at the end (`rolled_back`).
        exit_code: of `tier1 deploy`.
        left: how many owned objects are left in AWS when the deploy has ended.
        code: of the failure that the deployment keeps, if it failed.
    """

    state: str
    exit_code: int
    left: int | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One bad day.

    Attributes:
        name: `lost-reply`.
        title: one line of what goes wrong.
        story: a paragraph: what AWS does, where it was seen, what an operator would see.
        faults: the calls that go wrong.
        takes: AWS seconds that replace figures of the world (`{"mount_target.create": 720}`).
        wrong: what is wrong with instances and services (`{"mount": "fails"}`).
        by_hand: operations that somebody else does meanwhile (`deleted-by-hand`), in words of the scenario.
        then: the commands that end it after the deploy (`["resume --retry"]`), for the rehearsal.
        expected: how the deploy ends.
    """

    name: str
    title: str
    story: str
    expected: Expected
    faults: tuple[Fault, ...] = ()
    takes: Mapping[str, float] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    by_hand: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
