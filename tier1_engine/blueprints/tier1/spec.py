"""The spec of a Tier 1 stack, a frozen value that is validated before anything is created.

Owns the top level of the YAML and the rules that span two sections. The sections are in `parts`, the keys
that every spec has in `tier1_engine.spec`. It never calls AWS: `survey` checks whether a VPC exists.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from tier1_engine.aws.words import partition
from tier1_engine.blueprints.tier1.parts import Efs, Health, Instance, Network, Timeouts
from tier1_engine.boot import userdata
from tier1_engine.spec import values as rules
from tier1_engine.spec.base import DEFAULT_BLUEPRINT, BaseSpec
from tier1_engine.spec.reading import load
from tier1_engine.spec.values import Wrong

DEFAULT_HEALTH_SECONDS = 600.0


class Spec(BaseSpec):
    """A complete spec. Durations are seconds."""

    # The order matters: a validator may use the fields declared before its own.
    network: Network = Field(default_factory=lambda: Network.model_validate({}))
    efs: Efs = Field(default_factory=Efs)
    instance: Instance = Field(default_factory=Instance)
    health: Health = Field(default_factory=Health)
    timeouts: Timeouts = Field(default_factory=Timeouts)

    @field_validator("network")
    @classmethod
    def _zones_are_of_the_region(cls, network: Network, info: ValidationInfo) -> Network:
        region = info.data.get("region")
        if region is not None and isinstance(network.zones, tuple):
            others = [
                (("zones", index), f"is {zone}, which is not a zone of {region}, such as {region}a")
                for index, zone in enumerate(network.zones)
                if len(zone) != len(region) + 1 or not zone.startswith(region) or not zone[-1].islower()
            ]
            if others:
                raise Wrong(others)
        return network

    @field_validator("efs", "instance")
    @classmethod
    def _arns_are_of_the_region(cls, part: Efs | Instance, info: ValidationInfo) -> Efs | Instance:
        region, wrong = info.data.get("region"), []
        if region is None:
            return part
        key, boundary = part.kms_key_id or "", getattr(part, "permissions_boundary", None) or ""
        if key.startswith("arn:") and key.split(":")[3] != region:
            wrong.append((("kms_key_id",), f"is a key of {key.split(':')[3]}, but must be one of {region}"))
        if boundary and boundary.split(":")[1] != partition(region):
            wrong.append(
                (
                    ("permissions_boundary",),
                    f"must begin with arn:{partition(region)}:iam, as policies for {region} do",
                )
            )
        if wrong:
            raise Wrong(wrong)
        return part

    @field_validator("instance")
    @classmethod
    def _user_data_fits(cls, instance: Instance, info: ValidationInfo) -> Instance:
        if instance.user_data is None:
            return instance
        network, efs = info.data.get("network"), info.data.get("efs") or Efs()
        most = userdata.MAX_BYTES
        size = userdata.largest_bytes(
            instance.user_data.text,
            mount_path=efs.mount_path,
            region=info.data.get("region") or "us-east-1",
            zones=min(network.zone_count, rules.MAX_ZONES) if network else 1,
            iam=efs.iam,
        )
        if size > most:
            script = len(instance.user_data.text.encode())
            raise Wrong(
                [
                    (
                        ("user_data",),
                        (
                            f"is a script of {script} bytes, which makes {size} bytes of compressed user "
                            f"data, but EC2 allows {most}; shorten it, or let it download the rest"
                        ),
                    )
                ]
            )
        return instance

    @property
    def health_seconds(self) -> float:
        """Return how long a check may take: the shorter of `health.timeout` and `timeouts.health`."""
        given = [limit for limit in (self.health.timeout, self.timeouts.health) if limit is not None]
        return min(given, default=DEFAULT_HEALTH_SECONDS)


def load_spec(path: Path, *, name: str | None = None) -> Spec:
    """Read and validate a spec file of this blueprint.

    Raises:
        SpecError: one line per problem, with file, line, key, and what is allowed.
    """
    return load(path, _this_one, name=name)


def _this_one(blueprint: str) -> type[Spec]:
    if blueprint != DEFAULT_BLUEPRINT:
        raise ValueError(f"but this takes a spec of {DEFAULT_BLUEPRINT} only")
    return Spec
