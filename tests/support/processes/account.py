"""The account of a local AWS that runs as a process: everything in it, counted; and emptied.

It asks the local AWS itself, past any proxy and past all code of `tier1`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import boto3

from tests.support.forked_aws import ForkedAws

REGION = "us-east-1"
DEAD = ("terminated", "shutting-down")
Thing = Mapping[str, Any]


class Account:
    """One region of a local AWS; it has default objects, such as a default VPC.

    Attributes:
        directory: the state directory of that local AWS, from which `tests.support.census` reads it.
    """

    def __init__(self, aws: ForkedAws) -> None:
        self._aws = aws
        self.directory = aws.directory
        self.endpoint = aws.endpoint
        session = boto3.Session("testing", "testing", region_name=REGION)
        self._ec2 = session.client("ec2", endpoint_url=self.endpoint)
        self._efs = session.client("efs", endpoint_url=self.endpoint)
        self._iam = session.client("iam", endpoint_url=self.endpoint)
        self.empty()
        self.new = self.census()
        """What it has of its own."""

    def empty(self) -> None:
        """Make it as new."""
        self._aws.serve(self._aws.empty)

    def leave(self) -> None:
        """Nothing serves it any more."""
        self._aws.stop()

    def census(self) -> Counter[str]:
        """How many there are of each kind of thing, and of each setting that joins two of them."""
        return +(self._network() + self._machines() + self._files() + self._identities())

    def _network(self) -> Counter[str]:
        tables = self._all("describe_route_tables", "RouteTables")
        groups = self._all("describe_security_groups", "SecurityGroups")
        gateways = self._all("describe_internet_gateways", "InternetGateways")
        return Counter(
            {
                "vpc": len(self._all("describe_vpcs", "Vpcs")),
                "subnet": len(self._all("describe_subnets", "Subnets")),
                "internet gateway": len(gateways),
                "gateway attachment": inner(gateways, "Attachments"),
                "route table": len(tables),
                "route": inner(tables, "Routes"),
                "route table association": inner(tables, "Associations"),
                "security group": len(groups),
                "ingress rule": inner(groups, "IpPermissions"),
                "egress rule": inner(groups, "IpPermissionsEgress"),
            }
        )

    def _machines(self) -> Counter[str]:
        reservations = self._all("describe_instances", "Reservations")
        instances = [i for r in reservations for i in r["Instances"] if i["State"]["Name"] not in DEAD]
        return Counter(
            {
                "instance": len(instances),
                "volume": len(self._all("describe_volumes", "Volumes")),
                "interface": len(self._all("describe_network_interfaces", "NetworkInterfaces")),
                "address": len(self._all("describe_addresses", "Addresses")),
            }
        )

    def _files(self) -> Counter[str]:
        systems = [s["FileSystemId"] for s in self._efs.describe_file_systems()["FileSystems"]]
        targets = [self._efs.describe_mount_targets(FileSystemId=s)["MountTargets"] for s in systems]
        return Counter({"file system": len(systems), "mount target": sum(map(len, targets))})

    def _identities(self) -> Counter[str]:
        roles = [r["RoleName"] for r in self._iam.list_roles()["Roles"]]
        profiles = self._iam.list_instance_profiles()["InstanceProfiles"]
        policies: Callable[..., Any] = self._iam.list_attached_role_policies
        return Counter(
            {
                "role": len(roles),
                "policy on a role": sum(len(policies(RoleName=r)["AttachedPolicies"]) for r in roles),
                "profile": len(profiles),
                "role in a profile": inner(profiles, "Roles"),
            }
        )

    def _all(self, operation: str, key: str) -> list[Thing]:
        """The list from a call that returns everything in one page here: moto paginates only on request."""
        found: list[Thing] = getattr(self._ec2, operation)()[key]
        return found


def inner(things: Iterable[Thing], key: str) -> int:
    """How many entries the lists under `key` have together."""
    return sum(len(thing.get(key, ())) for thing in things)
