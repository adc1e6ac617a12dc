"""The simulated account behind EC2's and EFS's own calls, so that a sweep really shares its list calls.

Owns a cloud that lists and filters as AWS does, kinds that speak to it as real ones do, and an estate whose
sweeps work on many deployments side by side, in threads, through `aws.together`. Every answer is a snapshot,
so reusing one for too long would be noticed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from tests.support.simulation.databases import fast_store
from tests.support.simulation.estate import Estate
from tests.support.simulation.kinds import SimCheck, SimKind
from tests.support.simulation.rig import SETTINGS, Rig
from tests.support.simulation.world import SimCloud, Thing, VirtualClock, World
from tier1_engine.aws.together import LISTINGS, Listing, Together
from tier1_engine.aws.words import tag_dict, tag_filters, tag_list
from tier1_engine.contract.cloud import Cloud, Permit, Reply
from tier1_engine.contract.kind import (
    ABSENT,
    TAG_RESOURCE,
    Kind,
    Observation,
    Presence,
    Registry,
    Target,
)
from tier1_engine.deployment.place import Place
from tier1_engine.engine.equipment import Equipment
from tier1_engine.survey.access import Access
from tier1_engine.sweep.sweep import SweepSetup

QUIET_SECONDS = 0.004
"""Real ones, in which those who ask meet."""
FILE_SYSTEMS, INTERFACES = "describe_file_systems", "describe_network_interfaces"
CALLS = {
    "net": "describe_vpcs",
    "door": "describe_subnets",
    "machine": "describe_instances",
    "disk": FILE_SYSTEMS,
}
"""How each kind is described; a disk as EFS describes: one, or all."""
KIND_OF = {call: kind for kind, call in CALLS.items()}


@dataclass
class Shared:
    """What the threads of one sweep share.

    Attributes:
        lock: the account executes one call at a time.
        askers: for how many each call was that named any.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    askers: list[int] = field(default_factory=list)


class LockedClock(VirtualClock):
    """A virtual clock that several threads move."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def move_to(self, until: float) -> None:
        with self._lock:
            super().move_to(until)


@dataclass(frozen=True)
class AwsCloud(SimCloud):
    """The world through one permit, with EC2's and EFS's calls."""

    shared: Shared = field(default_factory=Shared)

    @property
    def account_id(self) -> str:
        with self.shared.lock:
            return super().account_id

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        with self.shared.lock:
            return super().change(service, operation, **parameters)

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if service == "sim":
            with self.shared.lock:
                return super().read(service, operation, **parameters)
        key = "FileSystems" if operation == FILE_SYSTEMS else LISTINGS[operation].result_key
        return {key: list(self.pages(service, operation, key, **parameters))}

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        with self.shared.lock:
            if service == "sim":
                yield from super().pages(service, operation, result_key, **parameters)
            elif operation == FILE_SYSTEMS:
                wanted = parameters.get("FileSystemId")
                self.shared.askers.append(1 if wanted else 0)
                shown = [_shown(self.world, thing, "FileSystemId") for thing in self._all("disk")]
                yield from [one for one in shown if wanted in (None, one["FileSystemId"])]
            else:
                yield from self._filtered(operation, parameters)

    def _all(self, kind: str) -> list[Thing]:
        found: list[Thing] = self.world.execute("find", {"kind": kind, "tags": {}})["things"]
        return found

    def _filtered(self, operation: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What fits: any of the values of each filter, and all of the filters."""
        listing = LISTINGS[operation]
        filters = {one["Name"]: one["Values"] for one in parameters.get("Filters", ())}
        if listing.id_parameter in parameters:
            filters = {listing.id_filter: parameters[listing.id_parameter]}
        self.shared.askers.append(max(map(len, filters.values())))
        if operation == INTERFACES:
            everything = self._inside(filters["vpc-id"])
        else:
            everything = [_shown(self.world, t, listing.id_member) for t in self._all(KIND_OF[operation])]
        found = [one for one in everything if all(_fits(listing, one, *each) for each in filters.items())]
        if listing.result_key != "Reservations":
            return found
        # A launch of several instances puts them in one reservation.
        return [{"ReservationId": "r-1", "Instances": found}] if found else []

    def _inside(self, places: Sequence[str]) -> list[dict[str, Any]]:
        """The objects in each of the places, as interfaces there."""
        return [
            {**_shown(self.world, thing, "NetworkInterfaceId"), "VpcId": place}
            for place in places
            for thing in self.world.execute("inside", {"id": place})["things"]
        ]


def _shown(world: World, thing: Thing, id_member: str) -> dict[str, Any]:
    """One object as it is now: a copy, which does not change with it."""
    presence = Presence.READY
    if thing.deleting_since is not None:
        presence = Presence.LEAVING if world.exists(thing) else Presence.GONE
    return {
        id_member: thing.id,
        "Tags": tag_list(thing.tags),
        "Key": thing.key,
        "State": presence,
        "Settings": sorted(thing.settings),
    }


def _fits(listing: Listing, one: Mapping[str, Any], name: str, values: Sequence[str]) -> bool:
    if name.startswith("tag:"):
        value = tag_dict(one["Tags"]).get(name.removeprefix("tag:"))
        return value is not None and ("*" in values or value in values)
    member = listing.id_member if name == listing.id_filter else "VpcId"
    return one[member] in values


class AwsKind(SimKind):
    """A simulated kind that reads by AWS's calls, and changes as before."""

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return self.list_owned(cloud, {TAG_RESOURCE: target.resource_id})

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        observations = [self._seen(one) for one in self._listed(cloud, Filters=tag_filters(tags))]
        return [
            s for s in observations if all(k in s.tags and v in ("*", s.tags[k]) for k, v in tags.items())
        ]

    def others_inside(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        there = [{"Name": "vpc-id", "Values": [target.aws_id]}]
        inside = cloud.pages("ec2", INTERFACES, "NetworkInterfaces", Filters=there)
        return [one["NetworkInterfaceId"] for one in inside if one["NetworkInterfaceId"] not in ours]

    def _look_at(self, cloud: Cloud, id: str) -> Observation:
        listing = LISTINGS.get(CALLS[self.name])
        by_id = {listing.id_parameter: [id]} if listing else {"FileSystemId": id}
        return next((self._seen(one) for one in self._listed(cloud, **by_id)), ABSENT)

    def _listed(self, cloud: Cloud, **parameters: Any) -> list[dict[str, Any]]:
        operation = CALLS[self.name]
        if operation == FILE_SYSTEMS:
            if "FileSystemId" in parameters:
                return list(cloud.read("efs", operation, **parameters)["FileSystems"])
            return list(cloud.pages("efs", operation, "FileSystems"))
        if operation == "describe_instances":
            if "Filters" in parameters:
                held = list(cloud.pages("ec2", operation, "Reservations", **parameters))
            else:
                held = cloud.read("ec2", operation, **parameters)["Reservations"]
            return [instance for one in held for instance in one["Instances"]]
        return list(cloud.pages("ec2", operation, LISTINGS[operation].result_key, **parameters))

    def _seen(self, one: Mapping[str, Any]) -> Observation:
        id = next(one[name] for name in ("VpcId", "SubnetId", "InstanceId", "FileSystemId") if name in one)
        unset = tuple(s for s in self.settings if s not in one["Settings"])
        presence = Presence.UNSET if unset and one["State"] is Presence.READY else one["State"]
        return Observation(presence, id, tags=tag_dict(one["Tags"]), key=one["Key"], unset=unset)


def registry(check: SimCheck) -> Registry:
    """The four kinds that an estate has, and its check."""
    kinds: list[Kind] = [
        AwsKind("net", settings=("dns",)),
        AwsKind("disk", token=True),
        AwsKind("door", settings=("rule", "route")),
        AwsKind("machine", token=True, console=True),
    ]
    return Registry({kind.name: kind for kind in kinds}, {"sim_check": check})


@dataclass
class TogetherEstate(Estate):
    """An estate whose sweeps run in threads, and share list calls as the command does."""

    shared: Shared = field(default_factory=Shared)

    @property
    def ground(self) -> SweepSetup:
        """New for each sweep, as in a new process."""

        @cache
        def made(place: Place) -> Equipment:
            world = self.world(place.region)

            def alone(permit: Permit) -> Cloud:
                return cast("Cloud", AwsCloud(world, permit, place.region, self.shared))

            share: Callable[[Permit], Cloud] = Together(QUIET_SECONDS).cloud(alone)
            return replace(self.rig.equipment, cloud=share, registry=registry(self.rig.check))

        def equipment(place: Place) -> Equipment:
            with self.shared.lock:
                return made(place)

        def sleep(seconds: float) -> None:
            self.clock.move_to(self.clock.seconds + seconds)

        access = Access(equipment, sleep)
        known = self.rig.equipment.registry
        return SweepSetup(self.rig.store, self.clock, access, known, self.rig.stop, new_id=self.rig.ids)


def together_estate(name: str, source: Path) -> TogetherEstate:
    """One with a database and two regions. Each thread moves the clock for all: no lease runs out by that."""
    patient = replace(SETTINGS, lease_seconds=1e8, call_timeout_seconds=1e6)
    estate = TogetherEstate(Rig(fast_store(name, source), clock=LockedClock(), settings=patient))
    estate.world("us-east-1"), estate.world("eu-west-1")
    return estate
