"""Deleted objects release their memory: a sandbox runs many rehearsals without growing.

moto keeps every object that it ever made (for its dashboard), every subnet (as a cache key), and the network
ACLs of deleted VPCs. This is not a behaviour of AWS; it makes the others affordable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from moto.core.common_models import BaseModel
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.subnets import Subnet, SubnetBackend
from moto.ec2.models.vpcs import VPCBackend

from tier1_engine.sandbox.behaviour.patching import around, put
from tier1_engine.sandbox.behaviour.tags import forget


def install() -> None:
    """Release deleted objects."""
    put(BaseModel, "__new__", staticmethod(_untracked))
    put(Subnet, "_base_avail_ip_iterator", _hosts)

    @around(SubnetBackend, "delete_subnet")
    def delete_subnet(before: Callable[..., Any], backend: Any, subnet_id: str) -> Any:
        subnet = before(backend, subnet_id)
        for acl in backend.network_acls.values():
            associations = vars(acl)["_associations"]
            for one in [key for key, value in associations.items() if value.subnet_id == subnet_id]:
                del associations[one]
        return subnet

    @around(VPCBackend, "delete_vpc")
    def delete_vpc(before: Callable[..., Any], backend: Any, vpc_id: str) -> Any:
        vpc = before(backend, vpc_id)
        for acl_id in [one.id for one in backend.network_acls.values() if one.vpc_id == vpc_id]:
            del backend.network_acls[acl_id]
        backend.groups.pop(vpc_id, None)
        return vpc

    @around(EBSBackend, "delete_volume")
    def delete_volume(before: Callable[..., Any], backend: Any, volume_id: str) -> Any:
        volume = before(backend, volume_id)
        forget(backend, volume_id)
        return volume


def _untracked(cls: type, *_arguments: Any, **_named: Any) -> Any:
    return super(BaseModel, cls).__new__(cls)  # type: ignore[misc]


def _hosts(subnet: Any) -> Iterator[Any]:
    """The subnet's addresses, each assigned once."""
    held = vars(subnet)
    if "_hosts" not in held:
        held["_hosts"] = iter(subnet.cidr.hosts())
    hosts: Iterator[Any] = held["_hosts"]
    return hosts
