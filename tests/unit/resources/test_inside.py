"""Foreign contents of an owned network are what no recorded id accounts for; copied tags hide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.scripted_cloud import TAGS, ScriptedCloud, refusal, tag_entries, target
from tier1_engine.contract.kind import TAG_DEPLOYMENT
from tier1_engine.errors import CallError
from tier1_engine.resources.internet_gateway import InternetGateway
from tier1_engine.resources.mount_target import MountTarget
from tier1_engine.resources.route_table import RouteTable
from tier1_engine.resources.subnet import Subnet
from tier1_engine.resources.vpc import Vpc

MOUNT_TARGET = "fsmt-0123456789abcdef0"
OURS = frozenset({"i-ours", "eni-ours", "subnet-ours", "vpc-ours", MOUNT_TARGET})
SUBNET = replace(target(), aws_id="subnet-ours")


def instance(id: str, state: str = "running", tags: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"InstanceId": id, "State": {"Name": state}, "Tags": tag_entries(tags or {})}


def interface(id: str, on: str | None = None, tags: Mapping[str, str] | None = None) -> dict[str, Any]:
    attachment = {"Attachment": {"InstanceId": on}} if on else {}
    return {"NetworkInterfaceId": id, "TagSet": tag_entries(tags or {}), **attachment}


def cloud(instances: list[dict[str, Any]], interfaces: list[dict[str, Any]], **more: Any) -> ScriptedCloud:
    return ScriptedCloud(
        describe_instances={"Reservations": [{"Instances": instances}]},
        describe_network_interfaces={"NetworkInterfaces": interfaces},
        **{"describe_mount_targets": {"MountTargets": []}, **more},
    )


def test_owned_contents_are_recognised_in_four_ways() -> None:
    """The ways are id, instance, mount target, and the remains of a deleted instance."""
    seen = cloud(
        [instance("i-ours"), instance("i-gone", "terminated")],
        [
            interface("eni-ours"),
            interface("eni-1", on="i-ours"),
            interface("eni-3", on="i-gone"),
            interface("eni-efs"),
        ],
        describe_mount_targets={
            "MountTargets": [{"MountTargetId": MOUNT_TARGET, "NetworkInterfaceId": "eni-efs"}]
        },
    )
    assert Subnet().others_inside(seen, SUBNET, OURS) == []
    asked = [parameters for operation, parameters in seen.calls if operation == "describe_mount_targets"]
    assert asked == [{"MountTargetId": MOUNT_TARGET}]
    assert not seen.changes


def test_foreign_contents_are_named() -> None:
    """They are an instance, its interface, a detached interface, and one of another deployment."""
    others = {**TAGS, TAG_DEPLOYMENT: "ffffffffffff"}
    seen = cloud(
        [instance("i-user"), instance("i-other", tags=others)],
        [interface("eni-1", on="i-user"), interface("eni-2"), interface("eni-3", tags=others)],
        describe_mount_targets=refusal("MountTargetNotFound"),
    )
    assert Subnet().others_inside(seen, SUBNET, OURS) == [
        "instance i-other",
        "instance i-user",
        "network interface eni-1",
        "network interface eni-2",
        "network interface eni-3",
    ]


def test_copied_tags_do_not_make_an_instance_and_its_interfaces_ours() -> None:
    """Field case: an auto-tagger copies them; a sweep then deleted 11 resources around the instance."""
    seen = cloud(
        [instance("i-user", tags=TAGS)],
        [interface("eni-1", on="i-user", tags=TAGS), interface("eni-2", tags=TAGS)],
        describe_mount_targets=refusal("MountTargetNotFound"),
    )
    assert Subnet().others_inside(seen, SUBNET, OURS) == [
        "instance i-user",
        "network interface eni-1",
        "network interface eni-2",
    ]


def test_a_read_that_fails_is_no_proof_of_emptiness() -> None:
    """Its error is raised."""
    seen = cloud([], [interface("eni-1")], describe_mount_targets=refusal("AccessDenied"))
    with pytest.raises(CallError):
        Subnet().others_inside(seen, SUBNET, OURS)


def test_a_users_subnet_in_an_owned_vpc_is_named() -> None:
    """Owned ones are recognised by id, whatever tags were copied to it."""
    subnets = [
        {"SubnetId": "subnet-ours"},
        {"SubnetId": "subnet-user", "Tags": tag_entries(TAGS)},
    ]
    seen = cloud([], [], describe_subnets={"Subnets": subnets})
    assert Vpc().others_inside(seen, replace(target(), aws_id="vpc-ours"), OURS) == ["subnet subnet-user"]


def test_a_table_and_a_gateway_used_by_the_users_network_are_in_use() -> None:
    """Deleting them would cut that network off."""
    associations = [
        {"SubnetId": "subnet-ours", "AssociationState": {"State": "associated"}},
        {"SubnetId": "subnet-user", "AssociationState": {"State": "associated"}},
        {"Main": True, "AssociationState": {"State": "associated"}},
    ]
    tables = ScriptedCloud(
        describe_route_tables={"RouteTables": [{"RouteTableId": "rtb-1", "Associations": associations}]}
    )
    assert RouteTable().others_inside(tables, replace(target(), aws_id="rtb-1"), OURS) == [
        "subnet subnet-user"
    ]
    gateway = {"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-ours"}, {"VpcId": "vpc-user"}]}
    gateways = ScriptedCloud(describe_internet_gateways={"InternetGateways": [gateway]})
    assert InternetGateway().others_inside(gateways, replace(target(), aws_id="igw-1"), OURS) == [
        "VPC vpc-user"
    ]


def test_a_file_system_with_all_mount_targets_recorded_is_not_read() -> None:
    """A sweep's reads grow with pages; a file system with more mount targets than recorded is read."""
    systems = [
        {"FileSystemId": "fs-1", "NumberOfMountTargets": 1, "Tags": tag_entries(TAGS)},
        {"FileSystemId": "fs-2", "NumberOfMountTargets": 2, "Tags": tag_entries(TAGS)},
    ]
    shown = [{"MountTargetId": id, "FileSystemId": "fs-2"} for id in ("fsmt-2", "fsmt-3")]
    seen = ScriptedCloud(
        describe_security_groups={"SecurityGroups": []},
        describe_file_systems={"FileSystems": systems},
        describe_mount_targets={"MountTargets": shown},
    )
    known = {"fsmt-1": {"file_system_id": "fs-1"}, "fsmt-2": {"file_system_id": "fs-2"}}
    found = MountTarget().list_beyond(seen, {TAG_DEPLOYMENT: "*"}, known)
    assert [observation.aws_id for observation in found] == ["fsmt-3"]
    asked = [parameters for operation, parameters in seen.calls if operation == "describe_mount_targets"]
    assert asked == [{"FileSystemId": "fs-2"}]
