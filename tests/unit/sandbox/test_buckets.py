"""S3 on the local AWS, for kinds of other packages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.support.moto_account import Rig, make_rig, prepare, refused
from tier1_engine.sandbox import census
from tier1_engine.sandbox.faults.faults import Fault

TAGS = [{"Key": "tier1:deployment", "Value": "d1"}]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    prepare(monkeypatch)
    made = make_rig()
    yield made
    made.reset()


def test_a_bucket_has_the_tags_that_it_was_made_with(rig: Rig) -> None:
    """A second create in us-east-1 succeeds, and changes no tags."""
    s3 = rig.client("s3")
    s3.create_bucket(Bucket="reports", CreateBucketConfiguration={"Tags": TAGS})
    assert s3.get_bucket_tagging(Bucket="reports")["TagSet"] == TAGS
    other = [{"Key": "tier1:deployment", "Value": "d2"}]
    s3.create_bucket(Bucket="reports", CreateBucketConfiguration={"Tags": other})
    assert s3.get_bucket_tagging(Bucket="reports")["TagSet"] == TAGS


def test_a_bucket_is_in_the_census(rig: Rig) -> None:
    """Its owner is shown until it is deleted."""
    s3 = rig.client("s3")
    s3.create_bucket(Bucket="reports", CreateBucketConfiguration={"Tags": TAGS})
    (bucket,) = [one for one in census.things() if one.kind == "bucket"]
    assert (bucket.id, bucket.region, bucket.deployment) == ("reports", "us-east-1", "d1")
    s3.delete_bucket(Bucket="reports")
    assert not [one for one in census.things() if one.kind == "bucket"]


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("SlowDown", 503)])
def test_a_fault_refuses_a_call_of_s3_in_s3_s_own_format(rig: Rig, code: str, status: int) -> None:
    """The client reads code, status and request id."""
    assert rig.aws.board is not None
    rig.aws.board.add(Fault("CreateBucket", code=code))
    with pytest.raises(ClientError) as caught:
        rig.client("s3").create_bucket(Bucket="reports")
    assert refused(caught.value) == (code, status)
    assert caught.value.response["ResponseMetadata"]["RequestId"]
