"""Eventual consistency: new resources may not be visible yet, and deleted ones may still be.

A describe call sees each collection as it was a random time ago: without the newest objects, and with
recently deleted ones. moto derives the answer from that (NotFound by id, missing from a list). Source: EC2
API reference, "Ensuring idempotency and eventual consistency"; IAM user guide, "Changes that I make are not
always immediately visible"; hashicorp/terraform-provider-aws#21829 for the effect on tools.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces
from moto.ec2.responses.general import General
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.internet_gateways import InternetGateways
from moto.ec2.responses.route_tables import RouteTables
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ec2.responses.subnets import Subnets
from moto.ec2.responses.vpcs import VPCs
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.patching import around
from tier1_engine.sandbox.behaviour.tags import forget
from tier1_engine.sandbox.world import World


@dataclass(frozen=True)
class TrackedCollection:
    """A collection of objects in moto, and the calls that change and show it.

    Attributes:
        collection: the backend's attribute: objects by key, or by zone or VPC and then by key.
        service: `ec2` or `iam`; selects the figures.
    """

    collection: str
    service: str
    backend: type
    create: str
    delete: str | None
    responses: type
    shows: tuple[str, ...]
    also: tuple[tuple[type, str], ...] = ()


SHELVES = (
    TrackedCollection(
        "vpcs",
        "ec2",
        VPCBackend,
        "create_vpc",
        "delete_vpc",
        VPCs,
        ("describe_vpcs", "describe_vpc_attribute"),
    ),
    TrackedCollection(
        "subnets", "ec2", SubnetBackend, "create_subnet", "delete_subnet", Subnets, ("describe_subnets",)
    ),
    TrackedCollection(
        "internet_gateways",
        "ec2",
        InternetGatewayBackend,
        "create_internet_gateway",
        "delete_internet_gateway",
        InternetGateways,
        ("describe_internet_gateways",),
    ),
    TrackedCollection(
        "route_tables",
        "ec2",
        RouteBackend,
        "create_route_table",
        "delete_route_table",
        RouteTables,
        ("describe_route_tables",),
    ),
    TrackedCollection(
        "groups",
        "ec2",
        SecurityGroupBackend,
        "create_security_group",
        "delete_security_group",
        SecurityGroups,
        ("describe_security_groups",),
    ),
    TrackedCollection(
        "enis",
        "ec2",
        NetworkInterfaceBackend,
        "create_network_interface",
        None,
        ElasticNetworkInterfaces,
        ("describe_network_interfaces",),
    ),
    TrackedCollection(
        "reservations",
        "ec2",
        InstanceBackend,
        "run_instances",
        None,  # a terminated instance stays visible for an hour anyway
        InstanceResponse,
        ("describe_instances", "describe_instance_status"),
        ((General, "get_console_output"),),
    ),
    TrackedCollection(
        "roles",
        "iam",
        IAMBackend,
        "create_role",
        "delete_role",
        IamResponse,
        ("get_role", "list_roles", "list_role_tags", "list_attached_role_policies", "list_role_policies"),
    ),
    TrackedCollection(
        "instance_profiles",
        "iam",
        IAMBackend,
        "create_instance_profile",
        "delete_instance_profile",
        IamResponse,
        ("get_instance_profile", "list_instance_profiles", "list_instance_profiles_for_role"),
    ),
)


@dataclass
class Lag:
    """The difference between one collection of a backend and what readers see.

    Attributes:
        young: keys of objects that are not visible yet.
        gone: deleted objects that are still visible: place (None for a flat collection), key and object.
    """

    young: set[str] = field(default_factory=set)
    gone: list[tuple[str | None, str, Any]] = field(default_factory=list)


def install(world: World, agenda: Agenda) -> Callable[[], None]:
    """Make reads stale; the returned function clears the state."""
    readers = [_Readers(shelf, world, agenda) for shelf in SHELVES]
    for one in readers:
        one.install()

    def clear() -> None:
        for one in readers:
            one.lags.clear()

    return clear


class _Readers:
    """The readers of one kind of object, in every account and region."""

    def __init__(self, shelf: TrackedCollection, world: World, agenda: Agenda) -> None:
        self._shelf = shelf
        self._world = world
        self._agenda = agenda
        self.lags: dict[int, Lag] = {}

    def install(self) -> None:
        shelf = self._shelf

        @around(shelf.backend, shelf.create)
        def create(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
            made = before(backend, *given, **named)
            if shelf.service != "ec2" or hasattr(backend, "default_vpc"):  # not a new region's own objects
                self._hide(backend, made)
            return made

        if shelf.delete is not None:

            @around(shelf.backend, shelf.delete)
            def delete(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
                there = {key: (place, thing) for place, key, thing in self._things(backend)}
                reply = before(backend, *given, **named)
                for _, key, _ in self._things(backend):
                    del there[key]
                for key, (place, thing) in there.items():
                    self._linger(backend, place, key, thing)
                return reply

        for responses, operation in (*((shelf.responses, one) for one in shelf.shows), *shelf.also):
            self._read_behind(responses, operation)

    def _read_behind(self, responses: type, operation: str) -> None:
        @around(responses, operation)
        def show(before: Callable[..., Any], response: Any) -> Any:
            backend = response.ec2_backend if self._shelf.service == "ec2" else response.backend
            lag = self.lags.get(id(backend))
            if lag is None:
                return before(response)
            with self._as_seen(backend, lag):
                return before(response)

    def _hide(self, backend: Any, made: Any) -> None:
        keys = [key for _, key, thing in self._things(backend) if thing is made]
        seconds = self._world.takes(f"{self._shelf.service}.visible")
        for key in keys:
            self._lag(backend).young.add(key)
            self._agenda.after(seconds, partial(self._show, backend, key))

    def _show(self, backend: Any, key: str) -> None:
        self._lag(backend).young.discard(key)
        self._tidy(backend)

    def _linger(self, backend: Any, place: str | None, key: str, thing: Any) -> None:
        entry = (place, key, thing)
        self._lag(backend).gone.append(entry)
        seconds = self._world.takes(f"{self._shelf.service}.vanish")
        self._agenda.after(seconds, partial(self._vanish, backend, entry))

    def _vanish(self, backend: Any, entry: tuple[str | None, str, Any]) -> None:
        lag = self._lag(backend)
        lag.gone = [one for one in lag.gone if one is not entry]
        if self._shelf.service == "ec2":
            forget(backend, entry[1])
        self._tidy(backend)

    def _lag(self, backend: Any) -> Lag:
        return self.lags.setdefault(id(backend), Lag())

    def _tidy(self, backend: Any) -> None:
        lag = self.lags.get(id(backend))
        if lag is not None and not lag.young and not lag.gone:
            del self.lags[id(backend)]

    def _things(self, backend: Any) -> Iterator[tuple[str | None, str, Any]]:
        """Each object with its place and key."""
        for key, thing in getattr(backend, self._shelf.collection).items():
            if isinstance(thing, Mapping):
                yield from ((key, inner, one) for inner, one in thing.items())
            else:
                yield None, key, thing

    @contextmanager
    def _as_seen(self, backend: Any, lag: Lag) -> Iterator[None]:
        """Replace the collection with the one that a reader sees, for one call."""
        true = getattr(backend, self._shelf.collection)
        seen = copy.copy(true)  # of the same type: moto relies on its default factories
        for place, things in list(seen.items()):
            if isinstance(things, Mapping):
                seen[place] = {key: one for key, one in things.items() if key not in lag.young}
            elif place in lag.young:
                del seen[place]
        for place, key, thing in lag.gone:
            if place is None:
                seen.setdefault(key, thing)
            else:
                seen[place].setdefault(key, thing)
        setattr(backend, self._shelf.collection, seen)
        try:
            yield
        finally:
            setattr(backend, self._shelf.collection, true)
