"""Every error that `tier1` raises on purpose, and the exit code it ends a command with.

    Tier1Error                     1    a defect of ours, when nothing below fits
    ├── Refused                    2    nothing was changed
    │   ├── SpecError              2    the spec asks for something that cannot be
    │   ├── ConfigurationError     2    a setting or variable that cannot be
    │   ├── SchemaError            2    the database has another schema than this program
    │   └── NameInUse              2    a living deployment has this name
    ├── DrivenByAnother            6    a live driver holds the deployment
    │   └── LeaseLost              6    we drove it, and were replaced
    ├── Blocked                    7    AWS does not let us act: credentials, account, endpoint
    ├── NoSuchDeployment           8    the database does not know it
    ├── DatabaseUnavailable        9    the database could not be reached or written
    ├── Interrupted              130    stopped by a signal; resumable
    ├── InvalidMove                1    the state table does not have this move
    └── CallError                  -    what one AWS call ran into; the engine decides what follows

The text of an error is one sentence for the operator: what happened, and what to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Tier1Error(Exception):
    """Base of all errors of this package."""

    exit_code: ClassVar[int] = 1


class Refused(Tier1Error):
    """The request was refused; nothing was changed."""

    exit_code = 2


class SpecError(Refused):
    """The spec asks for something that cannot be."""


class ConfigurationError(Refused):
    """A setting or an environment variable that cannot be."""


class SchemaError(Refused):
    """The database has another schema than this program knows."""


class NameInUse(Refused):
    """A living deployment of this account and region has the name."""


class DrivenByAnother(Tier1Error):
    """A live driver holds the deployment.

    `driver` says who, for those that do not have to do anything about it.
    """

    exit_code = 6

    def __init__(self, message: str, driver: str = "another driver") -> None:
        super().__init__(message)
        self.driver = driver


class LeaseLost(DrivenByAnother):
    """We drove the deployment and another driver has replaced us."""


class Blocked(Tier1Error):
    """AWS does not let us act: credentials, account or endpoint."""

    exit_code = 7


class NoSuchDeployment(Tier1Error):
    """The database has no such deployment."""

    exit_code = 8


class DatabaseUnavailable(Tier1Error):
    """The database could not be reached or written."""

    exit_code = 9


class Interrupted(Tier1Error):
    """A signal asked us to stop; the deployment can be resumed."""

    exit_code = 130


class InvalidMove(Tier1Error):
    """The state table has no such move."""


class Acted(StrEnum):
    """Whether AWS may have executed a call that failed."""

    REFUSED = "refused"  # provably not: it never left, or AWS answered that it would not
    UNKNOWN = "unknown"  # perhaps: time-out, reset, server error, unreadable answer


class CallError(Tier1Error):
    """One AWS call failed. Raised by a `Cloud`, judged by `failures.judge`.

    Args:
        code: AWS's error code, or one of ours for what AWS never answered
            (`ConnectionRefused`, `ConnectionReset`, `CallTimeout`, `UnreadableReply`, `NoCredentials`,
            `PermitRefused`).
        message: AWS's words; shown, never matched.
        operation: the API operation, e.g. `CreateVpc`.
        acted: whether AWS may have executed it.
        request_id: AWS's request id, when there was a reply.
        http_status: of the reply, when there was one.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        operation: str,
        acted: Acted = Acted.REFUSED,
        request_id: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(f"{operation}: {code}: {message}")
        self.code = code
        self.message = message
        self.operation = operation
        self.acted = acted
        self.request_id = request_id
        self.http_status = http_status
