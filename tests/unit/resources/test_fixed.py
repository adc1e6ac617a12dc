"""What no call can change after a create tells an object of ours from a copy of its tags."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rows import deployment, resource
from tier1_engine.contract.kind import Kind, Observation, Presence
from tier1_engine.contract.target import target_of
from tier1_engine.resources.route_table import RouteTable
from tier1_engine.resources.security_group import SecurityGroup
from tier1_engine.resources.subnet import Subnet
from tier1_engine.resources.vpc import Vpc

pytestmark = pytest.mark.promise(3)

IN_VPC = {"vpc_id": "vpc-1"}
CASES: list[tuple[Kind, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (Vpc(), {"cidr": "10.0.0.0/16"}, {"cidr": "10.0.0.0/16"}, {"cidr": "192.168.0.0/16"}),
    (Subnet(), {**IN_VPC, "cidr": "10.0.0.0/20"}, {"cidr": "10.0.0.0/20"}, {"cidr": "10.0.200.0/24"}),
    (Subnet(), {**IN_VPC, "cidr": "10.0.0.0/20"}, IN_VPC, {"vpc_id": "vpc-2"}),
    (RouteTable(), IN_VPC, IN_VPC, {"vpc_id": "vpc-2"}),
    (SecurityGroup(), IN_VPC, {**IN_VPC, "name": "tier1-d1-net"}, {"name": "users-tier1-d1-net"}),
    (SecurityGroup(), IN_VPC, {}, {"vpc_id": "vpc-2"}),
]


@pytest.mark.parametrize(
    ("kind", "request_", "same", "other"),
    CASES,
    ids=[f"{one.name}-{next(iter(other))}" for one, _, _, other in CASES],
)
def test_an_object_that_differs_is_not_ours_whatever_its_tags_say(
    kind: Kind, request_: dict[str, Any], same: dict[str, Any], other: dict[str, Any]
) -> None:
    """What AWS does not show is not compared."""
    target = target_of(resource(request=request_), deployment(), "d0d0d0d0d0d0")

    def owned(facts: dict[str, Any]) -> bool:
        return kind.owns(target, Observation(Presence.READY, "id-1", tags=dict(target.tags), facts=facts))

    assert owned(same)
    assert owned({})
    assert not owned({**same, **other})
