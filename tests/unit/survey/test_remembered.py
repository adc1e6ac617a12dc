"""The cache of a survey: each list once, a failed one again, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from tier1_engine.contract.cloud import Cloud
from tier1_engine.errors import CallError, Tier1Error
from tier1_engine.survey.remembered import CachedReads, Remembered


class Counting:
    """A cloud that counts its lists.

    Attributes:
        failures: how many of the next lists fail.
    """

    region = "us-east-1"
    account_id = "123456789012"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.listed: list[Any] = []

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        self.listed.append((operation, parameters))
        if self.failures:
            self.failures -= 1
            raise CallError("Throttling", "slower", operation=operation)
        yield {"VpcId": "vpc-1"}


def reads(cloud: Counting, remembered: Remembered) -> CachedReads:
    return CachedReads(cast(Cloud, cloud), remembered)


def test_the_same_list_is_read_once_by_all_kinds() -> None:
    cloud, remembered = Counting(), Remembered()
    for _ in range(2):
        assert list(reads(cloud, remembered).pages("ec2", "describe_vpcs", "Vpcs")) == [{"VpcId": "vpc-1"}]
    assert len(cloud.listed) == 1


def test_another_filter_is_another_list() -> None:
    cloud = Counting()
    cached = reads(cloud, Remembered())
    for name in ("a", "b"):
        list(cached.pages("ec2", "describe_vpcs", "Vpcs", Filters=[{"Name": name}]))
    assert len(cloud.listed) == 2


def test_a_failed_list_is_read_again_by_the_next() -> None:
    cloud, remembered = Counting(failures=1), Remembered()
    with pytest.raises(CallError):
        list(reads(cloud, remembered).pages("ec2", "describe_vpcs", "Vpcs"))
    assert list(reads(cloud, remembered).pages("ec2", "describe_vpcs", "Vpcs")) == [{"VpcId": "vpc-1"}]


def test_a_survey_never_changes_anything() -> None:
    with pytest.raises(Tier1Error, match="must not change"):
        reads(Counting(), Remembered()).change("ec2", "delete_vpc", VpcId="vpc-1")
