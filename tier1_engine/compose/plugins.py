"""Loads the kinds, checks and blueprints of this package, and those of others by entry points.

Owns what another package may register and how an unusable registration is handled: with a warning, or an
error if it was requested by name. A blueprint is loaded when a spec names it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tier1_engine.compose.guarded import (
    FAILURES,
    Unusable,
    guard_blueprint,
    guard_check,
    guard_kind,
    in_words,
    quiet,
)
from tier1_engine.errors import Refused, Tier1Error

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, SelectableGroups

    from tier1_engine.compose.guarded import Tell
    from tier1_engine.contract.blueprint import Blueprint
    from tier1_engine.contract.kind import Registry
    from tier1_engine.spec.base import BaseSpec

KINDS = "tier1_engine.kinds"
CHECKS = "tier1_engine.checks"
BLUEPRINTS = "tier1_engine.blueprints"

Thing = TypeVar("Thing")


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
    from tier1_engine.contract.kind import Check, Kind

    known = dict(ours)
    for point in _points(group):
        if point.name in known:
            tell(f"warning: {_described(point)} is ignored: there is another {point.name!r} already.")
            continue
        try:
            made = _made(point, base)
            if isinstance(made, Kind):
                guard_kind(made, f"the kind {point.name} ({_package(point)})", tell)
            elif isinstance(made, Check):
                guard_check(made)
            known[point.name] = made
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
    from tier1_engine.blueprints.tier1.plan import Tier1
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

    try:
        spec = reading.load(path, model_of, name=name)
    except Tier1Error:
        raise
    except FAILURES as error:
        if not chosen or chosen[0].name == Tier1.name:
            raise
        raise Refused(
            f"The spec model of the blueprint {chosen[0].name} fails ({in_words(error)}): correct or update "
            "the package that provides it."
        ) from error
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
    points = [point for point in _points(BLUEPRINTS) if point.name == name]
    if not points:
        raise KeyError(name)
    if len(points) > 1:
        raise Unusable(
            f"several packages provide it ({', '.join(map(_package, points))}): uninstall all but one"
        )
    (point,) = points
    try:
        made: Blueprint[Any] = _made(point, Blueprint)
        model = _attribute(made, "spec_model")
    except Unusable as error:
        raise Unusable(f"{_described(point)} cannot be used: {error}") from error
    if not (inspect.isclass(model) and issubclass(model, BaseSpec)):
        raise Unusable(f"{_described(point)} has no spec_model that extends BaseSpec")
    guard_blueprint(made, f"The blueprint {name} ({_package(point)})")
    return made


def _attribute(made: object, name: str) -> Any:
    try:
        return getattr(made, name, None)
    except FAILURES as error:
        raise Unusable(f"its {name} cannot be read ({in_words(error)})") from error


# --- entry points


def _points(group: str) -> list[EntryPoint]:
    found = _entry_points(tuple(sys.path)).select(group=group)
    return sorted(found, key=lambda point: (point.name, point.value))


@cache
def _entry_points(path: tuple[str, ...]) -> SelectableGroups:
    """Read those of every package on the path once: it takes as long as a query."""
    from importlib.metadata import entry_points

    return entry_points()


def _made(point: EntryPoint, base: type[Any]) -> Any:
    """Load an entry point and create an instance of what it names.

    Raises:
        Unusable: it cannot be loaded or created, has the wrong type, or has another name.
    """
    try:
        with quiet():
            made = point.load()()
        name = getattr(made, "name", None)
    except FAILURES as error:
        raise Unusable(in_words(error)) from error
    if not isinstance(made, base):
        raise Unusable(f"it is not a {base.__name__}")
    if name != point.name:
        raise Unusable(f"it is registered as {point.name!r}, but its name is {name!r}")
    return made


def _described(point: EntryPoint) -> str:
    return f"{_package(point)}, which is registered in {point.group},"


def _package(point: EntryPoint) -> str:
    return point.value + (f" of the package {point.dist.name} {point.dist.version}" if point.dist else "")
