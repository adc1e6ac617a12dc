"""The operations of AWS that the local AWS speaks, as botocore's service models name them.

Owns the look-up of an operation by its name, its route or its wire form's protocol, and the nearest
name of one that does not exist. It guesses nothing: what no model has is None.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

SERVICES: Final[tuple[Literal["sts", "ssm", "ec2", "efs", "iam"], ...]] = ("sts", "ssm", "ec2", "efs", "iam")
ANY_OPERATION: Final = "*"

_BY_SIGNING_NAME: Final = {"elasticfilesystem": "efs"}
"""Where the name in the credential scope is not the service's."""


@cache
def service_model(service: str) -> ServiceModel:
    """The model of one of `SERVICES`; moto's own copy of it, so that it is in memory once."""
    from moto.core.utils import get_service_model

    return get_service_model(service)


def service_of(signing_name: str) -> str | None:
    """The service whose requests are signed for this name; None when the local AWS does not speak it."""
    name = _BY_SIGNING_NAME.get(signing_name.lower(), signing_name.lower())
    return name if name in SERVICES else None


@cache
def operation_model(service: str, operation: str) -> OperationModel | None:
    """The model of an operation; None when its service has none of this name."""
    model = service_model(service)
    return model.operation_model(operation) if operation in model.operation_names else None


@dataclass(frozen=True, slots=True)
class Route:
    """How a REST operation is recognised: its method, and its path with the parameters in it."""

    operation: str
    method: str
    path: re.Pattern[str]


@cache
def _routes(service: str) -> tuple[Route, ...]:
    model = service_model(service)
    routes = [
        Route(name, http["method"], _path_pattern(http["requestUri"]))
        for name in model.operation_names
        if (http := model.operation_model(name).http)
    ]
    # A literal word wins over a parameter in its place.
    return tuple(sorted(routes, key=lambda route: route.path.pattern.count("(?P<")))


def _path_pattern(uri: str) -> re.Pattern[str]:
    path = uri.partition("?")[0].rstrip("/")
    parts = re.split(r"\{(\w+)\+?\}", path)
    literal = [re.escape(part) for part in parts[::2]]
    named = [f"(?P<{name}>[^/]+)" for name in parts[1::2]] + [""]
    return re.compile("".join(a + b for a, b in zip(literal, named, strict=True)) + "/?")


def routed(service: str, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """The REST operation at a method and path, with the parameters that stand in the path."""
    for route in _routes(service):
        if route.method == method and (found := route.path.fullmatch(path)):
            return route.operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return None


@cache
def names() -> frozenset[str]:
    """Every operation of every service that the local AWS speaks."""
    return frozenset(name for service in SERVICES for name in service_model(service).operation_names)


def nearest(operation: str) -> str | None:
    """The operation that is spelt most like a name that none has."""
    return closest(operation, names())


def closest(word: str, known: Collection[str]) -> str | None:
    """The one of `known` that is spelt most like `word`, whatever the case; None when none is."""
    by_lower = {name.lower(): name for name in sorted(known)}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None


def models(operation: str) -> Iterator[OperationModel]:
    """The operation of this name in each service that has one (`CreateTags` is EC2's and EFS's)."""
    for service in SERVICES:
        if (model := operation_model(service, operation)) is not None:
            yield model


def parameter_names(model: OperationModel) -> frozenset[str]:
    """Every parameter of an operation, dotted, without the numbers of list items."""
    return frozenset(_dotted(model.input_shape, "", frozenset())) if model.input_shape else frozenset()


def _dotted(shape: Shape, prefix: str, inside: frozenset[str]) -> Iterator[str]:
    value: Any = shape
    if shape.type_name == "list":
        yield from _dotted(value.member, prefix, inside)
    elif shape.type_name == "structure" and shape.name not in inside:
        members: Mapping[str, Shape] = value.members
        for name, member in members.items():
            yield prefix + name
            yield from _dotted(member, f"{prefix}{name}.", inside | {shape.name})
