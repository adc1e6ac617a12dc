"""Manual changes: someone else in the account deletes a deployment's resources while it is being created.

Owns what is changed and when: once, after the call that a scenario names has acted and before its answer is
sent. The call itself succeeds, and the caller is not informed. Source: crossplane/crossplane#3037 and
hashicorp/terraform-provider-aws#21829 for the effect on tools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import ec2_backend, efs_backend
from tier1_engine.sandbox.wire.replies import Reply
from tier1_engine.sandbox.world import ManualAction, ManualChange, World

OWNER: Final = "tier1:deployment"
"""The tag of objects that belong to a deployment."""


class ManualChanges(CallBehaviour):
    """Makes the changes of `World.by_hand`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.forget()

    def after(self, call: Call, reply: Reply) -> Reply:
        for deed in self._world.by_hand:
            if reply.ok and call.operation == deed.after:
                self._seen[deed] = self._seen.get(deed, 0) + 1
                if self._seen[deed] == deed.seen:
                    DEEDS[deed.do](call)
        return reply

    def forget(self) -> None:
        self._seen: dict[ManualChange, int] = {}


def _terminate_instance(call: Call) -> None:
    backend = ec2_backend(call)
    ours = [
        one
        for reservation in backend.reservations.values()
        for one in reservation.instances
        if OWNER in _tags(one.get_tags()) and one.state not in ("shutting-down", "terminated")
    ]
    if ours:
        ours[-1].terminate()


def _delete_mount_target(call: Call) -> None:
    backend = efs_backend(call)
    ours = [one for owned in _file_systems(backend) for one in owned.iter_mount_targets()]
    if ours:
        backend.delete_mount_target(ours[-1].mount_target_id)


def _delete_file_system(call: Call) -> None:
    backend = efs_backend(call)
    ours = [one for one in _file_systems(backend) if not one.number_of_mount_targets]
    if ours:
        backend.delete_file_system(ours[-1].file_system_id)


def _file_systems(backend: Any) -> list[Any]:
    """The file systems of deployments, the newest last."""
    tags = backend.tagging_service
    return [
        one
        for one in backend.file_systems_by_id.values()
        if OWNER in tags.get_tag_dict_for_resource(one.file_system_id)
    ]


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in tags}


DEEDS: Final[Mapping[ManualAction, Callable[[Call], None]]] = {
    ManualAction.TERMINATE_INSTANCE: _terminate_instance,
    ManualAction.DELETE_MOUNT_TARGET: _delete_mount_target,
    ManualAction.DELETE_FILE_SYSTEM: _delete_file_system,
}
