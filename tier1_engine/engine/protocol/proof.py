"""What is said of what is not ours, and of what stands in it; and the ids by which ours is known.

What proves that an object is ours is `Kind.owns`. Nothing here asks AWS.
"""

from __future__ import annotations

from collections.abc import Sequence

from tier1_engine.contract.kind import Observation
from tier1_engine.deployment.record import Record
from tier1_engine.errors import CallError

NOT_OURS = "NotOurs"
OTHERS_INSIDE = "OthersInside"


def ours(record: Record) -> frozenset[str]:
    """Every id by which AWS knows something that the deployment has or had, interfaces included."""
    rows = record.resources.values()
    interfaces = (row.facts.get("network_interface_id") for row in rows)
    return frozenset(filter(None, (*(row.aws_id for row in rows if row.owned), *interfaces)))


def not_ours(observation: Observation) -> CallError:
    """What is said of an object whose tags do not prove that this deployment made it."""
    return CallError(
        NOT_OURS,
        f"the tags of {observation.aws_id} do not prove that this deployment created it",
        operation="(tags)",
    )


def others_inside(aws_id: str, others: Sequence[str]) -> CallError:
    """What is said of an object of ours in which something stands that is not ours."""
    return CallError(
        OTHERS_INSIDE,
        f"{', '.join(others)} in {aws_id} does not belong to this deployment: remove it, then sweep again",
        operation="(inside)",
    )
