"""A scenario: a named failure of AWS, and the expected end of a deployment in it.

Owns the values; the named ones are YAML files in `scenarios/`, which the module `scenarios` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from tier1_engine.sandbox.faults.faults import Fault
from tier1_engine.sandbox.world import ManualChange

OR: Final = " or "


class Trait(StrEnum):
    """A property of a spec that changes how a scenario ends."""

    UNCHECKED = "unchecked"  # neither the mount nor a service is checked
    NO_SERVICES = "no-services"  # no service is checked
    SSM_CHECK = "ssm-check"  # the mount is checked through Systems Manager, not on the console
    NO_MOUNT_CHECK = "no-mount-check"
    NO_CONSOLE_CHECK = "no-console-check"  # the end of the user data is not checked
    NO_SCRIPT_CHECK = "no-script-check"  # and no service reveals it either
    ONE_ZONE = "one-zone"  # everything is in the region's first zone
    ONLY_SPOT = "only-spot"


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected end of a deployment in this scenario.

    Attributes:
        state: the deployment's final state (`rolled_back`).
        exit_code: of `tier1 deploy`.
        left: how many owned objects remain in AWS when the deploy has ended; None when that depends on the
            spec.
        code: the error code of the recorded failure, if there is one; alternatives are joined by `OR`.
    """

    state: str
    exit_code: int
    left: int | None = None
    code: str | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The possible error codes of the failure; empty when none is expected."""
        return tuple(self.code.split(OR)) if self.code else ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario.

    Attributes:
        name: `lost-reply`.
        title: what fails, in one line.
        story: a paragraph: what AWS does, where it was observed, what an operator would see.
        expected: how the deploy ends; None when the file does not say, so that it cannot be rehearsed.
        otherwise: how it ends for a spec with a trait; the first match counts.
        faults: the calls that fail.
        takes: AWS seconds that replace figures of the world (`{"mount_target.create": 720}`).
        wrong: failures of instances and services (`{"mount": "fails"}`).
        by_hand: manual changes during the deployment.
        then: the commands that finish it after the deploy (`resume {id} --retry`), without `tier1`.
        path: the file of an unnamed scenario.
    """

    name: str
    title: str
    story: str
    expected: Expected | None = None
    otherwise: Mapping[Trait, Expected] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    takes: Mapping[str, float] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    by_hand: tuple[ManualChange, ...] = ()
    then: tuple[str, ...] = ()
    path: Path | None = None

    def expected_of(self, traits: frozenset[Trait]) -> Expected | None:
        """The expected end for a spec with these traits."""
        return next((end for trait, end in self.otherwise.items() if trait in traits), self.expected)
