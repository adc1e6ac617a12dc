"""The keys that every spec has, whatever its blueprint. A blueprint extends this model with its own.

Owns the common keys and the form in which a spec is stored. It never asks AWS, and knows no blueprint.
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
"""The blueprint of a spec that names none."""


class BaseSpec(Part):
    """What every spec says: what it is called, where it lives, and what follows a failure.

    A blueprint's own model extends it. Every part is frozen, an unknown key is an error that names the
    nearest valid one, and a null means the default:

        class SiteSpec(BaseSpec):
            bucket: BucketPart = Field(default_factory=BucketPart)   # BucketPart extends `spec.part.Part`
            ready_within: Seconds = 60.0                             # written as `60s`

    Attributes:
        name: of the deployment; unique among the living ones of an account and region.
        region: of AWS.
        blueprint: what the spec is turned into a plan by.
        tags: put on every resource, beside those of `tier1`.
        ttl: seconds until a sweep may take the deployment down; None for never.
        policy: what follows a failure.
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
        """JSON values from which `from_stored` makes an equal spec; files that it names are inside them."""
        return self.model_dump(mode="json")

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """The spec that `to_stored` wrote.

        Raises:
            SpecError: this program does not know such a spec (another version wrote it).
        """
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            found = "\n".join(
                wording.one_line(f"The stored spec cannot be read by this version of tier1: {sentence}")
                for _, sentence in wording.problems(error, stored, wording.keys_of(cls))
            )
            raise SpecError(found) from error
