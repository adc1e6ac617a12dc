"""What a user may ask for: the spec as a frozen value, validated as a whole before anything is made.

Owns the whole of the contract's YAML and what takes two of its parts to judge; the parts stand in
`spec_parts`, the reading of the file in `spec_yaml`, the sentences in `spec_wording`. It never asks
AWS: what needs a look (does the VPC exist) is the blueprint's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from tier1_engine.blueprints.tier1.parts import Efs, Health, Instance, Network, Timeouts
from tier1_engine.boot import userdata
from tier1_engine.errors import SpecError
from tier1_engine.spec import values as rules
from tier1_engine.spec import wording
from tier1_engine.spec.document import read_document
from tier1_engine.spec.part import Part, Policy, Seconds, text_like
from tier1_engine.spec.values import Wrong

DEFAULT_HEALTH_SECONDS = 600.0


class Spec(Part):
    """A whole spec. Durations are seconds; nothing in it changes once it is made."""

    name: Annotated[
        str,
        text_like(
            r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?",
            "1 to 40 lower-case letters, digits and hyphens, from a letter to a letter or digit",
        ),
    ]
    region: Annotated[str, AfterValidator(rules.region)]
    tags: Annotated[dict[str, Any], AfterValidator(rules.tags)] = Field(default_factory=dict)
    ttl: Seconds | None = None
    # In this order: the checks of a later one look at those before it.
    network: Network = Field(default_factory=lambda: Network.model_validate({}))
    efs: Efs = Field(default_factory=Efs)
    instance: Instance = Field(default_factory=Instance)
    health: Health = Field(default_factory=Health)
    policy: Policy = Field(default_factory=Policy)
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
        )
        if size > most:
            script = len(instance.user_data.text.encode())
            over = (size - most) * 3 // 4 + 3  # base64 makes four bytes of three
            raise Wrong(
                [
                    (
                        ("user_data",),
                        (
                            f"is a script of {script} bytes, which makes {size} bytes of user data, but EC2 "
                            f"allows {most}; shorten it by {over} bytes, or let it download the rest"
                        ),
                    )
                ]
            )
        return instance

    @property
    def health_seconds(self) -> float:
        """How long a check may take: `health.timeout` or `timeouts.health`, the shorter of both."""
        given = [limit for limit in (self.health.timeout, self.timeouts.health) if limit is not None]
        return min(given, default=DEFAULT_HEALTH_SECONDS)

    def to_stored(self) -> dict[str, Any]:
        """JSON values from which `from_stored` makes an equal spec; the script is inside them."""
        return self.model_dump(mode="json")

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Spec:
        """The spec that `to_stored` wrote.

        Raises:
            SpecError: this program does not know such a spec (another version wrote it).
        """
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            found = "\n".join(
                wording.one_line(f"The stored spec cannot be read by this version of tier1: {sentence}")
                for _, sentence in wording.problems(error, stored, _KEYS)
            )
            raise SpecError(found) from error


_KEYS = wording.keys_of(Spec)


def load_spec(path: Path, *, name: str | None = None) -> Spec:
    """Read and validate a spec file; paths in it are relative to its folder.

    Args:
        name: taken instead of the file's own `name`.

    Raises:
        SpecError: one line for each problem, with file, line, key, and what is allowed.
    """
    document = read_document(path)
    if name is not None:
        document.values["name"] = name
        document.lines[("name",)] = wording.FROM_COMMAND_LINE
    try:
        spec = Spec.model_validate(document.values, context=path.parent)
    except ValidationError as error:
        raise SpecError(wording.report(document, error, _KEYS)) from error
    if document.problems:
        raise SpecError(wording.report(document, None, _KEYS))
    return spec
