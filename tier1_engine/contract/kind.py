"""The contract of a resource kind and of a health check, and the registry that finds them.

A kind is one small file under `resources/`, a check one under `checks/`. They say what AWS is asked
and how its answers read; they never decide what happens next, never wait, never retry and never
write to the database. The engine knows them by this contract only, so it runs as well on a
simulated cloud, and a user can register kinds and checks of their own through entry points.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
TAG_NAME = "tier1:name"
DEPLOYMENT_PROOF = (TAG_DATABASE, TAG_DEPLOYMENT)
"""The tags that together prove that a deployment made a thing."""
RESOURCE_PROOF = (*DEPLOYMENT_PROOF, TAG_RESOURCE)
"""The tags that together prove that a deployment made a thing for one resource of its own."""
RESERVED_TAG_PREFIXES = ("tier1:", "aws:")
IAM_PATH = "/tier1/"
CONSOLE_FACT = "console"
"""The fact in which a check that failed for good gives the end of the instance's console, if it read it."""


class Presence(StrEnum):
    """What a look at AWS showed of one object."""

    ABSENT = "absent"  # AWS does not show it
    PENDING = "pending"  # there, and not ready yet
    UNSET = "unset"  # there, and its configuration is not yet what is wanted
    READY = "ready"  # there, with the configuration that is wanted
    BROKEN = "broken"  # there, and will never be ready: must be deleted
    LEAVING = "leaving"  # its deletion is under way
    GONE = "gone"  # AWS still shows it, as ended (a terminated instance)
    UNKNOWN = "unknown"  # a check only: this endpoint cannot say


DEAD = frozenset({Presence.BROKEN, Presence.LEAVING, Presence.GONE})
"""What ends an attempt: it never counts as absent for settling or for a census."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, in AWS's words or ours."""

    code: str
    message: str
    operation: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look (or the reply of a create) showed.

    Attributes:
        aws_id: the id by which the kind's calls name it; empty when absent.
        arn: where the kind has one.
        tags: as AWS shows them now; ownership is proved by these.
        facts: what later steps and the outputs need (`{"public_ip": ...}`); JSON values only.
        key: the idempotency key that it was made with, where AWS shows it.
        made_at: ISO 8601, where AWS shows it; the oldest of several hits is adopted.
        problem: why it is broken, leaving or gone; for a check, why it does not pass yet.
        unset: the names of the configurations that are not yet as wanted.
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
    """The one AWS object that a kind is asked about.

    Attributes:
        deployment_id: whose it is.
        resource_id: the value of its `tier1:resource` tag.
        step: the name of its step (`subnet-a`).
        tags: exactly the tags that ours carries.
        request: what it should be, as `Kind.request` resolved it and the database keeps it.
        key: the idempotency key of this try: resource id, generation, candidate. At most 64 characters.
        candidate: which of the request's candidates this try asks for.
        aws_id: once known.
        facts: as last seen.
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


class Kind(ABC):
    """One kind of AWS resource: all that this program knows of it, in one place.

    A kind has a `name`, the seven abstract methods, and the `iam_actions` that their calls need. Everything
    else has a default that is right for a kind that says nothing of it. What a failed step means for the
    deployment, how long it may take and in which phase it stands is not the kind's: the step says that
    (`StepPlan`).

    What it is called:
        name: how plans and the database call it (`vpc`).
        title: how a person calls it (`VPC`); by default the name with spaces.

    What the codes mean that its calls are answered with; any other code is judged by the common table:
        already_exists: codes of `create` that lead back to `find`.
        token_spent: codes of `create` that say that what this key made is gone: the next key makes another.
        not_visible_yet: codes of any call that mean "what it refers to is too young to be seen".
        next_candidate: codes of `create` (and of a dead instance's reason) that end a candidate.
        gone: codes of `delete` that mean that nothing is there.
        in_use: codes of `delete` that are waited out.

    What a person is told; a kind without these is still guided, by what each code is about:
        remedies: what the codes of its own calls mean and what to do, by code or `Operation/code`.
        iam_actions: the IAM actions that its calls need, for the preflight and the docs.
        implied_actions: pairs of an operation and an IAM action that AWS checks within it besides its own.
        list_price: what one costs whatever was asked for: `FREE`, or a `Price`. Where that depends on the
            request, define `price`. By default nobody knows.
        still_safe: what is safe as long as one exists, a sentence with its AWS id as `{id}` ("The files on
            {id} remain until the file system is deleted.").

    How it behaves:
        may_reference: `find` may answer with something that is not ours, which is then referenced.
        holds_interfaces: interfaces of AWS's own linger in it when what they belonged to is gone: who deletes
            it by hand asks again.
        archives_console: `console` answers what should be kept before a rollback deletes it, and explains
            why it failed.
        asks_aws_for_request: `request` is defined, and looks things up at AWS. Otherwise the inputs of a step
            are its request as they stand, and its create is committed without a look before it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    already_exists: ClassVar[frozenset[str]] = frozenset()
    token_spent: ClassVar[frozenset[str]] = frozenset()
    not_visible_yet: ClassVar[frozenset[str]] = frozenset()
    next_candidate: ClassVar[frozenset[str]] = frozenset()
    gone: ClassVar[frozenset[str]] = frozenset()
    in_use: ClassVar[frozenset[str]] = frozenset({"DependencyViolation"})
    remedies: ClassVar[Remedies] = {}
    iam_actions: ClassVar[tuple[str, ...]] = ()
    implied_actions: ClassVar[tuple[tuple[str, str], ...]] = ()
    list_price: ClassVar[Price] = UNKNOWN_PRICE
    still_safe: ClassVar[str] = ""
    may_reference: ClassVar[bool] = False
    holds_interfaces: ClassVar[bool] = False
    archives_console: ClassVar[bool] = False
    asks_aws_for_request: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        _call_by_name(cls)
        if "request" in vars(cls) and not cls.asks_aws_for_request:
            raise TypeError(f"{cls.__name__} defines request: set asks_aws_for_request = True.")

    def request(self, cloud: Cloud, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Resolve a step's inputs into the request as it will be sent (AMI looked up). Reads only."""
        return dict(inputs)

    def candidates(self, request: Mapping[str, Any]) -> int:
        """How many candidates the request has, tried in order."""
        return 1

    def reference(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        """Look at a resource that the user brought (`inputs["reference"]` is its id). Reads only.

        READY with its facts when it will do, BROKEN with the reason when it will not.
        """
        raise Refused(f"A {self.title} cannot be provided by you; it is always created.")

    @abstractmethod
    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        """Everything that any key of this resource made and AWS still shows, dead ones included."""

    @abstractmethod
    def create(self, cloud: Cloud, target: Target) -> Observation:
        """Make it, with our tags in the same call where AWS takes them. Exactly one changing call."""

    @abstractmethod
    def describe(self, cloud: Cloud, target: Target) -> Observation:
        """Look at `target.aws_id`: its state, its tags, its configuration against the request."""

    def glance(self, cloud: Cloud, target: Target) -> Observation:
        """Look at `target.aws_id` for its deletion: as `describe`, whatever its configuration is.

        A kind that must ask for its configuration by calls of their own leaves them out.
        """
        return self.describe(cloud, target)

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:  # noqa: B027 - most need none
        """Set whatever `observation.unset` names; already so is success."""

    @abstractmethod
    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Take it out of use and delete it. `observation` is the look that proved it ours."""

    @abstractmethod
    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        """Everything of this kind that carries all of `tags` (a census, a sweep). `tags` may be of
        the form `{"tier1:deployment": id}` or `{"tier1:database": id}`; a value `*` means any.
        """

    def list_beyond(
        self, cloud: Cloud, tags: Mapping[str, str], known: Mapping[str, Mapping[str, Any]]
    ) -> Sequence[Observation]:
        """As `list_owned`, without those on record: `known` has their AWS ids, each with its request.

        A kind that must ask for each object by itself does not ask for those.
        """
        return [
            observation for observation in self.list_owned(cloud, tags) if observation.aws_id not in known
        ]

    def others_inside(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        """What stands inside it and is not this deployment's, in words (`instance i-0abc`). Reads only.

        A sweep then leaves it alone. `ours` has every AWS id that the deployment has or had.
        """
        return ()

    def owns(self, target: Target, observation: Observation) -> bool:
        """Whether `observation` proves that this deployment made it for this resource.

        Tags can be copied (the console's "launch more like this" does): where AWS shows the key that it
        was made with, that must be one of this resource's too.
        """
        if observation.key is not None and not observation.key.startswith(f"{target.resource_id}-"):
            return False
        return all(observation.tags.get(tag) == target.tags[tag] for tag in RESOURCE_PROOF)

    def console(self, cloud: Cloud, target: Target) -> str:
        """The text to archive before it is deleted. Only where `archives_console`."""
        return ""

    @abstractmethod
    def console_url(self, region: str, aws_id: str) -> str:
        """Where the AWS console shows it."""

    @abstractmethod
    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        """`aws` command lines by purpose, without region and profile: `look` to see it,
        `delete` for each command, in order, that removes it (a list of shell-quoted lines), and
        `wait`, where something must be gone before the next can go, for a line that fails once it is.
        """

    def recipe(self, target: Target) -> Recipe | None:
        """How a shell script finds and removes it; None where only a person can."""
        return None

    def price(self, request: Mapping[str, Any], candidate: int) -> Price:
        """What one costs while it exists, an estimate by list prices; an empty request is answered too."""
        return self.list_price

    def fields(self, aws_id: str | None, request: Mapping[str, Any], candidate: int) -> dict[str, str]:
        """What remedies may name of one: `{vpc_id}`, and the words and numbers of its request.

        Args:
            request: as the database keeps it, or the inputs of a step that has not begun.
        """
        own = aws_id or request.get("reference")
        return {**plain_fields(request), **({f"{self.name}_id": str(own)} if own else {})}


class Check(ABC):
    """One kind of health check. It only observes.

    `look` answers READY (passed), PENDING (not yet, `problem` says why), BROKEN (failed for good) or
    UNKNOWN (this endpoint cannot say: a warning, no failure).

    Class attributes:
        name: how plans and the database call it (`http`).
        title: how a person calls it; by default the name with spaces.
        remedies: what its codes mean and what to do. One that ends with a number, such as `HTTP503`, is
            looked up without it, too.
        iam_actions: the IAM actions that its calls need.
        explained_by_console: the end of the instance's console may say why it failed.
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
        """Look once."""


def _call_by_name(cls: type[Kind | Check]) -> None:
    """Give a kind or check that has no title its name as one."""
    if "name" in vars(cls) and not hasattr(cls, "title"):
        cls.title = cls.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Registry:
    """What this program knows to make and to check, by name."""

    kinds: Mapping[str, Kind]
    checks: Mapping[str, Check]
