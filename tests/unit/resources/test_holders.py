"""What keeps a resource from being deleted is named with its owner and the one command that removes it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from tests.support.scripted_cloud import DEPLOYMENT, TAGS, ScriptedCloud, refusal, tag_entries, target
from tier1_engine import resources
from tier1_engine.contract.kind import Holder, Kind, Observation, Presence
from tier1_engine.errors import CallError
from tier1_engine.resources.file_system import FileSystem
from tier1_engine.resources.instance_profile import InstanceProfile
from tier1_engine.resources.internet_gateway import InternetGateway
from tier1_engine.resources.network_interface import NetworkInterface
from tier1_engine.resources.role import Role
from tier1_engine.resources.route_table import RouteTable
from tier1_engine.resources.security_group import SecurityGroup
from tier1_engine.resources.subnet import Subnet
from tier1_engine.resources.volume import Volume
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


@pytest.mark.field_case(
    "rebuy-de/aws-nuke#410: a rule of the default group that refers to another blocks its deletion"
)
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


def test_what_somebody_wrote_is_quoted() -> None:
    """A description or name can hold a command, which would be copied with the text around it."""
    text = "x`$(rm -rf ~)`; rm -rf / '\n" + "y" * 200
    (alone,) = in_subnet(Description=text)
    (function,) = in_subnet(Description=f"ELB app/`reboot`;x/{text}", RequesterManaged=True)
    group = {"GroupId": "sg-2", "GroupName": text}
    (inside,) = in_vpc(describe_security_groups={"SecurityGroups": [group]})
    for what in (alone.what, function.what, inside.what):
        assert not {"`", "\n"} & set(what)
        assert len(what) < 160
        words = shlex.split(what.replace("(", "").replace(")", "") if what is function.what else what)
        assert not {";", "rm", "-rf"} & set(words), words


def test_a_users_profile_that_holds_our_role_is_named() -> None:
    """Field case: `DeleteConflict` for the whole 40 minutes, and nobody said of what."""
    shown = [{"InstanceProfileName": name, "Path": "/"} for name in ("users", "tier1-ours")]
    for one in shown:
        one.update(InstanceProfileId="AIPA0123456789abc", Arn="arn:aws:iam::123456789012:instance-profile/x")
    cloud = ScriptedCloud(list_instance_profiles_for_role={"InstanceProfiles": shown})
    (holder,) = Role().holders(cloud, replace(target(), aws_id="tier1-ours"), frozenset({"tier1-ours"}))
    assert holder == Holder(
        "instance profile users",
        "aws iam remove-role-from-instance-profile --instance-profile-name users --role-name tier1-ours",
    )
    with pytest.raises(CallError) as caught:
        Role().delete(cloud, target(), Observation(Presence.READY, "tier1-ours"))
    assert caught.value.code in Role.in_use
    assert not cloud.changes, "its policies stay while somebody uses it"


def associations(*instances: str, profile: str = "tier1-ours", state: str = "associated") -> dict[str, Any]:
    return {
        "IamInstanceProfileAssociations": [
            {
                "AssociationId": f"iip-assoc-{instance}",
                "InstanceId": instance,
                "State": state,
                "IamInstanceProfile": {"Arn": f"arn:aws:iam::1:instance-profile/tier1/{profile}"},
            }
            for instance in instances
        ]
    }


def test_a_users_instance_that_uses_our_profile_holds_it() -> None:
    """IAM would delete the profile, and the instance would lose its credentials."""
    cloud = ScriptedCloud(describe_iam_instance_profile_associations=associations("i-user"))
    seen = Observation(Presence.READY, "tier1-ours", facts={"roles": ["tier1-ours"]})
    with pytest.raises(CallError) as caught:
        InstanceProfile().delete(cloud, target(), seen)
    assert caught.value.code in InstanceProfile.in_use
    assert not cloud.changes
    (holder,) = InstanceProfile().holders(cloud, replace(target(), aws_id="tier1-ours"), NOTHING)
    assert holder == Holder(
        "instance i-user", "aws ec2 disassociate-iam-instance-profile --association-id iip-assoc-i-user"
    )


@pytest.mark.parametrize(
    "reply",
    [
        associations("i-user", profile="users"),
        associations("i-user", state="disassociating"),
        refusal("UnauthorizedOperation"),
    ],
)
def test_a_profile_that_nobody_is_known_to_use_is_deleted(reply: Any) -> None:
    """A policy without the new permission does not keep a profile for ever."""
    cloud = ScriptedCloud(describe_iam_instance_profile_associations=reply, delete_instance_profile={})
    InstanceProfile().delete(cloud, target(), Observation(Presence.READY, "tier1-ours"))
    assert [name for name, _ in cloud.changes] == ["delete_instance_profile"]


def test_an_instance_with_our_volume_or_interface_holds_it() -> None:
    """Somebody attached it; detaching it frees it."""
    at = {"AttachmentId": "eni-attach-1", "InstanceId": "i-user"}
    cloud = ScriptedCloud(
        describe_volumes={"Volumes": [{"VolumeId": "vol-1", "Attachments": [{"InstanceId": "i-user"}]}]},
        describe_network_interfaces={
            "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Attachment": at}]
        },
    )
    (volume,) = Volume().holders(cloud, replace(target(), aws_id="vol-1"), NOTHING)
    assert volume.command == "aws ec2 detach-volume --volume-id vol-1 --instance-id i-user"
    (interface,) = NetworkInterface().holders(cloud, replace(target(), aws_id="eni-1"), NOTHING)
    assert interface.command == "aws ec2 detach-network-interface --attachment-id eni-attach-1"
    assert {volume.what, interface.what} == {"instance i-user"}
    assert Volume().holders(cloud, replace(target(), aws_id="vol-1"), frozenset({"i-user"})) == []


def test_a_foreign_association_holds_a_route_table_and_nothing_of_it_is_cut() -> None:
    """Field case: a user's subnet lost its route, and the VPC could not go anyway."""
    shown = [
        {"RouteTableAssociationId": "rtbassoc-1", "SubnetId": "subnet-ours"},
        {"RouteTableAssociationId": "rtbassoc-2", "SubnetId": "subnet-user"},
        {"RouteTableAssociationId": "rtbassoc-3", "GatewayId": "vgw-user"},
        {"RouteTableAssociationId": "rtbassoc-4", "Main": True},
        {
            "RouteTableAssociationId": "rtbassoc-5",
            "SubnetId": "subnet-was",
            "AssociationState": {"State": "disassociated"},
        },
    ]
    cloud = ScriptedCloud(
        describe_route_tables={"RouteTables": [{"RouteTableId": "rtb-1", "Associations": shown}]},
        disassociate_route_table={},
        delete_route_table={},
    )
    wanted = {"vpc_id": "vpc-1", "gateway_id": "igw-1", "subnet_ids": ["subnet-ours"]}
    it = replace(target(wanted), aws_id="rtb-1")
    seen = RouteTable().glance(cloud, it)
    assert "rtbassoc-2" not in " ".join(RouteTable().commands("rtb-1", seen.facts)["delete"])
    assert "contains(['subnet-ours'], SubnetId)" in RouteTable().recipe(it).free[0].listing
    with pytest.raises(CallError) as caught:
        RouteTable().delete(cloud, it, seen)
    assert caught.value.code in RouteTable.in_use
    assert not cloud.changes
    holders = RouteTable().holders(cloud, it, frozenset({"subnet-ours"}))
    assert [holder.what for holder in holders] == [
        "the association of subnet-user with it",
        "the association of vgw-user with it",
    ]
    assert holders[0].command == "aws ec2 disassociate-route-table --association-id rtbassoc-2"
    del shown[1:3]
    RouteTable().delete(cloud, it, RouteTable().glance(cloud, it))
    assert [name for name, _ in cloud.changes] == ["disassociate_route_table", "delete_route_table"]


def test_a_gateway_that_somebody_attached_to_their_vpc_stays_there() -> None:
    """Detaching it would cut that VPC off."""
    attached = [{"VpcId": "vpc-user", "State": "available"}]
    gateway = {"InternetGatewayId": "igw-1", "Attachments": attached}
    cloud = ScriptedCloud(
        describe_internet_gateways={"InternetGateways": [gateway]},
        describe_network_interfaces={"NetworkInterfaces": []},
    )
    it = replace(target({"vpc_id": "vpc-ours"}), aws_id="igw-1")
    seen = InternetGateway().glance(cloud, it)
    with pytest.raises(CallError) as caught:
        InternetGateway().delete(cloud, it, seen)
    assert caught.value.code in InternetGateway.in_use
    assert not cloud.changes
    (holder,) = InternetGateway().holders(cloud, it, frozenset({"vpc-ours"}))
    assert holder == Holder(
        "the VPC vpc-user",
        "aws ec2 detach-internet-gateway --internet-gateway-id igw-1 --vpc-id vpc-user",
    )


UNHELD = {
    "instance": "AWS terminates one whatever uses it; termination protection is no code of `in_use`",
    "mount_target": "EFS deletes its interface with it; AWS protects both from everybody else",
    "spot_request": "AWS cancels one whatever its instance does",
}
"""The kinds that nothing foreign can hold, and why."""


@pytest.mark.parametrize("kind", resources.discover().values(), ids=lambda kind: kind.name)
def test_every_kind_names_its_holders_or_has_none(kind: Kind) -> None:
    """A new kind says what can hold it, or why nothing can."""
    defined = type(kind).holders is not Kind.holders
    assert defined is not (kind.name in UNHELD)


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


@pytest.mark.field_case(
    "hashicorp/terraform-provider-aws#46747: an endpoint of GuardDuty blocks the deletion of a VPC for ever"
)
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
