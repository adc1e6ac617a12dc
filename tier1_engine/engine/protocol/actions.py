"""The assignments of workers and their results: one pair of values for each action.

An assignment holds everything that its action needs, so that a worker reads no record and no database. A
result holds its assignment, so that recording it needs nothing else. They decide nothing.
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
    """The account that AWS reported."""

    asked: Identify
    account_id: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Observe the resource that the user provided."""

    do: ClassVar = Do.REFERENCE
    action: ClassVar = Action.DESCRIBE
    subject: str
    kind: Kind
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Referenced:
    """The observation of a provided resource."""

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
    """The observation of a health check."""

    asked: Check
    seen: Observation


@dataclass(frozen=True, slots=True)
class Prepare:
    """Resolve the request of a create."""

    do: ClassVar = Do.PREPARE
    action: ClassVar = Action.DESCRIBE
    subject: str
    kind: Kind
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The resolved request."""

    asked: Prepare
    request: Mapping[str, Any]


# --- on a resource


@dataclass(frozen=True, slots=True)
class _OnResource:
    """An action on a resource.

    Attributes:
        subject: the name of the resource. resource_id: the id of its row.
        target: the resource as its kind sees it.
    """

    action: ClassVar = Action.DESCRIBE
    subject: str
    resource_id: str
    kind: Kind
    target: Target


@dataclass(frozen=True, slots=True)
class Made:
    """AWS accepted the create and returned the new resource."""

    seen: Observation


@dataclass(frozen=True, slots=True)
class Found:
    """The object to use, and the owned duplicates that the same search returned.

    Attributes:
        foreign: whether it is not owned, so that it is referenced instead of adopted.
    """

    seen: Observation
    duplicates: tuple[Observation, ...] = ()
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class TokenSpent:
    """The object that this key created is being deleted or is gone."""

    seen: Observation


@dataclass(frozen=True, slots=True)
class Create(_OnResource):
    """Find by key, else create.

    Attributes:
        elsewhere: AWS ids in other rows of the deployment; never adopted for this one.
        recorded: AWS ids that earlier creates of this resource returned.
        unaccounted: how many of its earlier creates may have made an object that is not on record.
    """

    do: ClassVar = Do.CREATE
    action: ClassVar = Action.CREATE
    attempt_id: str
    elsewhere: frozenset[str]
    recorded: frozenset[str] = frozenset()
    unaccounted: int = 0


@dataclass(frozen=True, slots=True)
class Created:
    """The result of a create."""

    asked: Create
    outcome: Made | Found | TokenSpent


@dataclass(frozen=True, slots=True)
class Settle(_OnResource):
    """Find by key only: an earlier attempt may have acted. For the attributes see `Create`."""

    do: ClassVar = Do.SETTLE
    elsewhere: frozenset[str]
    recorded: frozenset[str] = frozenset()
    unaccounted: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of a search by key; None if nothing was found."""

    asked: Settle
    outcome: Found | TokenSpent | None


@dataclass(frozen=True, slots=True)
class Observe(_OnResource):
    """Describe the resource once; repeated until it is ready."""

    do: ClassVar = Do.OBSERVE


@dataclass(frozen=True, slots=True)
class Observed:
    """The observation of a resource."""

    asked: Observe
    seen: Observation


@dataclass(frozen=True, slots=True)
class Configure(_OnResource):
    """Set what differs in the observation `seen`, then describe the resource."""

    do: ClassVar = Do.CONFIGURE
    action: ClassVar = Action.CONFIGURE
    attempt_id: str
    seen: Observation


@dataclass(frozen=True, slots=True)
class Configured:
    """The configuration was set; `seen` is None if describing the resource afterwards failed."""

    asked: Configure
    seen: Observation | None


@dataclass(frozen=True, slots=True)
class Archive(_OnResource):
    """Save the console output."""

    do: ClassVar = Do.ARCHIVE
    action: ClassVar = Action.ARCHIVE
    attempt_id: str


@dataclass(frozen=True, slots=True)
class Archived:
    """The console output; empty if there is none."""

    asked: Archive
    text: str


@dataclass(frozen=True, slots=True)
class Delete(_OnResource):
    """Prove ownership, then delete.

    Attributes:
        ours: every id that the deployment has or had.
        observes_within: whether to look for foreign objects inside first, and then to delete nothing.
        names_holders: whether to look for what holds it if AWS refuses because it is in use.
    """

    do: ClassVar = Do.DELETE
    action: ClassVar = Action.DELETE
    attempt_id: str
    ours: frozenset[str]
    observes_within: bool
    names_holders: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """The observation before a delete.

    Attributes:
        accepted: whether the call was sent and AWS accepted it.
        left_behind: what of others costs money from now on, a sentence each.
    """

    asked: Delete
    seen: Observation
    accepted: bool
    left_behind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirm(_OnResource):
    """Check whether the resource is gone."""

    do: ClassVar = Do.CONFIRM


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The observation after a delete."""

    asked: Confirm
    seen: Observation


# --- on a deployment


@dataclass(frozen=True, slots=True)
class Census:
    """List everything with the deployment's tags.

    Attributes:
        known: AWS ids that need no observation, each with its request.
    """

    do: ClassVar = Do.CENSUS
    action: ClassVar = Action.CENSUS
    kinds: tuple[Kind, ...]
    tags: Mapping[str, str]
    known: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    subject: str = CENSUS


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything listed, each with its kind's name; `unlisted`: titles of kinds that cannot be listed."""

    asked: Census
    seen: tuple[tuple[str, Observation], ...]
    unlisted: tuple[str, ...] = ()


# --- together

Recorded = Create | Configure | Archive | Delete
"""Actions whose attempt is on disk before they start: they change something, or cannot be repeated later."""
OnResource = Recorded | Settle | Observe | Confirm
Assignment = Identify | Reference | Check | Prepare | OnResource | Census


@dataclass(frozen=True, slots=True)
class Failed:
    """The error of the last call.

    Attributes:
        in_change: it was a mutating call, so AWS may have acted.
        held: whether a foreign object keeps the resource in use that does not leave by itself.
    """

    asked: Assignment
    error: CallError
    in_change: bool = False
    held: bool = False


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
    """A result, with the last mutating call and the request id of AWS's reply to it."""

    result: Result
    operation: str | None = None
    request_id: str | None = None

    @property
    def asked(self) -> Assignment:
        return self.result.asked


def kind_of(assignment: Assignment) -> Kind | None:
    """Return the kind that performs the assignment, if one does."""
    match assignment:
        case Identify() | Check() | Census():
            return None
    return assignment.kind
