"""The census of this process's moto finds what tests leave behind, and ignores what a test does itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.ec2.models import ec2_backends
from moto.moto_api._internal.models import moto_api_backend

from tests.support.census import CHANGED, TWICE, UNKNOWN, WATCH
from tests.support.young_account import NOTHING_HIDDEN, staged
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE

REGION = "us-east-1"
OURS = {TAG_DATABASE: "d1", TAG_DEPLOYMENT: "one", TAG_RESOURCE: "r1"}


@pytest.fixture
def ec2() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("ec2", region_name=REGION)
        client.create_vpc(CidrBlock="10.8.0.0/16")
        yield client


def tagged(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in OURS.items()]}]


def backend() -> Any:
    """moto's own objects, which can be changed without a call."""
    (account,) = ec2_backends
    return ec2_backends[account][REGION]


def found() -> list[str]:
    return [one.what for one in WATCH.end()]


def vpc_of_before(ec2: Any) -> str:
    (one,) = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.8.0.0/16"]}])["Vpcs"]
    return str(one["VpcId"])


def test_what_a_test_creates_changes_and_deletes_itself_is_ignored(ec2: Any) -> None:
    """That includes earlier resources, because the test names them in its calls."""
    ec2.create_vpc(CidrBlock="10.9.0.0/16")
    ec2.create_vpc(CidrBlock="10.10.0.0/16", TagSpecifications=tagged("vpc"))
    before = vpc_of_before(ec2)
    ec2.modify_vpc_attribute(VpcId=before, EnableDnsHostnames={"Value": True})
    assert found() == []
    ec2.delete_vpc(VpcId=before)
    assert found() == []


def test_a_change_without_a_call_that_names_it_is_found(ec2: Any) -> None:
    """A read names nothing."""
    before = vpc_of_before(ec2)
    backend().vpcs[before].enable_dns_hostnames = True
    assert found() == [CHANGED]


def test_a_deletion_without_a_call_that_names_it_is_found(ec2: Any) -> None:
    """AWS's own resources count too."""
    (default,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    del backend().vpcs[default["VpcId"]]
    assert CHANGED in found()  # and what the census takes for a default of the region, by its VPC


def test_two_of_one_resource_are_found(ec2: Any) -> None:
    """Their origin does not matter."""
    for number in (9, 10):
        ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16", TagSpecifications=tagged("vpc"))
    assert found() == [TWICE]


def test_an_unreported_resource_with_tier1_tags_is_found(ec2: Any) -> None:
    """An example is a call whose reply was lost."""
    ec2.describe_vpcs()
    lost = backend().create_vpc("10.9.0.0/16")
    backend().create_tags([lost.id], OURS)
    assert found() == [UNKNOWN]


def test_an_account_is_judged_before_it_is_emptied(ec2: Any) -> None:
    """One test may have many."""
    before = vpc_of_before(ec2)
    backend().vpcs[before].enable_dns_hostnames = True
    moto_api_backend.reset()
    assert found() == [CHANGED]


def test_a_state_change_in_progress_continues() -> None:
    """With AWS's behaviour, an instance becomes ready while a test reads something else."""
    with staged(NOTHING_HIDDEN) as stage:
        place = stage.subnet(stage.vpc())
        made = stage.launch(place)
        WATCH.accounts.clear()  # as where another test begins
        stage.ec2.describe_vpcs()
        stage.clock.turn(900)
        assert stage.state(made) == "running"
        assert found() == []
