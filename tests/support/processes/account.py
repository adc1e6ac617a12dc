"""The account of a local AWS that runs as a process: everything in it, counted; and emptied.

It asks the local AWS itself, past any proxy and past all code of `tier1`.
"""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

REGION = "us-east-1"
DEAD = ("terminated", "shutting-down")
RESET_SECONDS = 30.0
Thing = Mapping[str, Any]


class Account:
    """One region of the local AWS at `endpoint`; it has things of its own, such as a default VPC.

    Args:
        directory: the state directory of that local AWS, by which `tests.support.census` looks into it.
    """

    def __init__(self, endpoint: str, directory: Path) -> None:
        self.directory = directory
        session = boto3.Session("testing", "testing", region_name=REGION)
        self.endpoint = endpoint
        self._ec2 = session.client("ec2", endpoint_url=endpoint)
        self._efs = session.client("efs", endpoint_url=endpoint)
        self._iam = session.client("iam", endpoint_url=endpoint)
        self.new = self.census()
        """What it has of its own."""

    def empty(self) -> None:
        """Make it as new. moto needs a second for that, so it is done only where something was left."""
        if self.census() != self.new:
            self._reset()
            assert self.census() == self.new

    def _reset(self) -> None:
        place = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=RESET_SECONDS)
        connection.request("POST", "/moto-api/reset")
        assert connection.getresponse().status == http.client.OK
        connection.close()

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
        """The list of a call that gives all in one page here: moto pages only when it is asked to."""
        found: list[Thing] = getattr(self._ec2, operation)()[key]
        return found


def inner(things: Iterable[Thing], key: str) -> int:
    """How many entries the lists under `key` have together."""
    return sum(len(thing.get(key, ())) for thing in things)
