"""The parts of a spec, each a frozen model: network, file system, instance, health, policy, timeouts.

Owns the keys of each part, their defaults, and which of them go together. The rules of single values
stand in `spec_values`; what needs two parts at once is judged in `spec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    model_validator,
)

from tier1_engine.spec import values as rules

MAX_LISTED = 20
"""Instance types, brought subnets, services: more than anybody needs, and a bound."""


class Part(BaseModel):
    """One mapping of the spec: frozen, unknown keys refused, and a null means the default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _null_means_default(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


def _seconds(value: Any, info: ValidationInfo) -> float:
    """A duration has a unit in a file, and is a number of seconds in the database."""
    if info.context is None and isinstance(value, int | float):
        return float(value)
    return rules.duration(value)


def text_like(pattern: str, wanted: str) -> AfterValidator:
    """A field's rule: its text matches `pattern`, which `wanted` says in words."""
    return AfterValidator(rules.matching(pattern, wanted))


Seconds = Annotated[float, BeforeValidator(_seconds)]


class Policy(Part):
    """What follows a failure. `max_attempts`: tries of one call before it counts as failed.

    `keep` protects the deployment from every sweep, also when its time to live is over.
    """

    rollback: bool = True
    keep: bool = False
    on_recoverable: Literal["ask", "stop", "retry", "continue", "rollback"] = "stop"
    max_attempts: Annotated[int, AfterValidator(rules.within(1, 20))] = 5
