"""A scenario: a named failure of AWS, with how a deployment ends in it.

Owns the values; the named ones are YAML files in `scenarios/`, which `scenarios` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from tier1_engine.sandbox.faults.faults import Fault
from tier1_engine.sandbox.world import ByHand

OR: Final = " or "


class Trait(StrEnum):
    """What a spec is like, where that makes a day end otherwise."""

    UNCHECKED = "unchecked"  # nobody looks at the mount, nor at a service
    NO_SERVICES = "no-services"  # no service is waited for
    SSM_CHECK = "ssm-check"  # the mount is asked of Systems Manager, not of the console
    NO_MOUNT_CHECK = "no-mount-check"
    NO_CONSOLE_CHECK = "no-console-check"  # how the user data ended is not read
    NO_SCRIPT_CHECK = "no-script-check"  # and no service tells of it either
    ONE_ZONE = "one-zone"  # all of it is in the region's first zone
    ONLY_SPOT = "only-spot"


@dataclass(frozen=True, slots=True)
class Expected:
    """How a deployment ends on this day.

    Attributes:
        state: the deployment's state at the end (`rolled_back`).
        exit_code: of `tier1 deploy`.
        left: how many owned objects are left in AWS when the deploy has ended; None for whatever the
            spec makes.
        code: of the failure that the deployment keeps, if it failed; several of which one is kept are
            joined by `OR`.
    """

    state: str
    exit_code: int
    left: int | None = None
    code: str | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of which the failure has one; none where it has none."""
        return tuple(self.code.split(OR)) if self.code else ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario.

    Attributes:
        name: `lost-reply`.
        title: one line of what goes wrong.
        story: a paragraph: what AWS does, where it was seen, what an operator would see.
        expected: how the deploy ends; None where the file does not say, and it cannot be rehearsed.
        otherwise: how it ends for a spec that has a trait; the first that fits counts.
        faults: the calls that go wrong.
        takes: AWS seconds that replace figures of the world (`{"mount_target.create": 720}`).
        wrong: what is wrong with instances and services (`{"mount": "fails"}`).
        by_hand: what somebody else does meanwhile.
        then: the commands that end it after the deploy (`resume {id} --retry`), without `tier1`.
        path: the file of one that has no name.
    """

    name: str
    title: str
    story: str
    expected: Expected | None = None
    otherwise: Mapping[Trait, Expected] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    takes: Mapping[str, float] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    by_hand: tuple[ByHand, ...] = ()
    then: tuple[str, ...] = ()
    path: Path | None = None

    def expected_of(self, traits: frozenset[Trait]) -> Expected | None:
        """How a spec with these traits ends on this day."""
        return next((end for trait, end in self.otherwise.items() if trait in traits), self.expected)
