"""KMS keys, a permissions boundary, a capacity reservation, IAM mounts and a long script reach AWS."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.support.account import client
from tests.support.command import Command
from tests.support.processes.proxy import Proxy, refused
from tier1_engine.boot.userdata import is_compressed, unpacked
from tier1_engine.sandbox.catalogue import RESERVATIONS

(RESERVATION,) = RESERVATIONS
SPEC = """name: demo
region: us-east-1
network: {{zones: [us-east-1a]}}
efs: {{kms_key_id: "{key}", iam: true}}
instance:
  types: [t3.medium]
  kms_key_id: {alias}
  permissions_boundary: {boundary}
  capacity_reservation_id: {reservation}
  user_data: long.sh
"""
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


class Account:
    """A key with an alias, and a policy that may be a boundary."""

    def __init__(self, aws: str) -> None:
        self.ec2, self.efs, self.iam = (client(name, aws) for name in ("ec2", "efs", "iam"))
        kms = client("kms", aws)
        self.key = kms.create_key()["KeyMetadata"]["Arn"]
        self.alias = "alias/mine"
        kms.create_alias(AliasName=self.alias, TargetKeyId=self.key)
        made = self.iam.create_policy(PolicyName="limit", PolicyDocument=json.dumps(DOCUMENT))
        self.boundary = made["Policy"]["Arn"]

    def spec(self, tier1: Command, **changes: str) -> str:
        (tier1.folder / "long.sh").write_text(": something to repeat\n" * 1_500, encoding="utf-8")
        given = {
            "key": self.key,
            "alias": self.alias,
            "boundary": self.boundary,
            "reservation": RESERVATION,
            **changes,
        }
        path = tier1.folder / "demo.yaml"
        path.write_text(SPEC.format(**given), encoding="utf-8")
        return str(path)


@pytest.mark.field_case(
    "a trial: a KMS key of the spec that does not exist was found after the network existed"
)
def test_all_of_them_are_asked_of_aws_and_a_wrong_one_can_be_corrected(
    operator: Command, aws: str, line: Proxy
) -> None:
    """A key that cannot be checked is found wrong later. The stack is destroyed as any other."""
    mine, unseen = Account(aws), refused(400, "AccessDeniedException")
    gone = mine.spec(operator, key="alias/gone")
    operator.here("deploy", gone).refused(2, "efs.kms_key_id: the key alias/gone does not exist in us-east-1")
    line.rule = lambda call: unseen if call.operation == "DescribeKey" else None
    failed = operator("deploy", gone, "--no-rollback")
    assert failed.code != 0
    assert "DescribeKey is denied" in failed.err
    assert "key could not be found" in failed.out + failed.err
    corrected = operator("resume", failed.id, "--retry", "--spec", mine.spec(operator))
    assert corrected.code == 0, corrected
    (role,) = mine.iam.list_roles(PathPrefix="/tier1/")["Roles"]
    boundary = mine.iam.get_role(RoleName=role["RoleName"])["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == mine.boundary
    (file_system,) = mine.efs.describe_file_systems()["FileSystems"]
    assert (file_system["Encrypted"], file_system["KmsKeyId"]) == (True, mine.key)
    (volume,) = mine.ec2.describe_volumes()["Volumes"]
    assert volume["KmsKeyId"] == mine.alias
    (attached,) = volume["Attachments"]
    sent: Any = mine.ec2.describe_instance_attribute(InstanceId=attached["InstanceId"], Attribute="userData")
    data = base64.b64decode(sent["UserData"]["Value"])
    assert is_compressed(data)
    assert "TLS=tls,iam\n" in unpacked(data)
    assert operator("destroy", failed.id, "--yes").code == 0
