"""Batches concurrent reads of AWS into one call. Read-only.

A sweep works on many deployments concurrently and must read each resource again just before deleting it.
That would be one call per resource. Here, callers that wait for the same kind of result share one call,
through EC2's filters or a list operation of EFS or IAM.

Nothing is cached. A call serves only callers that asked before it began, so each result is as fresh as
the caller's own call would be: newer than the intent of the deletion that it proves. A shared call names
no object in a way that AWS could answer with NotFound; an object that the result lacks is absent, as in
any list. A throttled or interrupted call fails for all who share it. After any other failure each caller
makes its own call, so that no caller mistakes another's error for the absence of its own object.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tier1_engine.contract.cloud import Cloud, Permit, Reply
from tier1_engine.deployment.states import Action
from tier1_engine.errors import CallError
from tier1_engine.failures.calls import Verdict, judge

ASKERS_LIMIT = 100
"""The most callers that share one call: EC2 accepts 200 filter values per call (`FilterLimitExceeded`)."""
QUIET_SECONDS = 0.05
"""A call is sent when nobody has joined for this long, multiplied by the number of callers last time."""
QUIET_SECONDS_LIMIT = 0.5
GATHERING_SECONDS_LIMIT = 2.0
"""A call is sent after this long at the latest, well within the budget of a call."""
WILD = frozenset("*?\\")


@dataclass(frozen=True, slots=True)
class Listing:
    """An EC2 describe call: where its reply holds the objects, and how to request specific ones."""

    result_key: str
    id_member: str
    id_parameter: str
    id_filter: str


# Source: botocore's ec2 model.
LISTINGS: Mapping[str, Listing] = {
    "describe_instances": Listing("Reservations", "InstanceId", "InstanceIds", "instance-id"),
    "describe_internet_gateways": Listing(
        "InternetGateways", "InternetGatewayId", "InternetGatewayIds", "internet-gateway-id"
    ),
    "describe_network_interfaces": Listing(
        "NetworkInterfaces", "NetworkInterfaceId", "NetworkInterfaceIds", "network-interface-id"
    ),
    "describe_route_tables": Listing("RouteTables", "RouteTableId", "RouteTableIds", "route-table-id"),
    "describe_security_groups": Listing("SecurityGroups", "GroupId", "GroupIds", "group-id"),
    "describe_subnets": Listing("Subnets", "SubnetId", "SubnetIds", "subnet-id"),
    "describe_vpcs": Listing("Vpcs", "VpcId", "VpcIds", "vpc-id"),
}
PLACES = {"vpc-id": "VpcId", "subnet-id": "SubnetId"}
FILE_SYSTEMS = ("efs", "describe_file_systems", "FileSystems")
SHARED_LISTS = frozenset(
    {
        FILE_SYSTEMS[:2],
        ("efs", "describe_mount_targets"),
        ("iam", "list_roles"),
        ("iam", "list_instance_profiles"),
    }
)
"""Lists that AWS cannot filter as needed: callers of the same list share it. EFS lists the mount targets
of one file system, so one call covers those of a stack."""

Wanted = tuple[tuple[str, str], ...]
"""The filters of one caller, each with a single value."""
Answers = Mapping[Hashable, Any]


@dataclass(slots=True)
class Round:
    """The callers that share the next call of one kind, and its result."""

    wanted: dict[Hashable, None] = field(default_factory=dict)
    joined: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    answers: Answers = field(default_factory=dict)
    error: Exception | None = None

    @property
    def full(self) -> bool:
        return len(self.wanted) >= ASKERS_LIMIT

    @property
    def must_ask_alone(self) -> bool:
        """Whether its failure may concern only one of the callers."""
        transient = (
            isinstance(self.error, CallError)
            and judge(self.error, Action.DESCRIBE, None, young=False) is Verdict.TRANSIENT
        )
        return self.error is not None and len(self.wanted) > 1 and not transient


@dataclass(slots=True)
class Together:
    """Collects concurrent callers and makes one call for all of them. Thread-safe.

    Attributes:
        quiet_seconds: a call is sent when nobody has joined for this long. After a call with many callers
            it waits longer, because on a busy machine they arrive one by one.
    """

    quiet_seconds: float = QUIET_SECONDS
    _came: dict[Hashable, int] = field(default_factory=dict)
    _open: dict[Hashable, Round] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cloud(self, alone: Callable[[Permit], Cloud]) -> Callable[[Permit], Cloud]:
        """Return a factory of clouds like `alone`, all of one account and region, that share their reads."""
        return lambda permit: TogetherCloud(alone(permit), self)

    def ask(
        self,
        key: Hashable,
        wanted: Hashable,
        alone: Callable[[], Any],
        of_all: Callable[[Sequence[Any]], Answers],
    ) -> Any:
        """Return the result for `wanted`, from a call that begins after this one was made.

        Args:
            key: identifies the calls that can be shared.
            alone: makes the call for this caller only.
            of_all: makes one call for all that is wanted, and returns the result of each.

        Raises:
            CallError: the call failed.
        """
        with self._lock:
            mine = self._open.get(key)
            first = mine is None
            if mine is None:
                mine = self._open[key] = Round()
            mine.wanted[wanted] = None
            if mine.full:
                self._open.pop(key)
            mine.joined.set()
        if first:
            self._gather(key, mine)
            self._make(mine, alone, of_all)
        mine.ended.wait()
        if mine.must_ask_alone:
            return alone()
        if mine.error is not None:
            raise _own(mine.error) from mine.error
        return mine.answers[wanted]

    def _gather(self, key: Hashable, mine: Round) -> None:
        """Let other callers join until none arrives within the quiet time; then close the round."""
        quiet = min(self.quiet_seconds * self._came.get(key, 1), QUIET_SECONDS_LIMIT)
        latest = time.monotonic() + GATHERING_SECONDS_LIMIT
        while not mine.full and time.monotonic() < latest:
            mine.joined.clear()
            if not mine.joined.wait(quiet):
                break
        with self._lock:
            self._came[key] = len(mine.wanted)
            if self._open.get(key) is mine:
                self._open.pop(key)

    def _make(
        self, mine: Round, alone: Callable[[], Any], of_all: Callable[[Sequence[Any]], Answers]
    ) -> None:
        asked = list(mine.wanted)
        try:
            mine.answers = {asked[0]: alone()} if len(asked) == 1 else of_all(asked)
        except Exception as error:  # noqa: BLE001 - raised again in every caller that shares the call
            mine.error = error
        finally:
            mine.ended.set()


@dataclass(frozen=True, slots=True)
class TogetherCloud:
    """A cloud that shares its reads with others and makes its own changes."""

    alone: Cloud
    together: Together

    @property
    def region(self) -> str:
        return self.alone.region

    @property
    def account_id(self) -> str:
        return self.alone.account_id

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        """Make the change; changes are never shared."""
        return self.alone.change(service, operation, **parameters)

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Read; concurrent reads of instances or file systems share a call."""
        if parameters.keys() == {"FileSystemId"} and (service, operation) == FILE_SYSTEMS[:2]:
            return {"FileSystems": self._file_system(parameters["FileSystemId"])}
        if parameters.keys() == {"InstanceIds"} and (service, operation) == ("ec2", "describe_instances"):
            return {"Reservations": list(self.pages("ec2", operation, "Reservations", **parameters))}
        return self.alone.read(service, operation, **parameters)

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """List; concurrent lists of objects of one kind share a call."""

        def alone() -> list[dict[str, Any]]:
            return list(self.alone.pages(service, operation, result_key, **parameters))

        listing = LISTINGS.get(operation) if service == "ec2" else None
        if listing is not None and (wanted := _wanted(listing, parameters)) is not None:
            names = tuple(name for name, _ in wanted)
            yield from self.together.ask((operation, names), wanted, alone, self._filtered(operation))
        elif (service, operation) in SHARED_LISTS:
            same = json.dumps(parameters, sort_keys=True)
            yield from self.together.ask((operation, same), "all", alone, lambda asked: {"all": alone()})
        else:
            yield from self.alone.pages(service, operation, result_key, **parameters)

    def _filtered(self, operation: str) -> Callable[[Sequence[Wanted]], Answers]:
        listing = LISTINGS[operation]

        def of_all(asked: Sequence[Wanted]) -> Answers:
            filters = _filters(asked)
            shown = list(self.alone.pages("ec2", operation, listing.result_key, Filters=filters))
            return {each: _part(listing, shown, each) for each in asked}

        return of_all

    def _file_system(self, id: str) -> list[dict[str, Any]]:
        """Return one file system; several concurrent requests are served from the list of all."""

        def alone() -> list[dict[str, Any]]:
            return self.alone.read(*FILE_SYSTEMS[:2], FileSystemId=id).get("FileSystems") or []

        def of_all(asked: Sequence[str]) -> Answers:
            everything = list(self.alone.pages(*FILE_SYSTEMS))
            return {each: [one for one in everything if one.get("FileSystemId") == each] for each in asked}

        found: list[dict[str, Any]] = self.together.ask("file systems by id", id, alone, of_all)
        return found


def _own(error: Exception) -> Exception:
    """Copy the error for one of the callers that share it: each raises its own, with its own traceback."""
    if not isinstance(error, CallError):
        return error
    return CallError(
        error.code,
        error.message,
        operation=error.operation,
        acted=error.acted,
        request_id=error.request_id,
        http_status=error.http_status,
    )


# --- merging filters, and dividing results


def _wanted(listing: Listing, parameters: Mapping[str, Any]) -> Wanted | None:
    """Return the filters equivalent to a call, or None if it cannot be shared."""
    if parameters.keys() == {listing.id_parameter}:
        filters = [{"Name": listing.id_filter, "Values": parameters[listing.id_parameter]}]
    elif parameters.keys() == {"Filters"}:
        filters = parameters["Filters"]
    else:
        return None
    pairs = sorted((one["Name"], value) for one in filters for value in one["Values"])
    names = [name for name, _ in pairs]
    single = len(set(names)) == len(names) == len(filters)
    known = all(name.startswith("tag:") or name in PLACES or name == listing.id_filter for name in names)
    # EC2's filters accept wildcards, and a result cannot be assigned to its caller by a wildcard.
    tame = not any(WILD & set(value) for _, value in pairs)
    return tuple(pairs) if pairs and single and known and tame else None


def _filters(asked: Sequence[Wanted]) -> list[dict[str, Any]]:
    """Merge the filters of all callers by name. The result may match more than was requested."""
    values: dict[str, dict[str, None]] = {}
    for wanted in asked:
        for name, value in wanted:
            values.setdefault(name, {})[value] = None
    return [{"Name": name, "Values": list(some)} for name, some in values.items()]


def _part(listing: Listing, shown: Sequence[dict[str, Any]], wanted: Wanted) -> list[dict[str, Any]]:
    """Return what one caller's own call would have returned."""
    if listing.result_key != "Reservations":
        return [one for one in shown if _fits(listing, one, wanted)]
    held = [
        {**one, "Instances": [i for i in one.get("Instances") or () if _fits(listing, i, wanted)]}
        for one in shown
    ]
    return [one for one in held if one["Instances"]]


def _fits(listing: Listing, one: Mapping[str, Any], wanted: Wanted) -> bool:
    """Whether an object matches a caller's filters. An object without a filtered member matches everyone."""
    for name, value in wanted:
        if name == listing.id_filter:
            if one.get(listing.id_member) != value:
                return False
        elif name in PLACES:
            if one.get(PLACES[name], value) != value:
                return False
        elif _tag(one, name.removeprefix("tag:")) != value:
            return False
    return True


def _tag(one: Mapping[str, Any], key: str) -> str | None:
    tags = one.get("Tags") or one.get("TagSet") or ()
    return next((tag.get("Value", "") for tag in tags if tag.get("Key") == key), None)
