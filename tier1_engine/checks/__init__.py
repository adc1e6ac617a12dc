"""The health checks, one small file each, found by looking: adding a check touches its file only.

Owns the discovery. It lists no check by name.
"""

from __future__ import annotations

import importlib

from tier1_engine.contract.discovery import instances_in
from tier1_engine.contract.kind import Check


def discover() -> dict[str, Check]:
    """One instance of every check of this package, by name."""
    return instances_in(importlib.import_module(__name__), Check)  # type: ignore[type-abstract]
