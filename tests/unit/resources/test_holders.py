"""What keeps a resource from being deleted is named with its owner and the one command that removes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.scripted_cloud import DEPLOYMENT, TAGS, ScriptedCloud, refusal, tag_entries, target
from tier1_engine.contract.kind import Holder, Observation, Presence
from tier1_engine.resources.file_system import FileSystem
from tier1_engine.resources.security_group import SecurityGroup
from tier1_engine.resources.subnet import Subnet
from tier1_engine.resources.vpc import Vpc

NOTHING: frozenset[str] = frozenset()


def in_subnet(**interface: Any) -> list[Holder]:
    shown = {"NetworkInterfaceId": "eni-1", "Status": "in-use", **interface}
    cloud = ScriptedCloud(describe_network_interfaces={"NetworkInterfaces": [shown]})
    return list(Subnet().holders(cloud, replace(target(), aws_id="subnet-1"), NOTHING))


@pytest.mark.parametrize(
    ("description", "named", "command"),
    [
        (
            "EFS mount target for fs-1 (fsmt-1)",
            "EFS mount target fsmt-1 of fs-1",
            "aws efs delete-mount-target --mount-target-id fsmt-1",
        ),
        (
            "Interface for NAT Gateway nat-1",
            "NAT gateway nat-1",
            "aws ec2 delete-nat-gateway --nat-gateway-id nat-1",
        ),
        (
            "VPC Endpoint Interface vpce-1",
            "VPC endpoint vpce-1",
            "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-1",
        ),
        ("AWS Lambda VPC ENI-orders-0a1b2c3d-1111-2222-3333-444455556666", "Lambda function orders", ""),
        ("ELB app/web/0123456789abcdef", "load balancer app/web/0123456789abcdef", ""),
        ("RDSNetworkInterface", "RDS database", ""),
    ],
)
def test_the_owner_of_an_interface_of_aws_is_named(description: str, named: str, command: str) -> None:
    """AWS writes it into the description."""
    holders = in_subnet(Description=description, RequesterManaged=True)
    assert holders == [Holder(f"{named} (network interface eni-1)", command)]


def test_a_persons_interface_is_named_by_its_instance_or_itself() -> None:
    """The command removes the instance, or the interface."""
    on = in_subnet(Attachment={"InstanceId": "i-1"})
    assert on == [Holder("instance i-1", "aws ec2 terminate-instances --instance-ids i-1")]
    (alone,) = in_subnet(Description="proxy")
    assert alone.what == "network interface eni-1 (proxy)"
    assert alone.command == "aws ec2 delete-network-interface --network-interface-id eni-1"


def test_an_interface_that_aws_is_about_to_delete_leaves_by_itself() -> None:
    """Its owner is gone: waiting helps."""
    (holder,) = in_subnet(RequesterManaged=True, Status="available")
    assert holder.leaves


def test_what_is_on_record_holds_nothing_and_copied_tags_hide_nothing() -> None:
    """A tool may have given the tags of our instance to the user's interface."""
    shown = {"NetworkInterfaceId": "eni-1", "Status": "in-use", "TagSet": tag_entries(TAGS)}
    cloud = ScriptedCloud(describe_network_interfaces={"NetworkInterfaces": [shown]})
    it = replace(target(), aws_id="subnet-1")
    assert Subnet().holders(cloud, it, frozenset({"eni-1"})) == []
    (holder,) = Subnet().holders(cloud, it, NOTHING)
    assert holder.what == "network interface eni-1"


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_rule_of_another_group_is_named_with_the_command_that_revokes_it(direction: str) -> None:
    """Field case: a rule of the default group that refers to ours, and an unexplained DependencyViolation."""
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
    key = "IpPermissions" if direction == "ingress" else "IpPermissionsEgress"
    another = {**rule, "FromPort": 80, "ToPort": 80}
    unrelated = {**rule, "UserIdGroupPairs": [{"GroupId": "sg-9"}]}
    other = {
        "GroupId": "sg-2",
        "GroupName": "default",
        "Tags": tag_entries(TAGS),
        key: [rule, another, unrelated],
    }

    def groups(parameters: Any) -> Any:
        asked = parameters["Filters"][0]["Name"].startswith("egress")
        return {"SecurityGroups": [other] if asked is (direction == "egress") else []}

    cloud = ScriptedCloud(
        describe_network_interfaces={"NetworkInterfaces": []}, describe_security_groups=groups
    )
    holder, second = SecurityGroup().holders(cloud, replace(target(), aws_id="sg-1"), NOTHING)
    assert holder.what == f"an {direction} rule of the security group sg-2 (default)"
    assert "FromPort=80,ToPort=80" in second.command
    assert holder.command == (
        f"aws ec2 revoke-security-group-{direction} --group-id sg-2 --ip-permissions "
        "'IpProtocol=tcp,FromPort=443,ToPort=443,UserIdGroupPairs=[{GroupId=sg-1}]'"
    )


def test_no_rule_of_a_users_group_with_copied_tags_is_revoked() -> None:
    """Only a group with our name is ours: AWS lets nobody change the name of one."""
    pair = {"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
    groups = [
        {"GroupId": "sg-2", "GroupName": name, "Tags": tag_entries(TAGS), "IpPermissions": [pair]}
        for name in ("users", f"tier1-{DEPLOYMENT}-efs")
    ]
    groups[1]["GroupId"] = "sg-3"
    cloud = ScriptedCloud(
        describe_security_groups={"SecurityGroups": groups},
        revoke_security_group_ingress={},
        delete_security_group={},
    )
    nothing: dict[str, Any] = {"rules_to_groups": {"ingress": [], "egress": []}}
    SecurityGroup().delete(cloud, target(), Observation(Presence.READY, "sg-1", facts=nothing))
    revoked = [parameters["GroupId"] for name, parameters in cloud.changes if name.startswith("revoke")]
    assert revoked == ["sg-3"]


def in_vpc(**shown: Any) -> list[Holder]:
    nothing: dict[str, Any] = {
        "describe_network_interfaces": {"NetworkInterfaces": []},
        "describe_vpc_endpoints": {"VpcEndpoints": []},
        "describe_vpc_peering_connections": {"VpcPeeringConnections": []},
        "describe_internet_gateways": {"InternetGateways": []},
        "describe_vpn_gateways": {"VpnGateways": []},
        "describe_subnets": {"Subnets": []},
        "describe_security_groups": {"SecurityGroups": []},
        "describe_route_tables": {"RouteTables": []},
        "describe_network_acls": {"NetworkAcls": []},
    }
    known = frozenset({"subnet-ours", "igw-ours", "sg-ours"})
    cloud = ScriptedCloud(**{**nothing, **shown})
    return list(Vpc().holders(cloud, replace(target(), aws_id="vpc-1"), known))


def test_what_is_in_a_vpc_is_named_but_what_goes_with_it() -> None:
    """The default group and ACL, the main table and a deleted endpoint do not hold it."""
    endpoints = [
        {
            "VpcEndpointId": "vpce-1",
            "ServiceName": "com.amazonaws.us-east-1.guardduty-data",
            "State": "available",
        },
        {"VpcEndpointId": "vpce-2", "ServiceName": "s3", "State": "Deleted"},
    ]
    holders = in_vpc(
        describe_vpc_endpoints={"VpcEndpoints": endpoints},
        describe_internet_gateways={"InternetGateways": [{"InternetGatewayId": "igw-ours"}]},
        describe_vpn_gateways={"VpnGateways": [{"VpnGatewayId": "vgw-1"}]},
        describe_subnets={"Subnets": [{"SubnetId": "subnet-ours"}, {"SubnetId": "subnet-2"}]},
        describe_security_groups={
            "SecurityGroups": [
                {"GroupId": "sg-1", "GroupName": "default"},
                {"GroupId": "sg-2", "GroupName": "web", "Tags": tag_entries(TAGS)},
                {"GroupId": "sg-ours", "GroupName": "ours"},
            ]
        },
        describe_route_tables={
            "RouteTables": [
                {"RouteTableId": "rtb-1", "Associations": [{"Main": True}]},
                {"RouteTableId": "rtb-2", "Associations": []},
            ]
        },
        describe_network_acls={
            "NetworkAcls": [{"NetworkAclId": "acl-1", "IsDefault": True}, {"NetworkAclId": "acl-2"}]
        },
    )
    assert [holder.what for holder in holders] == [
        "com.amazonaws.us-east-1.guardduty-data endpoint vpce-1",
        "VPN gateway vgw-1",
        "subnet subnet-2",
        "security group web sg-2",
        "route table rtb-2",
        "network ACL acl-2",
    ]
    assert holders[1].command == "aws ec2 detach-vpn-gateway --vpn-gateway-id vgw-1 --vpc-id vpc-1"


def test_only_a_peering_of_this_vpc_is_named_and_once() -> None:
    """An endpoint may ignore the filter: a command must never remove what another network needs."""
    peerings = [
        {
            "VpcPeeringConnectionId": "pcx-1",
            "RequesterVpcInfo": {"VpcId": "vpc-1"},
            "Status": {"Code": "active"},
        },
        {
            "VpcPeeringConnectionId": "pcx-2",
            "RequesterVpcInfo": {"VpcId": "vpc-9"},
            "Status": {"Code": "active"},
        },
        {
            "VpcPeeringConnectionId": "pcx-3",
            "AccepterVpcInfo": {"VpcId": "vpc-1"},
            "Status": {"Code": "rejected"},
        },
    ]
    (holder,) = in_vpc(describe_vpc_peering_connections={"VpcPeeringConnections": peerings})
    assert holder.what == "peering connection pcx-1"


def test_what_may_not_be_listed_hides_no_other_holder() -> None:
    """A missing permission for one list is no reason to name nothing."""
    (holder,) = in_vpc(
        describe_vpc_endpoints=refusal("UnauthorizedOperation"),
        describe_subnets={"Subnets": [{"SubnetId": "subnet-2"}]},
    )
    assert holder.what == "subnet subnet-2"


def test_a_mount_target_of_somebody_else_holds_a_file_system() -> None:
    """Its command deletes the mount target."""
    shown = [{"MountTargetId": "fsmt-1", "SubnetId": "subnet-9"}, {"MountTargetId": "fsmt-ours"}]
    cloud = ScriptedCloud(describe_mount_targets={"MountTargets": shown})
    (holder,) = FileSystem().holders(cloud, replace(target(), aws_id="fs-1"), frozenset({"fsmt-ours"}))
    assert holder == Holder(
        "EFS mount target fsmt-1 in subnet-9", "aws efs delete-mount-target --mount-target-id fsmt-1"
    )
