"""What AWS made with an instance, and keeps because somebody changed a setting, is not forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.account import client
from tests.support.command import Command
from tests.support.processes.proxy import Exchange, Proxy

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
    """Ours were made persistent on their way, so each opens again when its instance is terminated: that of
    an instance that was recreated goes before the deployment is active, the other with the destroy, and no
    earlier. The user's has copies of their tags: it stays, and is named.
    """
    ec2 = client("ec2", aws)
    launched: list[str] = []

    def launch(exchange: Exchange) -> None:
        reply = exchange.forward(b"one-time", b"persistent")
        launched.extend(request for request in states(ec2) if request not in launched)
        if len(launched) == 1:
            (instance,) = ec2.describe_instances()["Reservations"][0]["Instances"]
            ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        exchange.answer(reply)

    line.rule = lambda call: launch if call.operation == "RunInstances" else None
    spec = operator.folder / "demo.yaml"
    spec.write_text("name: demo\nregion: us-east-1\ninstance: {types: [t3.medium], market: spot}\n")
    assert operator("deploy", str(spec)).code == 0
    _, ours = launched
    assert states(ec2) == {ours: "active"}
    users = copy_of(ec2, ours)
    swept = operator("sweep", "--orphans", "--yes")
    assert swept.code == 0, swept
    assert states(ec2) == {ours: "active", users: "active"}
    assert users in swept.out
    assert ours not in swept.out
    done = operator("destroy", "demo", "--yes")
    assert done.code == 0, done
    assert states(ec2) == {users: "active"}
    assert f"{users} has the tags of this deployment, but no create on record proves" in done.err


def states(ec2: Any) -> dict[str, str]:
    """The requests that may launch an instance."""
    may = [{"Name": "state", "Values": ["open", "active", "disabled"]}]
    shown = ec2.describe_spot_instance_requests(Filters=may)["SpotInstanceRequests"]
    return {one["SpotInstanceRequestId"]: one["State"] for one in shown}


def copy_of(ec2: Any, request_id: str) -> str:
    """A request of the user's with the tags of another; its id."""
    wanted = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request_id])
    (shown,) = wanted["SpotInstanceRequests"]
    launch = {"ImageId": shown["LaunchSpecification"]["ImageId"], "InstanceType": "t3.medium"}
    tags = [{"ResourceType": "spot-instances-request", "Tags": shown["Tags"]}]
    asked = ec2.request_spot_instances(LaunchSpecification=launch, TagSpecifications=tags)
    users = str(asked["SpotInstanceRequests"][0]["SpotInstanceRequestId"])
    while not is_up(ec2, users):
        pass
    return users


def is_up(ec2: Any, request_id: str) -> bool:
    """Whether the instance of a request runs and has its address, so that it does not change any more."""
    (shown,) = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request_id])[
        "SpotInstanceRequests"
    ]
    (held,) = ec2.describe_instances(InstanceIds=[shown["InstanceId"]])["Reservations"]
    (instance,) = held["Instances"]
    return instance["State"]["Name"] == "running" and bool(instance.get("PublicIpAddress"))
