"""Checks before anything is created that the instance of a spec can be launched at all.

Owns these checks and their messages: image, instance types and root volume fit together, and some type is
offered in some zone. What AWS refuses at the launch would otherwise be known only after the network and the
file system exist. A call that only observes may be denied: then a warning says what was not checked.

Source: "Requirements for enabling enhanced networking" (ENA), "Instance launch considerations by boot mode",
"Amazon EBS-backed and instance store-backed AMIs" and "Virtualization types" of the EC2 user guide;
DescribeImages of the EC2 API reference for images that are not shared or no longer there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.contract.cloud import Cloud
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import about_of, is_unsupported
from tier1_engine.failures.final_codes import About
from tier1_engine.resources import instance_request

Looked = TypeVar("Looked")
Described = Mapping[str, Any]

NO_IMAGE = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"})
NO_PARAMETER = frozenset({"ParameterNotFound", "ParameterVersionNotFound"})
NO_RESERVATION = frozenset(
    {"InvalidCapacityReservationId.NotFound", "InvalidCapacityReservationId.Malformed"}
)
ENA_REQUIRED = "required"
BOOT_MODES = {"uefi": "UEFI", "legacy-bios": "legacy BIOS"}
SHOWN_ZONES = 4
IAM_ACTIONS = (
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeCapacityReservations",
)


class Launch:
    """The checks of one spec.

    Attributes:
        problems: reasons to refuse the spec, one line each.
        warnings: what could not be checked, one sentence each.
    """

    def __init__(self, cloud: Cloud, spec: Spec) -> None:
        self._cloud = cloud
        self._wanted = spec.instance
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.offers = self._offers()

    def observe(self, look: Callable[[], Looked], unchecked: str) -> Looked | None:
        """The result of a call that only observes; None, with a warning, where it is denied.

        Args:
            unchecked: what is not known without it.

        Raises:
            CallError: it failed for another reason.
        """
        try:
            return look()
        except CallError as error:
            if about_of(error.code) is About.ACCESS:
                self.warnings.append(
                    f"{error.operation} is denied ({error.code}), so that {unchecked} was not checked; "
                    "allow it, or expect AWS to refuse at the launch what does not fit."
                )
            elif not is_unsupported(error):
                raise
        return None

    def check(self, zones: Sequence[str]) -> None:
        """Check types, image and root volume against each other and the zones."""
        described = self._types()
        if described is not None:
            self._unknown_types(described)
        self._offered(zones, {} if described is None else described)
        self._reserved(zones)
        for image_id, types in self._images().items():
            image = self._image(image_id)
            if image is not None:
                self.problems += _root_volume(image_id, image, self._wanted.root_volume_gib)
                known = {type: described[type] for type in types if type in described} if described else {}
                self.problems += _misfits(image_id, image, known)

    # --- types and zones

    def _offers(self) -> Mapping[str, frozenset[str]]:
        """The types of the spec that each zone offers; empty when that is not known."""
        types = list(self._wanted.types)
        found = self.observe(
            lambda: list(
                self._cloud.pages(
                    "ec2",
                    "describe_instance_type_offerings",
                    "InstanceTypeOfferings",
                    LocationType="availability-zone",
                    Filters=[{"Name": "instance-type", "Values": types}],
                )
            ),
            "whether the zones offer the instance types",
        )
        offers: dict[str, set[str]] = {}
        for offer in found or ():
            if offer.get("InstanceType") in types:  # an endpoint may ignore the filter
                offers.setdefault(str(offer.get("Location")), set()).add(str(offer["InstanceType"]))
        return {zone: frozenset(offered) for zone, offered in offers.items()}

    def _types(self) -> Mapping[str, Described] | None:
        """AWS's descriptions of the types that exist in the region; None when they cannot be read."""
        types = list(self._wanted.types)
        found = self.observe(
            lambda: list(
                self._cloud.pages(
                    "ec2",
                    "describe_instance_types",
                    "InstanceTypes",
                    Filters=[{"Name": "instance-type", "Values": types}],
                )
            ),
            "whether the instance types exist and fit the AMI",
        )
        if found is None:
            return None
        return {str(one["InstanceType"]): one for one in found if one.get("InstanceType") in types}

    def _unknown_types(self, described: Mapping[str, Described]) -> None:
        for index, type in enumerate(self._wanted.types):
            if type not in described:
                self.problems.append(
                    f"instance.types[{index}]: {type} does not exist in {self._cloud.region}; correct it, "
                    "or remove it."
                )

    def _offered(self, zones: Sequence[str], described: Mapping[str, Described]) -> None:
        """Refuse when no zone of the deployment offers any type; a launch tries all pairs in turn."""
        types = [type for type in self._wanted.types if type in described]
        if not zones or not self.offers or not types or any(self.offers.get(zone) for zone in zones):
            return
        elsewhere = [zone for zone in sorted(self.offers) if zone not in zones][:SHOWN_ZONES]
        where = f"; use zones that do, such as {', '.join(elsewhere)}" if elsewhere else ""
        self.problems.append(
            f"instance.types: {_listed(zones)} {_verb(zones, 'offers', 'offer')} no {_listed(types, 'or')}"
            f"{where}, or other types."
        )

    def _reserved(self, zones: Sequence[str]) -> None:
        """Refuse a capacity reservation that no type and zone of the deployment can use."""
        asked = self._wanted.capacity_reservation_id
        if asked is None:
            return
        key = "instance.capacity_reservation_id"
        try:
            found = self.observe(
                lambda: (
                    self._cloud.read(
                        "ec2", "describe_capacity_reservations", CapacityReservationIds=[asked]
                    ).get("CapacityReservations")
                    or ()
                ),
                f"whether the capacity reservation {asked} can be used",
            )
        except CallError as error:
            if error.code not in NO_RESERVATION:
                raise
            found = ()
        if found is None:
            return
        reservation = next((one for one in found if one.get("CapacityReservationId") == asked), None)
        if reservation is None:
            self.problems.append(
                f"{key}: {asked} does not exist in {self._cloud.region}, or is not shared with account "
                f"{self._cloud.account_id}; correct or omit it."
            )
            return
        state, type = reservation.get("State", "active"), str(reservation.get("InstanceType"))
        zone = str(reservation.get("AvailabilityZone"))
        if state != "active":
            self.problems.append(f"{key}: {asked} is {state}, not active; use another one, or omit it.")
        elif type not in self._wanted.types:
            self.problems.append(f"{key}: {asked} is for {type}; add that to instance.types.")
        elif zones and zone not in zones:
            self.problems.append(
                f"{key}: {asked} is in {zone}, but the network is in {_listed(zones)}; name its zone in "
                "network.zones."
            )

    # --- images

    def _images(self) -> Mapping[str, list[str]]:
        """The types by the image that they would be launched from."""
        images: dict[str, list[str]] = {}
        for type in self._wanted.types:
            try:
                image_id = instance_request.image_id(self._cloud, self._wanted.ami, type)
            except CallError as error:
                if error.code not in NO_PARAMETER:
                    raise
                name = instance_request.wanted_image(self._wanted.ami, type)
                self.problems.append(
                    f"instance.ami: the parameter {name.removeprefix('ssm:')} does not exist in "
                    f"{self._cloud.region}; use one that does, or an AMI id."
                )
                return {}
            images.setdefault(image_id, []).append(type)
        return images

    def _image(self, image_id: str) -> Described | None:
        """AWS's description of an image that can be launched; None, with a problem, of one that cannot."""
        said = ""
        try:
            found = self._cloud.read("ec2", "describe_images", ImageIds=[image_id]).get("Images") or ()
        except CallError as error:
            if is_unsupported(error):
                return None
            if error.code not in NO_IMAGE:
                raise
            found, said = (), f" (AWS: {error.message.rstrip('.')})"
        image = next((one for one in found if one.get("ImageId") == image_id), None)
        state = "available" if image is None else str(image.get("State") or "available")
        if image is not None and state == "available":
            return dict(image)
        why = (
            f"does not exist in {self._cloud.region}, was deregistered, or is not shared with account "
            f"{self._cloud.account_id}{said}"
            if image is None
            else f"is {state}"
        )
        self.problems.append(
            f"instance.ami: {image_id} {why}; use an AMI that can be launched, or omit it for Amazon Linux."
        )
        return None


def _root_volume(image_id: str, image: Described, root_gib: int) -> Iterator[str]:
    snapshot_gib = instance_request.root_gib(image)
    if snapshot_gib > root_gib:
        yield (
            f"instance.root_volume_gib: {root_gib} GiB is less than the root snapshot of {image_id}, which "
            f"has {snapshot_gib} GiB; set it to {snapshot_gib} or more."
        )


def _misfits(image_id: str, image: Described, types: Mapping[str, Described]) -> Iterator[str]:
    """One line for each reason, with all the types that it applies to."""
    if image.get("RootDeviceType") == "instance-store":
        yield f"instance.ami: {image_id} has no EBS root volume; use an AMI that is backed by EBS."
        return
    misfits: dict[str, list[str]] = {}
    for type, described in types.items():
        reason = _misfit(image, described)
        if reason is not None:
            misfits.setdefault(reason, []).append(type)
    for reason, names in misfits.items():
        verbs = {"are": _verb(names, "is", "are"), "needs": _verb(names, "needs", "need")}
        yield f"instance.ami: {image_id} {reason.format(types=_listed(names), **verbs)}"


def _misfit(image: Described, described: Described) -> str | None:
    """Why the image cannot be launched on the type; the first reason that AWS would have."""
    architecture = image.get("Architecture")
    supported = (described.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ()
    if architecture and supported and architecture not in supported:
        other = "/".join(supported)
        return (
            f"is for {architecture}, but {{types}} {{are}} {other}; use an AMI for {other}, or types for "
            f"{architecture}."
        )
    kinds = described.get("SupportedVirtualizationTypes") or ()
    virtualization = image.get("VirtualizationType")
    if virtualization and kinds and virtualization not in kinds:
        return f"is {virtualization}, which {{types}} cannot run; use an HVM AMI."
    ena = (described.get("NetworkInfo") or {}).get("EnaSupport")
    if ena == ENA_REQUIRED and not _has_ena(image):
        return (
            "is not enabled for ENA (enhanced networking), which {types} {needs}; use an AMI that is, or "
            "types that do not need it, such as t2."
        )
    modes = described.get("SupportedBootModes") or ()
    mode = image.get("BootMode")
    if mode in BOOT_MODES and modes and mode not in modes:
        return (
            f"boots by {BOOT_MODES[mode]} only, which {{types}} cannot; use an AMI and types with a boot "
            "mode in common."
        )
    return None


def _has_ena(image: Described) -> bool:
    """AWS leaves the attribute out where it is not set; so do emulators everywhere, without a platform."""
    return bool(image.get("EnaSupport", "PlatformDetails" not in image))


def _listed(names: Sequence[str], conjunction: str = "and") -> str:
    *first, last = names
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def _verb(names: Sequence[str], one: str, several: str) -> str:
    return one if len(names) == 1 else several
