"""The tasks that a decision hands out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

IDENTITY = "(identity)"
CENSUS = "(census)"


class Do(StrEnum):
    """What one task does. `protocol.actions` has a pair of values for each."""

    IDENTIFY = "identify"  # ask AWS which account this is
    REFERENCE = "reference"  # look at what the user brought
    CHECK = "check"  # run a health check
    PREPARE = "prepare"  # resolve the request as it will be sent
    CREATE = "create"  # find by key, else create
    SETTLE = "settle"  # find by key only: an earlier try may have acted
    OBSERVE = "observe"  # describe until ready
    CONFIGURE = "configure"  # set what differs
    ARCHIVE = "archive"  # keep the console output
    DELETE = "delete"  # prove it ours, then delete
    CONFIRM = "confirm"  # look whether it is gone
    CENSUS = "census"  # list everything of this deployment


REMOVALS = frozenset({Do.DELETE, Do.CONFIRM, Do.ARCHIVE, Do.CENSUS})
"""What belongs to a teardown, whatever the state: duplicates are deleted in provisioning too."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to perform. `subject` is the name of a step or a resource."""

    do: Do
    subject: str
