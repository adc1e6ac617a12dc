"""Loads the kinds, checks and blueprints of this package, and those of others by entry points.

Owns what another package may register and how an unusable registration is handled: with a warning, or an
error if it was requested by name. A blueprint is loaded when a spec names it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tier1_engine.errors import Refused

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from tier1_engine.contract.blueprint import Blueprint
    from tier1_engine.contract.kind import Registry
    from tier1_engine.spec.base import BaseSpec

KINDS = "tier1_engine.kinds"
CHECKS = "tier1_engine.checks"
BLUEPRINTS = "tier1_engine.blueprints"

Thing = TypeVar("Thing")
Tell = Callable[[str], None]
"""Receives a warning, a sentence for the operator."""


class Unusable(Exception):
    """A plug-in of another package cannot be used; the message says why."""


def registry(tell: Tell) -> Registry:
    """Return the kinds and checks of this package and those that other packages register."""
    from tier1_engine import checks, resources
    from tier1_engine.contract.kind import Check, Kind, Registry

    return Registry(
        _with_plugins(resources.discover(), KINDS, Kind, tell),
        _with_plugins(checks.discover(), CHECKS, Check, tell),
    )


def _with_plugins(ours: Mapping[str, Thing], group: str, base: type[Any], tell: Tell) -> dict[str, Thing]:
    """Add the plug-ins of entry points to the built-in ones. A broken or duplicate one is only a warning."""
    known = dict(ours)
    for point in _points(group):
        if point.name in known:
            tell(f"warning: {_described(point)} is ignored: there is another {point.name!r} already.")
            continue
        try:
            known[point.name] = _made(point, base)
        except Unusable as error:
            tell(f"warning: {_described(point)} cannot be used and is ignored: {error}.")
    return known


# --- blueprints


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """A spec and the blueprint that it names."""

    blueprint: Blueprint[Any]
    spec: BaseSpec


def load_spec(path: Path, *, name: str | None = None) -> LoadedSpec:
    """Read and validate a spec file with the model of the blueprint that it names.

    Args:
        name: replaces the `name` in the file.

    Raises:
        SpecError: one line per problem, with file, line, key, and what is allowed.
    """
    from tier1_engine.spec import reading

    chosen: list[Blueprint[Any]] = []

    def model_of(blueprint: str) -> type[BaseSpec]:
        try:
            chosen.append(_blueprint(blueprint))
        except KeyError:
            raise reading.UnknownBlueprint(blueprint, _names()) from None
        except Unusable as error:
            raise ValueError(f"but {error}") from error
        model: type[BaseSpec] = chosen[0].spec_model
        return model

    spec = reading.load(path, model_of, name=name)
    return LoadedSpec(chosen[0], spec)


def blueprint(name: str) -> Blueprint[Any]:
    """Return the blueprint of a recorded deployment.

    Raises:
        Refused: the blueprint is not installed on this host, or cannot be used.
    """
    try:
        return _blueprint(name)
    except KeyError:
        raise Refused(
            f"The blueprint {name} is not installed on this host: install the package that provides it."
        ) from None
    except Unusable as error:
        raise Refused(f"The blueprint {name} cannot be used on this host: {error}.") from error


def _names() -> set[str]:
    from tier1_engine.blueprints.tier1.plan import Tier1

    return {Tier1.name, *(point.name for point in _points(BLUEPRINTS))}


def _blueprint(name: str) -> Blueprint[Any]:
    """Return the blueprint of this name; a built-in one takes precedence over plug-ins.

    Raises:
        KeyError: there is none.
        Unusable: another package registers it, but it is broken.
    """
    from tier1_engine.blueprints.tier1.plan import Tier1
    from tier1_engine.contract.blueprint import Blueprint
    from tier1_engine.spec.base import BaseSpec

    if name == Tier1.name:
        return Tier1()
    point = {point.name: point for point in reversed(_points(BLUEPRINTS))}[name]
    try:
        made: Blueprint[Any] = _made(point, Blueprint)
    except Unusable as error:
        raise Unusable(f"{_described(point)} cannot be used: {error}") from error
    model = getattr(made, "spec_model", None)
    if not (inspect.isclass(model) and issubclass(model, BaseSpec)):
        raise Unusable(f"{_described(point)} has no spec_model that extends BaseSpec")
    return made


# --- entry points


def _points(group: str) -> list[EntryPoint]:
    from importlib.metadata import entry_points

    return sorted(entry_points(group=group), key=lambda point: (point.name, point.value))


def _made(point: EntryPoint, base: type[Any]) -> Any:
    """Load an entry point and create an instance of what it names.

    Raises:
        Unusable: it cannot be loaded or created, has the wrong type, or has another name.
    """
    try:
        made = point.load()()
        name = getattr(made, "name", None)
    except Exception as error:  # code of another package may raise any exception
        raise Unusable(f"{type(error).__name__}: {error}") from error
    if not isinstance(made, base):
        raise Unusable(f"it is not a {base.__name__}")
    if name != point.name:
        raise Unusable(f"it is registered as {point.name!r}, but its name is {name!r}")
    return made


def _described(point: EntryPoint) -> str:
    package = f" of the package {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"{point.value}{package}, which is registered in {point.group},"
