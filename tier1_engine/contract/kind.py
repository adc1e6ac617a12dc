"""The contract of a resource kind and of a health check, and the registry that holds them.

A kind is one small module under `resources/`, a check one under `checks/`. They define the AWS calls and
interpret the replies. They never decide what happens next, never wait, never retry and never write to the
database. The engine uses them only through this contract, so that it also runs on a simulated cloud, and
so that users can register their own kinds and checks through entry points.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.manual import Recipe
from tier1_engine.contract.price import UNKNOWN_PRICE, Price
from tier1_engine.contract.remedy import Remedies, plain_fields
from tier1_engine.errors import Refused

TAG_DATABASE = "tier1:database"
TAG_DEPLOYMENT = "tier1:deployment"
TAG_RESOURCE = "tier1:resource"
RESOURCE_ID_CHARACTERS = 32
"""The most that `tier1:resource` holds on an owned object; a longer value is somebody else's."""
TAG_NAME = "tier1:name"
DEPLOYMENT_PROOF = (TAG_DATABASE, TAG_DEPLOYMENT)
"""The tags that together prove that a deployment created an object."""
RESOURCE_PROOF = (*DEPLOYMENT_PROOF, TAG_RESOURCE)
"""The tags that together prove that a deployment created an object for one of its resources."""
RESERVED_TAG_PREFIXES = ("tier1:", "aws:")
IAM_PATH = "/tier1/"
COMPANIONS = "companions"
"""The fact with the AWS ids, by kind, of what AWS made together with an object."""
FORMER_COMPANIONS = "former_companions"
"""The same of the objects that a resource had before and that are gone: an earlier candidate, for example."""
CONSOLE_FACT = "console"
"""The fact in which a permanently failed check returns the end of the console output, if it read it."""


class Presence(StrEnum):
    """The state of one object as observed in AWS."""

    ABSENT = "absent"  # AWS does not show it
    PENDING = "pending"  # exists, not ready yet
    UNSET = "unset"  # exists, its configuration differs from the request
    READY = "ready"  # exists, configured as requested
    BROKEN = "broken"  # exists, will never be ready: must be deleted
    LEAVING = "leaving"  # being deleted
    GONE = "gone"  # AWS still shows it, as ended, like a terminated instance
    UNKNOWN = "unknown"  # checks only: this endpoint cannot answer


DEAD = frozenset({Presence.BROKEN, Presence.LEAVING, Presence.GONE})
"""The states that end an attempt. They never count as absent for settling or for a census."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem, with AWS's message or tier1's own."""

    code: str
    message: str
    operation: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one read, or the reply to a create, showed.

    Attributes:
        aws_id: the id that the kind's calls use; empty if absent.
        arn: the ARN, if the kind has one.
        tags: the tags that AWS shows now, which prove ownership.
        facts: what later steps and the outputs need (`{"public_ip": ...}`); JSON values only.
        key: the idempotency key of its create, if AWS shows it.
        made_at: the creation time in ISO 8601, if AWS shows it; of several objects the oldest is adopted.
        problem: why it is broken, leaving or gone; for a check, why it does not pass yet.
        unset: the names of the settings that differ from the request.
    """

    presence: Presence
    aws_id: str = ""
    arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    made_at: str | None = None
    problem: Problem | None = None
    unset: tuple[str, ...] = ()

    @property
    def dead(self) -> bool:
        return self.presence in DEAD


ABSENT = Observation(Presence.ABSENT)


@dataclass(frozen=True, slots=True)
class Target:
    """The AWS object that a kind operates on.

    Attributes:
        deployment_id: its deployment.
        resource_id: the value of its `tier1:resource` tag.
        step: the name of its step (`subnet-a`).
        tags: exactly the tags that an owned object carries.
        request: the request that `Kind.request` resolved, as stored in the database.
        key: the idempotency key of this attempt: resource id, generation, candidate. At most 64 characters.
        candidate: the index of the request's candidate that this attempt asks for.
        aws_id: the AWS id, once known.
        facts: the facts of the last observation.
    """

    deployment_id: str
    resource_id: str
    step: str
    tags: Mapping[str, str]
    request: Mapping[str, Any]
    key: str
    candidate: int = 0
    aws_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holder:
    """What keeps a resource from being deleted.

    Attributes:
        what: its name for people, with its id (`VPC endpoint vpce-0abc (com.amazonaws.us-east-1.s3)`).
        command: the `aws` command line that removes it, without region and profile; empty if none is known.
        leaves: whether AWS deletes it by itself, so that waiting helps.
    """

    what: str
    command: str = ""
    leaves: bool = False


class Kind(ABC):
    """One kind of AWS resource: everything that tier1 knows about it.

    A kind defines a `name`, the seven abstract methods, and the `iam_actions` that their calls need.
    Everything else has a suitable default. The step (`StepPlan`), not the kind, defines the phase, the
    deadline, and what a failure means for the deployment.

    Names:
        name: its name in plans and the database (`vpc`).
        title: its name for people (`VPC`); by default the name with spaces.

    Error codes of its calls; the common table judges all others:
        already_exists: codes of `create` after which `find` is called again.
        token_spent: codes of `create` which mean that what this key created is gone: use the next key.
        not_visible_yet: codes of any call which mean that a referenced object is too new to be visible.
        next_candidate: codes of `create`, and of a dead instance's reason, that rule out a candidate.
        not_offered: codes of `create` which refuse the place in the request: the step is left out if the
            steps that need it can do `without`.
        gone: codes of `delete` which mean that the object does not exist.
        in_use: codes of `delete` after which deletion is retried later.

    Information for people; without these, a guide explains the codes by category:
        remedies: what the codes of its calls mean and what to do, by code or `Operation/code`.
        iam_actions: the IAM actions that its calls need, for the preflight and the docs.
        implied_actions: pairs of an operation and a further IAM action that AWS checks for it.
        list_price: the price if it does not depend on the request: `FREE`, or a `Price`. Otherwise define
            `price`. The default is unknown.
        still_safe: what is safe as long as one exists, a sentence with its AWS id as `{id}` ("The files on
            {id} remain until the file system is deleted.").

    Behaviour:
        fixed: facts that no call can change after the create, each with the member of the request that set
            it (a VPC's CIDR): an object that differs is somebody else's, whatever its tags say.
        may_reference: `find` may return an object that is not owned, which is then referenced.
        holds_interfaces: network interfaces of AWS can remain in it after their owner is gone, so that a
            manual deletion may have to be repeated.
        companions: kinds of which AWS makes objects together with this one, with the same tags, and which can
            outlive it. Their ids are in its fact `COMPANIONS`; a census and a sweep look for them, too.
        archives_console: `console` returns output that is archived before a rollback deletes the object,
            because it explains the failure.
        asks_aws_for_request: `request` is defined and reads from AWS. Otherwise a step's inputs are its
            request, and its create is committed without a read before it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    already_exists: ClassVar[frozenset[str]] = frozenset()
    token_spent: ClassVar[frozenset[str]] = frozenset()
    not_visible_yet: ClassVar[frozenset[str]] = frozenset()
    next_candidate: ClassVar[frozenset[str]] = frozenset()
    not_offered: ClassVar[frozenset[str]] = frozenset()
    gone: ClassVar[frozenset[str]] = frozenset()
    in_use: ClassVar[frozenset[str]] = frozenset({"DependencyViolation"})
    remedies: ClassVar[Remedies] = {}
    iam_actions: ClassVar[tuple[str, ...]] = ()
    implied_actions: ClassVar[tuple[tuple[str, str], ...]] = ()
    list_price: ClassVar[Price] = UNKNOWN_PRICE
    still_safe: ClassVar[str] = ""
    fixed: ClassVar[Mapping[str, str]] = {}
    may_reference: ClassVar[bool] = False
    holds_interfaces: ClassVar[bool] = False
    companions: ClassVar[tuple[str, ...]] = ()
    archives_console: ClassVar[bool] = False
    asks_aws_for_request: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        _call_by_name(cls)
        if "request" in vars(cls) and not cls.asks_aws_for_request:
            raise TypeError(f"{cls.__name__} defines request: set asks_aws_for_request = True.")

    def request(self, cloud: Cloud, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Resolve a step's inputs into the request to send, for example by looking up the AMI. Read-only."""
        return dict(inputs)

    def candidates(self, request: Mapping[str, Any]) -> int:
        """Return the number of candidates of the request, which are tried in order."""
        return 1

    def candidate_name(self, request: Mapping[str, Any], candidate: int) -> str:
        """Return what people call a candidate, such as `t3.medium, us-east-1a, spot`."""
        return f"candidate {candidate + 1}"

    def without(
        self, inputs: Mapping[str, Any], missing: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str] | None:
        """Return a step's inputs without what a step with the inputs `missing` would have provided, and what
        that means, as the end of a sentence; None if it cannot do without.
        """
        return None

    def reference(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        """Read an existing resource of the user's; `inputs["reference"]` is its id. Read-only.

        Return READY with its facts if it is suitable, BROKEN with the reason if not.
        """
        raise Refused(f"A {self.title} cannot be provided by you; it is always created.")

    @abstractmethod
    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        """Return everything that any key of this resource created and AWS still shows, even if dead."""

    @abstractmethod
    def create(self, cloud: Cloud, target: Target) -> Observation:
        """Create the object with one changing call, which includes the tags if AWS accepts them there."""

    @abstractmethod
    def describe(self, cloud: Cloud, target: Target) -> Observation:
        """Read `target.aws_id`: its state, its tags, and how its configuration differs from the request."""

    def glance(self, cloud: Cloud, target: Target) -> Observation:
        """Read `target.aws_id` for its deletion: like `describe`, but the configuration does not matter.

        Override it to omit calls that only read the configuration.
        """
        return self.describe(cloud, target)

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:  # noqa: B027 - most need none
        """Apply the settings that `observation.unset` names; one that is already applied is a success."""

    @abstractmethod
    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Detach and delete the object. `observation` is the read that proved ownership."""

    @abstractmethod
    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        """Return everything of this kind that carries all of `tags`, for a census or a sweep. `tags` may be
        `{"tier1:deployment": id}` or `{"tier1:database": id}`; the value `*` matches any.
        """

    def list_beyond(
        self, cloud: Cloud, tags: Mapping[str, str], known: Mapping[str, Mapping[str, Any]]
    ) -> Sequence[Observation]:
        """Like `list_owned`, without recorded objects: `known` maps their AWS ids to their requests.

        Override it if listing needs a call per object, to omit those calls.
        """
        return [
            observation for observation in self.list_owned(cloud, tags) if observation.aws_id not in known
        ]

    def others_inside(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        """Return descriptions (`instance i-0abc`) of foreign objects inside this one. Read-only.

        A sweep does not delete an object with such contents. `ours` has every AWS id of the deployment, past
        and present.
        """
        return ()

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """Return the foreign objects that keep this one from being deleted. Read-only.

        Called after AWS has refused the deletion with a code of `in_use` for some time. `ours` is as in
        `others_inside`.
        """
        return [Holder(other) for other in self.others_inside(cloud, target, ours)]

    def left_behind(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        """Return a sentence for each foreign object that costs money once this one is deleted. Read-only.

        Called just before the deletion; the sentences become warnings of the deployment.
        """
        return ()

    def owns(self, target: Target, observation: Observation) -> bool:
        """Whether `observation` proves that this deployment created the object for this resource.

        Tags can be copied ("launch more like this"). If AWS shows the idempotency key of the create, it must
        be one of this resource's, and what no call can change must be as requested.
        """
        if observation.key is not None and not observation.key.startswith(f"{target.resource_id}-"):
            return False
        known = ((observation.facts.get(fact), target.request.get(of)) for fact, of in self.fixed.items())
        if any(None not in pair and pair[0] != pair[1] for pair in known):
            return False
        return all(observation.tags.get(tag) == target.tags[tag] for tag in RESOURCE_PROOF)

    def console(self, cloud: Cloud, target: Target) -> str:
        """Return the text to archive before deletion. Called only if `archives_console`."""
        return ""

    @abstractmethod
    def console_url(self, region: str, aws_id: str) -> str:
        """Return the URL of the object in the AWS console."""

    @abstractmethod
    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return shell-quoted `aws` command lines by purpose, without region and profile: `look` shows the
        object, `delete` lists the commands that remove it, in order, and `wait`, if something must be gone
        before the next deletion, is a command that fails once it is.
        """

    def recipe(self, target: Target) -> Recipe | None:
        """Return how a shell script finds and removes the object, or None if only a person can."""
        return None

    def price(self, request: Mapping[str, Any], candidate: int) -> Price:
        """Estimate the price of one object by list prices. Must accept an empty request."""
        return self.list_price

    def fields(self, aws_id: str | None, request: Mapping[str, Any], candidate: int) -> dict[str, str]:
        """Return the fields that remedies may use: `{vpc_id}`, and the text and numbers of the request.

        Args:
            request: the stored request, or the inputs of a step that has not begun.
        """
        own = aws_id or request.get("reference")
        return {**plain_fields(request), **({f"{self.name}_id": str(own)} if own else {})}


class Check(ABC):
    """One kind of health check. Read-only.

    `look` returns READY (passed), PENDING (not yet; `problem` says why), BROKEN (permanently failed) or
    UNKNOWN (this endpoint cannot answer: a warning, not a failure).

    Class attributes:
        name: its name in plans and the database (`http`).
        title: its name for people; by default the name with spaces.
        remedies: what its codes mean and what to do. A code that ends with a number, such as `HTTP503`, is
            also looked up without it.
        iam_actions: the IAM actions that its calls need.
        explained_by_console: whether the end of the console output may explain a failure.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    remedies: ClassVar[Remedies] = {}
    iam_actions: ClassVar[tuple[str, ...]] = ()
    explained_by_console: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        _call_by_name(cls)

    @abstractmethod
    def look(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        """Run the check once."""


def _call_by_name(cls: type[Kind | Check]) -> None:
    """Set the default title of a kind or check from its name."""
    if "name" in vars(cls) and not hasattr(cls, "title"):
        cls.title = cls.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Registry:
    """The installed kinds and checks, by name."""

    kinds: Mapping[str, Kind]
    checks: Mapping[str, Check]

    def made_by(self, kinds: Iterable[str]) -> list[Kind]:
        """Return the installed kinds of this list with their companions, by name."""
        installed = {name: self.kinds[name] for name in kinds if name in self.kinds}
        beside = {name for kind in installed.values() for name in kind.companions}
        return [self.kinds[name] for name in sorted(installed.keys() | beside) if name in self.kinds]
