"""Proof of ownership: the errors for what is not owned or holds something foreign, and the ids that prove it.

`Kind.owns` decides whether an object is owned. Nothing here calls AWS.
"""

from __future__ import annotations

from collections.abc import Sequence

from tier1_engine.contract.kind import COMPANIONS, FORMER_COMPANIONS, RESOURCE_PROOF, Holder, Observation
from tier1_engine.deployment.command_line import typed
from tier1_engine.deployment.record import Deployment, Record
from tier1_engine.deployment.standing import recorded_ids
from tier1_engine.errors import CallError

NOT_OURS = "NotOurs"
OTHERS_INSIDE = "OthersInside"


def ours(record: Record) -> frozenset[str]:
    """Return every AWS id that the deployment has or had: what its creates returned or adopted, and what AWS
    made together with it, such as network interfaces.
    """
    rows = list(record.resources.values())
    found = {row.facts.get("network_interface_id") for row in rows}
    for row in (row for row in rows if row.owned):
        found |= recorded_ids(record, row)
        for fact in (COMPANIONS, FORMER_COMPANIONS):
            found.update(*row.facts.get(fact, {}).values())
    return frozenset(filter(None, found))


def without_proof(observation: Observation) -> bool:
    """Whether an object shows none of the tags that could prove its owner: they may follow."""
    return not any(tag in observation.tags for tag in RESOURCE_PROOF)


def not_ours(observation: Observation) -> CallError:
    """The error for an object whose tags do not prove that this deployment made it."""
    return CallError(
        NOT_OURS,
        f"the tags of {observation.aws_id} do not prove that this deployment created it",
        operation="(tags)",
    )


def others_inside(aws_id: str, others: Sequence[str]) -> CallError:
    """The error for an owned object in which something exists that is not owned."""
    return CallError(
        OTHERS_INSIDE,
        f"{', '.join(others)} in {aws_id} does not belong to this deployment: remove it, then sweep again",
        operation="(inside)",
    )


class HeldBy(CallError):
    """A refused deletion, with what holds the object. Its commands do not say yet which AWS they are for.

    Attributes:
        refusal: AWS's error.
        aws_id: the object.
        holders: what holds it.
    """

    def __init__(self, refusal: CallError, aws_id: str, holders: Sequence[Holder]) -> None:
        what = ", ".join(holder.what for holder in holders)
        super().__init__(
            refusal.code,
            f"{aws_id} is in use by {what}. AWS said: {refusal.message}",
            operation=refusal.operation,
            acted=refusal.acted,
            request_id=refusal.request_id,
            http_status=refusal.http_status,
        )
        self.refusal, self.aws_id, self.holders = refusal, aws_id, holders


def with_commands(error: CallError, deployment: Deployment) -> CallError:
    """The error with how to remove each holder, if it has any, in lines for the deployment's AWS."""
    if not isinstance(error, HeldBy):
        return error
    aws_id, holders, error = error.aws_id, error.holders, error.refusal
    named = ", ".join(
        holder.what + (f" (`{typed(holder.command, deployment)}`)" if holder.command else "")
        for holder in holders[:_NAMED]
    )
    more = f" and {len(holders) - _NAMED} more" if len(holders) > _NAMED else ""
    them = "it" if len(holders) == 1 else "them"
    advice = "" if all(h.leaves for h in holders) else f": remove {them}, then resume"
    return CallError(
        error.code,
        f"{aws_id} is in use by {named}{more}, which this deployment did not create{advice}. "
        f"AWS said: {error.message}",
        operation=error.operation,
        request_id=error.request_id,
        acted=error.acted,
        http_status=error.http_status,
    )


_NAMED = 5
"""How many holders one message names."""
