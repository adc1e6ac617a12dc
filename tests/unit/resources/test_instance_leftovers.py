"""What is the user's, stays after an instance and costs money is named; nothing else is."""

from __future__ import annotations

from typing import Any

from tests.support.scripted_cloud import Answer, ScriptedCloud, refusal, target
from tier1_engine.contract.kind import COMPANIONS
from tier1_engine.resources.instance import Instance

OURS = target(aws_id="i-1", facts={COMPANIONS: {"volume": ["vol-1", "vol-2"]}})
ADDRESS = {"PublicIp": "203.0.113.9", "AllocationId": "eipalloc-1"}


def snapshot(id: str, volume_id: str = "vol-1", gib: int = 30) -> dict[str, Any]:
    return {"SnapshotId": id, "VolumeId": volume_id, "VolumeSize": gib}


def left_behind(
    addresses: Answer | None = None, snapshots: Answer | None = None, **changes: Any
) -> list[str]:
    cloud = ScriptedCloud(
        describe_addresses=addresses or {"Addresses": []}, describe_snapshots=snapshots or {"Snapshots": []}
    )
    asked = target(aws_id="i-1", facts=changes.get("facts", OURS.facts))
    said = list(Instance().left_behind(cloud, asked, frozenset()))
    assert not cloud.changes
    return said


def test_the_snapshots_of_each_volume_are_one_sentence_with_the_most_that_they_cost() -> None:
    """Backups may have made hundreds: five are named."""
    daily = [snapshot(f"snap-{day}") for day in range(1, 8)]
    assert left_behind(snapshots={"Snapshots": [snapshot("snap-9", "vol-2", 8), *daily]}) == [
        (
            "the snapshots snap-1, snap-2, snap-3, snap-4, snap-5 and 2 more of the volume vol-1 stay, and "
            "cost at most $10.50 a month until they are deleted"
        ),
        "the snapshot snap-9 of the volume vol-2 stays, and costs at most $0.40 a month until it is deleted",
    ]


def test_a_list_that_is_denied_is_named_and_hides_no_other() -> None:
    """Who may not list snapshots still hears of the address, and the other way round."""
    denied = refusal("UnauthorizedOperation")
    (address, unlisted) = left_behind({"Addresses": [ADDRESS]}, denied)
    assert "203.0.113.9" in address
    assert unlisted == (
        "the snapshots of the volumes of i-1 could not be listed (UnauthorizedOperation): any that stay and "
        "cost money are not named"
    )
    (unlisted, kept) = left_behind(denied, {"Snapshots": [snapshot("snap-1")]})
    assert "the Elastic IP addresses on i-1 could not be listed" in unlisted
    assert "snap-1" in kept


def test_volumes_that_the_launch_did_not_make_are_the_users() -> None:
    """Their snapshots cost what they cost before: nothing is asked."""
    assert left_behind(snapshots=refusal("Never"), facts={}) == []
