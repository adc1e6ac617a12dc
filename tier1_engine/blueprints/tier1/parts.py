"""The sections of a Tier 1 spec."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from tier1_engine.errors import SpecError
from tier1_engine.spec import values as rules
from tier1_engine.spec.document import read_text
from tier1_engine.spec.part import MAX_LISTED, Part, Seconds, text_like
from tier1_engine.spec.values import KeyPath, Wrong

DEFAULT_CIDR = "10.0.0.0/16"


DEFAULT_ZONES = 2


MAX_INGRESS_RULES = 60
"""AWS's default quota of inbound rules per security group."""


MAX_SCRIPT_BYTES = 1024 * 1024
"""The most that is read of a user data file; the size limit of EC2 applies to the rendered user data."""


_EC2_DESCRIPTION = r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}"
"""The characters allowed in a rule's description (EC2 API reference, IpRange)."""


def _port_text(value: Any) -> str:
    first, last = rules.ports(value)
    return f"{first}-{last}" if last > first else str(first)


def _id(prefix: str) -> AfterValidator:
    return text_like(rf"{prefix}-[0-9A-Za-z]{{4,40}}", f"an id such as {prefix}-0123456789abcdef0")


SubnetId = Annotated[str, _id("subnet")]


# Source: KmsKeyId of the EFS API reference; EC2 accepts the same forms (EbsBlockDevice).
_KEY_ID = r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_KEY_ALIAS = r"alias/[a-zA-Z0-9/_-]{1,250}"
KmsKey = Annotated[
    str,
    text_like(
        rf"{_KEY_ID}|{_KEY_ALIAS}|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{{12}}:(?:key/{_KEY_ID}|{_KEY_ALIAS})",
        "the id, the alias (alias/NAME) or the ARN of a KMS key",
    ),
]


PolicyArn = Annotated[
    str,
    text_like(
        r"arn:aws[a-z-]*:iam::(aws|\d{12}):policy/[\w+=,.@/-]{1,512}",
        "the ARN of an IAM policy, such as arn:aws:iam::123456789012:policy/NAME",
    ),
]


InstanceType = Annotated[
    str, text_like(r"[a-z][a-z0-9-]{0,30}\.[a-z0-9-]{1,30}", "an instance type such as t3.medium")
]


class Ingress(Part):
    """An inbound rule of the instance. `port` is text: `443`, or `8000-8010`."""

    port: Annotated[str, BeforeValidator(_port_text)]
    cidr: Annotated[str, AfterValidator(rules.peer_cidr)]
    protocol: Literal["tcp", "udp"] = "tcp"
    description: Annotated[
        str, text_like(_EC2_DESCRIPTION, "at most 255 of the characters that EC2 accepts")
    ] = ""

    @property
    def port_range(self) -> tuple[int, int]:
        """Return the first and last port."""
        return rules.ports(self.port)


class Network(Part):
    """A new network (`cidr`, `zones`), or an existing one of the user's (`vpc_id`, `subnet_ids`).

    A new network sets the first two fields, an existing one the other two.
    """

    cidr: Annotated[str, AfterValidator(rules.vpc_cidr)] | None = None
    zones: Annotated[int | tuple[str, ...], BeforeValidator(rules.zones)] | None = None
    vpc_id: Annotated[str, _id("vpc")] | None = None
    subnet_ids: (
        Annotated[
            tuple[SubnetId, ...],
            Field(strict=False),
            AfterValidator(rules.listed("subnet", MAX_LISTED, least=1)),
        ]
        | None
    ) = None
    ingress: Annotated[
        tuple[Ingress, ...],
        Field(strict=False),
        AfterValidator(
            rules.listed("rule", MAX_INGRESS_RULES, key=lambda rule: (rule.protocol, rule.port, rule.cidr))
        ),
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _own_by_default(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or any(
            data.get(key) is not None for key in ("vpc_id", "subnet_ids")
        ):
            return data
        given = {
            key: value for key, value in data.items() if value is not None or key not in ("cidr", "zones")
        }
        return {"cidr": DEFAULT_CIDR, "zones": DEFAULT_ZONES, **given}

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        wrong: list[tuple[KeyPath, str]] = []
        if self.vpc_id is not None or self.subnet_ids is not None:
            if self.subnet_ids is None:
                wrong.append(
                    (("subnet_ids",), "is missing, but network.vpc_id requires it; add the subnets to use")
                )
            if self.vpc_id is None:
                wrong.append(
                    (("vpc_id",), "is missing, but network.subnet_ids requires it; add the subnets' VPC")
                )
            wrong += [
                ((key,), "cannot be combined with your own VPC and subnets; remove one or the other")
                for key in ("cidr", "zones")
                if getattr(self, key) is not None
            ]
        else:
            try:
                rules.subnet_cidrs(str(self.cidr), self.zone_count)
            except ValueError as error:
                wrong.append((("cidr",), str(error)))
        if wrong:
            raise Wrong(wrong)
        return self

    @property
    def brought(self) -> bool:
        """Whether the VPC and subnets belong to the user: referenced, never changed."""
        return self.vpc_id is not None

    @property
    def zone_count(self) -> int:
        """Return the maximum number of zones: the subnets of an existing network may share zones."""
        if self.subnet_ids is not None:
            return len(self.subnet_ids)
        return self.zones if isinstance(self.zones, int) else len(self.zones or ())


class Efs(Part):
    """The shared file system. The modes and the key apply only to one that the deployment creates.

    `iam`: mount with the identity of the instance's profile, where the EFS mount helper is installed; a file
    system policy may require it.
    """

    file_system_id: Annotated[str, _id("fs")] | None = None
    mount_path: Annotated[str, AfterValidator(rules.mount_path)] = "/mnt/efs"
    performance_mode: Literal["generalPurpose", "maxIO"] = "generalPurpose"
    # `provisioned` needs a throughput figure, for which the spec has no key.
    throughput_mode: Literal["elastic", "bursting"] = "elastic"
    kms_key_id: KmsKey | None = None
    iam: bool = False

    @model_validator(mode="after")
    def _key_of_a_new_one(self) -> Self:
        if self.kms_key_id is not None and self.file_system_id is not None:
            raise Wrong(
                [
                    (
                        ("kms_key_id",),
                        "cannot be combined with efs.file_system_id, which has its key; remove it",
                    )
                ]
            )
        return self

    @model_validator(mode="after")
    def _modes_go_together(self) -> Self:
        # EFS user guide, "Performance specifications": Max I/O is not supported with elastic throughput.
        if (self.performance_mode, self.throughput_mode) == ("maxIO", "elastic"):
            raise Wrong([(("performance_mode",), "cannot be maxIO with elastic throughput; set bursting")])
        return self


class UserData(Part):
    """The script that the instance runs after mounting the file system. May hold secrets: never shown."""

    path: str
    sha256: str
    text: str = Field(repr=False)


def _user_data(value: Any, info: ValidationInfo) -> Any:
    """Read the script at a path; a value from the database is already the stored script."""
    if info.context is None:
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("must be the path of a script")
    path = Path(info.context, Path(value).expanduser())
    try:
        text = read_text(path, max_bytes=MAX_SCRIPT_BYTES)
    except SpecError as error:
        raise Wrong([((), f"cannot be used: {str(error).rstrip('.')}")]) from error
    if "\0" in text:
        raise ValueError("must be a text file; this one has NUL characters")
    if text.startswith("#!") and text.partition("\n")[0].endswith("\r"):
        raise ValueError(
            "must have Unix line endings; with Windows line endings its interpreter is not found"
        )
    return UserData(path=value, sha256=hashlib.sha256(text.encode()).hexdigest(), text=text)


class Instance(Part):
    """The EC2 instance. `types` are tried in order, zone by zone.

    `kms_key_id` encrypts its volumes. `permissions_boundary` limits the role that tier1 creates for it.
    """

    types: Annotated[
        tuple[InstanceType, ...],
        Field(strict=False),
        AfterValidator(rules.listed("instance type", MAX_LISTED, least=1)),
    ] = ("t3.medium", "t3a.medium")
    market: Literal["on-demand", "spot", "spot-then-on-demand"] = "spot-then-on-demand"
    ami: (
        Annotated[
            str,
            text_like(
                r"ami-[0-9A-Za-z]{4,40}|ssm:/[A-Za-z0-9_.\-/]{1,1000}",
                "an id such as ami-0123abcd, or ssm:/path",
            ),
        ]
        | None
    ) = None
    key_name: Annotated[str, text_like(r"[!-~]([ -~]{0,253}[!-~])?", "the name of a key pair")] | None = None
    root_volume_gib: Annotated[int, AfterValidator(rules.within(8, 16_384))] = 30
    user_data: Annotated[UserData | None, BeforeValidator(_user_data)] = None
    iam_profile: (
        Annotated[str, text_like(r"[\w+=,.@-]{1,128}", "the name (not ARN) of an instance profile")] | None
    ) = None
    permissions_boundary: PolicyArn | None = None
    kms_key_id: KmsKey | None = None
    capacity_reservation_id: Annotated[str, _id("cr")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _reserved_on_demand(cls, data: Any) -> Any:
        """The market of a capacity reservation is on-demand, unless the spec says otherwise."""
        if not isinstance(data, Mapping) or data.get("capacity_reservation_id") is None:
            return data
        return {**data, "market": "on-demand" if data.get("market") is None else data["market"]}

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        wrong: list[tuple[KeyPath, str]] = []
        if self.permissions_boundary is not None and self.iam_profile is not None:
            wrong.append(
                (
                    ("permissions_boundary",),
                    "is for the role that tier1 creates, but instance.iam_profile has its own; remove one",
                )
            )
        # EC2 user guide, "Capacity Reservations": they cannot be used with Spot Instances.
        if self.capacity_reservation_id is not None and self.market != "on-demand":
            wrong.append(
                (
                    ("market",),
                    f"is {self.market}, but a capacity reservation is for on-demand instances; set on-demand",
                )
            )
        if wrong:
            raise Wrong(wrong)
        return self


class Service(Part):
    """A service on the instance that must respond, by `url` or by `tcp`, not both."""

    name: Annotated[str, text_like(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", "1 to 40 letters, digits and . _ -")]
    url: Annotated[str, AfterValidator(rules.url_template)] | None = None
    tcp: Annotated[str, AfterValidator(rules.tcp_template)] | None = None

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.tcp is None):
            raise Wrong([((), "must have exactly one of url and tcp")])
        return self


class Health(Part):
    """The health checks that must pass before the deployment is active."""

    timeout: Seconds | None = None
    instance_status: bool = True
    mount_check: Literal["console", "ssm", "none"] = "console"
    services: Annotated[
        tuple[Service, ...],
        Field(strict=False),
        AfterValidator(rules.listed("the name of service", MAX_LISTED, key=lambda service: service.name)),
    ] = ()


class Timeouts(Part):
    """Deadlines in running time for one step of each phase, and for one deletion."""

    network: Seconds = 600.0
    efs: Seconds = 1_800.0
    ec2: Seconds = 900.0
    health: Seconds | None = None
    delete: Seconds = 2_400.0
