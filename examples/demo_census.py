"""Lists everything in the local AWS that carries tags of `tier1`, with boto3 alone.

So AWS itself confirms that nothing remains, not the program that deleted it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import boto3

TAG = "tier1:deployment"
IAM_PATH = "/tier1/"
EC2_LISTS = {
    "VPC": ("describe_vpcs", "Vpcs"),
    "subnet": ("describe_subnets", "Subnets"),
    "internet gateway": ("describe_internet_gateways", "InternetGateways"),
    "route table": ("describe_route_tables", "RouteTables"),
    "security group": ("describe_security_groups", "SecurityGroups"),
    "network interface": ("describe_network_interfaces", "NetworkInterfaces"),
    "volume": ("describe_volumes", "Volumes"),
}
GONE = frozenset({"shutting-down", "terminated"})


def tagged(endpoint: str, region: str) -> Counter[tuple[str, str]]:
    """How much of each kind there is for each deployment: `{(deployment id, kind): number}`."""
    session: Any = boto3.Session(aws_access_key_id="demo", aws_secret_access_key="demo", region_name=region)  # noqa: S106

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint)

    found = [*_ec2(client("ec2")), *_efs(client("efs")), *_iam(client("iam"))]
    return Counter((owner, kind) for kind, tags in found if (owner := tags.get(TAG)))


Found = tuple[str, Mapping[str, str]]


def _ec2(ec2: Any) -> Iterator[Found]:
    for kind, (operation, key) in EC2_LISTS.items():
        for page in ec2.get_paginator(operation).paginate():
            yield from ((kind, _tags(item.get("Tags") or item.get("TagSet"))) for item in page[key])
    for page in ec2.get_paginator("describe_instances").paginate():
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] not in GONE:
                    yield "instance", _tags(instance.get("Tags"))


def _efs(efs: Any) -> Iterator[Found]:
    for page in efs.get_paginator("describe_file_systems").paginate():
        for file_system in page["FileSystems"]:
            tags = _tags(file_system["Tags"])
            yield "file system", tags
            targets = efs.describe_mount_targets(FileSystemId=file_system["FileSystemId"])["MountTargets"]
            yield from (("mount target", tags) for _ in targets)


def _iam(iam: Any) -> Iterator[Found]:
    """By path and name, which end with the deployment's id: not every local AWS lists a profile's tags."""
    for page in iam.get_paginator("list_roles").paginate(PathPrefix=IAM_PATH):
        yield from (("role", {TAG: role["RoleName"].rpartition("-")[2]}) for role in page["Roles"])
    for page in iam.get_paginator("list_instance_profiles").paginate(PathPrefix=IAM_PATH):
        for profile in page["InstanceProfiles"]:
            yield "instance profile", {TAG: profile["InstanceProfileName"].rpartition("-")[2]}


def _tags(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags or ()}
