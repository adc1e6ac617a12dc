"""The fencing token of a driver, and the lease columns of a deployment without a driver.

Owns the check that every fenced transaction makes under the lock of the row. It queries nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tier1_engine.errors import LeaseLost


@dataclass(frozen=True, slots=True)
class Fence:
    """A fencing token: the term of a lease and the nonce of its holder prove that a writer is the driver."""

    term: int
    nonce: str


NOBODY: Mapping[str, Any] = {"holder": None, "lease_since": None, "lease_expires_at": None}
"""The lease columns of a deployment without a holder."""


def was_given_back(row: Any, fence: Fence, revision: int) -> bool:
    """Whether an earlier attempt with an unknown result committed the last turn, with no new holder since."""
    return row.holder is None and (row.lease_term, row.revision) == (fence.term, revision + 1)


def check_fence(deployment_id: str, row: Any, fence: Fence) -> None:
    """Compare the token with the locked row.

    Raises:
        LeaseLost: another driver has taken over.
    """
    if row.lease_term != fence.term or row.holder is None or row.holder.get("nonce") != fence.nonce:
        raise LeaseLost(
            f"Another process has taken over {deployment_id}: this one stops and changes nothing more."
        )
