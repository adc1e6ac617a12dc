"""A spec whose instance cannot be launched is refused before anything is created, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.moto_account import prepare
from tests.support.young_account import NOTHING_HIDDEN, Stage, staged
from tier1_engine.aws.session import AwsSession
from tier1_engine.blueprints.tier1.plan import Tier1
from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.contract.cloud import AlwaysPermitted, Cloud, Reply
from tier1_engine.errors import CallError, SpecError
from tier1_engine.sandbox.catalogue import IMAGES

LINUX, ARM, NO_ENA, UEFI, BIOS, LARGE, DISABLED, DEREGISTERED, FOREIGN = IMAGES
GONE = "ami-0123456789abcdef0"
CANNOT = "; use an AMI that can be launched, or omit it for Amazon Linux."
NOT_HERE = "does not exist in us-east-1, was deregistered, or is not shared with account 123456789012"

HINT = " (the local AWS knows only its catalogue; started with --any-ami it accepts every id)"
BOTH = "t3.medium and t3a.medium"
ELSEWHERE = "hpc6a.48xlarge"
GIB = "GiB; set it to 100 or more."
OR_TYPES = "or other types."
USE_X86 = "use an AMI for x86_64, or types for arm64."
USE_ARM = "use an AMI for arm64, or types for x86_64."
USE_ENA = "use an AMI that is, or types that do not need it, such as t2."
USE_COMMON = "use an AMI and types with a boot mode in common."
USE_KEY = "use one that does, or omit it and use Session Manager."
ZONES = "us-east-1a, us-east-1b, us-east-1c, us-east-1d"


class Answering:
    """The local AWS, with other answers to some reads: an error's code, an answer, or a function of the real
    one.
    """

    def __init__(self, cloud: Cloud, **answers: Any) -> None:
        self._cloud = cloud
        self._answers = answers
        self.region = cloud.region
        self.account_id = cloud.account_id

    def _refuse(self, operation: str) -> None:
        if isinstance(code := self._answers.get(operation), str):
            name = "".join(word.title() for word in operation.split("_"))
            raise CallError(code, "as the test wants it", operation=name)

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self._refuse(operation)
        if isinstance(given := self._answers.get(operation), dict):
            return given
        answer = self._cloud.read(service, operation, **parameters)
        edit = self._answers.get(operation)
        return edit(answer) if edit else answer

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        self._refuse(operation)
        edit = self._answers.get(operation)
        items = self._cloud.pages(service, operation, result_key, **parameters)
        return iter(edit(list(items))) if edit else items

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        raise AssertionError(f"a survey changes nothing, and this is {operation}")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patched:
        prepare(patched)
        with staged(NOTHING_HIDDEN) as one:
            yield one


@pytest.fixture(scope="module")
def session(stage: Stage) -> AwsSession:
    return AwsSession("us-east-1", call_timeout_seconds=20.0)


@pytest.fixture
def cloud(stage: Stage, session: AwsSession) -> Iterator[Cloud]:
    """The local AWS as the blueprint sees it."""
    yield session.cloud(AlwaysPermitted())
    stage.world.any_ami = False


def survey(cloud: Cloud, network: dict[str, Any] | None = None, **instance: Any) -> dict[str, Any]:
    keys = {"name": "stack", "region": "us-east-1", "instance": {"ami": LINUX, **instance}}
    return Tier1().survey(cloud, Spec.model_validate({**keys, **({"network": network} if network else {})}))


def refusal(cloud: Cloud, **keys: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        survey(cloud, **keys)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no image": (
        {"ami": GONE},
        f"instance.ami: {GONE} {NOT_HERE} (AWS: The image id '[{GONE}]' does not exist{HINT}){CANNOT}",
    ),
    "deregistered": ({"ami": DEREGISTERED}, f"instance.ami: {DEREGISTERED} {NOT_HERE}{CANNOT}"),
    "not shared": ({"ami": FOREIGN}, f"instance.ami: {FOREIGN} {NOT_HERE}{CANNOT}"),
    "disabled": ({"ami": DISABLED}, f"instance.ami: {DISABLED} is disabled{CANNOT}"),
    "no parameter": (
        {"ami": "ssm:/my/image"},
        "instance.ami: the parameter /my/image does not exist in us-east-1; use one that does, or an AMI id.",
    ),
    "arm64 image": (
        {"ami": ARM, "types": ["t3.micro", "m5.large"]},
        f"instance.ami: {ARM} is for arm64, but t3.micro and m5.large are x86_64; {USE_X86}",
    ),
    "arm64 type": (
        {"types": ["t3.micro", "t4g.micro"]},
        f"instance.ami: {LINUX} is for x86_64, but t4g.micro is arm64; {USE_ARM}",
    ),
    "no ENA": (
        {"ami": NO_ENA},
        f"instance.ami: {NO_ENA} is not enabled for ENA (enhanced networking), which {BOTH} need; {USE_ENA}",
    ),
    "boot mode": (
        {"ami": UEFI, "types": ["t2.micro", "t3.micro"]},
        f"instance.ami: {UEFI} boots by UEFI only, which t2.micro cannot; {USE_COMMON}",
    ),
    "root volume": (
        {"ami": LARGE, "root_volume_gib": 99},
        f"instance.root_volume_gib: 99 GiB is less than the root snapshot of {LARGE}, which has 100 {GIB}",
    ),
    "unknown type": (
        {"types": ["t3.medium", "t9.huge"]},
        "instance.types[1]: t9.huge does not exist in us-east-1; correct it, or remove it.",
    ),
    "type of another region": (
        {"types": [ELSEWHERE]},
        f"instance.types[0]: {ELSEWHERE} does not exist in us-east-1; correct it, or remove it.",
    ),
    "type not in the zones": (
        {"types": ["t3.medium"], "network": {"zones": ["us-east-1e"]}},
        f"instance.types: us-east-1e offers no t3.medium; use zones that do, such as {ZONES}, {OR_TYPES}",
    ),
    "key pair": (
        {"key_name": "nobody"},
        f"instance.key_name: the key pair nobody does not exist in us-east-1; {USE_KEY}",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_launched_is_refused(cloud: Cloud, name: str) -> None:
    """One sentence names the key, the fault and the fix."""
    keys, sentence = REFUSED[name]
    assert refusal(cloud, **keys) == [sentence]


@pytest.mark.parametrize(
    "instance",
    [
        {},
        {"ami": ARM, "types": ["t4g.medium", "m7g.large"]},
        {"ami": NO_ENA, "types": ["t2.micro"]},
        {"ami": UEFI},
        {"ami": BIOS},
        {"ami": LARGE, "root_volume_gib": 100},
    ],
    ids=str,
)
def test_what_fits_together_is_accepted(cloud: Cloud, instance: dict[str, Any]) -> None:
    """Nothing is said about it."""
    assert "warnings" not in survey(cloud, **instance)


def test_a_type_that_one_of_the_zones_offers_is_enough(cloud: Cloud) -> None:
    """The launch tries the pairs in turn, and AWS skips one that is not offered without a cost."""
    assert survey(cloud, types=["t3.medium"], network={"zones": ["us-east-1a", "us-east-1e"]})["zones"]


@pytest.mark.parametrize(
    ("operation", "unchecked"),
    [
        ("describe_instance_types", "whether the instance types exist and fit the AMI"),
        ("describe_instance_type_offerings", "whether the zones offer the instance types"),
        ("describe_key_pairs", "whether the key pair mine exists"),
    ],
)
def test_a_denied_call_that_only_observes_is_a_warning(cloud: Cloud, operation: str, unchecked: str) -> None:
    """It names the operation and what was not checked; the deployment goes on."""
    if operation != "describe_key_pairs":
        cloud.change("ec2", "create_key_pair", KeyName="mine")
    try:
        found = survey(Answering(cloud, **{operation: "UnauthorizedOperation"}), key_name="mine")
    finally:
        if operation != "describe_key_pairs":
            cloud.change("ec2", "delete_key_pair", KeyName="mine")
    (warning,) = found["warnings"]
    name = "".join(word.title() for word in operation.split("_"))
    assert warning.startswith(
        f"{name} is denied (UnauthorizedOperation), so that {unchecked} was not checked;"
    )


@pytest.mark.parametrize("operation", ["describe_images", "describe_availability_zones"])
def test_a_denied_call_whose_answer_is_needed_is_no_warning(cloud: Cloud, operation: str) -> None:
    """Without the root device of the image, or the zones, nothing can be planned."""
    with pytest.raises(CallError):
        survey(Answering(cloud, **{operation: "UnauthorizedOperation"}))


def test_an_emulator_that_leaves_attributes_out_is_believed(cloud: Cloud) -> None:
    """Only AWS shows the platform of every image, and only there a missing ENA attribute means something."""

    def bare(answer: dict[str, Any]) -> dict[str, Any]:
        (image,) = answer["Images"]
        kept = ("ImageId", "Architecture", "State", "RootDeviceName", "BlockDeviceMappings")
        return {"Images": [{name: image[name] for name in kept}]}

    assert survey(Answering(cloud, describe_images=bare))["zones"]
    unsupported = dict.fromkeys(("describe_images", "describe_instance_types"), "InvalidAction")
    assert "warnings" not in survey(Answering(cloud, **unsupported))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"RootDeviceType": "instance-store"}, "has no EBS root volume; use an AMI that is backed by EBS."),
        (
            {"VirtualizationType": "paravirtual"},
            "is paravirtual, which t3.medium and t3a.medium cannot run; use an HVM AMI.",
        ),
        ({"EnaSupport": False}, "is not enabled for ENA"),
        ({"State": "pending"}, "is pending; use an AMI that can be launched"),
    ],
    ids=str,
)
def test_an_image_of_another_sort_is_refused(cloud: Cloud, changed: dict[str, Any], sentence: str) -> None:
    """What AWS says of it decides."""

    def other(answer: dict[str, Any]) -> dict[str, Any]:
        return {"Images": [{**one, **changed} for one in answer["Images"]]}

    (line,) = refusal(Answering(cloud, describe_images=other))
    assert f"instance.ami: {LINUX} {sentence}" in line


def test_an_ipv6_only_subnet_is_refused(cloud: Cloud, stage: Stage) -> None:
    """The mount target and the instance need IPv4 addresses."""
    vpc = stage.vpc()
    asked = {"VpcId": vpc, "Ipv6Native": True, "Ipv6CidrBlock": "2001:db8::/64"}
    made = stage.ec2.create_subnet(**asked)["Subnet"]["SubnetId"]
    stage.clock.turn(60)
    (line,) = refusal(cloud, network={"vpc_id": vpc, "subnet_ids": [made]})
    assert line == (
        f"network.subnet_ids[0]: The subnet {made} is IPv6-only, and instance and mount target need IPv4 "
        "addresses: use a subnet with an IPv4 range."
    )


def test_any_image_passes_where_the_local_aws_accepts_any(cloud: Cloud, stage: Stage) -> None:
    """It is shown as a stand-in of no known architecture, so that every type fits."""
    stage.world.any_ami = True
    assert survey(cloud, ami=GONE, types=["t3.medium", "t4g.medium"])["zones"]
    (image,) = stage.ec2.describe_images(ImageIds=[GONE])["Images"]
    assert "Architecture" not in image
    assert "stand-in" in image["Description"]
    assert refusal(cloud, ami=DISABLED)


WHERE = "us-east-1f, but the network is in us-east-1a and us-east-1b"
RESERVATION = "cr-0123456789abcdef0"
RESERVED = {
    "CapacityReservationId": RESERVATION,
    "State": "active",
    "InstanceType": "t3.medium",
    "AvailabilityZone": "us-east-1a",
}
OMIT = "or is not shared with account 123456789012; correct or omit it."


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"CapacityReservations": [RESERVED]}, None),
        ("InvalidCapacityReservationId.NotFound", f"{RESERVATION} does not exist in us-east-1, {OMIT}"),
        ({"CapacityReservations": []}, f"{RESERVATION} does not exist in us-east-1, {OMIT}"),
        (
            {"CapacityReservations": [{**RESERVED, "State": "cancelled"}]},
            f"{RESERVATION} is cancelled, not active; use another one, or omit it.",
        ),
        (
            {"CapacityReservations": [{**RESERVED, "InstanceType": "m5.large"}]},
            f"{RESERVATION} is for m5.large; add that to instance.types.",
        ),
        (
            {"CapacityReservations": [{**RESERVED, "AvailabilityZone": "us-east-1f"}]},
            f"{RESERVATION} is in {WHERE}; name its zone in network.zones.",
        ),
    ],
)
def test_a_capacity_reservation_must_fit(cloud: Cloud, answer: Any, sentence: str | None) -> None:
    """Otherwise AWS would refuse the launch after network and file system exist."""
    answering = Answering(cloud, describe_capacity_reservations=answer)
    if sentence is None:
        assert "warnings" not in survey(answering, capacity_reservation_id=RESERVATION)
    else:
        lines = refusal(answering, capacity_reservation_id=RESERVATION)
        assert lines == [f"instance.capacity_reservation_id: {sentence}"]


KEY = "12345678-1234-1234-1234-123456789012"


@pytest.mark.field_case(
    "aws/karpenter-provider-aws#1407: with a wrong KMS key the launch succeeds, and the instance ends at once"
)
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("NotFoundException", "does not exist in us-east-1; create it, or use one that does."),
        ({"KeyState": "Disabled"}, "is in the state Disabled; enable it, or use another one."),
        ({"KeyState": "PendingDeletion"}, "is in the state PendingDeletion; enable it, or use another one."),
        (
            {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
            "is no symmetric key for encryption (RSA_2048, ENCRYPT_DECRYPT); use one that is.",
        ),
        (
            {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            "is no symmetric key for encryption (HMAC_256, GENERATE_VERIFY_MAC); use one that is.",
        ),
        ({"KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}, None),
        ({"KeyState": "Updating"}, None),
    ],
)
def test_a_kms_key_must_be_usable(cloud: Cloud, answer: Any, why: str | None) -> None:
    """A launch with a wrong one succeeds, and its instance ends at once (aws/karpenter-provider-aws#1407)."""
    answering = Answering(cloud, describe_key=answer if isinstance(answer, str) else {"KeyMetadata": answer})
    if why is None:
        assert "warnings" not in survey(answering, kms_key_id=KEY)
    else:
        assert refusal(answering, kms_key_id=KEY) == [f"instance.kms_key_id: the key {KEY} {why}"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "DescribeKey is denied (AccessDeniedException)"),
        ("ConnectTimeout", "KMS could not be asked (ConnectTimeout)"),
    ],
)
def test_a_key_that_cannot_be_looked_at_is_a_warning(cloud: Cloud, code: str, words: str) -> None:
    """Its policy may not let the caller describe it, and a private network may have no endpoint of KMS."""
    (warning,) = survey(Answering(cloud, describe_key=code), kms_key_id=KEY)["warnings"]
    assert words in warning
    assert f"whether the key {KEY} can be used was not checked" in warning


def test_a_key_that_aws_manages_is_not_looked_at(cloud: Cloud) -> None:
    """KMS creates it at its first use."""
    survey(Answering(cloud, describe_key="NotFoundException"), kms_key_id="alias/aws/ebs")


def test_a_permissions_boundary_must_exist(cloud: Cloud) -> None:
    """Where it may not be read, a warning says so."""
    gone = "arn:aws:iam::123456789012:policy/gone"
    assert refusal(cloud, permissions_boundary=gone) == [
        f"instance.permissions_boundary: the policy {gone} does not exist; create it, or use one that does."
    ]
    found = survey(Answering(cloud, get_policy="AccessDenied"), permissions_boundary=gone)
    assert "GetPolicy is denied (AccessDenied)" in found["warnings"][0]
