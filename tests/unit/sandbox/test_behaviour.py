"""Each behaviour of calls, compared with AWS's documentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.moto_account import IMAGE, Rig, make_rig, prepare, refused
from tests.support.young_account import TRUST
from tier1_engine.sandbox.behaviour.idempotency import ClientTokens
from tier1_engine.sandbox.behaviour.quotas import QUOTAS, Quota, Quotas
from tier1_engine.sandbox.behaviour.tag_limits import TagLimits
from tier1_engine.sandbox.behaviour.throttling import (
    CHANGING,
    ELSEWHERE,
    OF_ITS_OWN,
    READING,
    READING_ALL,
    rate_of,
)
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.replies import Reply, refusal

ONE: dict[str, Any] = {"ImageId": IMAGE, "InstanceType": "t3.medium", "MinCount": 1, "MaxCount": 1}
TWO: dict[str, Any] = {**ONE, "MinCount": 2, "MaxCount": 2}


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    prepare(monkeypatch)
    return make_rig()


@pytest.fixture
def ec2(rig: Rig) -> Any:
    return rig.client("ec2")


def refusal_of(call: Callable[..., Any], **parameters: Any) -> tuple[str, int]:
    """The code and status with which a call is refused."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    assert error.value.response["ResponseMetadata"]["RequestId"]
    return refused(error.value)


def states(reply: dict[str, Any]) -> dict[str, str]:
    return {one["InstanceId"]: one["State"]["Name"] for one in reply["Instances"]}


class TestClientTokens:
    def test_the_same_request_creates_nothing_twice(self, rig: Rig, ec2: Any) -> None:
        """The same instances are returned, under a new request id."""
        first = ec2.run_instances(**TWO, ClientToken="t")
        again = ec2.run_instances(**TWO, ClientToken="t")
        assert len(states(first)) == 2
        assert states(again).keys() == states(first).keys()
        assert again["ResponseMetadata"]["RequestId"] != first["ResponseMetadata"]["RequestId"]
        assert len(ec2.describe_instances()["Reservations"]) == 1

    def test_a_terminated_instance_is_returned_as_terminated(self, ec2: Any) -> None:
        """Its token is spent."""
        made = ec2.run_instances(**TWO, ClientToken="t")
        ended, other = states(made)
        ec2.terminate_instances(InstanceIds=[ended])
        again = states(ec2.run_instances(**TWO, ClientToken="t"))
        assert again == {ended: "terminated", other: "running"}

    def test_an_instance_that_is_no_longer_shown_counts_as_terminated(self, rig: Rig, ec2: Any) -> None:
        """AWS remembers the token longer than the instance."""
        from moto.ec2.models import ec2_backends

        (gone,) = states(ec2.run_instances(**ONE, ClientToken="t"))
        ec2_backends["123456789012"]["us-east-1"].reservations.clear()
        assert states(ec2.run_instances(**ONE, ClientToken="t")) == {gone: "terminated"}

    def test_other_parameters_under_the_same_token_are_refused(self, ec2: Any) -> None:
        """Nothing is created, and the message is AWS's."""
        ec2.run_instances(**ONE, ClientToken="t")
        with pytest.raises(
            ClientError, match="Arguments on this idempotent request are inconsistent"
        ) as error:
            ec2.run_instances(**{**ONE, "InstanceType": "t3.large"}, ClientToken="t")
        assert refused(error.value) == ("IdempotentParameterMismatch", 400)
        assert len(ec2.describe_instances()["Reservations"]) == 1

    def test_in_another_zone_or_region_the_token_is_another(self, rig: Rig, ec2: Any) -> None:
        """RunInstances is idempotent per zone if one is named."""
        zones = [{**ONE, "Placement": {"AvailabilityZone": zone}} for zone in ("us-east-1a", "us-east-1b")]
        made = [states(ec2.run_instances(**zone, ClientToken="t")) for zone in zones]
        made.append(states(rig.client("ec2", "eu-west-1").run_instances(**ONE, ClientToken="t")))
        assert len({id for one in made for id in one}) == 3

    def test_without_a_token_each_request_creates_one(self, ec2: Any) -> None:
        """botocore generates one for each; an empty one counts as none."""
        ec2.run_instances(**ONE)
        ec2.run_instances(**ONE, ClientToken="")
        ec2.run_instances(**ONE, ClientToken="")
        assert len(ec2.describe_instances()["Reservations"]) == 3

    def test_a_refused_request_uses_no_token(self, ec2: Any) -> None:
        """A corrected request may be sent with it."""
        assert refusal_of(ec2.run_instances, **ONE, SubnetId="subnet-0123456789abcdef0", ClientToken="t")
        assert ec2.run_instances(**ONE, ClientToken="t")["Instances"]

    def test_route_tables_and_nat_gateways_have_tokens_too(self, ec2: Any) -> None:
        """The original reply is returned; other parameters are refused."""
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        tables = {
            ec2.create_route_table(VpcId=vpc, ClientToken="t")["RouteTable"]["RouteTableId"] for _ in range(2)
        }
        asked = {"SubnetId": subnet, "ConnectivityType": "private", "ClientToken": "t"}
        gateways = {ec2.create_nat_gateway(**asked)["NatGateway"]["NatGatewayId"] for _ in range(2)}
        assert (len(tables), len(gateways)) == (1, 1)
        mine = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        assert len(mine) == 2  # with the VPC's main table
        other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        assert (
            refusal_of(ec2.create_route_table, VpcId=other, ClientToken="t")[0]
            == "IdempotentParameterMismatch"
        )

    def test_the_oldest_tokens_are_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sandbox that runs for weeks does not grow without limit."""
        monkeypatch.setattr("tier1_engine.sandbox.behaviour.idempotency.TOKENS_LIMIT", 2)
        manner = ClientTokens()
        calls = [Call("ec2", "CreateRouteTable", "r", "1", {"ClientToken": token}) for token in "abc"]
        for call in calls:
            assert manner.before(call) is None
            manner.after(call, Reply(200, (), b""))
        assert [manner.before(call) is None for call in calls] == [True, False, False]


def test_a_creation_token_in_use_is_refused_with_the_file_system_s_id(rig: Rig) -> None:
    """The 409 has the id; once the file system is deleted, the token is free."""
    efs = rig.client("efs")
    made = efs.create_file_system(CreationToken="t")["FileSystemId"]
    with pytest.raises(efs.exceptions.FileSystemAlreadyExists) as error:
        efs.create_file_system(CreationToken="t")
    assert refused(error.value) == ("FileSystemAlreadyExists", 409)
    assert error.value.response["FileSystemId"] == made
    efs.delete_file_system(FileSystemId=made)
    assert efs.create_file_system(CreationToken="t")["FileSystemId"] != made


class TestThrottling:
    def drained(self, call: Callable[..., Any], **parameters: Any) -> tuple[int, str, int]:
        """How many calls succeed at one moment, and how the next is refused."""
        for passed in range(200):
            try:
                call(**parameters)
            except ClientError as error:
                return (passed, *refused(error))
        raise AssertionError("it was never throttled")

    def test_a_bucket_is_emptied_and_refilled_on_awss_clock(self, rig: Rig, ec2: Any) -> None:
        """RunInstances allows 5 at once, then 2 a second."""
        assert self.drained(ec2.run_instances, **ONE) == (5, "RequestLimitExceeded", 503)
        rig.clock.seconds += 1
        assert self.drained(ec2.run_instances, **ONE)[0] == 2
        rig.clock.seconds += 3600
        assert self.drained(ec2.run_instances, **ONE)[0] == 5

    def test_each_operation_has_its_own_bucket(self, rig: Rig, ec2: Any) -> None:
        """Each region has its own, too."""
        self.drained(ec2.run_instances, **ONE)
        assert ec2.describe_instances()["Reservations"]
        assert rig.client("ec2", "eu-west-1").run_instances(**ONE)["Instances"]

    def test_resources_are_counted_as_well_as_requests(self, rig: Rig, ec2: Any) -> None:
        """A thousand instances at once are allowed, and 2 a second more."""
        ec2.run_instances(**ONE, DryRun=False)
        many = {**ONE, "MaxCount": 1000, "DryRun": True}
        assert refusal_of(ec2.run_instances, **many)[0] == "RequestLimitExceeded"
        rig.clock.seconds += 1
        assert refusal_of(ec2.run_instances, **many)[0] == "DryRunOperation"

    @pytest.mark.parametrize(
        ("service", "operation", "code", "status"),
        [
            ("efs", "describe_file_systems", "ThrottlingException", 429),
            ("iam", "list_roles", "Throttling", 400),
            ("ssm", "describe_parameters", "ThrottlingException", 400),
        ],
    )
    def test_other_services_throttle_with_their_own_codes(
        self, rig: Rig, service: str, operation: str, code: str, status: int
    ) -> None:
        """Each service has one."""
        passed, *said = self.drained(getattr(rig.client(service), operation))
        assert said == [code, status]
        assert passed == ELSEWHERE[service].capacity

    @pytest.mark.parametrize(
        ("operation", "parameters", "rate"),
        [
            ("DescribeVpcs", {}, READING),
            ("DescribeInstances", {}, READING_ALL),
            ("DescribeInstances", {"InstanceIds": ["i-1"]}, READING),
            ("CreateVpc", {}, CHANGING),
            ("TerminateInstances", {}, OF_ITS_OWN["TerminateInstances"]),
        ],
    )
    def test_the_rate_depends_on_the_operation(
        self, operation: str, parameters: dict[str, Any], rate: Any
    ) -> None:
        """Reads, unfiltered reads, changes and some single operations have their own."""
        assert rate_of(Call("ec2", operation, "us-east-1", "1", parameters)) == rate


class TestQuotas:
    def test_five_vpcs_include_the_default_one(self, ec2: Any) -> None:
        """The fifth created one is refused; deleting one frees a place."""
        made = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(4)]
        assert refusal_of(ec2.create_vpc, CidrBlock="10.0.0.0/16") == ("VpcLimitExceeded", 400)
        ec2.delete_vpc(VpcId=made[0])
        assert ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] not in made

    def test_five_internet_gateways_include_the_default_vpcs(self, ec2: Any) -> None:
        """There are as many as VPCs."""
        for _ in range(4):
            ec2.create_internet_gateway()
        assert refusal_of(ec2.create_internet_gateway) == ("InternetGatewayLimitExceeded", 400)

    def test_five_addresses(self, ec2: Any) -> None:
        """The sixth is refused."""
        for _ in range(5):
            ec2.allocate_address(Domain="vpc")
        assert refusal_of(ec2.allocate_address, Domain="vpc") == ("AddressLimitExceeded", 400)

    def test_sixty_rules_a_security_group(self, ec2: Any) -> None:
        """moto's own limit has AWS's code."""
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
        rules = [
            {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
            for port in range(1, 62)
        ]
        assert refusal_of(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=rules) == (
            "RulesPerSecurityGroupLimitExceeded",
            400,
        )

    def test_one_mount_target_a_zone(self, rig: Rig, ec2: Any) -> None:
        """The second is a conflict, in EFS's own form."""
        efs = rig.client("efs")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
            for cidr in ("10.0.0.0/24", "10.0.1.0/24")
        ]
        made = efs.create_file_system(CreationToken="t")["FileSystemId"]
        efs.create_mount_target(FileSystemId=made, SubnetId=subnets[0])
        with pytest.raises(efs.exceptions.MountTargetConflict) as error:
            efs.create_mount_target(FileSystemId=made, SubnetId=subnets[1])
        assert refused(error.value) == ("MountTargetConflict", 409)
        assert error.value.response["ErrorCode"] == "MountTargetConflict"

    def test_each_quota_counts_existing_resources(self, rig: Rig, ec2: Any) -> None:
        """Each create adds one, so that the limit is reached where AWS has it."""
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        iam, efs = rig.client("iam"), rig.client("efs")
        iam.create_role(RoleName="other", AssumeRolePolicyDocument=TRUST)
        policy = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
        creates: dict[tuple[str, str], tuple[Callable[..., Any], dict[str, Any]]] = {
            ("ec2", "CreateVpc"): (ec2.create_vpc, {"CidrBlock": "10.1.0.0/16"}),
            ("ec2", "CreateInternetGateway"): (ec2.create_internet_gateway, {}),
            ("ec2", "AllocateAddress"): (ec2.allocate_address, {"Domain": "vpc"}),
            ("ec2", "CreateSecurityGroup"): (
                ec2.create_security_group,
                {"GroupName": "g", "Description": "g", "VpcId": vpc},
            ),
            ("ec2", "CreateSubnet"): (ec2.create_subnet, {"VpcId": vpc, "CidrBlock": "10.0.0.0/24"}),
            ("ec2", "CreateRouteTable"): (ec2.create_route_table, {"VpcId": vpc}),
            ("ec2", "CreateRoute"): (
                ec2.create_route,
                {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway},
            ),
            ("efs", "CreateFileSystem"): (efs.create_file_system, {"CreationToken": "t"}),
            ("iam", "CreateRole"): (iam.create_role, {"RoleName": "r", "AssumeRolePolicyDocument": TRUST}),
            ("iam", "CreateInstanceProfile"): (iam.create_instance_profile, {"InstanceProfileName": "p"}),
            ("iam", "AttachRolePolicy"): (iam.attach_role_policy, {"RoleName": "other", "PolicyArn": policy}),
        }
        assert creates.keys() == QUOTAS.keys()
        for (service, operation), (create, parameters) in creates.items():
            call = Call(service, operation, "us-east-1", "123456789012", parameters)
            quota = QUOTAS[service, operation]
            before = quota.count(call)
            create(**parameters)
            assert quota.count(call) == before + 1, operation
            met = Quotas({(service, operation): Quota(before + 1, quota.code, quota.words, quota.count)})
            reply = met.before(call)
            assert reply is not None
            assert reply.code == quota.code

    def test_for_a_missing_table_or_role_moto_answers(self) -> None:
        """The answer is that it does not exist."""
        call = Call("ec2", "CreateRoute", "us-east-1", "123456789012", {"RouteTableId": "rtb-01234567"})
        assert QUOTAS["ec2", "CreateRoute"].count(call) == 0


class TestDryRun:
    @pytest.mark.parametrize(
        ("operation", "parameters"),
        [
            ("create_vpc", {"CidrBlock": "10.0.0.0/16"}),
            ("create_internet_gateway", {}),
            ("run_instances", ONE),
            ("allocate_address", {}),
            ("describe_vpcs", {}),
        ],
    )
    def test_it_creates_nothing(self, ec2: Any, operation: str, parameters: dict[str, Any]) -> None:
        """The status is 412, and the account is unchanged."""
        assert refusal_of(getattr(ec2, operation), **parameters, DryRun=True) == ("DryRunOperation", 412)
        assert len(ec2.describe_vpcs()["Vpcs"]) == 1
        assert ec2.describe_internet_gateways()["InternetGateways"] == []
        assert ec2.describe_instances()["Reservations"] == []
        assert ec2.describe_addresses()["Addresses"] == []

    def test_it_uses_no_token(self, ec2: Any) -> None:
        """The real request may use the same one."""
        refusal_of(ec2.run_instances, **ONE, ClientToken="t", DryRun=True)
        assert ec2.run_instances(**ONE, ClientToken="t")["Instances"]


class TestTags:
    @pytest.mark.parametrize(
        ("tags", "codes"),
        [
            (
                [{"Key": f"k{n}", "Value": ""} for n in range(51)],
                ("TagLimitExceeded", "BadRequest", "LimitExceeded"),
            ),
            ([{"Key": "aws:x", "Value": ""}], ("InvalidParameterValue", "BadRequest", "InvalidInput")),
            ([{"Key": "k" * 129, "Value": ""}], ("InvalidParameterValue", "BadRequest", "ValidationError")),
            ([{"Key": "k", "Value": "v" * 257}], ("InvalidParameterValue", "BadRequest", "ValidationError")),
            (
                [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}],
                ("InvalidParameterValue", "BadRequest", "InvalidInput"),
            ),
        ],
    )
    def test_what_aws_would_refuse_is_refused(
        self, ec2: Any, tags: list[dict[str, str]], codes: tuple[str, str, str]
    ) -> None:
        """Each service has its own code, at a create and at a later tagging."""
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        specification = [{"ResourceType": "vpc", "Tags": tags}]
        calls: list[tuple[Callable[..., Any], dict[str, Any]]] = [
            (ec2.create_vpc, {"CidrBlock": "10.0.0.0/16", "TagSpecifications": specification}),
            (ec2.create_tags, {"Resources": [vpc], "Tags": tags}),
        ]
        assert {refusal_of(call, **parameters)[0] for call, parameters in calls} == {codes[0]}
        efs = Call("efs", "CreateFileSystem", "us-east-1", "1", {"CreationToken": "t", "Tags": tags})
        iam = Call("iam", "CreateRole", "us-east-1", "1", {"RoleName": "r", "Tags": tags})
        answers = [TagLimits().before(call) for call in (efs, iam)]
        assert [answer.code if answer else None for answer in answers] == list(codes[1:])
        assert len(ec2.describe_vpcs()["Vpcs"]) == 1

    def test_what_aws_accepts_is_accepted(self, ec2: Any) -> None:
        """Fifty tags with keys and values of maximal length are."""
        tags = [{"Key": f"{n:0128}", "Value": "v" * 256} for n in range(50)]
        made = ec2.create_vpc(
            CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}]
        )
        assert len(made["Vpc"]["Tags"]) == 50

    def test_a_removed_tag_is_not_validated(self, ec2: Any) -> None:
        """Its name does not matter."""
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "aws:x"}])


class TestMalformedIds:
    @pytest.mark.parametrize(
        ("operation", "parameters", "code", "words"),
        [
            (
                "describe_vpcs",
                {"VpcIds": ["nothing"]},
                "InvalidVpcID.Malformed",
                '"nothing" (expecting "vpc-...")',
            ),
            ("describe_vpcs", {"VpcIds": ["vpc-xyz"]}, "InvalidVpcID.Malformed", 'Invalid id: "vpc-xyz"'),
            ("terminate_instances", {"InstanceIds": ["i-1"]}, "InvalidInstanceID.Malformed", '"i-1"'),
            (
                "delete_security_group",
                {"GroupId": "tcp_group"},
                "InvalidGroupId.Malformed",
                '(expecting "sg-...")',
            ),
            ("delete_route_table", {"RouteTableId": "rtb-"}, "InvalidRouteTableId.Malformed", '"rtb-"'),
            (
                "run_instances",
                {**ONE, "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": ["sg"]}]},
                "InvalidGroupId.Malformed",
                '(expecting "sg-...")',
            ),
        ],
    )
    def test_a_malformed_id_differs_from_an_unknown_one(
        self, ec2: Any, operation: str, parameters: dict[str, Any], code: str, words: str
    ) -> None:
        """The status is 400, and the message is AWS's."""
        with pytest.raises(ClientError) as error:
            getattr(ec2, operation)(**parameters)
        assert refused(error.value) == (code, 400)
        assert words in error.value.response["Error"]["Message"]

    @pytest.mark.parametrize("id", ["vpc-01234567", "vpc-0123456789abcdef0"])
    def test_an_id_of_either_length_is_looked_up(self, ec2: Any, id: str) -> None:
        """The answer is that it does not exist."""
        assert refusal_of(ec2.describe_vpcs, VpcIds=[id]) == ("InvalidVpcID.NotFound", 400)

    def test_a_malformed_subnet_id_is_not_found(self, ec2: Any) -> None:
        """EC2 does not validate the form of a subnet's id."""
        assert refusal_of(ec2.describe_subnets, SubnetIds=["example"])[0] == "InvalidSubnetID.NotFound"


@pytest.mark.parametrize(
    ("service", "code", "status", "words"),
    [
        ("ec2", "UnauthorizedOperation", 403, "You are not authorized to perform this operation."),
        ("ec2", "InsufficientInstanceCapacity", 500, "sufficient t3.medium capacity"),
        ("ec2", "RequestExpired", 400, "Request has expired."),
        ("ec2", "AuthFailure", 401, "AWS was not able to validate the provided access credentials"),
        ("ec2", "NeverHeardOf", 400, "NeverHeardOf."),
        ("iam", "NoSuchEntity", 404, "NoSuchEntity."),
        ("iam", "LimitExceeded", 409, "LimitExceeded."),
        ("efs", "FileSystemInUse", 409, "FileSystemInUse."),
        ("efs", "AccessDeniedException", 400, "not authorized to perform: elasticfilesystem:X"),
        ("ssm", "ThrottlingException", 400, "Rate exceeded"),
        ("sts", "ExpiredToken", 403, "The security token included in the request is expired"),
    ],
)
def test_a_code_has_awss_status_and_message(service: str, code: str, status: int, words: str) -> None:
    """The service's model decides if it declares the code, else AWS's documentation."""
    reply = refusal(Call(service, "X", "us-east-1", "1", {"InstanceType": "t3.medium"}), code)
    assert (reply.status, reply.code) == (status, code)
    assert words.encode() in reply.body
