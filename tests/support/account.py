"""Lists the objects in the local AWS, independently of the program under test."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3

REGION = "us-east-1"
WHOLE = {"vpcs": 1, "groups": 2, "instances": 1, "file_systems": 1, "roles": 1, "profiles": 1}
"""What `standing` counts of one deployment."""


@cache
def client(service: Any, endpoint: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def standing(endpoint: str) -> dict[str, int]:
    """The number of objects of each kind that the account did not have from the start."""
    ec2, efs, iam = (client(service, endpoint) for service in ("ec2", "efs", "iam"))
    instances = [
        instance
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    ]
    found = {
        "vpcs": len([vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]),
        "groups": len(
            [g for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"]
        ),
        "instances": len(instances),
        "file_systems": len(efs.describe_file_systems()["FileSystems"]),
        "roles": len(iam.list_roles(PathPrefix="/tier1/")["Roles"]),
        "profiles": len(iam.list_instance_profiles(PathPrefix="/tier1/")["InstanceProfiles"]),
    }
    return {kind: count for kind, count in found.items() if count}


def keys_of_another_account(endpoint: str, account_id: str) -> dict[str, str]:
    """Credentials that the local AWS takes for another account's."""
    sts = client("sts", endpoint)
    arn = f"arn:aws:iam::{account_id}:role/visitor"
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="visit")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
