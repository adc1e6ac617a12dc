"""Faults: which calls of the local AWS fail, and how.

Owns the value that scenarios, `sandbox fault add` and the control path share, its JSON form, and its
validation. `board` decides which call a fault applies to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from tier1_engine.errors import Refused


class Cut(StrEnum):
    """Where the connection of a call is cut."""

    BEFORE = "before"  # the request is lost: AWS does not act
    AFTER = "after"  # the reply is lost: AWS has acted


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure of some calls of one operation.

    Attributes:
        operation: as AWS names it (`RunInstances`); `*` for all operations.
        code: AWS's error code of the refusal; None when the call is not refused.
        message: the error message; None for AWS's usual message.
        status: HTTP status of the refusal; None for the usual status of the code. A status without a code is
            refused with the service's code for an internal failure.
        after_execution: whether the call acts before it is refused; with status 500 when no code is given.
        times: how many calls it affects; None for all.
        after: how many matching calls pass before the first affected one.
        share: the share of matching calls that it affects, from 0 to 1, drawn from the seed.
        cut: where the connection is cut; None when it is not.
        delay_seconds: delay of the reply in AWS seconds.
        execute_late_seconds: AWS seconds until a call whose request was cut executes.
        match: parameters of a matching call (`{"InstanceType": "t3.medium"}`), by dotted name; one item of a
            list is enough, and `*` matches any text. `AvailabilityZone` also matches a call that names a
            subnet in the zone.
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

    @property
    def refuses(self) -> bool:
        """Whether its calls are answered with an error."""
        return self.code is not None or self.status is not None or self.after_execution

    @property
    def loses(self) -> bool:
        """Whether its calls get no answer."""
        return self.cut is not None or self.execute_late_seconds is not None

    @property
    def does_nothing(self) -> bool:
        return not (self.refuses or self.loses or self.delay_seconds > 0)


_STATUS_FROM: Final = 400
_STATUS_BELOW: Final = 600


def check(fault: Fault) -> None:
    """Validate a fault.

    Raises:
        Refused: it is invalid; the message says which parts contradict each other.
    """
    for wrong, sentence in (
        (not 0 <= fault.share <= 1, f"The share {fault.share:g} is not valid: give one from 0 to 1."),
        (
            fault.times is not None and fault.times < 1,
            "A fault affects at least one call: give 1 or more times.",
        ),
        (fault.after < 0, "The number of calls to let through cannot be negative: give 0 or more."),
        (fault.delay_seconds < 0, "A delay cannot be negative: give 0 or more seconds."),
        (
            (fault.execute_late_seconds or 0) < 0,
            "A call cannot execute before it is sent: give 0 or more seconds.",
        ),
        (
            fault.status is not None and not _STATUS_FROM <= fault.status < _STATUS_BELOW,
            f"The status {fault.status} is not an error status: give one from 400 to 599.",
        ),
        (
            fault.refuses and fault.loses,
            "A call whose connection is cut, or that executes late, gets no reply: omit the code.",
        ),
        (
            fault.cut is Cut.AFTER and fault.execute_late_seconds is not None,
            "A call that executes late has not executed yet when its connection is cut: omit the cut.",
        ),
        (
            fault.message is not None and fault.code is None,
            "A message needs an error code: give the code, too.",
        ),
    ):
        if wrong:
            raise Refused(sentence)


def to_json(fault: Fault) -> dict[str, Any]:
    """A fault as a JSON object."""
    return {**asdict(fault), "match": dict(fault.match)}


def from_json(value: Any) -> Fault:
    """A fault from a JSON object.

    Raises:
        Refused: the object is not a valid fault.
    """
    names = {entry.name for entry in fields(Fault)}
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("operation"), str)
        or not value.keys() <= names
    ):
        raise Refused("A fault is a JSON object with an operation and what happens to its calls.")
    cut = value.get("cut")
    try:
        fault = Fault(**{**value, "cut": Cut(cut) if cut else None, "match": dict(value.get("match") or {})})
        check(fault)
    except (TypeError, ValueError) as error:
        raise Refused(f"The fault cannot be read ({error}): correct it.") from error
    return fault
