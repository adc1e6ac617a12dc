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
"""What tier1's own kinds call; loaded when the local AWS starts."""

SERVICES: Final[tuple[Literal["sts", "ssm", "ec2", "efs", "iam", "s3"], ...]] = (*OWN_SERVICES, "s3")
"""What can be given faults and is recorded. The rest of moto answers, too, but as moto does."""

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
    """How a REST operation is recognised.

    Attributes:
        path: with the parameters in it.
        query: what its query string must have; a value of None stands for any.
        headed: it needs a header, too, so that another of the same path goes first.
    """

    operation: str
    method: str
    path: re.Pattern[str]
    query: Mapping[str, str | None]
    headed: bool

    def fits(self, method: str, query: Mapping[str, str], *, whole: bool) -> bool:
        """Whether a request is one of its own; one that lacks a parameter is not `whole`."""
        return self.method == method and all(
            query.get(name) == value if value is not None else not whole or name in query
            for name, value in self.query.items()
        )

    @property
    def rank(self) -> tuple[int, int, bool]:
        """What asks for more goes first, and a literal word wins over a parameter in its place."""
        return -len(self.query), self.path.pattern.count("(?P<"), self.headed


@cache
def _routes(service: str) -> tuple[Route, ...]:
    model = service_model(service)
    named = ((name, model.operation_model(name)) for name in model.operation_names)
    return tuple(sorted((_route(name, one) for name, one in named if one.http), key=lambda one: one.rank))


def _route(name: str, model: OperationModel) -> Route:
    # A client of botocore takes the bucket out of the paths of S3, in a model that others may share, and
    # keeps the path for the signature.
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
    # A `+` stands for a parameter that may have slashes in it.
    named = [f"(?P<{name.rstrip('+')}>{'.+' if name.endswith('+') else '[^/]+'})" for name in parts[1::2]]
    return re.compile("".join(a + b for a, b in zip(literal, [*named, ""], strict=True)) + "/?")


def routed(service: str, method: str, path: str, query: str = "") -> tuple[str, dict[str, str]] | None:
    """The REST operation at a method, path and query, with the parameters that stand in the path."""
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for whole in (True, False):
        for route in _routes(service):
            if route.fits(method, asked, whole=whole) and (found := route.path.fullmatch(path)):
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
