"""Errors as values: what a step or a resource last ran into, and what ended provisioning.

Owns what is kept of an error and the form in which the database keeps it. It judges nothing: what an error
means is said in `failures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tier1_engine.deployment.states import FailureClass

BLOCKED_BY = "BlockedBy"
"""The code of a resource that could be deleted, were it not for others that could not."""


@dataclass(frozen=True, slots=True)
class Error:
    """What a step or a resource last ran into.

    Attributes:
        code: AWS's error code, or one of ours.
        message: AWS's words or ours, with secrets masked.
        operation: the AWS operation that was refused, e.g. `CreateVpc`; None where no call was.
        request_id: AWS's id of that call, where it answered.
        failure_class: of a step's error, what it means for the deployment.
        stuck: of a resource's error, its deletion was given up for this time.
        console: of a failed check, the end of the instance's console, where it read it.
    """

    code: str
    message: str
    operation: str | None = None
    request_id: str | None = None
    failure_class: FailureClass | None = None
    stuck: bool = False
    console: str = ""

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Error:
        """The error that the database keeps as `stored`; older versions left out what was not known."""
        failure_class = stored.get("class")
        return cls(
            code=stored["code"],
            message=stored["message"],
            operation=stored.get("operation"),
            request_id=stored.get("request_id"),
            failure_class=None if failure_class is None else FailureClass(failure_class),
            stuck=bool(stored.get("stuck")),
            console=stored.get("console", ""),
        )

    def to_stored(self) -> dict[str, Any]:
        """What the database keeps: `class`, `console` and `stuck` only where they say something."""
        stored: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "operation": self.operation,
            "request_id": self.request_id,
        }
        if self.failure_class is not None:
            stored["class"] = self.failure_class.value
        if self.console:
            stored["console"] = self.console
        if self.stuck:
            stored["stuck"] = True
        return stored


@dataclass(frozen=True, slots=True)
class Failure:
    """The cause that ended provisioning, or keeps a teardown from its end. It outlives what follows from it.

    Attributes:
        step: where it was met; None when at none.
        at: when, in aware UTC.
    """

    step: str | None
    failure_class: FailureClass
    code: str
    message: str
    operation: str | None
    request_id: str | None
    at: datetime

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Failure:
        """The failure that the database keeps as `stored`."""
        return cls(
            step=stored["step"],
            failure_class=FailureClass(stored["class"]),
            code=stored["code"],
            message=stored["message"],
            operation=stored["operation"],
            request_id=stored["request_id"],
            at=datetime.fromisoformat(stored["at"]),
        )

    def to_stored(self) -> dict[str, Any]:
        """What the database keeps."""
        return {
            "step": self.step,
            "class": self.failure_class.value,
            "code": self.code,
            "message": self.message,
            "operation": self.operation,
            "request_id": self.request_id,
            "at": self.at.isoformat(),
        }
