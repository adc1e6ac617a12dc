"""VPCs, subnets and NAT gateways are `pending` before they are `available`.

Source: EC2 API reference, `Vpc`, `Subnet` and `NatGateway` (State); VPC user guide, "Work with NAT gateways":
a deleted one is shown for about an hour, and its interface blocks the subnet until it is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.responses.nat_gateways import NatGateways
from moto.ec2.responses.subnets import Subnets
from moto.ec2.responses.vpcs import VPCs

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.interfaces import remove
from tier1_engine.sandbox.behaviour.patching import around
from tier1_engine.sandbox.behaviour.tags import forget
from tier1_engine.sandbox.world import World

CREATES = (
    (VPCs, "create_vpc", "Vpc", "vpc.create"),
    (Subnets, "create_subnet", "Subnet", "subnet.create"),
    (NatGateways, "create_nat_gateway", "NatGateway", "nat_gateway.create"),
)


def install(world: World, agenda: Agenda) -> None:
    """Make networks pass through `pending`."""
    for responses, operation, member, figure in CREATES:
        _pending_first(world, agenda, responses, operation, member, figure)
    _nat_gateways()
    _nat_gateways_end(world, agenda)


def _pending_first(
    world: World, agenda: Agenda, responses: type, operation: str, member: str, figure: str
) -> None:
    @around(responses, operation)
    def create(before: Callable[..., Any], response: Any) -> Any:
        reply = before(response)
        made = reply.result[member]
        made.state = "pending"
        agenda.after(world.takes(figure), partial(become_available, made))
        return reply

    def become_available(made: Any) -> None:
        if made.state == "pending":
            made.state = "available"


def _nat_gateways() -> None:
    @around(NatGatewayBackend, "create_nat_gateway")
    def create_nat_gateway(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
        gateway = before(backend, *given, **named)
        for interface in _interfaces(backend, gateway):
            interface.description = f"Interface for NAT Gateway {gateway.id}"
            interface.requester_managed, interface.status = True, "in-use"
        return gateway


def _nat_gateways_end(world: World, agenda: Agenda) -> None:
    @around(NatGatewayBackend, "delete_nat_gateway")
    def delete_nat_gateway(before: Callable[..., Any], backend: Any, nat_gateway_id: str) -> Any:
        gateway = backend.nat_gateways.get(nat_gateway_id)
        if gateway is None:
            raise EC2ClientError("NatGatewayNotFound", f"NatGateway {nat_gateway_id} was not found")
        if gateway.state not in ("deleting", "deleted"):
            gateway.state = "deleting"
            agenda.after(world.takes("nat_gateway.delete"), partial(end, before, backend, gateway))
        return gateway

    def end(delete: Callable[..., Any], backend: Any, gateway: Any) -> None:
        delete(backend, gateway.id)
        for interface in _interfaces(backend, gateway):
            for address in [one for one in backend.addresses if one.eni is interface]:
                backend.disassociate_address(association_id=address.association_id)
            remove(backend, interface)
        agenda.after(world.takes("nat_gateway.shown"), partial(purge, backend, gateway))

    def purge(backend: Any, gateway: Any) -> None:
        backend.nat_gateways.pop(gateway.id, None)
        forget(backend, gateway.id)


def _interfaces(backend: Any, gateway: Any) -> list[Any]:
    ids = [address["networkInterfaceId"] for address in gateway.address_set]
    return [backend.enis[one] for one in ids if one in backend.enis]
