"""The health checks, one module each. Adding a check means adding its module.

Owns the discovery, which lists no check by name.
"""

from __future__ import annotations

import importlib

from tier1_engine.contract.discovery import instances_in
from tier1_engine.contract.kind import Check


def discover() -> dict[str, Check]:
    """Return one instance of every check in this package, by name."""
    return instances_in(importlib.import_module(__name__), Check)  # type: ignore[type-abstract]
