"""What the environment of a test run says. Owns the names of its variables."""

from __future__ import annotations

import os

POSTGRES_URL = "TIER1_TEST_POSTGRES_URL"


def in_ci() -> bool:
    """Whether a skip would hide that a half was never run."""
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false")
