"""What is specific to the network kinds: their configuration, and the order within a deletion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.conformance.judging import Counting, deleted, failure_of
from tests.support.conformance.surroundings import World
from tier1_engine.contract.cloud import Reply
from tier1_engine.contract.kind import Observation, Presence, Target
from tier1_engine.errors import CallError
from tier1_engine.resources.security_group import wanted_rules

EVERYWHERE = "0.0.0.0/0"


class Answers(Counting):
    """A cloud that answers one operation as the test says and passes the others through."""

    def __init__(self, world: World, operation: str, answer: dict[str, Any] | CallError) -> None:
        super().__init__(world.cloud)
        self.operation = operation
        self.answer = answer

    def pages(self, service: str, operation: str, result_key: str, **parameters: Any) -> Iterator[Any]:
        if operation != self.operation or isinstance(self.answer, CallError):
            return super().pages(service, operation, result_key, **parameters)
        return iter(self.answer[result_key])

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        if operation == self.operation and isinstance(self.answer, CallError):
            raise self.answer
        return super().change(service, operation, **parameters)


def refusal(code: str) -> CallError:
    return CallError(code, "No.", operation="Any")


def described(world: World, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
    (found,) = world.cloud.read("ec2", operation, **parameters)[key]
    return dict(found)


# --- VPC


def test_only_the_differing_attributes_of_a_vpc_are_set(world: World) -> None:
    """A new VPC supports DNS and assigns no host names: only the second is unset, and only it is set."""
    kind = world.kinds["vpc"]
    target = world.target("vpc")
    target = replace(target, aws_id=kind.create(world.cloud, target).aws_id)
    observation = kind.describe(world.cloud, target)
    assert (observation.presence, observation.unset) == (Presence.UNSET, ("dns-hostnames",))
    counting = Counting(world.cloud)
    kind.configure(counting, target, observation)
    assert counting.changes == ["modify_vpc_attribute"]
    assert kind.describe(world.cloud, target).presence is Presence.READY


def test_a_users_vpc_is_ready_whatever_its_dns_settings(world: World) -> None:
    """A referenced VPC is only checked for existence."""
    vpc_id = world.cloud.change("ec2", "create_vpc", CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    observation = world.kinds["vpc"].reference(world.cloud, {"reference": vpc_id})
    assert (observation.presence, dict(observation.facts)) == (Presence.READY, {"cidr": "10.9.0.0/16"})


@pytest.mark.parametrize(
    ("state", "presence"),
    [
        ({}, Presence.READY),
        ({"State": "available"}, Presence.READY),
        ({"State": "pending"}, Presence.PENDING),
        ({"State": "deleting"}, Presence.LEAVING),
    ],
)
def test_the_state_of_a_vpc_is_read(world: World, state: dict[str, str], presence: Presence) -> None:
    """A VPC whose endpoint omits the state can be used."""
    target, observation = world.bring_up("vpc")
    answer = {"Vpcs": [{"VpcId": observation.aws_id, **state}]}
    assert world.kinds["vpc"].describe(Answers(world, "describe_vpcs", answer), target).presence is presence


# --- subnet


def test_a_subnet_of_another_vpc_is_refused(world: World) -> None:
    """The sentence names the subnet, where it is, and where it should be."""
    _, observation = world.bring_up("subnet")
    other = world.cloud.change("ec2", "create_vpc", CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    answer = world.kinds["subnet"].reference(world.cloud, {"reference": observation.aws_id, "vpc_id": other})
    assert answer.presence is Presence.BROKEN
    assert answer.problem is not None
    assert (
        answer.problem.message
        == f"The subnet {observation.aws_id} is in {observation.facts['vpc_id']}, not in {other}."
    )


def test_a_second_subnet_of_the_same_cidr_meets_a_code_that_leads_back_to_find(world: World) -> None:
    """AWS itself makes the create of a subnet exactly-once inside an owned VPC."""
    kind, target = world.kinds["subnet"], world.target("subnet")
    kind.create(world.cloud, target)
    with pytest.raises(CallError) as caught:
        kind.create(world.cloud, target)
    assert caught.value.code in kind.already_exists
    assert len(kind.find(world.cloud, target)) == 1


@pytest.mark.parametrize("state", ["failed", "failed-insufficient-capacity", "unavailable"])
def test_a_failed_subnet_is_broken(world: World, state: str) -> None:
    """Its problem says why."""
    target, observation = world.bring_up("subnet")
    answer = {"Subnets": [{"SubnetId": observation.aws_id, "State": state}]}
    seen = world.kinds["subnet"].describe(Answers(world, "describe_subnets", answer), target)
    assert seen.presence is Presence.BROKEN
    assert seen.problem is not None
    assert state in seen.problem.message


# --- internet gateway


def test_a_gateway_is_detached_before_it_is_deleted(world: World) -> None:
    """AWS deletes no attached gateway."""
    target, observation = world.bring_up("internet_gateway")
    counting = Counting(world.cloud)
    world.kinds["internet_gateway"].delete(counting, target, observation)
    assert counting.changes == ["detach_internet_gateway", "delete_internet_gateway"]


def test_addresses_that_are_still_mapped_are_waited_out(world: World) -> None:
    """The code of the detach is one that the kind declares as in use; nothing is deleted."""
    kind = world.kinds["internet_gateway"]
    target, observation = world.bring_up("internet_gateway")
    busy = Answers(world, "detach_internet_gateway", refusal("DependencyViolation"))
    with pytest.raises(CallError) as caught:
        kind.delete(busy, target, observation)
    assert caught.value.code in kind.in_use
    assert kind.describe(world.cloud, target).presence is Presence.READY


@pytest.mark.parametrize(
    ("state", "presence"),
    [
        ("available", Presence.READY),
        ("attached", Presence.READY),
        (None, Presence.READY),
        ("attaching", Presence.PENDING),
        ("detaching", Presence.PENDING),
        ("detached", Presence.UNSET),
    ],
)
def test_the_state_of_an_attachment_is_read(world: World, state: str | None, presence: Presence) -> None:
    """EC2 says `available` of an attached gateway where its model says `attached`."""
    target, observation = world.bring_up("internet_gateway")
    attachment = {"VpcId": target.request["vpc_id"], **({"State": state} if state else {})}
    answer = {"InternetGateways": [{"InternetGatewayId": observation.aws_id, "Attachments": [attachment]}]}
    cloud = Answers(world, "describe_internet_gateways", answer)
    assert world.kinds["internet_gateway"].describe(cloud, target).presence is presence


def test_a_gateway_attached_to_another_vpc_is_not_configured(world: World) -> None:
    """It must be attached to the VPC of the plan."""
    target, _ = world.bring_up("internet_gateway")
    elsewhere = replace(target, request={"vpc_id": "vpc-0123456789abcdef0"})
    observation = world.kinds["internet_gateway"].describe(world.cloud, elsewhere)
    assert (observation.presence, observation.unset) == (Presence.UNSET, ("attachment",))


# --- route table


def table(world: World, observation: Observation) -> dict[str, Any]:
    return described(world, "describe_route_tables", "RouteTables", RouteTableIds=[observation.aws_id])


def test_a_new_table_lacks_its_route_and_its_associations(world: World) -> None:
    """Each is named as unset, so that only what is missing is set."""
    kind, target = world.kinds["route_table"], world.target("route_table")
    target = replace(target, aws_id=kind.create(world.cloud, target).aws_id)
    (subnet_id,) = target.request["subnet_ids"]
    assert kind.describe(world.cloud, target).unset == ("default-route", f"association:{subnet_id}")


def test_a_create_of_a_route_table_sends_the_key_as_its_token(world: World) -> None:
    """AWS answers a second create with the same key with the first table; its reply shows the token."""
    sent: dict[str, Any] = {}

    class Echo(Counting):
        def change(self, service: str, operation: str, **parameters: Any) -> Reply:
            sent.update(parameters)
            reply = super().change(service, operation, **parameters)
            reply["ClientToken"] = parameters["ClientToken"]
            return reply

    target = world.target("route_table")
    made = world.kinds["route_table"].create(Echo(world.cloud), target)
    assert (sent["ClientToken"], made.key) == (target.key, target.key)


def test_a_default_route_to_another_gateway_is_replaced(world: World) -> None:
    """A route that was changed is set back."""
    target, observation = world.bring_up("route_table")
    other = world.cloud.change("ec2", "create_internet_gateway")["InternetGateway"]["InternetGatewayId"]
    route = {"RouteTableId": observation.aws_id, "DestinationCidrBlock": EVERYWHERE, "GatewayId": other}
    world.cloud.change("ec2", "replace_route", **route)
    seen = world.kinds["route_table"].describe(world.cloud, target)
    assert seen.unset == ("default-route-target",)
    _, again = world.settle("route_table", target)
    gateways = [
        r["GatewayId"] for r in table(world, again)["Routes"] if r["DestinationCidrBlock"] == EVERYWHERE
    ]
    assert gateways == [target.request["gateway_id"]]


@pytest.mark.parametrize(
    ("state", "presence"),
    [
        ({}, Presence.READY),
        ({"AssociationState": {"State": "associated"}}, Presence.READY),
        ({"AssociationState": {"State": "associating"}}, Presence.PENDING),
        ({"AssociationState": {"State": "disassociated"}}, Presence.UNSET),
        ({"AssociationState": {"State": "failed", "StatusMessage": "No room."}}, Presence.UNSET),
    ],
)
def test_the_state_of_an_association_is_read(world: World, state: dict[str, Any], presence: Presence) -> None:
    """A pending association is waited for, and a failed one is set again."""
    target, observation = world.bring_up("route_table")
    shown = table(world, observation)
    shown["Associations"] = [{"SubnetId": target.request["subnet_ids"][0], **state}]
    cloud = Answers(world, "describe_route_tables", {"RouteTables": [shown]})
    assert world.kinds["route_table"].describe(cloud, target).presence is presence


def test_associations_go_before_their_table_and_the_main_one_stays(world: World) -> None:
    """The VPC's default association is neither counted nor removed."""
    target, observation = world.bring_up("route_table")
    shown = table(world, observation)
    shown["Associations"].append({"Main": True, "RouteTableAssociationId": "rtbassoc-main"})
    cloud = Answers(world, "describe_route_tables", {"RouteTables": [shown]})
    seen = world.kinds["route_table"].describe(cloud, target)
    assert "rtbassoc-main" not in seen.facts["association_ids"]
    world.kinds["route_table"].delete(cloud, target, seen)
    assert cloud.changes == ["disassociate_route_table", "delete_route_table"]


def test_a_table_whose_association_is_gone_is_still_deleted(world: World) -> None:
    """The association was removed between the read and the deletion."""
    target, observation = world.bring_up("route_table")
    for association_id in observation.facts["association_ids"]:
        world.cloud.change("ec2", "disassociate_route_table", AssociationId=association_id)
    world.kinds["route_table"].delete(world.cloud, target, observation)
    assert world.kinds["route_table"].describe(world.cloud, target).presence is Presence.ABSENT


# --- security group


def group(world: World, step: str, *ingress: dict[str, Any]) -> tuple[Target, Observation]:
    vpc_id = world.neighbour("vpc").aws_id
    inputs = {"vpc_id": vpc_id, "description": "A group", "ingress": list(ingress)}
    return world.bring_up("security_group", world.target("security_group", step, inputs))


def tcp(port: int, **source: str) -> dict[str, Any]:
    return {"protocol": "tcp", "from_port": port, "to_port": port, **source}


def test_a_second_group_of_its_name_meets_a_code_that_leads_back_to_find(world: World) -> None:
    """The name contains the deployment's id, so an existing group proves an earlier call of this
    deployment.
    """
    kind, target = world.kinds["security_group"], world.target("security_group")
    kind.create(world.cloud, target)
    with pytest.raises(CallError) as caught:
        kind.create(world.cloud, target)
    assert caught.value.code in kind.already_exists
    assert len(kind.find(world.cloud, target)) == 1


def test_only_missing_rules_are_added(world: World) -> None:
    """Each rule has a call of its own, because one duplicate among several would refuse them all."""
    target, _ = group(world, "one", tcp(22, cidr="10.0.0.0/16"))
    wanted = [tcp(22, cidr="10.0.0.0/16"), tcp(80, cidr="10.0.0.0/16"), tcp(443, cidr="2001:db8::/32")]
    more = replace(target, request={**target.request, "ingress": wanted})
    seen = world.kinds["security_group"].describe(world.cloud, more)
    assert seen.unset == ("ingress tcp 80-80 from 10.0.0.0/16", "ingress tcp 443-443 from 2001:db8::/32")
    counting = Counting(world.cloud)
    world.kinds["security_group"].configure(counting, more, seen)
    assert counting.changes == ["authorize_security_group_ingress"] * 2
    assert world.kinds["security_group"].describe(world.cloud, more).presence is Presence.READY


def test_an_added_rule_stays(world: World) -> None:
    """An operator may allow more than the plan does."""
    target, observation = group(world, "one", tcp(22, cidr="10.0.0.0/16"))
    rule = {"IpProtocol": "tcp", "FromPort": 25, "ToPort": 25, "CidrIp": "192.0.2.0/24"}
    world.cloud.change("ec2", "authorize_security_group_ingress", GroupId=observation.aws_id, **rule)
    assert world.kinds["security_group"].describe(world.cloud, target).presence is Presence.READY


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (
            {"protocol": "6", "from_port": 1, "to_port": 2, "cidr": "10.0.0.0/8"},
            "ingress tcp 1-2 from 10.0.0.0/8",
        ),
        (
            {"protocol": "TCP", "from_port": 1, "to_port": 2, "cidr": "10.1.2.3/8"},
            "ingress tcp 1-2 from 10.0.0.0/8",
        ),
        (
            {"protocol": "-1", "from_port": 0, "to_port": 0, "cidr": "10.0.0.0/8"},
            "ingress -1 from 10.0.0.0/8",
        ),
        ({"protocol": "all", "source_group": "sg-1"}, "ingress -1 from sg-1"),
        (
            {"protocol": "tcp", "from_port": 1, "to_port": 1, "cidr": "192.0.2.7"},
            "ingress tcp 1-1 from 192.0.2.7/32",
        ),
    ],
)
def test_rules_are_compared_in_the_spelling_of_aws(asked: dict[str, Any], shown: str) -> None:
    """AWS returns protocol numbers, host bits and the ports of `all` in another form than requested."""
    (rule,) = wanted_rules({"ingress": [asked, dict(asked)]})
    assert rule.name == shown


def test_groups_that_refer_to_each_other_can_be_deleted(world: World) -> None:
    """AWS deletes no group that a rule refers to: its own rules and those of owned groups are
    revoked first.
    """
    one, _ = group(world, "one")
    two, _ = group(world, "two", tcp(2049, source_group=one.aws_id or ""))
    one = replace(one, request={**one.request, "ingress": [tcp(22, source_group=two.aws_id or "")]})
    one, _ = world.settle("security_group", one)
    deleted(world.kinds["security_group"], world.cloud, two)
    remaining = described(world, "describe_security_groups", "SecurityGroups", GroupIds=[one.aws_id])
    assert remaining["IpPermissions"] == []


def test_a_foreign_group_that_refers_to_an_owned_one_is_not_changed(world: World, behaviour: str) -> None:
    """The deletion waits for its owner (AWS answers DependencyViolation) and revokes none of its rules."""
    kind = world.kinds["security_group"]
    target, observation = group(world, "one")
    foreign = world.cloud.change(
        "ec2",
        "create_security_group",
        GroupName="theirs",
        Description="Theirs",
        VpcId=target.request["vpc_id"],
    )["GroupId"]
    permission = {
        "IpProtocol": "tcp",
        "FromPort": 1,
        "ToPort": 1,
        "UserIdGroupPairs": [{"GroupId": observation.aws_id}],
    }
    world.cloud.change("ec2", "authorize_security_group_ingress", GroupId=foreign, IpPermissions=[permission])
    counting = Counting(world.cloud)
    refused = failure_of(kind, counting, target, observation)
    assert refused in (kind.in_use if behaviour == "strict" else {None})
    assert counting.changes == ["delete_security_group"]
    theirs = described(world, "describe_security_groups", "SecurityGroups", GroupIds=[foreign])
    assert theirs["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == observation.aws_id


def test_the_printed_commands_revoke_references_to_a_group(world: World) -> None:
    """The revoke comes before the deletion and names those very rules."""
    source, _ = group(world, "one")
    target, observation = group(world, "two", tcp(2049, source_group=source.aws_id or ""))
    revoke, delete = world.kinds["security_group"].commands(observation.aws_id, observation.facts)["delete"]
    assert revoke.startswith(
        f"aws ec2 revoke-security-group-ingress --group-id {observation.aws_id} --ip-permissions"
    )
    assert source.aws_id is not None
    assert source.aws_id in revoke
    assert delete == f"aws ec2 delete-security-group --group-id {target.aws_id}"


@pytest.mark.parametrize(
    ("kind", "operation", "codes"),
    [
        ("internet_gateway", "attach_internet_gateway", ("Resource.AlreadyAssociated",)),
        ("route_table", "create_route", ("RouteAlreadyExists",)),
        ("route_table", "associate_route_table", ("Resource.AlreadyAssociated",)),
        ("security_group", "authorize_security_group_ingress", ("InvalidPermission.Duplicate",)),
    ],
)
def test_an_attribute_that_is_already_set_is_success(
    world: World, kind: str, operation: str, codes: tuple[str, ...]
) -> None:
    """The reply of a configuration was lost: AWS already has the target configuration."""
    target = world.target(kind)
    target = replace(target, aws_id=world.kinds[kind].create(world.cloud, target).aws_id)
    observation = world.kinds[kind].describe(world.cloud, target)
    for code in codes:
        world.kinds[kind].configure(Answers(world, operation, refusal(code)), target, observation)
    with pytest.raises(CallError):
        world.kinds[kind].configure(
            Answers(world, operation, refusal("UnauthorizedOperation")), target, observation
        )
