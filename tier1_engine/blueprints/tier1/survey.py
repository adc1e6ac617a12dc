"""Reads what the Tier 1 plan needs from AWS: zones, and whether the user's existing resources are suitable.

Owns these checks and their error messages. The resource's kind decides whether an existing resource is
suitable, so that survey and plan agree. It never changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tier1_engine.blueprints.tier1 import keys
from tier1_engine.blueprints.tier1.launch import IAM_ACTIONS as LAUNCH_ACTIONS
from tier1_engine.blueprints.tier1.launch import Launch
from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Kind, Observation, Presence
from tier1_engine.errors import CallError, SpecError
from tier1_engine.resources.file_system import FileSystem
from tier1_engine.resources.instance_profile import InstanceProfile
from tier1_engine.resources.role import Role
from tier1_engine.resources.subnet import Subnet
from tier1_engine.resources.vpc import Vpc

IAM_ACTIONS = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeKeyPairs",
    *LAUNCH_ACTIONS,
    *keys.IAM_ACTIONS,
)
"""The calls of a survey that no kind makes; all but the first may be denied."""

NEW_VPC = "that this deployment will create"
"""The placeholder for the id of a VPC that does not exist yet: no mount target can be in it."""


def survey(cloud: Cloud, spec: Spec) -> dict[str, Any]:
    """Check everything that the spec names.

    Returns:
        `zones`: the zone of each subnet step, in order. `file_system_zone`: the only zone in which an
        existing One Zone file system can be mounted, else None. `warnings`: what could not be checked, if
        anything.

    Raises:
        SpecError: one line per resource that does not exist or is not suitable.
        CallError: a read failed for another reason.
    """
    looks = _Findings(cloud, spec)
    looks.key_pair()
    looks.profile()
    looks.boundary()
    looks.problems += keys.problems(cloud, spec, looks.launch)
    file_system_zone = looks.file_system()
    zones = looks.brought_zones() if spec.network.brought else looks.own_zones(file_system_zone)
    if file_system_zone is not None and zones and file_system_zone not in zones:
        looks.problems.append(
            f"efs.file_system_id: {spec.efs.file_system_id} can be mounted in {file_system_zone} only, "
            f"and the network is in {', '.join(zones)}; use that zone or another file system."
        )
    looks.launch.check(zones)
    problems = [*looks.problems, *looks.launch.problems]
    if problems:
        raise SpecError("\n".join(problems))
    found: dict[str, Any] = {"zones": zones, "file_system_zone": file_system_zone}
    return {**found, "warnings": looks.launch.warnings} if looks.launch.warnings else found


class _Findings:
    """Collects every problem of one survey, so that the operator sees all of them at once."""

    def __init__(self, cloud: Cloud, spec: Spec) -> None:
        self._cloud = cloud
        self._spec = spec
        self.launch = Launch(cloud, spec)
        self.problems: list[str] = []

    def key_pair(self) -> None:
        name = self._spec.instance.key_name
        if name is None:
            return
        try:
            self.launch.observe(
                lambda: self._cloud.read("ec2", "describe_key_pairs", KeyNames=[name]),
                f"whether the key pair {name} exists",
            )
        except CallError as error:
            if error.code != "InvalidKeyPair.NotFound":
                raise
            self.problems.append(
                f"instance.key_name: the key pair {name} does not exist in {self._cloud.region}; "
                "use one that does, or omit it and use Session Manager."
            )

    def profile(self) -> None:
        if self._spec.instance.iam_profile is not None:
            self._brought(
                "instance.iam_profile", InstanceProfile(), {"reference": self._spec.instance.iam_profile}
            )

    def boundary(self) -> None:
        """A permissions boundary must be a policy that exists; IAM judges the rest at CreateRole."""
        arn = self._spec.instance.permissions_boundary
        if arn is None:
            return
        try:
            self.launch.observe(
                lambda: self._cloud.read("iam", "get_policy", PolicyArn=arn),
                f"whether the policy {arn} exists",
            )
        except CallError as error:
            if error.code not in Role.gone:
                raise
            self.problems.append(
                f"instance.permissions_boundary: the policy {arn} does not exist; create it, or use one that "
                "does."
            )

    def file_system(self) -> str | None:
        """Check an existing file system; return the one zone that it is bound to, if any."""
        id = self._spec.efs.file_system_id
        if id is None:
            return None
        vpc_id = self._spec.network.vpc_id or NEW_VPC
        if self._brought("efs.file_system_id", FileSystem(), {"reference": id, "vpc_id": vpc_id}) is None:
            return None
        described = self._cloud.read("efs", "describe_file_systems", FileSystemId=id).get("FileSystems") or [
            {}
        ]
        zone = described[0].get("AvailabilityZoneName")
        return str(zone) if zone else None

    def brought_zones(self) -> list[str]:
        """Return the zones of the existing subnets, which must be in the existing VPC."""
        network = self._spec.network
        self._brought("network.vpc_id", Vpc(), {"reference": network.vpc_id})
        zones: list[str] = []
        for index, id in enumerate(network.subnet_ids or ()):
            key = f"network.subnet_ids[{index}]"
            observation = self._brought(key, Subnet(), {"reference": id, "vpc_id": network.vpc_id})
            if observation is not None:
                zones.append(str(observation.facts["zone"]))
        return zones

    def own_zones(self, file_system_zone: str | None) -> list[str]:
        """Return the named zones, or as many as wanted: the file system's first, then by preferred type."""
        wanted = self._spec.network.zones
        usable = self._usable_zones()
        if isinstance(wanted, tuple):
            for index, zone in enumerate(wanted):
                if zone not in usable:
                    self.problems.append(
                        f"network.zones[{index}]: {zone} is not available to this account; "
                        f"{self._cloud.region} offers {', '.join(usable) or 'none'}."
                    )
            return list(wanted)
        count = int(wanted or 0)
        if len(usable) < count:
            self.problems.append(
                f"network.zones: {count} zones are requested, but {self._cloud.region} offers {len(usable)}; "
                "lower the number or choose another region."
            )
        rank = self._rank_by_type()
        worst = len(self._spec.instance.types)
        usable.sort(key=lambda zone: (zone != file_system_zone, rank.get(zone, worst), zone))
        return usable[:count]

    def _usable_zones(self) -> list[str]:
        """Return the availability zones that the account can use; local and wavelength zones have no EFS."""
        found = self._cloud.read("ec2", "describe_availability_zones").get("AvailabilityZones") or ()
        return sorted(
            str(zone["ZoneName"])
            for zone in found
            if zone.get("ZoneName")
            and zone.get("ZoneType", "availability-zone") == "availability-zone"
            and zone.get("State", "available") == "available"
        )

    def _rank_by_type(self) -> Mapping[str, int]:
        """Return, for each zone, the index in the spec's list of the first type that it offers."""
        types = self._spec.instance.types
        return {zone: min(map(types.index, offered)) for zone, offered in self.launch.offers.items()}

    def _brought(self, key: str, kind: Kind, inputs: Mapping[str, Any]) -> Observation | None:
        """Ask the kind whether an existing resource is suitable; if not, add a problem and return None."""
        observation = kind.reference(self._cloud, inputs)
        if observation.presence is Presence.READY:
            return observation
        reason = (
            observation.problem.message if observation.problem else f"{inputs['reference']} cannot be used."
        )
        self.problems.append(f"{key}: {reason}")
        return None
