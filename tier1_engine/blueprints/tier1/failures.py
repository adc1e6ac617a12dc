"""A table of what a permanently failed step means for a Tier 1 deployment, by phase and check.

`plan` takes each step's failure class from here. Another blueprint sets its own (`StepPlan.on_failure`).
"""

from __future__ import annotations

from dataclasses import dataclass

from tier1_engine.deployment.states import FailureClass, Phase


@dataclass(frozen=True, slots=True)
class StepFailure:
    """One row: the steps it applies to, and what their failure means for the deployment.

    Attributes:
        failure: a description of the failure.
        phase: the phase of the step.
        kinds: the kinds of the step; all others of the phase if empty.
    """

    failure: str
    phase: Phase
    kinds: frozenset[str]
    becomes: FailureClass
    happens: str


_ROLLS_BACK = "automatic rollback; with rollback off, stops as `failed` and deletes nothing"


STEPS: tuple[StepFailure, ...] = (
    StepFailure("network failure", Phase.NETWORK, frozenset(), FailureClass.CRITICAL, _ROLLS_BACK),
    StepFailure(
        "EFS failure: file system or mount target", Phase.EFS, frozenset(), FailureClass.CRITICAL, _ROLLS_BACK
    ),
    StepFailure("EC2 launch failure", Phase.EC2, frozenset(), FailureClass.CRITICAL, _ROLLS_BACK),
    StepFailure(
        "EFS failure: the mount on the instance, or its user data",
        Phase.HEALTH,
        frozenset({"efs_mount"}),
        FailureClass.CRITICAL,
        _ROLLS_BACK,
    ),
    StepFailure(
        "instance failure: EC2's own status checks",
        Phase.HEALTH,
        frozenset({"instance_status"}),
        FailureClass.CRITICAL,
        _ROLLS_BACK,
    ),
    StepFailure(
        "service health failure",
        Phase.HEALTH,
        frozenset(),
        FailureClass.RECOVERABLE,
        "stops as `failed`; the operator gets the options",
    ),
)
"""The first matching row decides."""


def step_row(phase: Phase, kind: str) -> StepFailure:
    """Return the row for a step of this phase and kind."""
    return next(row for row in STEPS if row.phase is phase and (not row.kinds or kind in row.kinds))


def class_of(phase: Phase, kind: str) -> FailureClass:
    """Return the failure class of a step of this phase and kind."""
    return step_row(phase, kind).becomes
