"""The tasks in a decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

IDENTITY = "(identity)"
CENSUS = "(census)"


class Do(StrEnum):
    """What a task does. `protocol.actions` has an assignment and an answer for each."""

    IDENTIFY = "identify"  # ask AWS which account this is
    REFERENCE = "reference"  # observe what the user provided
    CHECK = "check"  # run a health check
    PREPARE = "prepare"  # resolve the request as it will be sent
    CREATE = "create"  # find by key, else create
    SETTLE = "settle"  # find by key only: an earlier attempt may have acted
    OBSERVE = "observe"  # describe until ready
    CONFIGURE = "configure"  # set what differs
    ARCHIVE = "archive"  # save the console output
    DELETE = "delete"  # prove ownership, then delete
    CONFIRM = "confirm"  # check whether it is gone
    CENSUS = "census"  # list everything with this deployment's tags


REMOVALS = frozenset({Do.DELETE, Do.CONFIRM, Do.ARCHIVE, Do.CENSUS})
"""Tasks recorded as teardown in any state: provisioning also deletes duplicates."""


@dataclass(frozen=True, slots=True)
class Task:
    """One action to perform. `subject` is the name of a step or of a resource."""

    do: Do
    subject: str
