"""The operations that the local AWS supports, as botocore's service models name them.

Owns the lookup of an operation by its name, its route or its protocol, and the nearest name of an unknown
one. It guesses nothing: an operation without a model is None.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

OWN_SERVICES: Final[tuple[Literal["sts", "ssm", "ec2", "efs", "iam"], ...]] = (
    "sts",
    "ssm",
    "ec2",
    "efs",
    "iam",
)
"""The services that tier1's kinds call; loaded when the local AWS starts."""

SERVICES: Final[tuple[Literal["sts", "ssm", "ec2", "efs", "iam", "s3"], ...]] = (*OWN_SERVICES, "s3")
"""The services that support faults and recording. moto answers the others unmodified."""

ANY_OPERATION: Final = "*"

_BY_SIGNING_NAME: Final = {"elasticfilesystem": "efs"}
"""Names in the credential scope that differ from the service's."""


@cache
def service_model(service: str) -> ServiceModel:
    """The model of one of `SERVICES`; moto's own copy, so that it is in memory once."""
    from moto.core.utils import get_service_model

    return get_service_model(service)


def service_of(signing_name: str) -> str | None:
    """The service that signs with this name; None when the local AWS does not support it."""
    name = _BY_SIGNING_NAME.get(signing_name.lower(), signing_name.lower())
    return name if name in SERVICES else None


@cache
def operation_model(service: str, operation: str) -> OperationModel | None:
    """The model of an operation; None when its service has no operation of this name."""
    model = service_model(service)
    return model.operation_model(operation) if operation in model.operation_names else None


@dataclass(frozen=True, slots=True)
class Route:
    """How a REST operation is recognised.

    Attributes:
        path: with the parameters in it.
        query: what its query string must contain; None matches any value.
        headed: it requires a header, too, so another operation with the same path takes precedence.
    """

    operation: str
    method: str
    path: re.Pattern[str]
    query: Mapping[str, str | None]
    headed: bool

    def fits(self, method: str, query: Mapping[str, str], *, whole: bool) -> bool:
        """Whether a request matches; with `whole`, it must also have the parameters of the query."""
        return self.method == method and all(
            query.get(name) == value if value is not None else not whole or name in query
            for name, value in self.query.items()
        )

    @property
    def rank(self) -> tuple[int, int, bool]:
        """The sort key: more requirements come first, and a literal segment precedes a parameter."""
        return -len(self.query), self.path.pattern.count("(?P<"), self.headed


@cache
def _routes(service: str) -> tuple[Route, ...]:
    model = service_model(service)
    named = ((name, model.operation_model(name)) for name in model.operation_names)
    return tuple(sorted((_route(name, one) for name, one in named if one.http), key=lambda one: one.rank))


def _route(name: str, model: OperationModel) -> Route:
    # A botocore client removes the bucket from S3 paths, in a model that others may share, and keeps the full
    # path for the signature.
    path, _, query = model.http["requestUri"].partition("?")
    path = model.http.get("authPath", path)
    wanted = dict(parse_qsl(query, keep_blank_values=True))
    shape: Any = model.input_shape
    needed = {
        member.serialization.get("name", name): member.serialization.get("location")
        for name, member in (shape.members.items() if shape else ())
        if name in shape.required_members
    }
    asked = {wire: None for wire, where in needed.items() if where == "querystring"}
    return Route(
        name, model.http["method"], _path_pattern(path), {**asked, **wanted}, "header" in needed.values()
    )


def _path_pattern(uri: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+\+?)\}", uri.rstrip("/"))
    literal = [re.escape(part) for part in parts[::2]]
    # A `+` marks a parameter that may contain slashes.
    named = [f"(?P<{name.rstrip('+')}>{'.+' if name.endswith('+') else '[^/]+'})" for name in parts[1::2]]
    return re.compile("".join(a + b for a, b in zip(literal, [*named, ""], strict=True)) + "/?")


def routed(service: str, method: str, path: str, query: str = "") -> tuple[str, dict[str, str]] | None:
    """The REST operation for a method, path and query, with the parameters from the path."""
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for whole in (True, False):
        for route in _routes(service):
            if route.fits(method, asked, whole=whole) and (found := route.path.fullmatch(path)):
                return route.operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return None


@cache
def names() -> frozenset[str]:
    """Every operation of every supported service."""
    return frozenset(name for service in SERVICES for name in service_model(service).operation_names)


def nearest(operation: str) -> str | None:
    """The known operation with the most similar name; None when none is similar."""
    return closest(operation, names())


def closest(word: str, known: Collection[str]) -> str | None:
    """The member of `known` with the most similar spelling, ignoring case; None when none is similar."""
    by_lower = {name.lower(): name for name in sorted(known)}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None


def models(operation: str) -> Iterator[OperationModel]:
    """The models of the operation in each service that has it (`CreateTags` is in EC2 and EFS)."""
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
