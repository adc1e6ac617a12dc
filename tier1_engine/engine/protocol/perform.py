"""Third step of an attempt: perform an assignment on AWS through the kind's contract.

A create always searches first: it adopts what it finds by key, and creates only what is absent. A deletion
reads first: it deletes only what AWS shows to be owned. All of this runs in a worker and records nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tier1_engine.contract.cloud import Cloud, Reply
from tier1_engine.contract.kind import Holder, Observation, Presence
from tier1_engine.deployment.states import Action
from tier1_engine.engine.protocol.actions import (
    Archive,
    Archived,
    Assignment,
    Census,
    Check,
    Checked,
    Configure,
    Configured,
    Confirm,
    Confirmed,
    Create,
    Created,
    Delete,
    Deleted,
    Failed,
    Found,
    Identified,
    Identify,
    Listed,
    Made,
    Observe,
    Observed,
    Prepare,
    Prepared,
    Reference,
    Referenced,
    Result,
    Settle,
    Settled,
    TokenSpent,
    kind_of,
)
from tier1_engine.engine.protocol.proof import HeldBy, not_ours, others_inside
from tier1_engine.errors import Acted, CallError
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import is_unsupported


def perform(asked: Assignment, cloud: Cloud) -> Result:  # noqa: C901 - one case an action
    """Perform an assignment.

    Raises:
        Exception: any error of a read; `normalise` turns it into a result. An error of a mutating call is
            returned as `Failed`, because AWS may have acted.
    """
    match asked:
        case Identify():
            return Identified(asked, cloud.account_id)
        case Reference():
            return Referenced(asked, asked.kind.reference(cloud, asked.inputs))
        case Check():
            return Checked(asked, asked.check.look(cloud, asked.inputs))
        case Prepare():
            return Prepared(asked, asked.kind.request(cloud, asked.inputs))
        case Create():
            return _create(asked, cloud)
        case Settle():
            return Settled(asked, _look(asked, cloud))
        case Observe():
            return Observed(asked, asked.kind.describe(cloud, asked.target))
        case Configure():
            return _configure(asked, cloud)
        case Archive():
            return Archived(asked, asked.kind.console(cloud, asked.target))
        case Delete():
            return _delete(asked, cloud)
        case Confirm():
            return Confirmed(asked, asked.kind.glance(cloud, asked.target))
        case Census():
            return _census(asked, cloud)


def normalise(asked: Assignment, error: Exception) -> Failed:
    """Turn the exception of a read, or of a defect in a kind or check, into a result."""
    return Failed(asked, error if isinstance(error, CallError) else _defect(asked, error, Acted.REFUSED))


def _defect(asked: Assignment, error: Exception, acted: Acted) -> CallError:
    what = asked.check if isinstance(asked, Check) else kind_of(asked)
    name = what.name if what else asked.do.value
    return CallError("Defect", f"{type(error).__name__}: {error}", operation=name, acted=acted)


def _create(asked: Create, cloud: Cloud) -> Created | Failed:
    if (found := _look(asked, cloud)) is not None:
        return Created(asked, found)
    try:
        made = asked.kind.create(cloud, asked.target)
    except CallError as error:
        return Failed(asked, error, in_change=True)
    except Exception as error:  # noqa: BLE001 - it may have been raised after AWS acted
        return Failed(asked, _defect(asked, error, Acted.UNKNOWN), in_change=True)
    if not made.aws_id:
        reply = CallError(
            "UnreadableReply", "the reply contains no id", operation="create", acted=Acted.UNKNOWN
        )
        return Failed(asked, reply, in_change=True)
    return Created(asked, Made(made))


def _look(asked: Create | Settle, cloud: Cloud) -> Found | TokenSpent | None:
    """Search for what any key of this resource created; return the object to adopt and its duplicates."""
    kind, target = asked.kind, asked.target
    observations = [s for s in kind.find(cloud, target) if s.presence is not Presence.ABSENT]
    ours = _ours(asked, observations)
    living = sorted(
        (s for s in ours if not s.dead), key=lambda s: (s.key != target.key, s.made_at or "", s.aws_id)
    )
    if living:
        return Found(living[0], tuple(living[1:]))
    # What an earlier create may have made can show its evidence late: a search adopts, or waits.
    foreign = [s for s in observations if not s.dead and s not in ours and s.aws_id not in asked.elsewhere]
    if foreign and kind.may_reference and isinstance(asked, Create):
        return Found(foreign[0], foreign=True)
    spent = next((s for s in ours if _by_this_key(asked, s)), None)
    return TokenSpent(spent) if spent is not None else None


def _by_this_key(asked: Create | Settle, observation: Observation) -> bool:
    """Whether the object was created with the present key, as far as AWS shows keys."""
    if observation.key is None:
        return observation.aws_id not in asked.recorded
    return observation.key == asked.target.key


def _ours(asked: Create | Settle, observations: Sequence[Observation]) -> list[Observation]:
    """Return the observations that creates of this resource made, by the proofs of `duplicates.proved`."""
    kind, target = asked.kind, asked.target
    like = [s for s in observations if kind.owns(target, s) and s.aws_id not in asked.elsewhere]
    proved = [s for s in like if s.key is not None or s.aws_id in asked.recorded]
    others = [s for s in like if s not in proved]
    return like if len(others) <= asked.unaccounted else proved


def _configure(asked: Configure, cloud: Cloud) -> Configured | Failed:
    """Set what differs, then describe the resource, so that one commit records both."""
    kind, target = asked.kind, asked.target
    if not kind.owns(target, asked.seen):
        return Failed(asked, not_ours(asked.seen))
    try:
        kind.configure(cloud, target, asked.seen)
    except CallError as error:
        return Failed(asked, error, in_change=True)
    try:
        return Configured(asked, kind.describe(cloud, target))
    except CallError:
        return Configured(asked, None)  # the next observation decides


def _delete(asked: Delete, cloud: Cloud) -> Deleted | Failed:
    """Read the object, prove its ownership from the current tags, and only then delete it."""
    kind, target = asked.kind, asked.target
    seen = kind.glance(cloud, target)
    if seen.presence in (Presence.ABSENT, Presence.GONE, Presence.LEAVING) or not kind.owns(target, seen):
        return Deleted(asked, seen, accepted=False)
    if asked.observes_within and (others := kind.others_inside(cloud, target, asked.ours)):
        return Failed(asked, others_inside(seen.aws_id, others))
    left_behind = _left_behind(asked, cloud)
    try:
        kind.delete(cloud, target, seen)
    except CallError as error:
        if asked.names_holders and error.code in kind.in_use and (holders := _holders(asked, cloud)):
            held = any(not holder.leaves for holder in holders)
            return Failed(asked, HeldBy(error, seen.aws_id, holders), in_change=True, held=held)
        return Failed(asked, error, in_change=True)
    return Deleted(asked, seen, accepted=True, left_behind=left_behind)


def _left_behind(asked: Delete, cloud: Cloud) -> tuple[str, ...]:
    """Look for what of others will cost money; what may not be read is not named."""
    try:
        return tuple(asked.kind.left_behind(cloud, asked.target, asked.ours))
    except CallError:
        return ()


def _holders(asked: Delete, cloud: Cloud) -> Sequence[Holder]:
    """Look for what keeps it in use; what may not be read, or is unknown to this endpoint, names nothing."""
    try:
        return asked.kind.holders(cloud, asked.target, asked.ours)
    except CallError:
        return ()


def _census(asked: Census, cloud: Cloud) -> Listed:
    seen: list[tuple[str, Observation]] = []
    unlisted: list[str] = []
    for kind in asked.kinds:
        try:
            seen += [(kind.name, s) for s in kind.list_beyond(cloud, asked.tags, asked.known)]
        except CallError as error:
            beside = any(kind.name in one.companions for one in asked.kinds)
            if not is_unsupported(error) and not (beside and _is_denied(error)):
                raise
            unlisted.append(kind.title)
    return Listed(asked, tuple(seen), tuple(unlisted))


def _is_denied(error: CallError) -> bool:
    """Whether AWS will refuse this call in the same way again."""
    return judge(error, Action.CENSUS, None, young=False) not in (
        Verdict.BLOCKED,
        Verdict.TRANSIENT,
        Verdict.STOPPED,
    )


class RecordingCloud:
    """A cloud that remembers its last mutating call, for the attempt log."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.operation: str | None = None
        self.request_id: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloud, name)

    @property
    def region(self) -> str:
        return self._cloud.region

    @property
    def account_id(self) -> str:
        return self._cloud.account_id

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._cloud.read(service, operation, **parameters)

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        return self._cloud.pages(service, operation, result_key, **parameters)

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        try:
            reply = self._cloud.change(service, operation, **parameters)
        except CallError as refused:  # a kind may treat it as success: nothing was left to change
            self.operation, self.request_id = refused.operation, refused.request_id
            raise
        self.operation, self.request_id = reply.operation, reply.request_id
        return reply
