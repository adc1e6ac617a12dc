"""What proves that a writer is still the driver, and how a deployment that nobody holds looks.

Owns the comparison that every fenced transaction makes under the row's lock. It queries nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tier1_engine.errors import LeaseLost


@dataclass(frozen=True, slots=True)
class Fence:
    """What proves that a writer is still the driver: the term of its lease and its own nonce."""

    term: int
    nonce: str


NOBODY: Mapping[str, Any] = {"holder": None, "lease_since": None, "lease_expires_at": None}
"""The columns of the lease of a deployment that nobody holds."""


def was_given_back(row: Any, fence: Fence, revision: int) -> bool:
    """The last turn was committed by an earlier try whose end was not learned; nobody has come since."""
    return row.holder is None and (row.lease_term, row.revision) == (fence.term, revision + 1)


def check_fence(deployment_id: str, row: Any, fence: Fence) -> None:
    """Compare with the row as it was locked.

    Raises:
        LeaseLost: another driver has taken over.
    """
    if row.lease_term != fence.term or row.holder is None or row.holder.get("nonce") != fence.nonce:
        raise LeaseLost(
            f"Another process has taken over {deployment_id}: this one stops and changes nothing more."
        )
