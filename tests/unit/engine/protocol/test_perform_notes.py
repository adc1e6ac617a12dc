"""An attempt stores details of the call that it made, also after a success."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.scripted_cloud import ScriptedCloud
from tier1_engine.engine.protocol.perform import RecordingCloud
from tier1_engine.errors import CallError


def test_a_change_is_stored_with_its_api_name_and_request_id() -> None:
    """The last one counts, because earlier ones only prepare it."""
    replies: dict[str, Any] = {
        "create_vpc": {"Vpc": {"VpcId": "vpc-1"}, "ResponseMetadata": {"RequestId": "req-1"}},
        "create_tags": {},
    }
    noted = RecordingCloud(ScriptedCloud(**replies))
    assert (noted.operation, noted.request_id) == (None, None)
    noted.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
    assert (noted.operation, noted.request_id) == ("CreateVpc", "req-1")
    noted.change("ec2", "create_tags", Resources=["vpc-1"], Tags=[])
    assert (noted.operation, noted.request_id) == ("CreateTags", None)
    assert (noted.region, noted.account_id) == ("us-east-1", "123456789012")


def test_a_change_is_stored_as_aws_names_it() -> None:
    """boto3's name does not tell which words AWS writes in capitals."""
    noted = RecordingCloud(ScriptedCloud(delete_db_instance={}))
    noted.change("rds", "delete_db_instance", DBInstanceIdentifier="one")
    assert noted.operation == "DeleteDBInstance"


def test_a_refused_change_is_stored_too() -> None:
    """A kind may count it as success if the state was already as requested."""
    refused = CallError("Duplicate", "It is so.", operation="CreateDBInstance", request_id="req-2")
    noted = RecordingCloud(ScriptedCloud(delete_db_instance=refused))
    with pytest.raises(CallError):
        noted.change("rds", "delete_db_instance", DBInstanceIdentifier="one")
    assert (noted.operation, noted.request_id) == ("CreateDBInstance", "req-2")
