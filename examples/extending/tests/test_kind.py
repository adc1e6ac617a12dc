"""The bucket through its life, on a local AWS of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tier1_bucket.kind import Bucket, name_of

from tier1_engine import sandbox
from tier1_engine.aws.session import AwsSession
from tier1_engine.contract.cloud import AlwaysPermitted, Cloud
from tier1_engine.contract.kind import ABSENT, Presence, Target

DEPLOYMENT = {"tier1:database": "0db", "tier1:deployment": "0123456789ab"}
TAGS = {**DEPLOYMENT, "tier1:resource": "a" * 20, "tier1:name": "reports", "Name": "reports-bucket"}
TARGET = Target("0123456789ab", "a" * 20, "bucket", TAGS, {"versioned": True}, key=f"{'a' * 20}-1-0")


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    endpoint = sandbox.start(tmp_path).endpoint
    yield AwsSession("us-east-1", endpoint_url=endpoint).cloud(AlwaysPermitted())
    sandbox.stop(tmp_path)


def test_a_bucket_through_its_life(cloud: Cloud) -> None:
    """A bucket is found by its name, becomes ready once versioned, is listed by its tags, and is deleted."""
    kind = Bucket()
    assert kind.find(cloud, TARGET) == []
    made = kind.create(cloud, TARGET)
    target = replace(TARGET, aws_id=made.aws_id)
    assert made.aws_id == name_of(target)
    assert [one.aws_id for one in kind.find(cloud, target)] == [made.aws_id]
    unset = kind.describe(cloud, target)
    assert (unset.presence, unset.unset) == (Presence.UNSET, ("versioning",))
    kind.configure(cloud, target, unset)
    ready = kind.describe(cloud, target)
    assert ready.presence is Presence.READY
    assert kind.owns(target, ready)
    assert not kind.owns(replace(target, tags={**TAGS, "tier1:resource": "other"}), ready)
    assert [one.aws_id for one in kind.list_owned(cloud, DEPLOYMENT)] == [made.aws_id]
    assert kind.list_owned(cloud, {"tier1:deployment": "another"}) == []
    kind.delete(cloud, target, ready)
    assert kind.describe(cloud, target) is ABSENT
    assert kind.list_owned(cloud, DEPLOYMENT) == []
