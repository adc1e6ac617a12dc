"""What AWS made with an instance, and keeps because somebody changed a setting, is not forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.account import client
from tests.support.command import Command
from tests.support.processes.proxy import Proxy, altered

pytestmark = pytest.mark.promise(7)

SIZE_GIB = 1


def survive(ec2: Any, instance: dict[str, Any]) -> str:
    """Let the root volume outlive its instance, as anybody can; its id."""
    (mapping,) = instance["BlockDeviceMappings"]
    ec2.modify_instance_attribute(
        InstanceId=instance["InstanceId"],
        BlockDeviceMappings=[
            {"DeviceName": mapping["DeviceName"], "Ebs": {"DeleteOnTermination": False}},
        ],
    )
    return str(mapping["Ebs"]["VolumeId"])


def volumes(ec2: Any) -> dict[str, str]:
    return {one["VolumeId"]: one["State"] for one in ec2.describe_volumes()["Volumes"]}


@pytest.mark.field_case(
    "machulav/ec2-github-runner#141, ray-project/ray#28707: volumes outlive their machine"
)
@pytest.mark.leaves("the user's volume, address and snapshots", "unknown", "changed")
def test_the_root_volume_that_outlives_its_instance_is_deleted(tier1: Command, aws: str) -> None:
    """The user's own volume on the same instance stays, also with copies of its tags, and so do the backups
    that somebody made of ours; the user's address and the backups are named, because they cost money.
    """
    ec2 = client("ec2", aws)
    id = tier1.deployed()
    ((instance,),) = (held["Instances"] for held in ec2.describe_instances()["Reservations"])
    root = survive(ec2, instance)
    tags = [{"ResourceType": "volume", "Tags": instance["Tags"]}]
    zone = instance["Placement"]["AvailabilityZone"]
    users = ec2.create_volume(AvailabilityZone=zone, Size=SIZE_GIB, TagSpecifications=tags)["VolumeId"]
    ec2.attach_volume(Device="/dev/sdz", InstanceId=instance["InstanceId"], VolumeId=users)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=instance["InstanceId"])
    copied = [{"ResourceType": "snapshot", "Tags": instance["Tags"]}]
    backup = ec2.create_snapshot(VolumeId=root, TagSpecifications=copied)["SnapshotId"]
    done = tier1("destroy", id, "--yes")
    assert done.code == 0, done
    assert root not in volumes(ec2)
    assert users in volumes(ec2)
    assert ec2.describe_snapshots(SnapshotIds=[backup])["Snapshots"]
    named = f"the snapshot {backup} of the volume {root} stays, and costs at most $1.50 a month"
    assert f"{named} until it is deleted" in done.err
    assert f"({address}) was on {instance['InstanceId']}: it stays, and costs about $3.65 a month" in done.err
    attempts = tier1.here("log", id, "-o", "json").json["attempts"]
    assert root in {attempt["aws_id"] for attempt in attempts if attempt["action"] == "delete"}


@pytest.mark.leaves("the user's volume, restored from a snapshot with its tags", "unknown")
def test_a_restored_root_volume_stays_and_the_one_that_it_replaced_is_deleted(
    tier1: Command, aws: str
) -> None:
    """The user put it in the place of ours: only what the launch made is known as ours."""
    ec2 = client("ec2", aws)
    id = tier1.deployed()
    ((instance,),) = (held["Instances"] for held in ec2.describe_instances()["Reservations"])
    (mapping,) = instance["BlockDeviceMappings"]
    root = mapping["Ebs"]["VolumeId"]
    zone = instance["Placement"]["AvailabilityZone"]
    tags = [{"ResourceType": "volume", "Tags": instance["Tags"]}]
    users = ec2.create_volume(AvailabilityZone=zone, Size=SIZE_GIB, TagSpecifications=tags)["VolumeId"]
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    while ec2.describe_volumes(VolumeIds=[root])["Volumes"][0]["Attachments"]:
        ec2.detach_volume(VolumeId=root, InstanceId=instance["InstanceId"], Device=mapping["DeviceName"])
    ec2.attach_volume(VolumeId=users, InstanceId=instance["InstanceId"], Device=mapping["DeviceName"])
    assert tier1("sweep", "--orphans", "--yes").code == 0
    assert root in volumes(ec2), "what stands may get it back"
    done = tier1("destroy", id, "--yes")
    assert done.code == 0, done
    assert root not in volumes(ec2)
    assert users in volumes(ec2)
    assert (
        f"{users} has the tags of this deployment, but no create on record proves that it is its own"
        in done.err
    )


@pytest.mark.leaves("the user's spot request with copied tags, and its instance", "unknown")
def test_a_spot_request_that_outlives_its_instance_is_cancelled(
    operator: Command, line: Proxy, aws: str
) -> None:
    """Ours was made persistent on its way, so AWS opens it again when its instance is terminated. The user's
    has copies of its tags: it stays, and is named. Nothing is cancelled while its instance stands.
    """
    ec2 = client("ec2", aws)
    spec = operator.folder / "demo.yaml"
    spec.write_text("name: demo\nregion: us-east-1\ninstance: {types: [t3.medium], market: spot}\n")
    line.rule = lambda call: altered(b"one-time", b"persistent") if call.operation == "RunInstances" else None
    assert operator("deploy", str(spec)).code == 0
    (ours,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert (ours["Type"], ours["State"]) == ("persistent", "active")
    copied = [{"ResourceType": "spot-instances-request", "Tags": ours["Tags"]}]
    launch = {"ImageId": ours["LaunchSpecification"]["ImageId"], "InstanceType": "t3.medium"}
    asked = ec2.request_spot_instances(LaunchSpecification=launch, TagSpecifications=copied)
    (users,) = (one["SpotInstanceRequestId"] for one in asked["SpotInstanceRequests"])
    swept = operator("sweep", "--orphans", "--yes")
    assert swept.code == 0
    assert users in swept.out
    assert ours["SpotInstanceRequestId"] not in swept.out
    done = operator("destroy", "demo", "--yes")
    assert done.code == 0, done
    shown = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    states = {one["SpotInstanceRequestId"]: one["State"] for one in shown}
    assert states == {ours["SpotInstanceRequestId"]: "cancelled", users: "active"}
    assert f"{users} has the tags of this deployment, but no create on record proves" in done.err
    operations = [call.operation for call in line.changing]
    assert operations.index("CancelSpotInstanceRequests") > operations.index("TerminateInstances")
