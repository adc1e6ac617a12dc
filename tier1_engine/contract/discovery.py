"""Finds the kinds and checks in the modules of a package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import ClassVar, Protocol, TypeVar


class _Named(Protocol):
    name: ClassVar[str]


Found = TypeVar("Found", bound=_Named)


def instances_in(package: ModuleType, base: type[Found]) -> dict[str, Found]:
    """Return one instance of every concrete subclass of `base` that a module of `package` defines, by name.

    Raises:
        ValueError: two classes have the same name.
    """
    found: dict[str, Found] = {}
    for module_info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        for _, concrete in inspect.getmembers(module, inspect.isclass):
            defined_here = concrete.__module__ == module.__name__
            if not defined_here or not issubclass(concrete, base) or inspect.isabstract(concrete):
                continue
            if concrete.name in found:
                raise ValueError(f"{module.__name__} defines a second {concrete.name!r}")
            found[concrete.name] = concrete()
    return found
