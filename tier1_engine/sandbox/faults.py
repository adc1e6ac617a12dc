"""Faults: which calls of the local AWS go wrong, and how.

Owns the value that a scenario, `sandbox fault add` and the control path have in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Cut(StrEnum):
    """Where the connection of a call is cut."""

    BEFORE = "before"  # the request is lost: AWS does not act
    AFTER = "after"  # the reply is lost: AWS has acted


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to some calls of one operation.

    Attributes:
        operation: as AWS names it (`RunInstances`); `*` for every one.
        code: AWS's error code with which the call is refused; None when it is not refused.
        message: beside the code; AWS's own words where None.
        status: HTTP status of the refusal; a 500 `after_execution` is an error of a call that acted.
        times: how many calls it strikes; None for all of them.
        after: how many fitting calls pass before it strikes.
        share: the share of fitting calls that it strikes, from 0 to 1, drawn from the seed.
        cut: where the connection is cut, if it is.
        delay_seconds: AWS seconds by which the reply comes late.
        execute_late_seconds: AWS seconds after which a call executes whose connection was cut before.
        match: parameters that a fitting call has (`{"InstanceType": "t3.medium"}`), by dotted name.
    """

    operation: str
    code: str | None = None
    message: str | None = None
    status: int | None = None
    after_execution: bool = False
    times: int | None = 1
    after: int = 0
    share: float = 1.0
    cut: Cut | None = None
    delay_seconds: float = 0.0
    execute_late_seconds: float | None = None
    match: Mapping[str, str] = field(default_factory=dict)
