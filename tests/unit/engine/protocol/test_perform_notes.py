"""What an attempt keeps of the call that it made, also when all went well."""

from __future__ import annotations

from typing import Any

from tests.unit.scripted_cloud import ScriptedCloud
from tier1_engine.engine.protocol.perform import Noted


def test_a_change_is_noted_by_its_api_name_and_request_id() -> None:
    """The last one counts: what came before it only prepared it."""
    replies: dict[str, Any] = {
        "create_vpc": {"Vpc": {"VpcId": "vpc-1"}, "ResponseMetadata": {"RequestId": "req-1"}},
        "create_tags": {},
    }
    noted = Noted(ScriptedCloud(**replies))
    assert (noted.operation, noted.request_id) == (None, None)
    noted.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
    assert (noted.operation, noted.request_id) == ("CreateVpc", "req-1")
    noted.change("ec2", "create_tags", Resources=["vpc-1"], Tags=[])
    assert (noted.operation, noted.request_id) == ("CreateTags", None)
    assert (noted.region, noted.account_id) == ("us-east-1", "123456789012")
