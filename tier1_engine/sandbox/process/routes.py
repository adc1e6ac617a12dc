"""Paths of the control channel."""

from __future__ import annotations

CONTROL_PATH = "/_tier1/"
"""The prefix of the control path. No bucket can have this name, so it hides no AWS path."""


IDENTITY_PATH = f"{CONTROL_PATH}sandbox"
"""Proves that the server is this sandbox: the reply is signed, and empty."""


FAULTS_PATH = f"{CONTROL_PATH}faults"
"""Manages its faults."""


CENSUS_PATH = f"{CONTROL_PATH}census"
"""Returns its census."""


RESET_PATH = f"{CONTROL_PATH}reset"
"""Deletes everything in its accounts."""
