"""Every error that `tier1` raises deliberately, and the exit code with which it ends a command.

    Tier1Error                     1    a bug in tier1, unless a subclass below applies
    ├── Refused                    2    nothing was changed
    │   ├── SpecError              2    the spec is not valid, or cannot be deployed
    │   ├── ConfigurationError     2    a setting or environment variable is not valid
    │   ├── SchemaError            2    the database schema does not match this version of tier1
    │   └── NameInUse              2    an existing deployment has this name
    ├── DrivenByAnother            6    another running process holds the lock of the deployment
    │   └── LeaseLost              6    this process lost its lock to another one
    ├── Blocked                    7    no access to AWS: credentials, account, endpoint
    │   └── DatabaseBehind         7    this database is older than what exists in AWS
    ├── NoSuchDeployment           8    the database has no such deployment
    ├── DatabaseUnavailable        9    the database could not be reached or written
    ├── Interrupted              130    stopped by a signal; resumable
    ├── InvalidMove                1    the state machine has no such transition
    └── CallError                  -    one AWS call failed; the engine decides what to do

The message of an error is one sentence for the operator: what happened, and what to do.
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
    """The spec is not valid, or cannot be deployed."""


class ConfigurationError(Refused):
    """A setting or an environment variable is not valid."""


class SchemaError(Refused):
    """The database schema does not match this version of tier1."""


class NameInUse(Refused):
    """An existing deployment in this account and region has this name."""


class DrivenByAnother(Tier1Error):
    """Another running process holds the lock of the deployment.

    `driver` describes that process without advice, for callers that only report it.
    """

    exit_code = 6

    def __init__(self, message: str, driver: str = "another process") -> None:
        super().__init__(message)
        self.driver = driver


class LeaseLost(DrivenByAnother):
    """This process lost its lock on the deployment to another one."""


class Blocked(Tier1Error):
    """No access to AWS: credentials, account or endpoint."""

    exit_code = 7


class DatabaseBehind(Blocked):
    """This database is a copy or a backup from before the deployment's last changes."""


class NoSuchDeployment(Tier1Error):
    """The database has no such deployment."""

    exit_code = 8


class DatabaseUnavailable(Tier1Error):
    """The database could not be reached or written."""

    exit_code = 9


class Interrupted(Tier1Error):
    """A signal asked this process to stop; the deployment can be resumed."""

    exit_code = 130


class InvalidMove(Tier1Error):
    """The state machine has no such transition."""


class Acted(StrEnum):
    """Whether AWS may have executed a call that failed."""

    REFUSED = "refused"  # certainly not: it was never sent, or AWS refused it
    UNKNOWN = "unknown"  # perhaps: timeout, reset, server error, unreadable reply


class CallError(Tier1Error):
    """One AWS call failed. Raised by a `Cloud`, classified by `failures.calls.judge`.

    Args:
        code: AWS's error code, or one of tier1's for a call without a readable reply
            (`ConnectionRefused`, `ConnectionReset`, `CallTimeout`, `UnreadableReply`, `NoCredentials`,
            `PermitRefused`).
        message: AWS's message; shown, never matched.
        operation: the API operation, e.g. `CreateVpc`.
        acted: whether AWS may have executed it.
        request_id: AWS's request id, if there was a reply.
        http_status: the HTTP status of the reply, if there was one.
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
