"""The kinds, checks and blueprints of this package and of others, by entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tier1_engine.contract.blueprint import Blueprint
    from tier1_engine.contract.kind import Registry


Thing = TypeVar("Thing")
Tell = Callable[[str], None]
"""Gets a warning, in a sentence for the operator."""


def registry(tell: Tell) -> Registry:
    """The kinds and checks of this package, and those that other packages register."""
    from tier1_engine import checks, resources
    from tier1_engine.contract.kind import Check, Kind, Registry

    return Registry(
        _with_plugins(resources.discover(), "tier1_engine.kinds", Kind, tell),
        _with_plugins(checks.discover(), "tier1_engine.checks", Check, tell),
    )


def blueprints(tell: Tell) -> Mapping[str, Blueprint]:
    """The blueprints of this package, and those that other packages register."""
    from tier1_engine.blueprints.tier1.plan import Tier1

    return _with_plugins({Tier1.name: Tier1()}, "tier1_engine.blueprints", object, tell)


def _with_plugins(ours: Mapping[str, Thing], group: str, base: type[Any], tell: Tell) -> dict[str, Thing]:
    """Ours, and what entry points add. One that is broken, or named as ours, is a warning and no more."""
    known = dict(ours)
    for name, made in _plugins(group, base, tell):
        if name in known:
            tell(f"warning: another package registers {name!r} again in {group}; it is ignored.")
        else:
            known[name] = made
    return known


def _plugins(group: str, base: type[Any], tell: Tell) -> Iterable[tuple[str, Any]]:
    from importlib.metadata import entry_points

    for point in entry_points(group=group):
        try:
            made = point.load()()
            name = str(made.name)
        except Exception as error:  # noqa: BLE001 - code of another package may raise anything
            tell(_left_out(group, point.value, f"{type(error).__name__}: {error}"))
            continue
        if isinstance(made, base):
            yield name, made
        else:
            tell(_left_out(group, point.value, f"it is not a {base.__name__}"))


def _left_out(group: str, value: str, why: str) -> str:
    return f"warning: {value}, which is registered in {group}, cannot be used and is ignored: {why}"
