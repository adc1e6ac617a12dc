"""One action at AWS, by the crash protocol: perform an assignment, answer what happened.

    `intent` puts on disk what will be done, `perform` does it by the kind's contract, and `results`
    and `removal` say what the answer changes.

`perform` runs in a worker; it answers and never raises. A create always looks first: what it finds by
its key is adopted, and only what is absent is made. A deletion looks first too: only what AWS shows
to be ours is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Kind, Presence, Sight, Target
from tier1_engine.engine.protocol.assignment import Answer, Assignment, not_ours, others_inside
from tier1_engine.engine.tasks import Do
from tier1_engine.errors import Acted, CallError
from tier1_engine.failures.codes import is_unsupported


class Noted:
    """A cloud that remembers the last change that was asked of it, for the log."""

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

    def change(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        # AWS's own names of operations are boto3's in camel case.
        self.operation = "".join(word.capitalize() for word in operation.split("_"))
        self.request_id = None
        reply = self._cloud.change(service, operation, **parameters)
        self.request_id = (reply.get("ResponseMetadata") or {}).get("RequestId")
        return reply


def perform(assignment: Assignment, cloud: Cloud) -> Answer:
    """Do it. The one boundary at which anything that a kind or check raises becomes an answer."""
    noted = Noted(cloud)
    try:
        answer = _PERFORM[assignment.task.do](assignment, noted)
        return replace(answer, operation=noted.operation, request_id=noted.request_id)
    except CallError as error:
        return Answer(assignment, error=error)
    except Exception as error:  # noqa: BLE001 - a defect in a kind must not take the driver with it
        return Answer(assignment, error=_defect(assignment, error, Acted.REFUSED))


def _defect(assignment: Assignment, error: Exception, acted: Acted) -> CallError:
    what = assignment.kind or assignment.check
    name = what.name if what else assignment.task.do.value
    return CallError("Defect", f"{type(error).__name__}: {error}", operation=name, acted=acted)


def _identify(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, account_id=cloud.account_id)


def _reference(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, sight=_kind(a).reference(cloud, a.inputs))


def _check(a: Assignment, cloud: Cloud) -> Answer:
    assert a.check is not None
    return Answer(a, sight=a.check.look(cloud, a.inputs))


def _prepare(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, request=_kind(a).request(cloud, a.inputs))


def _create(a: Assignment, cloud: Cloud) -> Answer:
    found = _settle(a, cloud)
    if found.sight is not None or found.spent is not None:
        return found
    try:
        made = _kind(a).create(cloud, _target(a))
    except CallError as error:
        return replace(found, error=error, in_change=True)
    except Exception as error:  # noqa: BLE001 - it may have been raised after AWS acted
        return replace(found, error=_defect(a, error, Acted.UNKNOWN), in_change=True)
    if not made.aws_id:
        reply = CallError(
            "UnreadableReply", "the reply contains no id", operation="create", acted=Acted.UNKNOWN
        )
        return replace(found, error=reply, in_change=True)
    return replace(found, sight=made, changed=True)


def _settle(a: Assignment, cloud: Cloud) -> Answer:
    """Look for what any key of this resource made; say which counts and which are too many."""
    kind, target = _kind(a), _target(a)
    sights = [s for s in kind.find(cloud, target) if s.presence is not Presence.ABSENT]
    ours = [s for s in sights if kind.owns(target, s) and s.aws_id not in a.elsewhere]
    living = sorted(
        (s for s in ours if not s.dead), key=lambda s: (s.key != target.key, s.made_at or "", s.aws_id)
    )
    if living:
        return Answer(a, sight=living[0], strays=tuple(living[1:]))
    foreign = [s for s in sights if not s.dead and not kind.owns(target, s)]
    if foreign and kind.may_reference:
        return Answer(a, sight=foreign[0])
    spent = next((s for s in ours if s.key in (None, target.key)), None)
    return Answer(a, spent=spent)


def _observe(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, sight=_kind(a).describe(cloud, _target(a)))


def _confirm(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, sight=_kind(a).glance(cloud, _target(a)))


def _configure(a: Assignment, cloud: Cloud) -> Answer:
    """Set what differs, then look: the attempt's end and the new sight are one commit."""
    assert a.sight is not None
    if not _kind(a).owns(_target(a), a.sight):
        return Answer(a, error=not_ours(a.sight))
    try:
        _kind(a).configure(cloud, _target(a), a.sight)
    except CallError as error:
        return Answer(a, error=error, in_change=True)
    try:
        return Answer(a, sight=_kind(a).describe(cloud, _target(a)), changed=True)
    except CallError:
        return Answer(a, changed=True)  # the next look will tell


def _archive(a: Assignment, cloud: Cloud) -> Answer:
    return Answer(a, text=_kind(a).console(cloud, _target(a)))


def _delete(a: Assignment, cloud: Cloud) -> Answer:
    """Look, prove it ours by what AWS shows now, and only then delete."""
    kind, target = _kind(a), _target(a)
    sight = kind.glance(cloud, target)
    if sight.presence in (Presence.ABSENT, Presence.GONE, Presence.LEAVING) or not kind.owns(target, sight):
        return Answer(a, sight=sight)
    if a.ours is not None and (others := kind.others_inside(cloud, target, a.ours)):
        return Answer(a, sight=sight, error=others_inside(sight.aws_id, others))
    try:
        kind.delete(cloud, target, sight)
    except CallError as error:
        return Answer(a, sight=sight, error=error, in_change=True)
    return Answer(a, sight=sight, changed=True)


def _census(a: Assignment, cloud: Cloud) -> Answer:
    seen: list[tuple[str, Sight]] = []
    unlisted: list[str] = []
    for kind in a.kinds:
        try:
            seen += [(kind.name, s) for s in kind.list_beyond(cloud, a.wanted_tags, a.known)]
        except CallError as error:
            if not is_unsupported(error):
                raise
            unlisted.append(kind.title)
    return Answer(a, census=tuple(seen), unlisted=tuple(unlisted))


def _kind(a: Assignment) -> Kind:
    assert a.kind is not None
    return a.kind


def _target(a: Assignment) -> Target:
    assert a.target is not None
    return a.target


_PERFORM = {
    Do.IDENTIFY: _identify,
    Do.REFERENCE: _reference,
    Do.CHECK: _check,
    Do.PREPARE: _prepare,
    Do.CREATE: _create,
    Do.SETTLE: _settle,
    Do.OBSERVE: _observe,
    Do.CONFIGURE: _configure,
    Do.ARCHIVE: _archive,
    Do.DELETE: _delete,
    Do.CONFIRM: _confirm,
    Do.CENSUS: _census,
}
