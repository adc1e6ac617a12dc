"""Life cycle of file systems and mount targets: creating, available, deleting, gone; what each refuses.

Source: EFS API reference, `LifeCycleState`, CreateMountTarget and DescribeMountTargetSecurityGroups
(`IncorrectFileSystemLifeCycleState`, `IncorrectMountTargetState`), DeleteFileSystem (`FileSystemInUse`); EFS
user guide, "Managing mount targets": each has an interface that the account sees and EFS manages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from moto.efs.exceptions import EFSError, FileSystemInUse, FileSystemNotFound, MountTargetNotFound
from moto.efs.models import EFSBackend

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.interfaces import IN_USE, Interfaces
from tier1_engine.sandbox.behaviour.patching import around
from tier1_engine.sandbox.world import World

CREATING, AVAILABLE, DELETING = "creating", "available", "deleting"
INTERFACE_MADE_AT = "_interface_made_at"
"""Attribute of moto's mount target: the AWS second from which its security groups can be read."""
REQUESTER = "amazon-elasticfilesystem"


class IncorrectFileSystemState(EFSError):
    """The file system is not available."""

    code = 409

    def __init__(self, file_system: Any) -> None:
        super().__init__(
            "IncorrectFileSystemLifeCycleState",
            f"The file system {file_system.file_system_id} is not in the correct life cycle state "
            f"({file_system.life_cycle_state}) for this operation",
        )


class IncorrectMountTargetState(EFSError):
    """The mount target's interface does not exist yet, or no longer."""

    code = 409

    def __init__(self, mount_target_id: str) -> None:
        super().__init__(
            "IncorrectMountTargetState",
            f"The mount target {mount_target_id} is not in the correct state for this operation",
        )


def install(world: World, agenda: Agenda, interfaces: Interfaces) -> None:
    """Give file systems and mount targets their life cycles."""
    _file_systems(world, agenda)
    _mount_targets(world, agenda, interfaces)
    _security_groups(agenda)


PAGE = 100
"""Source: DescribeFileSystems of the EFS API reference: `MaxItems` "is automatically set to 100"."""
MARKERS_LIMIT = 100
"""Paginated lists that can still be continued; the oldest are dropped, because they hold deleted objects."""


def _forget(begun: dict[str, list[Any]], file_system_id: str) -> None:
    """Remove deleted file systems from paginated lists that are still being read; their markers
    stay valid.
    """
    for rest in begun.values():
        rest[:] = [one for one in rest if getattr(one, "file_system_id", None) != file_system_id]
    while len(begun) > MARKERS_LIMIT:
        del begun[next(iter(begun))]


def _file_systems(world: World, agenda: Agenda) -> None:
    @around(EFSBackend, "describe_file_systems")
    def describe_file_systems(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
        return before(backend, *given, **{**named, "max_items": PAGE})

    @around(EFSBackend, "create_file_system")
    def create_file_system(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
        file_system = before(backend, *given, **named)
        file_system.life_cycle_state = CREATING
        agenda.after(world.takes("file_system.create"), partial(_become_available, file_system))
        return file_system

    @around(EFSBackend, "delete_file_system")
    def delete_file_system(before: Callable[..., None], backend: Any, file_system_id: str) -> None:
        file_system = backend.file_systems_by_id.get(file_system_id)
        if file_system is None:
            raise FileSystemNotFound(file_system_id)
        if file_system.number_of_mount_targets:
            raise FileSystemInUse("Must delete all mount targets before deleting file system.")
        if file_system.life_cycle_state != DELETING:
            file_system.life_cycle_state = DELETING
            agenda.after(world.takes("file_system.delete"), partial(end, before, backend, file_system_id))

    def end(delete: Callable[..., None], backend: Any, file_system_id: str) -> None:
        delete(backend, file_system_id)
        backend.tagging_service.delete_all_tags_for_resource(file_system_id)
        # moto keeps the rest of every paginated list.
        _forget(backend.next_markers, file_system_id)


def _mount_targets(world: World, agenda: Agenda, interfaces: Interfaces) -> None:
    @around(EFSBackend, "create_mount_target")
    def create_mount_target(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
        file_system_id = named.get("file_system_id") or given[0]
        file_system = backend.file_systems_by_id.get(file_system_id)
        if file_system is not None and file_system.life_cycle_state != AVAILABLE:
            raise IncorrectFileSystemState(file_system)
        mount_target = before(backend, *given, **named)
        _manage(backend, mount_target)
        mount_target.life_cycle_state = CREATING
        vars(mount_target)[INTERFACE_MADE_AT] = agenda.now + world.takes("mount_target.interface")
        agenda.after(world.takes("mount_target.create"), partial(_become_available, mount_target))
        return mount_target

    @around(EFSBackend, "delete_mount_target")
    def delete_mount_target(before: Callable[..., None], backend: Any, mount_target_id: str) -> None:
        mount_target = backend.mount_targets_by_id.get(mount_target_id)
        if mount_target is None:
            raise MountTargetNotFound(mount_target_id)
        if mount_target.life_cycle_state != DELETING:
            mount_target.life_cycle_state = DELETING
            agenda.after(world.takes("mount_target.delete"), partial(end, backend, mount_target))

    def end(backend: Any, mount_target: Any) -> None:
        del backend.mount_targets_by_id[mount_target.mount_target_id]
        # Its address stays in use as long as its interface exists.
        vars(mount_target)["_file_system"].remove_mount_target(vars(mount_target)["_subnet"])
        interface = backend.ec2_backend.enis.get(mount_target.network_interface_id)
        if interface is not None:
            interfaces.linger(backend.ec2_backend, interface)


def _security_groups(agenda: Agenda) -> None:
    for operation in ("describe_mount_target_security_groups", "modify_mount_target_security_groups"):

        @around(EFSBackend, operation)
        def with_interface(
            before: Callable[..., Any], backend: Any, mount_target_id: str, *given: Any, **named: Any
        ) -> Any:
            mount_target = backend.mount_targets_by_id.get(mount_target_id)
            if mount_target is not None and (
                mount_target.life_cycle_state == DELETING
                or agenda.now < vars(mount_target).get(INTERFACE_MADE_AT, 0.0)
            ):
                raise IncorrectMountTargetState(mount_target_id)
            return before(backend, mount_target_id, *given, **named)


def _become_available(made: Any) -> None:
    if made.life_cycle_state == CREATING:
        made.life_cycle_state = AVAILABLE


def _manage(backend: Any, mount_target: Any) -> None:
    """Mark the interface as created and managed by EFS, with the default group when the call named none."""
    interface = backend.ec2_backend.enis[mount_target.network_interface_id]
    place = f"{mount_target.file_system_id} ({mount_target.mount_target_id})"
    interface.description = f"EFS mount target for {place}"
    interface.requester_managed, interface.requester_id = True, REQUESTER
    interface.status = IN_USE
    if not mount_target.security_groups:
        mount_target.security_groups = [group.id for group in interface.group_set]
