"""Tags and other filters match as EC2 does."""

from __future__ import annotations

import pytest

from tests.support.young_account import Stage


@pytest.fixture(scope="module")
def tagged(_stage: Stage) -> tuple[str, str]:
    """Two VPCs: one with the tags a=1 and b=2, one with a=3."""
    made = []
    for tags in ({"a": "1", "b": "2"}, {"a": "3"}):
        one = _stage.vpc()
        _stage.ec2.create_tags(Resources=[one], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        made.append(one)
    return made[0], made[1]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"tag-key": ["b", "zzz"]}, {0}),
        ({"tag-key": ["a", "zzz"]}, {0, 1}),
        ({"tag-key": ["zzz"]}, set()),
        ({"tag:a": ["1", "3"]}, {0, 1}),
        ({"tag:a": ["2", "3"]}, {1}),
        ({"tag:a": ["1"], "tag:b": ["2", "9"]}, {0}),
        ({"tag:b": ["*"]}, {0}),
        ({"tag-value": ["2", "9"]}, {0}),
    ],
)
def test_values_of_a_filter_are_joined_by_or(
    stage: Stage, tagged: tuple[str, str], filters: dict[str, list[str]], found: set[int]
) -> None:
    """Filters are joined by and, as on EC2; moto misses objects with several tags."""
    asked = [{"Name": name, "Values": values} for name, values in filters.items()]
    shown = {one["VpcId"] for one in stage.ec2.describe_vpcs(Filters=asked)["Vpcs"]}
    assert shown & set(tagged) == {tagged[one] for one in found}


def test_values_of_other_filters_are_joined_by_or_too(stage: Stage) -> None:
    """A route table is found by any of its subnets."""
    vpc_id = stage.vpc()
    first, second, third = (stage.subnet(vpc_id, number) for number in (1, 2, 3))
    table = stage.ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    for one in (first, second):
        stage.ec2.associate_route_table(RouteTableId=table, SubnetId=one)
    asked = [{"Name": "association.subnet-id", "Values": [second, third]}]
    assert [one["RouteTableId"] for one in stage.ec2.describe_route_tables(Filters=asked)["RouteTables"]] == [
        table
    ]
