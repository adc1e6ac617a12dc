"""Guides: every code has a remedy, and none is empty, invented or incomplete."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tests.support import moto_account
from tests.support import rows as rows_module
from tests.support.conformance.command_lines import service_model
from tests.support.rows import AT, deployment
from tier1_engine import checks, guidance, resources
from tier1_engine.blueprints.tier1.plan import Tier1
from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.contract.kind import Check, Kind
from tier1_engine.contract.remedy import fields_of, sentence
from tier1_engine.deployment import standing
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.record import ENDED_FACT, Attempt, Record, Resource, Step
from tier1_engine.deployment.states import (
    Action,
    FailureClass,
    Goal,
    ResourceState,
    State,
    StepState,
)
from tier1_engine.failures.codes import BLOCKED_CODES, SERVER_CODES, THROTTLE_CODES, about_of
from tier1_engine.failures.final_codes import FINAL_CODES, About
from tier1_engine.guidance.advice import missing_actions, of_failure
from tier1_engine.guidance.catalogue import CATALOGUE
from tier1_engine.guidance.facts import GuideFacts, Situation
from tier1_engine.guidance.remedies import BY_ABOUT, UNKNOWN, remedy_of
from tier1_engine.guidance.script import script
from tier1_engine.resources.instance_remedies import of_vcpus

pytestmark = pytest.mark.promise(9)

KINDS, CHECKS = resources.discover(), checks.discover()
PARTS: list[Kind | Check] = [*KINDS.values(), *CHECKS.values()]
OWN = {(part.name, key): remedy for part in PARTS for key, remedy in part.remedies.items()}
"""The remedies of each kind and check."""
REMEDIES = {**OWN, **{("", key): remedy for key, remedy in CATALOGUE.items()}}
"""The remedies that belong to no kind or check."""
ONLY_AWS = {
    ("ec2", "get-ebs-default-kms-key-id"),
    ("ec2", "describe-capacity-reservations"),
    ("ssm", "describe-instance-information"),
}
"""Commands that an endpoint other than AWS lacks."""
PLACE = "--region eu-west-1 --profile 'my work' --endpoint-url http://aws.example:5000"
HEALTH = {
    "services": [
        {"name": "web", "url": "http://{public_ip}/"},
        {"name": "db", "tcp": "{private_ip}:5432"},
    ]
}
SPEC = Spec.model_validate(
    {"name": "demo", "region": "eu-west-1", "instance": {"key_name": "mine"}, "health": HEALTH}
)
REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "instance": {
        "images": {"x86_64": {"id": "ami-1"}},
        "candidates": [
            {"type": "t3.medium", "zone": "eu-west-1a", "subnet_id": "subnet-1", "market": "spot"}
        ],
    },
    "mount_target": {"file_system_id": "fs-1", "subnet_id": "subnet-1", "zone": "eu-west-1a"},
    "subnet": {"vpc_id": "vpc-1", "cidr": "10.0.0.0/20", "zone": "eu-west-1a"},
    "vpc": {"cidr": "10.0.0.0/16"},
}
FACTS: Mapping[str, Mapping[str, Any]] = {
    "internet_gateway": {"vpc_ids": ["vpc-1"]},
    "route_table": {"association_ids": ["rtbassoc-1"]},
    "role": {"policies": ["arn:aws:iam::aws:policy/One"]},
    "instance_profile": {"roles": ["demo-role"]},
}
ASKED: Mapping[str, Mapping[str, Any]] = {
    "create-service-linked-role": {"AWSServiceName": "spot.amazonaws.com"},
    "describe-images": {"ImageIds": [moto_account.IMAGE]},
    "describe-instance-types": {"InstanceTypes": ["t3.medium"]},
    "describe-instance-attribute": {"InstanceId": "i-0123456789abcdef0", "Attribute": "userData"},
    "describe-mount-targets": {"FileSystemId": "fs-0123456789abcdef0"},
    "get-console-output": {"InstanceId": "i-0123456789abcdef0"},
    "get-parameters-by-path": {"Path": "/aws"},
    "list-instance-profiles-for-role": {"RoleName": "nobody"},
}
"""Parameters without which these calls fail or take long."""
PLACEHOLDER = re.compile(r"\{\w*\}|\bNone\b|<[\w-]+>")


def steps() -> dict[str, Step]:
    plan = Tier1().plan(SPEC)
    return {
        one.name: Step(
            deployment_id="d1",
            name=one.name,
            position=position,
            phase=one.phase,
            kind=one.kind,
            mode=one.mode,
            needs=one.needs,
            inputs=one.inputs,
            deadline_seconds=one.deadline_seconds,
            on_failure=one.on_failure,
        )
        for position, one in enumerate(plan.steps)
    }


def rows(state: ResourceState = ResourceState.PRESENT) -> dict[str, Resource]:
    """Return one resource in AWS for each step that creates one."""
    return {
        f"r-{step.name}": Resource(
            id=f"r-{step.name}",
            deployment_id="d1",
            step=step.name,
            name=step.name,
            kind=step.kind,
            state=state,
            owned=True,
            tagged_as=f"r-{step.name}",
            request=REQUESTS.get(step.kind, {"vpc_id": "vpc-1"}),
            created_at=AT,
            aws_id=f"{step.kind}-1",
            facts=FACTS.get(step.kind, {}),
        )
        for step in steps().values()
        if step.kind in KINDS
    }


def failure(code: str = "VpcLimitExceeded", step: str = "vpc", **values: Any) -> Failure:
    return rows_module.failure(step, code=code, **{"message": f"AWS says {code}.", **values})


def story(
    resources: Mapping[str, Resource] | None = None,
    attempts: Mapping[str, Attempt] | None = None,
    **values: Any,
) -> GuideFacts:
    """Return a failed deployment with all resources remaining, unless arguments say otherwise."""
    given = {name: values.pop(name) for name in ("consoles", "driven_by") if name in values}
    plan = values.pop("steps", None) or steps()
    kept = {
        "state": State.FAILED,
        "failure": failure(),
        "rollback_enabled": False,
        "region": "eu-west-1",
        "profile": "my work",
        "endpoint": "http://aws.example:5000",
    }
    whole = deployment("0123456789ab", **{**kept, **values})
    record = Record(whole, plan, rows() if resources is None else resources, attempts or {})
    return GuideFacts(record, "dbdbdbdbdbdb", KINDS, CHECKS, **given)


def attempt(**values: Any) -> Attempt:
    whole: dict[str, Any] = {
        "id": "a1",
        "deployment_id": "d1",
        "step": "instance",
        "action": Action.CREATE,
        "begun_at": AT,
        "term": 1,
        "resource_id": "r-instance",
        "key": "k",
    }
    return Attempt(**{**whole, **values})


def without_id(name: str) -> dict[str, Resource]:
    """Return all resources in AWS, one of them without an id because its create was never answered."""
    unknown: dict[str, Any] = {"aws_id": None, "state": ResourceState.CREATING, "facts": {}}
    return {id: replace(row, **unknown) if row.name == name else row for id, row in rows().items()}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def lines(guide: guidance.Guide) -> list[str]:
    """Every command line of a guide."""
    advised = [guide.cause, *guide.on_the_way_back]
    found = [guide.first.line] if guide.first else []
    found += [command.line for one in advised if one for command in one.commands]
    ways = [*guide.ways, *([guide.by_hand] if guide.by_hand else [])]
    found += [command.line for way in ways for command in way.commands]
    return found + [line for item in guide.standing for line in item.look]


def is_bash(text: str) -> bool:
    return subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def calls(line: str) -> Iterator[list[str]]:
    """The words of each `aws` call in a line, without the options that select account and region."""
    for found in re.finditer(r"\baws ((?:--[\w-]+ (?:'[^']*'|\S+) )*)([a-z0-9-]+) ([a-z-]+)([^;|&>]*)", line):
        rest = found[4].split("$(")[0]
        yield [found[2], found[3], *re.findall(r"(?<=\s)--[\w-]+", rest)]


def is_real(service: str, verb: str, *options: str) -> bool:
    """Whether the AWS command line has the command with these options."""
    if verb == "wait":
        return True  # the conformance suite checks waiters
    members = _options(service, _operations(service)[verb])
    return {option[2:] for option in options} - members <= {"query", "output", "include-all-instances"}


@cache
def _operations(service: str) -> dict[str, str]:
    return {_dashed(name): name for name in service_model(service).operation_names}


@cache
def _options(service: str, operation: str) -> frozenset[str]:
    shape = service_model(service).operation_model(operation).input_shape
    return frozenset(map(_dashed, shape.members if shape else ()))


def _dashed(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


# --- the catalogue


def test_a_local_aws_has_every_read_printed_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that it lacks is left out, and it can answer all others."""
    moto_account.prepare(monkeypatch)
    rig = moto_account.make_rig()
    looks = {look[:2] for one in REMEDIES.values() for look in (*one.look, *one.inspect_on_aws)}
    clients = {service: rig.client(service) for service, _ in looks}
    missing = set()
    for service, verb in looks:
        try:
            getattr(clients[service], verb.replace("-", "_"))(**ASKED.get(verb, {}))
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotImplemented":
                missing.add((service, verb))
    assert missing == {look[:2] for one in REMEDIES.values() for look in one.inspect_on_aws} == ONLY_AWS
    given = failure("Client.InternalError", "instance")
    assert not any("kms-key" in line for line in lines(guidance.guide(story(failure=given))))
    assert any("kms-key" in line for line in lines(guidance.guide(story(failure=given, endpoint=""))))


def test_there_is_a_remedy_for_more_than_forty_codes() -> None:
    """AWS or tier1 can return each of them, and each has a text of its own."""
    codes = {key.rpartition("/")[2] for _, key in REMEDIES}
    assert len(codes & {code for code in codes if about_of(code) is not None}) >= 40
    assert all(remedy.why and remedy.fix for remedy in REMEDIES.values())


@pytest.mark.parametrize(("owner", "key"), sorted(REMEDIES))
def test_each_remedy_is_complete_whatever_is_known(owner: str, key: str) -> None:
    """With all facts or none, no field is open, no command is incomplete, and all are real."""
    operation, _, code = key.rpartition("/")
    step = next(one.name for one in steps().values() if one.kind == owner or not owner)
    nothing: dict[str, Resource] = {}
    printed = []
    for known in (None, nothing):
        given = failure(code, step, operation=operation or "CreateVpc")
        guide = guidance.guide(story(known, failure=given, endpoint=""))
        assert guide.cause is not None
        assert guide.cause.why.startswith(REMEDIES[owner, key].why.partition("{")[0])
        for text in texts(guide.as_json()):
            assert not PLACEHOLDER.search(text.replace("{private_ip}", "")), text
        printed += lines(guide)
    assert is_bash("\n".join(printed))
    for line in printed:
        assert all(is_real(*words) for words in calls(line)), line


@given(
    code=st.sampled_from([*sorted(frozenset().union(*FINAL_CODES.values())), "Odd", "Client.Odd", "HTTP503"])
)
def test_every_code_has_a_remedy(code: str) -> None:
    """A code that is only listed gets the remedy for its subject, and an unknown one says so."""
    remedy = remedy_of(code, "CreateVpc", {})
    assert (remedy is UNKNOWN) is (code in ("Odd", "Client.Odd", "HTTP503"))
    guide = guidance.guide(story(failure=failure(code)))
    assert guide.cause is not None
    assert not any(PLACEHOLDER.search(text) for text in texts([guide.cause.why, guide.cause.mend]))


def test_every_field_of_a_remedy_is_known_when_every_resource_exists() -> None:
    """A misspelt field is found here."""
    given = story()
    for (owner, key), remedy in REMEDIES.items():
        step = next((one for one in steps().values() if one.kind == owner), None)
        looks = (word for look in (*remedy.look, *remedy.inspect_on_aws) for word in look)
        fields = set().union(*map(fields_of, (remedy.why, *remedy.fix, *looks)))
        assert fields <= given.known(step).keys(), (owner, key)
    for remedy in (*BY_ABOUT.values(), UNKNOWN):
        assert set().union(*map(fields_of, (remedy.why, *remedy.fix))) <= {"region", "account", "id"}


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("Client.InvalidKMSKey.InvalidState", "KMS key"),
        ("Client.InvalidKMSKey.DisabledKey", "KMS key"),
        ("Client.UserInitiatedShutdown", "stopped"),
        ("Client.UserInitiatedHibernate", "hibernated"),
        ("Client.InvalidParameterCombination", "do not go together"),
        ("Client.InstanceTerminated", "terminated"),
        ("Server.ScheduledStop", "maintenance"),
        ("InvalidVpcId.Malformed", "not the id of a VPC"),
        ("ClockSkew", "clock"),
        ("RegionDisabledException", "not enabled"),
        ("InvalidClientTokenId", "not enabled"),
        ("PendingVerification", "verifying"),
    ],
)
def test_each_reason_has_words_of_its_own(code: str, word: str) -> None:
    """None of them is an unknown code, or only the group that it belongs to."""
    own = KINDS["vpc" if "Vpc" in code else "instance"].remedies
    remedy = remedy_of(code, None, own)
    assert word in remedy.why
    assert remedy not in (*BY_ABOUT.values(), UNKNOWN)


def test_the_guide_for_an_account_in_verification_says_what_remains() -> None:
    """A retry continues with it, and it costs money meanwhile."""
    cause = guidance.guide(story(failure=failure("PendingVerification", "instance"))).cause
    assert cause is not None
    assert any("remains for the retry" in text for text in cause.mend)


def launch_refused(code: str, failure_class: FailureClass, message: str = "No.") -> GuideFacts:
    """A launch that AWS refused with a code that also means refused credentials."""
    refused = failure(code, "instance", operation="RunInstances", message=message)
    return story(failure=replace(refused, failure_class=failure_class))


def test_a_launch_refused_for_its_image_names_the_ami_and_the_page() -> None:
    """A critical refusal is about the AMI; a blocked one with the same code is about the credentials."""
    private = guidance.guide(launch_refused("AuthFailure", FailureClass.CRITICAL)).cause
    assert private is not None
    assert "ami-1" in private.why
    page = "https://aws.amazon.com/marketplace/pp?sku=8esk90vx7v713sa0muq2skw3j"
    message = f"In order to use this product you need to accept terms. To do so please visit {page}."
    paid = guidance.guide(launch_refused("OptInRequired", FailureClass.CRITICAL, message)).cause
    assert paid is not None
    assert "ami-1" in paid.why
    assert paid.mend[-1] == f"The page is {page}"
    signed_out = guidance.guide(launch_refused("AuthFailure", FailureClass.BLOCKED)).cause
    assert signed_out is not None
    assert "Sign in" in signed_out.mend[0]


def test_a_code_has_the_meaning_of_its_kind() -> None:
    """EFS and EC2 use one code for two things; a number at the end of a code is ignored."""
    of_group = guidance.guide(story(failure=failure("SecurityGroupLimitExceeded", "efs-security-group")))
    of_mount = guidance.guide(
        story(failure=failure("SecurityGroupLimitExceeded", "mount-target-1", operation="CreateMountTarget"))
    )
    assert of_group.cause is not None
    assert of_mount.cause is not None
    assert "its limit of security groups" in of_group.cause.why
    assert "at most five security groups" in of_mount.cause.why
    of_service = guidance.guide(story(failure=failure("HTTP503", "service-web", operation=None)))
    assert of_service.cause is not None
    assert "neither 2xx nor 3xx" in of_service.cause.why


def test_a_field_comes_from_the_step_then_its_needs_then_the_only_one() -> None:
    """With two subnets neither is taken for the VPC's; a second instance is not used for the first."""
    given = story()
    assert given.known(steps()["subnet-2"])["subnet_id"] == "subnet-1"
    assert given.known(steps()["mount-target-1"])["file_system_id"] == "fs-1"
    assert given.known(steps()["efs-mount"])["type"] == "t3.medium"
    assert given.known(steps()["vpc"])["instance_id"] == "instance-1"
    other = replace(steps()["instance"], name="other")
    row = replace(rows()["r-instance"], id="r-other", name="other", step="other", aws_id="instance-2")
    two = story({**rows(), "r-other": row}, steps={**steps(), "other": other})
    assert two.known(steps()["efs-mount"])["instance_id"] == "instance-1"
    assert "instance_id" not in two.known(steps()["vpc"])


def test_an_unknown_field_is_described_in_words() -> None:
    """The sentence describes it, or its name does."""
    assert sentence("{type:the instance type} in {zone}, {{so}}", {}) == "the instance type in the zone, {so}"
    assert sentence("{type:the instance type} of {volume_id}", {"type": "t3"}) == "t3 of the volume"


def test_every_subject_of_a_failure_has_a_remedy() -> None:
    """Codes of tier1 and of the stack are in the catalogue themselves."""
    assert {*FINAL_CODES, About.CREDENTIALS, About.AWS} == set(BY_ABOUT)


# --- causes


def test_a_quota_is_requested_by_its_code_and_only_on_aws() -> None:
    """VPCs per Region has one; another endpoint has quotas of its own."""
    guide = guidance.guide(story(failure=failure("VpcLimitExceeded", operation="CreateVpc"), endpoint=""))
    assert guide.cause is not None
    asked = [command.line for command in guide.cause.commands if "service-quotas" in command.line]
    assert len(asked) == 2
    assert all("--service-code vpc --quota-code L-F678F1CE" in line for line in asked)
    assert "request-service-quota-increase" in asked[1]
    elsewhere = guidance.guide(story(failure=failure("VpcLimitExceeded")))
    assert not any("service-quotas" in line for line in lines(elsewhere))


@pytest.mark.parametrize(
    ("type", "market", "code"),
    [
        ("t3.medium", "on-demand", "L-1216C47A"),
        ("m7g.large", "spot", "L-34B43A08"),
        ("im4gn.large", "on-demand", "L-1216C47A"),
        ("g4dn.xlarge", "on-demand", "L-DB2E81BA"),
        ("g5.xlarge", "spot", "L-3819A6DF"),
        ("p3.2xlarge", "on-demand", "L-417A185B"),
        ("u-6tb1.metal", "on-demand", None),
        ("", "", None),
    ],
)
def test_virtual_cpus_count_against_the_quota_of_family_and_market(
    type: str, market: str, code: str | None
) -> None:
    """With an unknown quota there is no command at all."""
    quota = of_vcpus({"type": type, "market": market})
    assert (quota.code if quota else None) == code


def test_too_many_virtual_cpus_name_the_requested_type() -> None:
    """The market of the last candidate decides the quota."""
    given = failure("VcpuLimitExceeded", "instance", operation="RunInstances")
    guide = guidance.guide(story(failure=given, endpoint=""))
    assert guide.cause is not None
    assert "t3.medium (spot)" in guide.cause.why
    assert any("L-34B43A08" in line for line in lines(guide))


@pytest.mark.parametrize(
    ("operation", "first", "also"),
    [
        ("CreateVpc", "ec2:CreateVpc", "ec2:CreateTags"),
        ("RunInstances", "ec2:RunInstances", "iam:PassRole"),
        ("CreateMountTarget", "elasticfilesystem:CreateMountTarget", "ec2:CreateNetworkInterface"),
        ("AttachRolePolicy", "iam:AttachRolePolicy", "iam:AttachRolePolicy"),
        ("GetParameter", "ssm:GetParameter", "ssm:GetParameter"),
        ("DescribeAvailabilityZones", "ec2:DescribeAvailabilityZones", "ec2:DescribeAvailabilityZones"),
        ("GetCallerIdentity", "sts:GetCallerIdentity", "sts:GetCallerIdentity"),
    ],
)
def test_a_missing_permission_is_named(operation: str, first: str, also: str) -> None:
    """The action of the call comes first, then those that AWS checks within it."""
    actions = missing_actions(story(), operation)
    assert actions[0] == first
    assert also in actions
    assert missing_actions(story(), None) == ()


def test_the_action_that_aws_names_comes_first() -> None:
    """The messages of EFS and IAM name the refused action, also one checked along with the call."""
    said = (
        "User: arn:aws:iam::123456789012:user/ops is not authorized to perform: "
        "elasticfilesystem:TagResource on the specified resource"
    )
    given = failure("AccessDeniedException", "file-system", operation="CreateFileSystem", message=said)
    cause = guidance.guide(story(failure=given)).cause
    assert cause is not None
    assert cause.actions[:2] == ("elasticfilesystem:TagResource", "elasticfilesystem:CreateFileSystem")
    assert len(cause.actions) == len(set(cause.actions))
    assert "elasticfilesystem:TagResource" in cause.mend[-1]


def test_an_encoded_refusal_comes_with_the_command_that_decodes_it() -> None:
    """Only AWS can decode it; the required policy statement is printed anyway."""
    blob = "abc-DEF_123"
    given = failure(
        "UnauthorizedOperation",
        "instance",
        operation="RunInstances",
        message=f"You are not authorized. Encoded authorization failure message: {blob}",
    )
    cause = guidance.guide(story(failure=given)).cause
    assert cause is not None
    assert f"aws {PLACE} sts decode-authorization-message --encoded-message {blob}" in cause.commands[-1].line
    assert '"ec2:RunInstances"' in cause.mend[-1]
    plain = guidance.guide(story(failure=replace(given, message="No."))).cause
    assert plain is not None
    assert not any("decode" in command.line for command in plain.commands)


DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/ops/me is not authorized to perform: {} on resource: {} {}"
)
SUBNET = "arn:aws:ec2:eu-west-1:123456789012:subnet/*"


@pytest.mark.field_case(
    "aws/karpenter-provider-aws#7370, hashicorp/packer#5415: an explicit deny is called a missing permission"
)
@pytest.mark.parametrize(
    ("reason", "why", "who"),
    [
        (
            "with an explicit deny in a service control policy",
            "A service control policy explicitly denies",
            "organization",
        ),
        (
            "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/p-1",
            "A service control policy explicitly denies",
            "organization",
        ),
        ("with an explicit deny in a permissions boundary", "A permissions boundary explicitly", "boundary"),
        ("with an explicit deny in a session policy", "A session policy explicitly", "session"),
        ("with an explicit deny in a resource control policy", "A resource control policy", "organization"),
        ("with an explicit deny in an identity-based policy", "An identity-based policy", "administrator"),
        ("with an explicit deny", "A policy explicitly denies", "administrator"),
        (
            "because no permissions boundary allows the ec2:CreateSubnet action",
            "No permissions boundary allows",
            "boundary",
        ),
        (
            "because no service control policy allows the ec2:CreateSubnet action",
            "No service control policy allows",
            "organization",
        ),
    ],
)
def test_a_deny_is_never_answered_with_the_advice_to_allow(reason: str, why: str, who: str) -> None:
    """It names the policy and who can change it; a statement that allows the action would not help."""
    message = DENIED.format("ec2:CreateSubnet", SUBNET, reason)
    given = failure("UnauthorizedOperation", "subnet-1", operation="CreateSubnet", message=message)
    cause = guidance.guide(story(failure=given)).cause
    assert cause is not None
    assert cause.why.startswith(why)
    assert "ec2:CreateSubnet of the resource type subnet" in cause.why
    assert who in cause.mend[0]
    assert (cause.actions, cause.commands) == ((), ())
    assert not any("Allow" in text or "policy statement" in text for text in cause.mend)


def test_a_missing_allow_is_answered_with_the_statement_that_allows() -> None:
    """No identity-based policy allows the action: the advice is as ever."""
    reason = "because no identity-based policy allows the ec2:CreateSubnet action"
    message = DENIED.format("ec2:CreateSubnet", SUBNET, reason)
    given = failure("UnauthorizedOperation", "subnet-1", operation="CreateSubnet", message=message)
    cause = guidance.guide(story(failure=given)).cause
    assert cause is not None
    assert cause.actions[0] == "ec2:CreateSubnet"


@pytest.mark.field_case("a trial: the deny of a tag policy did not name the tag")
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "TagPolicyViolation",
            "The tag policy does not allow the specified value for the following tag key: 'Project'.",
        ),
        (
            "UnauthorizedOperation",
            DENIED.format("ec2:RunInstances", "arn:aws:ec2:eu-west-1:1:instance/*", "with an explicit deny")
            + " (by a condition on aws:RequestTag/Project)",
        ),
    ],
)
def test_a_deny_for_a_tag_names_resource_type_and_tag(code: str, message: str) -> None:
    """Of a tag policy, or of any policy with a condition on the tags of the request."""
    given = failure(code, "instance", operation="RunInstances", message=message)
    cause = guidance.guide(story(failure=given)).cause
    assert cause is not None
    assert "instance" in cause.why
    assert "with the tag Project" in cause.why
    assert "`tags`" in cause.mend[0]
    assert cause.actions == ()


def test_failed_user_data_shows_the_end_of_the_console_up_to_its_mark() -> None:
    """A rollback archived the console; lines after the mark are left out."""
    text = "boot\n\n" + "".join(f"line {n}\n" for n in range(40)) + "tier1: user-data-failed 7\nlogin:\n"
    given = failure("UserDataFailed", "efs-mount", operation="GetConsoleOutput")
    cause = guidance.guide(story(failure=given, consoles={"r-instance": text})).cause
    assert cause is not None
    assert cause.console[-1] == "tier1: user-data-failed 7"
    assert len(cause.console) == 20
    read = Error("UserDataFailed", "It failed.", console="one\ntier1: user-data-failed 302")
    known = steps()
    known["efs-mount"] = replace(known["efs-mount"], error=read)
    kept = guidance.guide(story(failure=given, steps=known)).cause
    assert kept is not None
    assert kept.console == ("one", "tier1: user-data-failed 302")  # without a rollback nothing is archived
    other = guidance.guide(story(consoles={"r-instance": text})).cause
    assert other is not None
    assert other.console == ()


# --- situations


def with_a_silent_service() -> dict[str, Step]:
    """A deployment that is complete except for a service that does not answer."""
    error = Error("NotConnected", "no answer", failure_class=FailureClass.RECOVERABLE)
    done = {name: replace(step, state=StepState.DONE) for name, step in steps().items()}
    return {**done, "service-web": replace(done["service-web"], state=StepState.FAILED, error=error)}


NO_ANSWER = failure("NotConnected", "service-web", failure_class=FailureClass.RECOVERABLE)
BLOCKED = failure("ExpiredToken", "instance", failure_class=FailureClass.BLOCKED)
GOING_BACK = {"state": State.ROLLING_BACK, "goal": Goal.ROLLED_BACK}
ENDED = {"state": State.ROLLED_BACK, "goal": Goal.ROLLED_BACK}
STOPPED_BY = failure("ExpiredToken", failure_class=FailureClass.BLOCKED, operation="DeleteVpc")


@pytest.mark.parametrize(
    ("given", "situation", "command"),
    [
        ({}, Situation.UNDECIDED, "tier1 resume 0123456789ab --retry"),
        (
            {"failure": NO_ANSWER, "steps": with_a_silent_service()},
            Situation.UNDECIDED,
            "tier1 resume 0123456789ab --continue",
        ),
        ({"failure": BLOCKED}, Situation.BLOCKED, "tier1 resume 0123456789ab"),
        (GOING_BACK, Situation.INTERRUPTED, "tier1 resume 0123456789ab"),
        ({**GOING_BACK, "blocked": STOPPED_BY}, Situation.BLOCKED, "tier1 resume 0123456789ab"),
        ({**GOING_BACK, "driven_by": "process 1"}, Situation.DRIVEN, "tier1 show 0123456789ab --watch"),
        ({"goal": Goal.ROLLED_BACK}, Situation.STALLED, "tier1 resume 0123456789ab"),
        (
            {"state": State.ACTIVE, "failure": None, "activated_at": AT},
            Situation.HEALTHY,
            "tier1 destroy 0123456789ab",
        ),
        ({**ENDED, "resources": {}}, Situation.ENDED, "tier1 log 0123456789ab"),
    ],
)
def test_each_situation_has_its_options(given: Mapping[str, Any], situation: Situation, command: str) -> None:
    """The likeliest command is first; a running command is not disturbed."""
    guide = guidance.guide(story(**given))
    assert guide.situation is situation
    typed = [one.line for way in guide.ways for one in way.commands]
    assert command in typed
    needs = situation in (Situation.UNDECIDED, Situation.BLOCKED, Situation.STALLED, Situation.INTERRUPTED)
    assert guide.needed is needs
    assert (guide.by_hand is None) is (situation in (Situation.DRIVEN, Situation.ENDED))


def test_the_cause_is_reported_before_errors_of_the_rollback() -> None:
    """Each has a remedy; what only waits for another comes last."""
    stuck = Error("DependencyViolation", "in use", "DeleteSubnet", stuck=True)
    waits = Error("BlockedBy", "blocked by subnet-1, which could not be deleted.")
    found = {
        "r-vpc": replace(rows()["r-vpc"], error=waits),
        "r-subnet-1": replace(rows()["r-subnet-1"], error=stuck),
    }
    guide = guidance.guide(story(found, goal=Goal.ROLLED_BACK))
    assert guide.cause is not None
    assert guide.cause.code == "VpcLimitExceeded"
    assert [(one.resource, one.code) for one in guide.on_the_way_back] == [
        ("subnet-1", "DependencyViolation"),
        ("vpc", "BlockedBy"),
    ]
    assert "blocked by subnet-1" in guide.told
    assert any("Name=subnet-id,Values=subnet-1" in c.line for c in guide.on_the_way_back[0].commands)


def test_a_refusal_that_stopped_the_rollback_is_its_cause() -> None:
    """The provisioning did not fail: credentials expired during the destroy."""
    given = story(state=State.DESTROYING, goal=Goal.DESTROYED, failure=None, blocked=STOPPED_BY)
    cause = of_failure(given)
    assert cause is not None
    assert (cause.code, cause.operation) == ("ExpiredToken", "DeleteVpc")
    assert "blocked: ExpiredToken" in guidance.guide(given).told
    went_on = story(state=State.DESTROYING, goal=Goal.DESTROYED, failure=None)
    assert of_failure(went_on) is None


def test_what_blocks_a_rollback_comes_before_what_began_it() -> None:
    """Both are told; the fix is that of the refusal, because nothing else helps before it."""
    given = story(state=State.ROLLING_BACK, goal=Goal.ROLLED_BACK, blocked=STOPPED_BY)
    cause = of_failure(given)
    assert cause is not None
    assert cause.code == "ExpiredToken"
    told = guidance.guide(given).told
    assert told.index("VpcLimitExceeded") < told.index("blocked: ExpiredToken")


def test_what_is_safe_and_what_costs_is_reported() -> None:
    """Deleted, referenced and retained resources are not among the remaining ones, which have their price."""
    changed = {
        "r-vpc": replace(rows()["r-vpc"], owned=False),
        "r-role": replace(rows()["r-role"], state=ResourceState.DELETED, deleted_at=AT),
        "r-file-system": replace(rows()["r-file-system"], state=ResourceState.RETAINED),
    }
    guide = guidance.guide(story({**rows(), **changed}))
    said = "\n".join(guide.safe)
    for words in (
        "each confirmed with AWS: 1.",
        "vpc vpc-1",
        "Retained on request",
        "file-system file_system-1",
    ):
        assert words in said
    names = {item.name for item in guide.standing}
    assert not names & {"vpc", "role", "file-system"}
    assert "$" in guide.cost
    assert all(item.price for item in guide.standing)


# --- ids, places, scripts


@pytest.mark.parametrize("state", [ResourceState.PRESENT, ResourceState.DELETING, ResourceState.STRAY])
def test_no_id_is_missing_and_every_line_uses_the_same_aws(state: ResourceState) -> None:
    """Each `aws` line has the row's region, profile and endpoint; list and manual deletions have every id."""
    guide = guidance.guide(story(rows(state)))
    assert guide.by_hand is not None
    by_hand = "\n".join(command.line for command in guide.by_hand.commands)
    for row in rows().values():
        assert f"{row.aws_id}" in by_hand
        item = next(item for item in guide.standing if item.name == row.name)
        assert item.aws_id == row.aws_id
        assert item.console_url is not None
        assert item.look
    assert is_bash("\n".join(lines(guide)))
    for line in lines(guide):
        assert all(is_real(*words) for words in calls(line)), line
        for found in re.finditer(r"\baws (?!command)", line):
            assert line[found.end() :].startswith(PLACE), line


@pytest.mark.parametrize("name", ["instance", "vpc", "file-system", "role"])
def test_a_resource_without_an_id_is_searched_for(name: str) -> None:
    """Manual commands and script use its tags, or the name that proves ownership."""
    open_create = {"a1": attempt(step=name, resource_id=f"r-{name}")}
    given = story(without_id(name), attempts=open_create)
    guide = guidance.guide(given)
    item = next(item for item in guide.standing if item.name == name)
    assert (item.aws_id, item.console_url) == (None, None)
    assert f"r-{name}" in item.look[0] or "tier1-demo-0123456789ab" in item.look[0]
    assert guide.by_hand is not None
    assert any(line.line.startswith("for id in $(aws") for line in guide.by_hand.commands)
    assert f"{name}: " in script(given)
    assert "the create call got no reply" in guide.told


def test_a_mount_target_without_an_id_is_for_the_script_alone() -> None:
    """It has no tags: one line cannot both find it and prove its owner."""
    open_create = {"a1": attempt(step="mount-target-1", resource_id="r-mount-target-1")}
    given = story(without_id("mount-target-1"), attempts=open_create)
    assert guidance.guide(given).by_hand is None
    assert re.search(r"^tags_\d+_2\(\) { aws ec2 describe-tags", script(given), re.MULTILINE)


def test_the_script_goes_in_reverse_order_of_need_and_is_bash() -> None:
    """Dependents are deleted first; names and ids are quoted."""
    text = script(story())
    assert is_bash(text)
    order = re.findall(r"^remove \d+ (\S+)", text, re.MULTILINE)
    assert set(order) == {row.name for row in rows().values()}
    for step in steps().values():
        for need in step.needs:
            if step.name in order and need in order:
                assert order.index(step.name) < order.index(need)
    assert f'command aws {PLACE} "$@"' in text
    assert text.rstrip().endswith("settle")


def test_a_retained_resource_is_in_no_script() -> None:
    """Neither is a resource with the same tag."""
    kept = replace(rows()["r-vpc"], state=ResourceState.RETAINED)
    stray = replace(rows()["r-vpc"], id="r-2", name="vpc~1", aws_id="vpc-2", state=ResourceState.STRAY)
    text = script(story({**rows(), "r-vpc": kept, "r-2": stray}))
    assert "# Retained on request: vpc vpc-1" in text
    assert not re.search(r"^remove \d+ vpc", text, re.MULTILINE)


def test_a_kind_that_is_not_installed_is_skipped_and_named() -> None:
    """Script and guide do so, and continue with the rest."""
    given = story()
    lacking = replace(given, kinds={name: kind for name, kind in KINDS.items() if name != "role"})
    assert "give_up role" in script(lacking)
    assert guidance.guide(lacking).by_hand is None
    item = next(item for item in guidance.guide(lacking).standing if item.name == "role")
    assert (item.title, item.console_url, item.look) == ("role", None, ())


@pytest.mark.parametrize("given", [{**ENDED, "resources": {}}, {"resources": {}}])
def test_without_remaining_resources_the_script_only_says_so(given: Mapping[str, Any]) -> None:
    """It exits with 0 and calls nothing."""
    text = script(story(**given))
    done = subprocess.run(["bash"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "there is nothing to delete" in done.stderr


def test_for_a_local_aws_the_script_sets_dummy_keys() -> None:
    """It does so only there, and only if no profile is named."""
    local: dict[str, Any] = {"endpoint": "http://127.0.0.1:5000", "profile": ""}
    assert "LEND=yes" in script(story(**local))
    assert "LEND=''" in script(story(**{**local, "profile": "mine"}))
    assert "LEND=''" in script(story(endpoint="", profile=""))


def test_the_guide_and_the_closing_message_count_the_same_resources() -> None:
    """There is one answer to what remains."""
    given = story()
    assert {row.id for row in given.standing} == {row.id for row in standing.left(given.record)}


def test_shell_words_in_a_name_are_never_run() -> None:
    """A profile may have any name."""
    text = script(story(profile="a; touch /tmp/no $(id)"))
    assert is_bash(text)
    assert shlex.quote("a; touch /tmp/no $(id)") in text


def test_codes_that_block_or_pass_have_their_remedy_too() -> None:
    """The remedies cover credentials and AWS's own failures, listed or not."""
    for code in (*BLOCKED_CODES, *THROTTLE_CODES, *SERVER_CODES):
        assert remedy_of(code, "CreateVpc", {}) is not UNKNOWN


# --- a local AWS, and what is gone


@pytest.mark.parametrize(
    ("endpoint", "profile", "wanted"),
    [
        ("http://127.0.0.1:4566", "", True),
        ("http://localhost:4566", "", True),
        ("http://127.0.0.1:4566", "mine", False),
        ("http://aws.example:5000", "", False),
        ("", "", False),
    ],
)
def test_for_a_local_aws_the_guide_names_dummy_keys(endpoint: str, profile: str, wanted: bool) -> None:
    """They come before the first `aws` line; on AWS nothing overrides the sign-in."""
    given = story(endpoint=endpoint, profile=profile)
    assert (guidance.guide(given).first is not None) is wanted
    ended = story({}, state=State.ROLLED_BACK, goal=Goal.ROLLED_BACK, endpoint=endpoint, failure=None)
    assert guidance.guide(ended).first is None


def test_no_deleted_resource_is_read() -> None:
    """After a rollback the cause has message and console, and no command that AWS would refuse."""
    given = failure("UserDataFailed", "efs-mount", operation="GetConsoleOutput")
    kept = guidance.guide(story(failure=given))
    assert any("get-console-output" in line for line in lines(kept))
    gone = {id: replace(row, state=ResourceState.DELETED, deleted_at=AT) for id, row in rows().items()}
    ended = guidance.guide(story(gone, failure=given, state=State.ROLLED_BACK, goal=Goal.ROLLED_BACK))
    assert ended.cause is not None
    assert not any(line.startswith("aws ") for line in lines(ended))


def test_a_resource_that_ended_by_itself_is_not_checked() -> None:
    """AWS forgets a terminated instance within the hour, so its manual deletion may find nothing."""
    dead = {
        id: replace(row, facts={ENDED_FACT: True}) if row.name == "instance" else row
        for id, row in rows().items()
    }
    given = guidance.guide(story(dead, failure=failure("Client.InternalError", "instance")))
    assert given.cause is not None
    assert not any("instance-1" in command.line for command in given.cause.commands)
    (item,) = [one for one in given.standing if one.name == "instance"]
    assert (item.look, item.price) == ((), "no charge: terminated")
    assert given.by_hand is not None
    by_hand = [command.line for command in given.by_hand.commands if "instance-1" in command.line]
    assert by_hand
    assert all(line.endswith(" || true") for line in by_hand)
