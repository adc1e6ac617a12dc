"""The health checks, one small file each, found by looking: adding a check touches its file only.

Owns the discovery. It lists no check by name.
"""

from __future__ import annotations

import importlib

from tier1_engine.kinds import Check
from tier1_engine.resources import instances_in


def discover() -> dict[str, Check]:
    """One instance of every check of this package, by name."""
    return instances_in(importlib.import_module(__name__), Check)  # type: ignore[type-abstract]
