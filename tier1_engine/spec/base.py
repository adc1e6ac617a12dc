"""The keys that every spec has. A blueprint extends this model with its own.

Owns the common keys and the stored form of a spec. It never calls AWS, and knows no blueprint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError

from tier1_engine.errors import SpecError
from tier1_engine.spec import values as rules
from tier1_engine.spec import wording
from tier1_engine.spec.part import Part, Policy, Seconds, text_like

DEFAULT_BLUEPRINT = "tier1"
"""The blueprint of a spec without the key `blueprint`."""


class BaseSpec(Part):
    """The keys that every spec has: its name, its region, and what to do after a failure.

    The model of a blueprint extends this one. Every part is frozen, an unknown key is an error that names the
    nearest valid key, and a null means the default:

        class SiteSpec(BaseSpec):
            bucket: BucketPart = Field(default_factory=BucketPart)   # BucketPart extends `spec.part.Part`
            ready_within: Seconds = 60.0                             # written as `60s`

    Attributes:
        name: the name of the deployment, unique among the existing ones in an account and region.
        region: the AWS region.
        blueprint: the blueprint that turns the spec into a plan.
        tags: added to every resource, beside those of `tier1`.
        ttl: seconds until a sweep may delete the deployment; None for never.
        policy: what to do after a failure.
    """

    name: Annotated[
        str,
        text_like(
            r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?",
            "1 to 40 lower-case letters, digits and hyphens, from a letter to a letter or digit",
        ),
    ]
    region: Annotated[str, AfterValidator(rules.region)]
    blueprint: str = DEFAULT_BLUEPRINT
    tags: Annotated[dict[str, Any], AfterValidator(rules.tags)] = Field(default_factory=dict)
    ttl: Seconds | None = None
    policy: Policy = Field(default_factory=Policy)

    def to_stored(self) -> dict[str, Any]:
        """Return the spec as JSON values for `from_stored`, with the contents of the files that it names."""
        return self.model_dump(mode="json")

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """Build the spec from the values of `to_stored`.

        Raises:
            SpecError: this version of tier1 cannot read the spec (another version wrote it).
        """
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            found = "\n".join(
                wording.one_line(f"The stored spec cannot be read by this version of tier1: {sentence}")
                for _, sentence in wording.problems(error, stored, wording.keys_of(cls))
            )
            raise SpecError(found) from error
