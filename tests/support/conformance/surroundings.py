"""The resources that each kind needs for its tests, created by the other kinds' own create and configure.

A new kind adds one entry to `INPUTS` (and, where the user can provide one, another to `REFERENCE_INPUTS`).
Every entry is a function of the `World`, which creates each neighbour once. A `neighbour` may serve many
worlds; one that AWS lets only one resource refer to, or that proves ownership, is the world's `own`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import (
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_NAME,
    TAG_RESOURCE,
    Kind,
    Observation,
    Presence,
    Target,
)

LOOKS = 10
"""The maximum number of observations until anything on a local AWS is ready: it is ready at once."""

UNTAGGED = frozenset({"mount_target"})
"""Kinds that AWS cannot tag: other evidence proves ownership."""


@dataclass
class World:
    """One deployment on a local AWS: makes targets, and neighbours that are ready.

    Attributes:
        shared: the deployment whose neighbours this one refers to; None when it makes all of its own.
        subnets: numbers of subnets, which no two of a VPC share.
    """

    cloud: Cloud
    kinds: Mapping[str, Kind]
    deployment_id: str = "0123456789ab"
    database_id: str = "d0d0d0d0d0d0"
    made: dict[str, tuple[Target, Observation]] = field(default_factory=dict)
    shared: World | None = None
    subnets: Iterator[int] = field(default_factory=lambda: count(10))

    def beside(self, deployment_id: str, database_id: str) -> World:
        """Another deployment in this one's surroundings."""
        return World(self.cloud, self.kinds, deployment_id, database_id, shared=self, subnets=self.subnets)

    def target(self, kind: str, step: str | None = None, inputs: Mapping[str, Any] | None = None) -> Target:
        """A target of this deployment that nothing has been made for yet."""
        step = step or f"the-{kind}"
        request = self.kinds[kind].request(self.cloud, self.inputs(kind) if inputs is None else inputs)
        resource_id = f"{self.deployment_id}-{step}"
        return Target(
            deployment_id=self.deployment_id,
            resource_id=resource_id,
            step=step,
            tags={
                TAG_DATABASE: self.database_id,
                TAG_DEPLOYMENT: self.deployment_id,
                TAG_RESOURCE: resource_id,
                TAG_NAME: "conformance",
                "Name": f"conformance-{step}",
                "team": "research",
            },
            request=request,
            key=f"{resource_id}-0-0",
        )

    def inputs(self, kind: str) -> dict[str, Any]:
        """Inputs that ask for the kind, with everything they refer to ready."""
        return INPUTS[kind](self)

    def bring_up(self, kind: str, target: Target | None = None) -> tuple[Target, Observation]:
        """Create it, configure it, and observe it until it is ready."""
        target = target or self.target(kind)
        aws_id = self.kinds[kind].create(self.cloud, target).aws_id
        return self.settle(kind, replace(target, aws_id=aws_id))

    def settle(self, kind: str, target: Target) -> tuple[Target, Observation]:
        """Observe and configure, a bounded number of times, until it is ready."""
        for _ in range(LOOKS):
            observation = self.kinds[kind].describe(self.cloud, target)
            if observation.presence is Presence.READY:
                return replace(target, facts=observation.facts), observation
            if observation.presence is Presence.UNSET:
                self.kinds[kind].configure(self.cloud, target, observation)
        raise AssertionError(f"{kind} is not ready after {LOOKS} looks: {observation}")

    def neighbour(
        self, kind: str, step: str | None = None, inputs: Mapping[str, Any] | None = None
    ) -> Observation:
        """A ready one that any number of others may refer to; made at the first call for its step."""
        return (self.shared or self).own(kind, step, inputs)

    def own(self, kind: str, step: str | None = None, inputs: Mapping[str, Any] | None = None) -> Observation:
        """A ready one of this very deployment; made at the first call for its step."""
        step = step or f"shared-{kind}"
        if step not in self.made:
            self.made[step] = self.bring_up(kind, self.target(kind, step, inputs))
        return self.made[step][1]


def _subnet(world: World) -> dict[str, Any]:
    vpc = world.neighbour("vpc")
    return {
        "vpc_id": vpc.aws_id,
        "cidr": f"10.0.{next(world.subnets)}.0/24",
        "zone": f"{world.cloud.region}a",
    }


def _internet_gateway(world: World) -> dict[str, Any]:
    """A VPC has one gateway."""
    return {"vpc_id": world.own("vpc").aws_id}


def _route_table(world: World) -> dict[str, Any]:
    """A subnet has one route table."""
    return {
        "vpc_id": world.neighbour("vpc").aws_id,
        "gateway_id": world.neighbour("internet_gateway").aws_id,
        "subnet_ids": [world.own("subnet").aws_id],
    }


def _security_group(world: World) -> dict[str, Any]:
    vpc_id = world.neighbour("vpc").aws_id
    source = {"vpc_id": vpc_id, "description": "The group that others let in", "ingress": []}
    return {
        "vpc_id": vpc_id,
        "description": "A group for the conformance suite",
        "ingress": [
            {"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr": "203.0.113.0/24"},
            {
                "protocol": "tcp",
                "from_port": 2049,
                "to_port": 2049,
                "source_group": world.neighbour("security_group", "source-group", source).aws_id,
            },
        ],
    }


def _mount_target(world: World) -> dict[str, Any]:
    """A file system has one in a zone. It and the group prove whose the mount target is."""
    return {
        "file_system_id": world.own("file_system").aws_id,
        "subnet_id": world.neighbour("subnet").aws_id,
        "zone": f"{world.cloud.region}a",
        "security_group_ids": [world.own("security_group").aws_id],
    }


def _instance(world: World) -> dict[str, Any]:
    mounted = world.neighbour("mount_target")
    return {
        "types": ["t3.medium", "t3a.medium"],
        "market": "spot-then-on-demand",
        "ami": None,
        "subnets": [{"id": world.neighbour("subnet").aws_id, "zone": mounted.facts["zone"]}],
        "security_group_ids": [world.neighbour("security_group").aws_id],
        "profile_name": world.neighbour("instance_profile").facts["name"],
        "key_name": None,
        "root_volume_gib": 30,
        "associate_public_ip": True,
        "user_data": {
            "script": "#!/bin/sh\necho hello\n",
            "file_system_id": world.neighbour("file_system").aws_id,
            "mount_path": "/mnt/efs",
            "mount_targets": {mounted.facts["zone"]: mounted.facts["ip_address"]},
        },
    }


INPUTS: dict[str, Callable[[World], dict[str, Any]]] = {
    "vpc": lambda world: {"cidr": "10.0.0.0/16"},
    "internet_gateway": _internet_gateway,
    "subnet": _subnet,
    "route_table": _route_table,
    "security_group": _security_group,
    "file_system": lambda world: {"performance_mode": "generalPurpose", "throughput_mode": "elastic"},
    "mount_target": _mount_target,
    "role": lambda world: {"policies": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]},
    "instance_profile": lambda world: {"role_name": world.neighbour("role").facts["name"]},
    "instance": _instance,
    "elastic_ip": lambda world: {},
    "network_interface": lambda world: {
        "subnet_id": world.neighbour("subnet").aws_id,
        "security_group_ids": [world.neighbour("security_group").aws_id],
    },
    "spot_request": lambda world: {"subnet_id": world.neighbour("subnet").aws_id},
    "volume": lambda world: {"zone": f"{world.cloud.region}a", "gib": 8},
}
"""Inputs that ask for each kind, as its step's would be when they reach it."""

REFERENCE_INPUTS: dict[str, Callable[[World, str], dict[str, Any]]] = {
    "vpc": lambda world, aws_id: {"reference": aws_id},
    "subnet": lambda world, aws_id: {"reference": aws_id, "vpc_id": world.neighbour("vpc").aws_id},
    "file_system": lambda world, aws_id: {"reference": aws_id, "vpc_id": world.neighbour("vpc").aws_id},
    "instance_profile": lambda world, aws_id: {"reference": aws_id},
}
"""Inputs of a step that references a provided resource, by kind."""
