"""The Tier 1 blueprint: the plan against the agreed table, and the survey against a local AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from tier1_engine.aws.session import AwsSession
from tier1_engine.blueprints.tier1.plan import Tier1
from tier1_engine.blueprints.tier1.spec import Spec, load_spec
from tier1_engine.contract.cloud import AlwaysPermitted, Cloud, Reply
from tier1_engine.deployment.plan import REF, Plan, StepPlan, ordered, resolve
from tier1_engine.deployment.states import FailureClass, Mode, Phase
from tier1_engine.errors import CallError, SpecError
from tier1_engine.resources import discover

EXAMPLES = Path(__file__).parents[4] / "examples"
ZONES: dict[str, Any] = {"zones": ["us-east-1a", "us-east-1b"], "file_system_zone": None}
BROUGHT: dict[str, Any] = {
    "network": {"vpc_id": "vpc-0001", "subnet_ids": ["subnet-0001", "subnet-0002", "subnet-0003"]},
    "efs": {"file_system_id": "fs-0001"},
    "instance": {"iam_profile": "theirs", "key_name": "mine"},
}


def spec_of(**keys: Any) -> Spec:
    return Spec.model_validate({"name": "stack", "region": "us-east-1", **keys})


def steps_of(plan: Plan) -> dict[str, StepPlan]:
    return {step.name: step for step in plan.steps}


def refs_in(value: Any) -> Iterator[str]:
    """Return every ref as `step.fact`."""
    if isinstance(value, Mapping):
        if set(value) == {REF}:
            yield str(value[REF])
            return
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from refs_in(item)


class TestPlan:
    def test_the_steps_are_those_of_the_agreed_table(self) -> None:
        """Names, kinds, phases, modes and needs match, in order."""
        services = [{"name": "n8n", "url": "http://{public_ip}/"}, {"name": "db", "tcp": "{private_ip}:5432"}]
        plan = Tier1().plan(spec_of(health={"services": services}), ZONES)
        assert (plan.blueprint, plan.version) == ("tier1", 1)
        network, efs, ec2, health = Phase
        make, check = Mode.CREATE, Mode.CHECK
        subnets = ("subnet-1", "subnet-2")
        assert [(s.name, s.kind, s.phase, s.mode, s.needs) for s in plan.steps] == [
            ("vpc", "vpc", network, make, ()),
            ("internet-gateway", "internet_gateway", network, make, ("vpc",)),
            ("subnet-1", "subnet", network, make, ("vpc",)),
            ("subnet-2", "subnet", network, make, ("vpc",)),
            ("route-table", "route_table", network, make, ("vpc", "internet-gateway", *subnets)),
            ("instance-security-group", "security_group", network, make, ("vpc",)),
            ("efs-security-group", "security_group", network, make, ("vpc", "instance-security-group")),
            ("file-system", "file_system", efs, make, ()),
            ("mount-target-1", "mount_target", efs, make, ("file-system", "subnet-1", "efs-security-group")),
            ("mount-target-2", "mount_target", efs, make, ("file-system", "subnet-2", "efs-security-group")),
            ("role", "role", ec2, make, ()),
            ("instance-profile", "instance_profile", ec2, make, ("role",)),
            (
                "instance",
                "instance",
                ec2,
                make,
                (
                    *subnets,
                    "route-table",
                    "instance-security-group",
                    "instance-profile",
                    "file-system",
                    "mount-target-1",
                    "mount-target-2",
                ),
            ),
            ("instance-status", "instance_status", health, check, ("instance",)),
            ("efs-mount", "efs_mount", health, check, ("instance",)),
            ("service-n8n", "http", health, check, ("instance",)),
            ("service-db", "tcp", health, check, ("instance",)),
        ]

    def test_the_inputs_are_those_of_the_agreed_table(self) -> None:
        """They have refs where the engine fills in values."""
        keys: dict[str, Any] = {
            "network": {
                "ingress": [{"port": "8000-8010", "cidr": "::/0", "protocol": "udp", "description": "x"}]
            },
            "instance": {"types": ["t3.small"], "market": "spot", "ami": "ami-0001", "root_volume_gib": 9},
            "health": {"services": [{"name": "n8n", "url": "http://{public_ip}/"}]},
        }
        inputs = {step.name: dict(step.inputs) for step in Tier1().plan(spec_of(**keys), ZONES).steps}
        vpc = {"vpc_id": {REF: "vpc.id"}}
        group = {REF: "instance-security-group.id"}
        assert inputs["vpc"] == {"cidr": "10.0.0.0/16"}
        assert inputs["internet-gateway"] == vpc
        assert inputs["subnet-2"] == {**vpc, "cidr": "10.0.16.0/20", "zone": "us-east-1b"}
        assert inputs["route-table"] == {
            **vpc,
            "gateway_id": {REF: "internet-gateway.id"},
            "subnet_ids": [{REF: "subnet-1.id"}, {REF: "subnet-2.id"}],
        }
        ports = {"from_port": 8000, "to_port": 8010}
        assert inputs["instance-security-group"] == {
            **vpc,
            "description": "tier1 stack: the instance",
            "ingress": [{"protocol": "udp", **ports, "cidr": "::/0", "description": "x"}],
        }
        assert inputs["efs-security-group"]["ingress"] == [
            {"protocol": "tcp", "from_port": 2049, "to_port": 2049, "source_group": group}
        ]
        assert inputs["file-system"] == {"performance_mode": "generalPurpose", "throughput_mode": "elastic"}
        assert inputs["mount-target-2"] == {
            "file_system_id": {REF: "file-system.id"},
            "subnet_id": {REF: "subnet-2.id"},
            "zone": "us-east-1b",
            "zone_chosen": True,
            "security_group_ids": [{REF: "efs-security-group.id"}],
        }
        assert inputs["instance-profile"] == {"role_name": {REF: "role.name"}}
        assert inputs["instance"] == {
            "types": ["t3.small"],
            "market": "spot",
            "ami": "ami-0001",
            "subnets": [
                {"id": {REF: "subnet-1.id"}, "zone": "us-east-1a"},
                {"id": {REF: "subnet-2.id"}, "zone": "us-east-1b"},
            ],
            "security_group_ids": [group],
            "profile_name": {REF: "instance-profile.name"},
            "key_name": None,
            "root_volume_gib": 9,
            "associate_public_ip": True,
            "user_data": {
                "script": None,
                "file_system_id": {REF: "file-system.id"},
                "mount_path": "/mnt/efs",
                "mount_targets": {
                    "us-east-1a": {REF: "mount-target-1.ip_address"},
                    "us-east-1b": {REF: "mount-target-2.ip_address"},
                },
            },
        }
        instance = {"instance_id": {REF: "instance.id"}}
        assert inputs["instance-status"] == instance
        assert inputs["efs-mount"] == {**instance, "method": "console", "mount_path": "/mnt/efs"}
        assert inputs["service-n8n"] == {
            "url": "http://{public_ip}/",
            "public_ip": {REF: "instance.public_ip"},
            "private_ip": {REF: "instance.private_ip"},
        }

    def test_newer_keys_are_inputs_only_where_the_spec_sets_them(self) -> None:
        """So the plan of an older deployment compares as unchanged; the kinds and needs stay the same."""
        boundary, reservation = "arn:aws:iam::123456789012:policy/b", "cr-0123456789abcdef0"
        plain = steps_of(Tier1().plan(spec_of(), ZONES))
        given = steps_of(
            Tier1().plan(
                spec_of(
                    efs={"kms_key_id": "alias/efs", "iam": True},
                    instance={
                        "kms_key_id": "alias/ebs",
                        "permissions_boundary": boundary,
                        "capacity_reservation_id": reservation,
                    },
                ),
                ZONES,
            )
        )
        assert given["file-system"].inputs == {**plain["file-system"].inputs, "kms_key_id": "alias/efs"}
        assert given["role"].inputs == {**plain["role"].inputs, "permissions_boundary": boundary}
        before = plain["instance"].inputs
        assert given["instance"].inputs == {
            **before,
            "market": "on-demand",
            "kms_key_id": "alias/ebs",
            "capacity_reservation_id": reservation,
            "user_data": {**before["user_data"], "iam": True},
        }
        assert [step.needs for step in given.values()] == [step.needs for step in plain.values()]

    def test_nothing_is_open_to_the_world_unless_the_spec_says_so(self) -> None:
        """Without ingress in the spec, the instance's group has no rule."""
        assert steps_of(Tier1().plan(spec_of(), ZONES))["instance-security-group"].inputs["ingress"] == []

    @pytest.mark.field_case(
        "a replaced script: the user's VPC was renamed and tagged, and a gateway made inside it leaked"
    )
    def test_with_a_referenced_network_nothing_of_it_is_created(self) -> None:
        """A referenced VPC is only read, and there is no gateway and no route table."""
        survey = {"zones": ["us-east-1a", "us-east-1a", "us-east-1c"], "file_system_zone": None}
        steps = steps_of(Tier1().plan(spec_of(**BROUGHT), survey))
        references = [step.name for step in steps.values() if step.mode is Mode.REFERENCE]
        assert references == ["vpc", "subnet-1", "subnet-2", "subnet-3", "file-system", "instance-profile"]
        assert not {"internet-gateway", "route-table", "role"} & set(steps)
        assert steps["vpc"].inputs == {"reference": "vpc-0001"}
        assert steps["subnet-3"].inputs == {"reference": "subnet-0003", "vpc_id": {REF: "vpc.id"}}
        assert steps["file-system"].inputs == {"reference": "fs-0001", "vpc_id": {REF: "vpc.id"}}
        assert steps["instance-profile"].inputs == {"reference": "theirs"}
        assert steps["instance"].inputs["associate_public_ip"] is False
        assert steps["instance"].inputs["key_name"] == "mine"

    def test_two_subnets_of_one_zone_share_a_mount_target(self) -> None:
        """AWS allows one mount target per file system and zone."""
        survey = {"zones": ["us-east-1a", "us-east-1a", "us-east-1c"], "file_system_zone": None}
        steps = steps_of(Tier1().plan(spec_of(**BROUGHT), survey))
        mounts = {
            name: step.inputs["subnet_id"] for name, step in steps.items() if step.kind == "mount_target"
        }
        assert mounts == {"mount-target-1": {REF: "subnet-1.id"}, "mount-target-2": {REF: "subnet-3.id"}}
        assert [subnet["zone"] for subnet in steps["instance"].inputs["subnets"]] == survey["zones"]
        assert list(steps["instance"].inputs["user_data"]["mount_targets"]) == ["us-east-1a", "us-east-1c"]

    def test_a_one_zone_file_system_is_mounted_in_its_zone_only(self) -> None:
        """AWS refuses a mount target elsewhere; instances in other zones mount across zones."""
        survey = {**ZONES, "file_system_zone": "us-east-1b"}
        steps = steps_of(Tier1().plan(spec_of(efs={"file_system_id": "fs-0001"}), survey))
        assert [s.inputs["zone"] for s in steps.values() if s.kind == "mount_target"] == ["us-east-1b"]
        assert len(steps["instance"].inputs["subnets"]) == 2

    @pytest.mark.parametrize(
        ("keys", "zones"),
        [
            ({}, ["(zone 1)", "(zone 2)"]),
            ({"network": {"zones": ["us-east-1c"]}}, ["us-east-1c"]),
            (BROUGHT, ["(zone 1)", "(zone 2)", "(zone 3)"]),
        ],
    )
    def test_a_dry_run_shows_placeholders_for_zones(self, keys: dict[str, Any], zones: list[str]) -> None:
        """Without a survey zones are unknown; zones that the spec names are shown as they are."""
        steps = steps_of(Tier1().plan(spec_of(**keys), None))
        assert [subnet["zone"] for subnet in steps["instance"].inputs["subnets"]] == zones

    def test_deadlines_attempts_and_tags_come_from_the_spec(self) -> None:
        """Each phase has its own limit, and so do deletions."""
        limits = {"network": 11.0, "efs": 12.0, "ec2": 13.0, "health": 14.0, "delete": 15.0}
        spec = spec_of(timeouts=limits, policy={"max_attempts": 7}, tags={"team": "x"})
        plan = Tier1().plan(spec, ZONES)
        assert {(s.phase.value, s.deadline_seconds) for s in plan.steps} == {
            (phase, limits[phase]) for phase in ("network", "efs", "ec2", "health")
        }
        assert (plan.delete_seconds, plan.max_attempts, plan.tags) == (15.0, 7, {"team": "x"})

    def test_only_the_health_of_services_is_recoverable(self) -> None:
        """The failure policy classes every other step as critical."""
        services = [{"name": "db", "tcp": "{private_ip}:5432"}]
        plan = Tier1().plan(spec_of(health={"services": services}), ZONES)
        recoverable = [s.name for s in plan.steps if s.on_failure is FailureClass.RECOVERABLE]
        assert recoverable == ["service-db"]

    def test_checks_can_be_switched_off_but_the_mount_path_stays(self) -> None:
        """With `instance_status: false` and `mount_check: none` EFS is mounted all the same."""
        steps = steps_of(
            Tier1().plan(spec_of(health={"instance_status": False, "mount_check": "none"}), ZONES)
        )
        assert not [step for step in steps.values() if step.phase is Phase.HEALTH]
        assert steps["instance"].inputs["user_data"]["file_system_id"] == {REF: "file-system.id"}

    @pytest.mark.parametrize(
        ("region", "partition"),
        [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
    )
    def test_policies_are_those_of_the_region_s_partition(self, region: str, partition: str) -> None:
        """An ARN of another partition does not exist."""
        spec = Spec.model_validate({"name": "stack", "region": region})
        policies = steps_of(Tier1().plan(spec, None))["role"].inputs["policies"]
        assert policies == [
            f"arn:{partition}:iam::aws:policy/AmazonSSMManagedInstanceCore",
            f"arn:{partition}:iam::aws:policy/AmazonElasticFileSystemClientReadWriteAccess",
        ]

    def test_outputs_contain_what_a_user_needs(self) -> None:
        """They are ids, addresses, and how to sign in."""
        outputs = Tier1().plan(spec_of(), ZONES).outputs
        facts = {
            "instance": {"id": "i-1", "public_ip": "198.51.100.1", "private_ip": "10.0.0.9"},
            "file-system": {"id": "fs-1"},
            "vpc": {"id": "vpc-1"},
        }
        assert resolve(outputs, facts) == {
            "instance_id": "i-1",
            "public_ip": "198.51.100.1",
            "private_ip": "10.0.0.9",
            "file_system_id": "fs-1",
            "mount_path": "/mnt/efs",
            "vpc_id": "vpc-1",
            "ssm_session": ["aws", "ssm", "start-session", "--region", "us-east-1", "--target", "i-1"],
        }


ANY_PLAN = [
    pytest.param({}, ZONES, id="own"),
    pytest.param({}, None, id="dry-run"),
    pytest.param({"network": {"zones": 6, "cidr": "10.0.0.0/24"}}, None, id="six-zones"),
    pytest.param(BROUGHT, None, id="brought"),
    pytest.param({"efs": {"file_system_id": "fs-0001"}}, ZONES, id="brought-file-system"),
    pytest.param({"health": {"services": [{"name": "a", "tcp": "{public_ip}:1"}]}}, ZONES, id="services"),
]


@pytest.mark.parametrize(("keys", "survey"), ANY_PLAN)
class TestEveryPlan:
    def test_can_be_stored(self, keys: dict[str, Any], survey: dict[str, Any] | None) -> None:
        """Inputs, tags and outputs are JSON values and come back equal."""
        plan = Tier1().plan(spec_of(**keys), survey)
        stored = [[step.inputs for step in plan.steps], plan.tags, plan.outputs]
        assert json.loads(json.dumps(stored)) == stored

    def test_is_pure(self, keys: dict[str, Any], survey: dict[str, Any] | None) -> None:
        """The same spec and survey give the same plan."""
        assert Tier1().plan(spec_of(**keys), survey) == Tier1().plan(spec_of(**keys), survey)

    def test_is_in_an_order_that_can_be_run(
        self, keys: dict[str, Any], survey: dict[str, Any] | None
    ) -> None:
        """Names are unique, needs are known and not circular, and phases are in order."""
        plan = Tier1().plan(spec_of(**keys), survey)
        assert {step.name for step in ordered(plan.steps)} == set(steps_of(plan))
        phases = [list(Phase).index(step.phase) for step in plan.steps]
        assert phases == sorted(phases)

    def test_needs_are_the_references_and_the_default_route(
        self, keys: dict[str, Any], survey: dict[str, Any] | None
    ) -> None:
        """Needs are minimal: the instance also waits for its default route, and all others are refs."""
        for step in Tier1().plan(spec_of(**keys), survey).steps:
            referred = {reference.rpartition(".")[0] for reference in refs_in(step.inputs)}
            beside = {"route-table"} if step.name == "instance" else set()
            assert set(step.needs) - beside == referred, step.name
            assert len(set(step.needs)) == len(step.needs)

    def test_names_only_kinds_that_exist(self, keys: dict[str, Any], survey: dict[str, Any] | None) -> None:
        """The registry has each of them."""
        plan = Tier1().plan(spec_of(**keys), survey)
        assert {step.kind for step in plan.steps if step.mode is not Mode.CHECK} <= set(discover())

    def test_names_fit_tags_and_groups(self, keys: dict[str, Any], survey: dict[str, Any] | None) -> None:
        """`tier1-<12 hex>-<step>` is a security group's name (255), `<name>-<step>` a tag (256)."""
        for step in Tier1().plan(spec_of(**keys), survey).steps:
            assert len(step.name) <= 60


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_makes_a_plan(path: Path) -> None:
    """The published examples can be planned without AWS."""
    assert Tier1().plan(load_spec(path)).steps


class Edited:
    """A read-only cloud that edits some answers and passes the others through."""

    def __init__(self, cloud: Cloud, **answers: Callable[[], Any]) -> None:
        self._cloud = cloud
        self._answers = answers
        self.called: list[str] = []
        self.region = cloud.region
        self.account_id = cloud.account_id

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self.called.append(operation)
        if operation in self._answers:
            answer: dict[str, Any] = self._answers[operation]()
            return answer
        return self._cloud.read(service, operation, **parameters)

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        self.called.append(operation)
        if operation in self._answers:
            return iter(self._answers[operation]())
        return self._cloud.pages(service, operation, result_key, **parameters)

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        raise AssertionError(f"a survey changes nothing, and this is {operation}")


def failing(code: str) -> Callable[[], Any]:
    def fail() -> Any:
        raise CallError(code, "as the test wants it", operation="Any")

    return fail


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An empty account of moto in us-east-1."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(variable, raising=False)
    with mock_aws():
        yield AwsSession("us-east-1", call_timeout_seconds=20.0).cloud(AlwaysPermitted())


def survey_of(cloud: Cloud, **keys: Any) -> dict[str, Any]:
    return Tier1().survey(Edited(cloud), spec_of(**keys))


def refusals(cloud: Cloud, **keys: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        Tier1().survey(Edited(cloud), spec_of(**keys))
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def vpc_in(cloud: Cloud, cidr: str = "10.9.0.0/16") -> str:
    return str(cloud.change("ec2", "create_vpc", CidrBlock=cidr)["Vpc"]["VpcId"])


def subnet_in(cloud: Cloud, vpc: str, zone: str, block: str) -> str:
    reply = cloud.change("ec2", "create_subnet", VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)
    return str(reply["Subnet"]["SubnetId"])


def file_system_in(cloud: Cloud, **parameters: Any) -> str:
    return str(cloud.change("efs", "create_file_system", CreationToken="t", **parameters)["FileSystemId"])


class TestZones:
    def test_a_number_selects_that_many_zones_of_the_region(self, cloud: Cloud) -> None:
        """They are ordered by name if they offer the same types."""
        assert survey_of(cloud, network={"zones": 3})["zones"] == ["us-east-1a", "us-east-1b", "us-east-1c"]

    def test_zones_that_offer_the_first_type_come_first(self, cloud: Cloud) -> None:
        """Those with the second type follow; filters that an endpoint ignores are applied here."""
        offers = [
            {"InstanceType": "t3a.medium", "Location": "us-east-1c"},
            {"InstanceType": "t3a.medium", "Location": "us-east-1f"},
            {"InstanceType": "t3.medium", "Location": "us-east-1f"},
            {"InstanceType": "m5.large", "Location": "us-east-1a"},
        ]
        edited = Edited(cloud, describe_instance_type_offerings=lambda: offers)
        assert Tier1().survey(edited, spec_of(network={"zones": 3}))["zones"] == [
            "us-east-1f",
            "us-east-1c",
            "us-east-1a",
        ]

    @pytest.mark.parametrize("code", ["InvalidAction", "UnsupportedOperation"])
    def test_an_endpoint_without_offerings_is_no_failure(self, cloud: Cloud, code: str) -> None:
        """An emulator may lack a call that only observes."""
        edited = Edited(cloud, describe_instance_type_offerings=failing(code))
        assert Tier1().survey(edited, spec_of())["zones"] == ["us-east-1a", "us-east-1b"]

    @pytest.mark.parametrize("operation", ["describe_availability_zones", "describe_instance_type_offerings"])
    def test_other_failures_of_a_read_are_not_swallowed(self, cloud: Cloud, operation: str) -> None:
        """Missing credentials must not look like a wrong spec."""
        edited = Edited(cloud, **{operation: failing("AuthFailure")})
        with pytest.raises(CallError, match="AuthFailure"):
            Tier1().survey(edited, spec_of())

    def test_closed_zones_and_zones_of_another_type_do_not_count(self, cloud: Cloud) -> None:
        """Local zones have no EFS, and a zone may be impaired."""
        zones = [
            {"ZoneName": "us-east-1b"},
            {"ZoneName": "us-east-1a", "State": "impaired"},
            {"ZoneName": "us-east-1-bos-1a", "ZoneType": "local-zone", "State": "available"},
            {"State": "available"},
        ]
        edited = Edited(cloud, describe_availability_zones=lambda: {"AvailabilityZones": zones})
        with pytest.raises(SpecError) as caught:
            Tier1().survey(edited, spec_of())
        assert str(caught.value) == (
            "network.zones: 2 zones are requested, but us-east-1 offers 1; "
            "lower the number or choose another region."
        )

    def test_named_zones_must_exist(self, cloud: Cloud) -> None:
        """They keep the order of the spec, or are refused by name."""
        named = survey_of(cloud, network={"zones": ["us-east-1d", "us-east-1a"]})
        assert named["zones"] == ["us-east-1d", "us-east-1a"]
        (line,) = refusals(cloud, network={"zones": ["us-east-1a", "us-east-1z"]})
        assert line.startswith(
            "network.zones[1]: us-east-1z is not available to this account; us-east-1 offers us-"
        )

    def test_a_region_without_zones_is_refused(self, cloud: Cloud) -> None:
        """Some emulators answer like this for new regions."""
        edited = Edited(cloud, describe_availability_zones=dict)
        with pytest.raises(SpecError, match="offers none"):
            Tier1().survey(edited, spec_of(network={"zones": ["us-east-1a"]}))


class TestBrought:
    def test_the_zones_are_those_of_the_subnets_in_order(self, cloud: Cloud) -> None:
        """No zones are looked up, because the subnets have theirs."""
        vpc = vpc_in(cloud)
        subnets = [
            subnet_in(cloud, vpc, zone, f"10.9.{n}.0/24")
            for n, zone in enumerate(["us-east-1c", "us-east-1a", "us-east-1c"])
        ]
        edited = Edited(cloud)
        survey = Tier1().survey(edited, spec_of(network={"vpc_id": vpc, "subnet_ids": subnets}))
        assert survey == {"zones": ["us-east-1c", "us-east-1a", "us-east-1c"], "file_system_zone": None}
        assert "describe_availability_zones" not in edited.called

    def test_everything_that_is_missing_is_reported_at_once(self, cloud: Cloud) -> None:
        """VPC, subnets, file system, profile and key pair have a line each, and nothing is created."""
        lines = refusals(cloud, **BROUGHT)
        assert [line.split(": ")[0] for line in lines] == [
            "instance.key_name",
            "instance.iam_profile",
            "efs.file_system_id",
            "network.vpc_id",
            "network.subnet_ids[0]",
            "network.subnet_ids[1]",
            "network.subnet_ids[2]",
        ]
        assert all(line.endswith(".") for line in lines)
        assert lines[0].startswith(
            "instance.key_name: the key pair mine does not exist in us-east-1; use one"
        )

    def test_a_subnet_of_another_vpc_is_refused(self, cloud: Cloud) -> None:
        """Both ids are named."""
        ours, theirs = vpc_in(cloud), vpc_in(cloud, "10.8.0.0/16")
        subnet = subnet_in(cloud, theirs, "us-east-1a", "10.8.0.0/24")
        (line,) = refusals(cloud, network={"vpc_id": ours, "subnet_ids": [subnet]})
        assert line == f"network.subnet_ids[0]: The subnet {subnet} is in {theirs}, not in {ours}."

    def test_a_file_system_that_is_mounted_in_another_vpc_is_refused(self, cloud: Cloud) -> None:
        """AWS allows a file system in one VPC only, and a VPC that is to be created is always another one."""
        theirs, ours = vpc_in(cloud), vpc_in(cloud, "10.8.0.0/16")
        mounted = subnet_in(cloud, theirs, "us-east-1a", "10.9.0.0/24")
        subnet = subnet_in(cloud, ours, "us-east-1a", "10.8.0.0/24")
        id = file_system_in(cloud)
        cloud.change("efs", "create_mount_target", FileSystemId=id, SubnetId=mounted)
        efs = {"file_system_id": id}
        for network in ({}, {"vpc_id": ours, "subnet_ids": [subnet]}):
            (line,) = refusals(cloud, efs=efs, network=network)
            assert line.startswith(f"efs.file_system_id: The file system {id} is mounted in the VPC {theirs}")
        survey_of(cloud, efs=efs, network={"vpc_id": theirs, "subnet_ids": [mounted]})

    def test_a_file_system_that_is_mounted_nowhere_is_accepted(self, cloud: Cloud) -> None:
        """That holds for a new network as well."""
        assert survey_of(cloud, efs={"file_system_id": file_system_in(cloud)})["file_system_zone"] is None

    def test_a_one_zone_file_system_determines_the_zone_of_the_network(self, cloud: Cloud) -> None:
        """A number of zones begins with that zone; named zones and subnets must include it."""
        efs = {"file_system_id": file_system_in(cloud, AvailabilityZoneName="us-east-1d")}
        assert survey_of(cloud, efs=efs) == {
            "zones": ["us-east-1d", "us-east-1a"],
            "file_system_zone": "us-east-1d",
        }
        (line,) = refusals(cloud, efs=efs, network={"zones": ["us-east-1a"]})
        assert "can be mounted in us-east-1d only, and the network is in us-east-1a; use that zone" in line

    def test_an_existing_profile_and_key_pair_are_accepted(self, cloud: Cloud) -> None:
        """They are only read."""
        cloud.change("ec2", "create_key_pair", KeyName="mine")
        document = json.dumps({"Version": "2012-10-17", "Statement": []})
        cloud.change("iam", "create_role", RoleName="theirs", AssumeRolePolicyDocument=document)
        # Tagged, because moto lacks ListInstanceProfileTags, which is called where tags are missing.
        tags = [{"Key": "team", "Value": "theirs"}]
        cloud.change("iam", "create_instance_profile", InstanceProfileName="theirs", Tags=tags)
        cloud.change("iam", "add_role_to_instance_profile", InstanceProfileName="theirs", RoleName="theirs")
        assert survey_of(cloud, instance={"key_name": "mine", "iam_profile": "theirs"})["zones"]

    def test_an_endpoint_without_key_pairs_is_no_failure(self, cloud: Cloud) -> None:
        """Any other error is a failure."""
        spec = spec_of(instance={"key_name": "mine"})
        assert Tier1().survey(Edited(cloud, describe_key_pairs=failing("InvalidAction")), spec)
        with pytest.raises(CallError):
            Tier1().survey(Edited(cloud, describe_key_pairs=failing("RequestLimitExceeded")), spec)
