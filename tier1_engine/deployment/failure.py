"""Errors as values: the last error of a step or resource, and the failure of a deployment.

Owns what is recorded of an error and its stored form. It does not judge: `failures` decides what an error
means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tier1_engine.deployment.states import FailureClass

BLOCKED_BY = "BlockedBy"
"""The code of a resource whose deletion is blocked by others that could not be deleted."""


@dataclass(frozen=True, slots=True)
class Error:
    """The last error of a step or resource.

    Attributes:
        code: the error code, AWS's or tier1's own.
        message: the message, AWS's or tier1's own, with secrets masked.
        operation: the API operation that failed, such as `CreateVpc`; None if there was no call.
        request_id: AWS's id of that call, if it replied.
        failure_class: for a step, what the error means for the deployment.
        stuck: for a resource, that this run gave up deleting it.
        console: for a failed check, the end of the console output, if it was read.
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
        """Read the stored form; older versions omitted unknown fields."""
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
        """Return the stored form, with `class`, `console` and `stuck` only if they are set."""
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
    """Why provisioning failed or a teardown cannot complete. It remains recorded after a rollback.

    Attributes:
        step: the step that failed, if any.
        at: the time, aware, in UTC.
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
        """Read the stored form."""
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
        """Return the stored form."""
        return {
            "step": self.step,
            "class": self.failure_class.value,
            "code": self.code,
            "message": self.message,
            "operation": self.operation,
            "request_id": self.request_id,
            "at": self.at.isoformat(),
        }
