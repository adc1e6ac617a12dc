"""Network interfaces outlive their resource, and block their subnet and groups until they are gone.

Source: hashicorp/terraform-provider-aws#10044 and #655 (subnets wait for them); the error code of deleting
one in use, `InvalidParameterValue`: aws/amazon-vpc-cni-k8s#1399.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.patching import around, asked
from tier1_engine.sandbox.behaviour.tags import forget
from tier1_engine.sandbox.world import World

IN_USE = "in-use"


class Interfaces:
    """Interfaces whose owner is gone, until AWS deletes them."""

    def __init__(self, world: World, agenda: Agenda) -> None:
        self._world = world
        self._agenda = agenda

    def linger(self, backend: Any, interface: Any) -> None:
        """Delete the interface after a while; until then it counts as in use."""
        self._agenda.after(self._world.takes("interface.linger"), partial(remove, backend, interface))


def install() -> None:
    """Refuse to delete an interface in use; free its addresses when it is deleted."""

    @around(ElasticNetworkInterfaces, "delete_network_interface")
    def refuse_in_use(before: Callable[..., Any], response: Any) -> Any:
        interface = response.ec2_backend.enis.get(asked(response, "NetworkInterfaceId"))
        if interface is not None and interface.status == IN_USE:
            raise EC2ClientError(
                "InvalidParameterValue", f"Network interface '{interface.id}' is currently in use."
            )
        return before(response)

    @around(NetworkInterfaceBackend, "delete_network_interface")
    def delete_network_interface(before: Callable[..., None], backend: Any, eni_id: str) -> None:
        interface = backend.enis.get(eni_id)
        before(backend, eni_id)
        if interface is not None:
            _free(backend, interface)


def remove(backend: Any, interface: Any) -> None:
    """Delete an interface, even one in use."""
    if backend.enis.pop(interface.id, None) is not None:
        _free(backend, interface)


def _free(backend: Any, interface: Any) -> None:
    for address in interface.private_ip_addresses:
        interface.subnet.del_subnet_ip(address["PrivateIpAddress"])
    forget(backend, interface.id)
