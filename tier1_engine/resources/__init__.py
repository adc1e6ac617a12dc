"""The resource kinds, one small file each, found by discovery: adding a kind touches only its own file.

Owns the discovery of classes in a package. It lists no kind by name.
"""

from __future__ import annotations

import importlib

from tier1_engine.contract.discovery import instances_in
from tier1_engine.contract.kind import Kind


def discover() -> dict[str, Kind]:
    """One instance of every resource kind of this package, by name."""
    return instances_in(importlib.import_module(__name__), Kind)  # type: ignore[type-abstract]
