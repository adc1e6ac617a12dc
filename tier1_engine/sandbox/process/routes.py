"""Paths of the control channel."""

from __future__ import annotations

CONTROL_PATH = "/_tier1/"
"""What is ours on the port. No bucket can have this name, so it hides nothing of AWS."""


IDENTITY_PATH = f"{CONTROL_PATH}sandbox"
"""Where the server says who it is."""


FAULTS_PATH = f"{CONTROL_PATH}faults"
"""Where its faults are set."""


CENSUS_PATH = f"{CONTROL_PATH}census"
"""Where it says what exists in it."""
