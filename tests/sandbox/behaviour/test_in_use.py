"""A resource in use cannot be deleted, and network interfaces outlive their owners for a while."""

from __future__ import annotations

import pytest

from tests.support.young_account import TRUST, Stage, refused
from tier1_engine.sandbox.behaviour.figures import FIGURES


def gone_after(stage: Stage, **filters: str) -> float:
    """The time until no interface is left."""
    return stage.until(lambda: not stage.interfaces(**filters))


def lingers(seconds: float) -> bool:
    figure = FIGURES["interface.linger"]
    return figure.least <= seconds <= figure.most + 1


def test_a_terminated_instance_holds_subnet_and_group_for_a_while(stage: Stage) -> None:
    """Both answer DependencyViolation until its interface is gone."""
    vpc_id = stage.vpc()
    place, group_id = stage.subnet(vpc_id), stage.group(vpc_id)
    made = stage.launch(place, group_id)
    stage.reach(made, "running")
    for state in ("running", "terminated"):
        stage.reach(made, state)
        with refused("DependencyViolation"):
            stage.ec2.delete_subnet(SubnetId=place)
        with refused("DependencyViolation"):
            stage.ec2.delete_security_group(GroupId=group_id)
        if state == "running":
            stage.ec2.terminate_instances(InstanceIds=[made])
    assert stage.instance(made)["NetworkInterfaces"] == []
    assert lingers(gone_after(stage, subnet_id=place))
    stage.ec2.delete_security_group(GroupId=group_id)
    stage.ec2.delete_subnet(SubnetId=place)
    stage.ec2.delete_vpc(VpcId=vpc_id)


def test_a_deleted_mount_target_holds_subnet_and_group_for_a_while(stage: Stage) -> None:
    """Its address is free again afterwards."""
    vpc_id = stage.vpc()
    place, group_id = stage.subnet(vpc_id), stage.group(vpc_id)
    made = stage.mount_target(stage.file_system(), place, group_id)
    stage.efs.delete_mount_target(MountTargetId=made)
    stage.until(lambda: stage.mount_target_state(made) == "MountTargetNotFound")
    with refused("DependencyViolation"):
        stage.ec2.delete_subnet(SubnetId=place)
    with refused("DependencyViolation"):
        stage.ec2.delete_security_group(GroupId=group_id)
    address = stage.interfaces(subnet_id=place)[0]["PrivateIpAddress"]
    assert lingers(gone_after(stage, subnet_id=place))
    assert stage.instance(stage.launch(place, group_id))["PrivateIpAddress"] == address


def test_an_attached_interface_survives_its_instance(stage: Stage) -> None:
    """The launch did not create it: it becomes available again and can be deleted."""
    vpc_id = stage.vpc()
    place = stage.subnet(vpc_id)
    own = stage.ec2.create_network_interface(SubnetId=place)["NetworkInterface"]["NetworkInterfaceId"]
    made = stage.ec2.run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.medium",
        NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": own}],
    )["Instances"][0]["InstanceId"]
    stage.reach(made, "running")
    with refused("InvalidParameterValue"):
        stage.ec2.delete_network_interface(NetworkInterfaceId=own)
    stage.ec2.terminate_instances(InstanceIds=[made])
    stage.reach(made, "terminated")
    stage.clock.turn(FIGURES["interface.linger"].most + 1)
    assert [one["Status"] for one in stage.interfaces(subnet_id=place)] == ["available"]
    stage.ec2.delete_network_interface(NetworkInterfaceId=own)
    assert stage.interfaces(subnet_id=place) == []


def test_a_launch_may_keep_its_interface(stage: Stage) -> None:
    """DeleteOnTermination of false keeps it; by default it is deleted."""
    vpc_id = stage.vpc()
    kept = stage.subnet(vpc_id)
    made = stage.launch(
        kept, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": kept, "DeleteOnTermination": False}]
    )
    stage.reach(made, "running")
    stage.ec2.terminate_instances(InstanceIds=[made])
    stage.reach(made, "terminated")
    stage.clock.turn(FIGURES["interface.linger"].most + 1)
    assert [one["Status"] for one in stage.interfaces(subnet_id=kept)] == ["available"]


def test_a_group_that_another_one_refers_to_cannot_be_deleted(stage: Stage) -> None:
    """Ingress and egress rules count; its own rules about itself do not."""
    vpc_id = stage.vpc()
    named, other = stage.group(vpc_id), stage.group(vpc_id)
    rule = [{"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "UserIdGroupPairs": [{"GroupId": named}]}]
    for group_id in (named, other):
        stage.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=rule)
    with refused("DependencyViolation"):
        stage.ec2.delete_security_group(GroupId=named)
    stage.ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=rule)
    stage.ec2.authorize_security_group_egress(GroupId=other, IpPermissions=rule)
    with refused("DependencyViolation"):
        stage.ec2.delete_security_group(GroupId=named)
    stage.ec2.revoke_security_group_egress(GroupId=other, IpPermissions=rule)
    stage.ec2.delete_security_group(GroupId=named)


def test_the_default_group_cannot_be_deleted(stage: Stage) -> None:
    """Only the deletion of its VPC deletes it."""
    vpc_id = stage.vpc()
    default = stage.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    with refused("CannotDelete"):
        stage.ec2.delete_security_group(GroupId=default["SecurityGroups"][0]["GroupId"])
    stage.ec2.delete_vpc(VpcId=vpc_id)


def test_a_gateway_is_held_by_mapped_addresses_and_its_attachment(stage: Stage) -> None:
    """While an instance has a public address it cannot be detached; while attached, it cannot be deleted."""
    vpc_id = stage.vpc()
    gateway_id = stage.gateway(vpc_id)
    made = stage.launch(stage.subnet(vpc_id))
    stage.reach(made, "running")
    with refused("DependencyViolation"):
        stage.ec2.detach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    with refused("DependencyViolation"):
        stage.ec2.delete_internet_gateway(InternetGatewayId=gateway_id)
    stage.ec2.terminate_instances(InstanceIds=[made])
    stage.reach(made, "terminated")
    stage.ec2.detach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    stage.ec2.delete_internet_gateway(InternetGatewayId=gateway_id)
    with refused("InvalidInternetGatewayID.NotFound"):
        stage.ec2.delete_internet_gateway(InternetGatewayId=gateway_id)


@pytest.mark.parametrize("held_by", ["subnet", "gateway", "group", "route table"])
def test_a_vpc_is_in_use_by_what_was_created_in_it(stage: Stage, held_by: str) -> None:
    """Subnets, gateways, groups and route tables block it; its default group, table and ACL do not."""
    vpc_id = stage.vpc()
    if held_by == "subnet":
        stage.subnet(vpc_id)
    elif held_by == "gateway":
        stage.gateway(vpc_id)
    elif held_by == "group":
        stage.group(vpc_id)
    else:
        stage.ec2.create_route_table(VpcId=vpc_id)
    with refused("DependencyViolation"):
        stage.ec2.delete_vpc(VpcId=vpc_id)


def test_unknown_resources_are_not_found(stage: Stage) -> None:
    """The checks for use do not hide AWS's own codes."""
    with refused("InvalidVpcID.NotFound"):
        stage.ec2.delete_vpc(VpcId="vpc-0123456789abcdef0")
    with refused("InvalidSubnetID.NotFound"):
        stage.ec2.delete_subnet(SubnetId="subnet-0123456789abcdef0")
    with refused("InvalidGroup.NotFound"):
        stage.ec2.delete_security_group(GroupId="sg-0123456789abcdef0")
    with refused("InvalidNetworkInterfaceID.NotFound"):
        stage.ec2.delete_network_interface(NetworkInterfaceId="eni-0123456789abcdef0")


def test_roles_and_profiles_are_in_use_by_each_other_and_by_policies(stage: Stage) -> None:
    """DeleteConflict is the answer until role and profile are separated and the policies are detached."""
    iam, name = stage.iam, "held"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    policy = iam.create_policy(
        PolicyName=name,
        PolicyDocument='{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}',
    )["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    with refused("DeleteConflict"):
        iam.delete_instance_profile(InstanceProfileName=name)
    with refused("DeleteConflict"):
        iam.delete_role(RoleName=name)
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    with refused("NoSuchEntity"):
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    with refused("DeleteConflict"):
        iam.delete_role(RoleName=name)
    iam.detach_role_policy(RoleName=name, PolicyArn=policy)
    iam.delete_role(RoleName=name)
    iam.delete_instance_profile(InstanceProfileName=name)
