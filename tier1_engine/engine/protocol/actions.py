"""What a worker is asked to do and what it brings back: one pair of values for each action.

An assignment holds everything that its action needs, so that a worker reads no record and no database; an
answer holds its assignment, so that whoever records it needs nothing else. They decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tier1_engine.contract.kind import Check as HealthCheck
from tier1_engine.contract.kind import Kind, Observation, Target
from tier1_engine.deployment.states import Action
from tier1_engine.engine.tasks import CENSUS, IDENTITY, Do
from tier1_engine.errors import CallError

# --- before there is a resource


@dataclass(frozen=True, slots=True)
class Identify:
    """Ask AWS which account this is."""

    do: ClassVar = Do.IDENTIFY
    action: ClassVar = Action.DESCRIBE
    subject: str = IDENTITY


@dataclass(frozen=True, slots=True)
class Identified:
    """AWS said which account it is."""

    asked: Identify
    account_id: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Look at what the user brought."""

    do: ClassVar = Do.REFERENCE
    action: ClassVar = Action.DESCRIBE
    subject: str
    kind: Kind
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Referenced:
    """What AWS shows of it."""

    asked: Reference
    seen: Observation


@dataclass(frozen=True, slots=True)
class Check:
    """Run a health check."""

    do: ClassVar = Do.CHECK
    action: ClassVar = Action.CHECK
    subject: str
    check: HealthCheck
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check saw."""

    asked: Check
    seen: Observation


@dataclass(frozen=True, slots=True)
class Prepare:
    """Resolve the request as it will be sent."""

    do: ClassVar = Do.PREPARE
    action: ClassVar = Action.DESCRIBE
    subject: str
    kind: Kind
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The request as it will be sent."""

    asked: Prepare
    request: Mapping[str, Any]


# --- on a resource


@dataclass(frozen=True, slots=True)
class _OnResource:
    """The resource: its name, the id of its row, its kind, and itself as the kind sees it."""

    action: ClassVar = Action.DESCRIBE
    subject: str
    resource_id: str
    kind: Kind
    target: Target


@dataclass(frozen=True, slots=True)
class Made:
    """A create was sent, and AWS made it."""

    seen: Observation


@dataclass(frozen=True, slots=True)
class Found:
    """The object that counts, and others of ours that the same look showed."""

    seen: Observation
    duplicates: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """What this key made is on its way out or gone."""

    seen: Observation


@dataclass(frozen=True, slots=True)
class Create(_OnResource):
    """Find by key, else create.

    Attributes:
        elsewhere: AWS ids that other rows of the deployment hold; never adopted for this one.
    """

    do: ClassVar = Do.CREATE
    action: ClassVar = Action.CREATE
    attempt_id: str
    elsewhere: frozenset[str]


@dataclass(frozen=True, slots=True)
class Created:
    """What became of a create."""

    asked: Create
    outcome: Made | Found | Spent


@dataclass(frozen=True, slots=True)
class Settle(_OnResource):
    """Find by key only: an earlier attempt may have acted. `elsewhere` as of `Create`."""

    do: ClassVar = Do.SETTLE
    elsewhere: frozenset[str]


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found by key; None: nothing."""

    asked: Settle
    outcome: Found | Spent | None


@dataclass(frozen=True, slots=True)
class Observe(_OnResource):
    """Describe it, until it is ready."""

    do: ClassVar = Do.OBSERVE


@dataclass(frozen=True, slots=True)
class Observed:
    """What AWS shows of it."""

    asked: Observe
    seen: Observation


@dataclass(frozen=True, slots=True)
class Configure(_OnResource):
    """Set what differs in what was `seen`, then look."""

    do: ClassVar = Do.CONFIGURE
    action: ClassVar = Action.CONFIGURE
    attempt_id: str
    seen: Observation


@dataclass(frozen=True, slots=True)
class Configured:
    """It was set; `seen` is None where the look after it failed."""

    asked: Configure
    seen: Observation | None


@dataclass(frozen=True, slots=True)
class Archive(_OnResource):
    """Keep the console output."""

    do: ClassVar = Do.ARCHIVE
    action: ClassVar = Action.ARCHIVE
    attempt_id: str


@dataclass(frozen=True, slots=True)
class Archived:
    """The console output; empty where there is none."""

    asked: Archive
    text: str


@dataclass(frozen=True, slots=True)
class Delete(_OnResource):
    """Prove it ours, then delete.

    Attributes:
        ours: where it must be looked inside first: every id that the deployment has or had.
    """

    do: ClassVar = Do.DELETE
    action: ClassVar = Action.DELETE
    attempt_id: str
    ours: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was seen before; `accepted`: the call was made, and AWS accepted it."""

    asked: Delete
    seen: Observation
    accepted: bool


@dataclass(frozen=True, slots=True)
class Confirm(_OnResource):
    """Look whether it is gone."""

    do: ClassVar = Do.CONFIRM


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What AWS shows of it."""

    asked: Confirm
    seen: Observation


# --- on a deployment


@dataclass(frozen=True, slots=True)
class Census:
    """List everything that carries the tags.

    Attributes:
        known: AWS ids that need not be looked at, each with its request.
    """

    do: ClassVar = Do.CENSUS
    action: ClassVar = Action.CENSUS
    kinds: tuple[Kind, ...]
    tags: Mapping[str, str]
    known: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    subject: str = CENSUS


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything seen, each with the name of its kind, and the titles of kinds that AWS cannot list here."""

    asked: Census
    seen: tuple[tuple[str, Observation], ...]
    unlisted: tuple[str, ...] = ()


# --- together

Recorded = Create | Configure | Archive | Delete
"""What changes something (or replaces a chance that will not come again) has an attempt on disk before it."""
OnResource = Recorded | Settle | Observe | Confirm
Assignment = Identify | Reference | Check | Prepare | OnResource | Census


@dataclass(frozen=True, slots=True)
class Failed:
    """What the last call ran into. `in_change`: it was one that changes something; AWS may have acted."""

    asked: Assignment
    error: CallError
    in_change: bool = False


Result = (
    Identified
    | Referenced
    | Checked
    | Prepared
    | Created
    | Settled
    | Observed
    | Configured
    | Archived
    | Deleted
    | Confirmed
    | Listed
    | Failed
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, with the last call that changes something and the request id of AWS's reply to it."""

    result: Result
    operation: str | None = None
    request_id: str | None = None

    @property
    def asked(self) -> Assignment:
        return self.result.asked


def kind_of(assignment: Assignment) -> Kind | None:
    """The kind that is asked, where it is one."""
    match assignment:
        case Identify() | Check() | Census():
            return None
    return assignment.kind
