"""The building blocks of every spec: the frozen model, durations, and the policy after a failure.

Owns no keys of a blueprint. The rules for single values are in `values`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, get_args

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
"""The limit of every list: instance types, provided subnets, services."""


class Part(BaseModel):
    """One mapping of a spec: frozen, rejects unknown keys, and takes a null as the default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _null_means_default(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


def _seconds(value: Any, info: ValidationInfo) -> float:
    """Parse a duration: text with a unit in a file, a number of seconds in the database."""
    if info.context is None and isinstance(value, int | float):
        return float(value)
    return rules.duration(value)


def text_like(pattern: str, wanted: str) -> AfterValidator:
    """Return the rule that a field's text matches `pattern`; `wanted` describes it for the message."""
    return AfterValidator(rules.matching(pattern, wanted))


DURATION: Final = "duration"
"""Marks duration fields, so that a stored spec can be printed as a user writes it."""

Seconds = Annotated[float, BeforeValidator(_seconds), DURATION]
"""A duration: `90s`, `10m`, `72h` or `3d` in a file, a number of seconds in the model."""


class Policy(Part):
    """What to do after a failure. `max_attempts`: attempts of one call before it counts as failed.

    `keep` protects the deployment from every sweep, even after its time to live.
    """

    rollback: bool = True
    keep: bool = False
    on_recoverable: Literal["ask", "stop", "retry", "continue", "rollback"] = "stop"
    max_attempts: Annotated[int, AfterValidator(rules.within(1, 20))] = 5


def durations_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the key paths of all durations in a model, without list indexes."""
    for name, field in model.model_fields.items():
        if DURATION in field.metadata or _is_duration(field.annotation):
            yield (*path, name)
        for inner in models_in(field.annotation):
            yield from durations_of(inner, (*path, name))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in a field's annotation, including those in unions and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def _is_duration(annotation: Any) -> bool:
    if DURATION in getattr(annotation, "__metadata__", ()):
        return True
    return any(_is_duration(argument) for argument in get_args(annotation))
