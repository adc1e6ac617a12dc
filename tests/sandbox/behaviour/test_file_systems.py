"""File systems and mount targets live as EFS says, and refuse with its codes meanwhile."""

from __future__ import annotations

from uuid import uuid4

from tests.support.young_account import Stage, refused
from tier1_engine.sandbox.behaviour.figures import FIGURES


def test_the_life_cycle_of_a_file_system(stage: Stage) -> None:
    """It is creating, available, deleting, then FileSystemNotFound; a second delete meanwhile succeeds."""
    made = stage.efs.create_file_system(CreationToken="life", Tags=[{"Key": "k", "Value": "v"}])
    assert made["LifeCycleState"] == "creating"
    file_system_id = made["FileSystemId"]
    took = stage.until(lambda: stage.file_system_state(file_system_id) == "available")
    assert FIGURES["file_system.create"].least <= took <= FIGURES["file_system.create"].most + 1
    for _ in range(2):
        stage.efs.delete_file_system(FileSystemId=file_system_id)
        assert stage.file_system_state(file_system_id) == "deleting"
    stage.until(lambda: stage.file_system_state(file_system_id) == "FileSystemNotFound")
    with refused("FileSystemNotFound"):
        stage.efs.delete_file_system(FileSystemId=file_system_id)


def test_its_token_is_in_use_for_as_long_as_it_is_shown(stage: Stage) -> None:
    """That includes its deletion; afterwards the token makes another one."""
    first = stage.efs.create_file_system(CreationToken="token")["FileSystemId"]
    stage.efs.delete_file_system(FileSystemId=first)
    with refused("FileSystemAlreadyExists"):
        stage.efs.create_file_system(CreationToken="token")
    stage.until(lambda: stage.file_system_state(first) == "FileSystemNotFound")
    assert stage.efs.create_file_system(CreationToken="token")["FileSystemId"] != first


def test_a_mount_target_waits_for_its_file_system(stage: Stage) -> None:
    """A file system that is being created or deleted accepts none."""
    place = stage.subnet(stage.vpc())
    young = stage.efs.create_file_system(CreationToken=uuid4().hex)["FileSystemId"]
    with refused("IncorrectFileSystemLifeCycleState"):
        stage.mount_target(young, place)
    stage.until(lambda: stage.file_system_state(young) == "available")
    stage.efs.delete_file_system(FileSystemId=young)
    with refused("IncorrectFileSystemLifeCycleState"):
        stage.mount_target(young, place)
    with refused("FileSystemNotFound"):
        stage.mount_target("fs-01234567", place)


def test_the_life_cycle_of_a_mount_target(stage: Stage) -> None:
    """It takes a minute or two, and keeps its zone and file system to the end."""
    place = stage.subnet(stage.vpc())
    file_system_id = stage.file_system()
    made = stage.mount_target(file_system_id, place)
    assert stage.mount_target_state(made) == "creating"
    took = stage.until(lambda: stage.mount_target_state(made) == "available")
    assert FIGURES["mount_target.create"].least <= took <= FIGURES["mount_target.create"].most + 1
    for _ in range(2):
        stage.efs.delete_mount_target(MountTargetId=made)
        assert stage.mount_target_state(made) == "deleting"
    with refused("FileSystemInUse"):
        stage.efs.delete_file_system(FileSystemId=file_system_id)
    with refused("MountTargetConflict"):
        stage.mount_target(file_system_id, place)
    stage.until(lambda: stage.mount_target_state(made) == "MountTargetNotFound")
    with refused("MountTargetNotFound"):
        stage.efs.delete_mount_target(MountTargetId=made)
    stage.efs.delete_file_system(FileSystemId=file_system_id)


def test_its_groups_can_be_read_and_set_once_its_interface_is_made(stage: Stage) -> None:
    """Before that, and while it is deleted, the answer is IncorrectMountTargetState."""
    vpc_id = stage.vpc()
    place, first, second = stage.subnet(vpc_id), stage.group(vpc_id), stage.group(vpc_id)
    made = stage.mount_target(stage.file_system(), place, first)

    def groups() -> list[str]:
        shown = stage.efs.describe_mount_target_security_groups(MountTargetId=made)
        return list(shown["SecurityGroups"])

    with refused("IncorrectMountTargetState"):
        groups()
    with refused("IncorrectMountTargetState"):
        stage.efs.modify_mount_target_security_groups(MountTargetId=made, SecurityGroups=[second])
    stage.clock.turn(FIGURES["mount_target.interface"].most)
    assert groups() == [first]
    stage.efs.modify_mount_target_security_groups(MountTargetId=made, SecurityGroups=[second])
    assert groups() == [second]
    stage.efs.delete_mount_target(MountTargetId=made)
    with refused("IncorrectMountTargetState"):
        groups()
    with refused("MountTargetNotFound"):
        stage.efs.describe_mount_target_security_groups(MountTargetId="fsmt-01234567")


def test_its_interface_is_visible_and_managed_by_efs(stage: Stage) -> None:
    """It has AWS's description and the groups of the mount target, and only EFS may delete it."""
    vpc_id = stage.vpc()
    place, group_id = stage.subnet(vpc_id), stage.group(vpc_id)
    file_system_id = stage.file_system()
    made = stage.mount_target(file_system_id, place, group_id)
    (interface,) = stage.interfaces(subnet_id=place)
    assert interface["Description"] == f"EFS mount target for {file_system_id} ({made})"
    assert interface["RequesterManaged"]
    assert interface["Status"] == "in-use"
    assert [one["GroupId"] for one in interface["Groups"]] == [group_id]
    shown = stage.efs.describe_mount_targets(MountTargetId=made)["MountTargets"][0]
    assert shown["NetworkInterfaceId"] == interface["NetworkInterfaceId"]
    assert shown["IpAddress"] == interface["PrivateIpAddress"]
    with refused("InvalidParameterValue"):
        stage.ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])


def test_a_mount_target_without_groups_has_the_default_one(stage: Stage) -> None:
    """DescribeMountTargetSecurityGroups returns it."""
    vpc_id = stage.vpc()
    made = stage.mount_target(stage.file_system(), stage.subnet(vpc_id))
    stage.clock.turn(FIGURES["mount_target.interface"].most)
    on_it = stage.efs.describe_mount_target_security_groups(MountTargetId=made)["SecurityGroups"]
    shown = stage.ec2.describe_security_groups(GroupIds=on_it)["SecurityGroups"]
    assert [(one["GroupName"], one["VpcId"]) for one in shown] == [("default", vpc_id)]


def test_a_deleted_file_system_has_no_tags(stage: Stage) -> None:
    """Listing them fails as for any unknown file system."""
    made = stage.efs.create_file_system(CreationToken="tags", Tags=[{"Key": "k", "Value": "v"}])
    stage.efs.delete_file_system(FileSystemId=made["FileSystemId"])
    stage.until(lambda: stage.file_system_state(made["FileSystemId"]) == "FileSystemNotFound")
    from moto.efs.models import efs_backends

    (account,) = efs_backends.values()
    assert not account["us-east-1"].tagging_service.has_tags(made["FileSystemId"])
