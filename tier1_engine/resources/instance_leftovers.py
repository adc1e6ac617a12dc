"""What belongs to the user, stays after an instance is deleted, and costs money: each named with its price.

It only reads, just before the deletion, and nothing that it finds is ever touched. A snapshot is the user's,
also of a volume of ours and with copies of its tags: `tier1` makes none, but Data Lifecycle Manager, AWS
Backup and `CreateImage` do. EFS is not asked: AWS Backup keeps recovery points of a file system only where
somebody switched that on, because `CreateFileSystem` without `Backup` does not (EFS API reference).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import COMPANIONS, Target
from tier1_engine.contract.price import HOURS_A_MONTH
from tier1_engine.errors import CallError
from tier1_engine.resources.instance_price import PUBLIC_IPV4_HOUR, SNAPSHOT_GIB_MONTH

NAMED_SNAPSHOTS = 5
"""How many snapshots of a volume are named; backups may have made hundreds."""
IAM_ACTIONS = ("ec2:DescribeAddresses", "ec2:DescribeSnapshots")


def of_instance(cloud: Cloud, target: Target, ours: frozenset[str]) -> Iterator[str]:
    """Yield a sentence for each, and one for each list that AWS refuses."""
    for what, look in (("Elastic IP addresses on", _addresses), ("snapshots of the volumes of", _snapshots)):
        try:
            yield from look(cloud, target, ours)
        except CallError as error:
            yield (
                f"the {what} {target.aws_id} could not be listed ({error.code}): any that stay and cost "
                "money are not named"
            )


def _addresses(cloud: Cloud, target: Target, ours: frozenset[str]) -> list[str]:
    """Elastic IP addresses on it that its deployment did not allocate."""
    on_it = [{"Name": "instance-id", "Values": [target.aws_id or ""]}]
    month = PUBLIC_IPV4_HOUR * HOURS_A_MONTH
    return [
        f"the Elastic IP address {one['PublicIp']} ({one['AllocationId']}) was on {target.aws_id}: it "
        f"stays, and costs about ${month:.2f} a month until it is released"
        for one in cloud.read("ec2", "describe_addresses", Filters=on_it).get("Addresses") or ()
        if one.get("AllocationId") and one["AllocationId"] not in ours
    ]


def _snapshots(cloud: Cloud, target: Target, ours: frozenset[str]) -> list[str]:
    """Snapshots of the volumes that its launch made, a sentence for each volume.

    A snapshot is charged for its changed blocks only, so the size of its volume is the most that it costs.
    """
    volumes = target.facts.get(COMPANIONS, {}).get("volume", ())
    if not volumes:
        return []
    of_them = [{"Name": "volume-id", "Values": list(volumes)}]
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for one in cloud.pages("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=of_them):
        found[str(one.get("VolumeId"))][str(one["SnapshotId"])] = int(one.get("VolumeSize") or 0)
    return [_sentence(volume_id, sizes) for volume_id, sizes in sorted(found.items())]


def _sentence(volume_id: str, gib: dict[str, int]) -> str:
    named = sorted(gib)[:NAMED_SNAPSHOTS]
    more = f" and {len(gib) - len(named)} more" if len(gib) > len(named) else ""
    month = sum(gib.values()) * SNAPSHOT_GIB_MONTH
    what, verbs, until = (
        ("the snapshot", "stays, and costs", "it is deleted")
        if len(gib) == 1
        else ("the snapshots", "stay, and cost", "they are deleted")
    )
    return (
        f"{what} {', '.join(named)}{more} of the volume {volume_id} {verbs} at most ${month:.2f} a month "
        f"until {until}"
    )
