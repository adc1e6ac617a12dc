"""A stage begins with an account of its own, whatever an earlier test left in moto."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.base_backend import BackendDict

from tests.support.census_of_moto import CALLS
from tests.support.young_account import NOTHING_HIDDEN, REGION, staged


def in_use() -> list[Any]:
    """moto's own list of what it empties."""
    found: list[Any] = getattr(BackendDict, "_instances")  # noqa: B009
    return found


def test_an_account_that_moto_forgot_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made by one service while another is emptied, it is no longer emptied itself, and has no images."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    CALLS.end()  # its looks would put the account on moto's list again
    with mock_aws():
        boto3.client("ec2", region_name=REGION).create_vpc(CidrBlock="10.77.0.0/16")
        monkeypatch.setattr(BackendDict, "reset", lambda: None)
    monkeypatch.undo()
    in_use().clear()
    with staged(NOTHING_HIDDEN) as one:
        assert [vpc["CidrBlock"] for vpc in one.ec2.describe_vpcs()["Vpcs"]] == ["172.31.0.0/16"]
        assert one.ec2.describe_images(Owners=["amazon"])["Images"]
