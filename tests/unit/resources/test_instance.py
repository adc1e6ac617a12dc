"""The instance kind: what is asked for, candidate by candidate, and how its states read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.scripted_cloud import TAGS, ScriptedCloud, local_aws, refusal, tag_entries, target
from tier1_engine.boot.userdata import unpacked
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import COMPANIONS, Presence
from tier1_engine.errors import Acted, CallError
from tier1_engine.masking import masked
from tier1_engine.resources.instance import CONSOLE_LIMIT_CHARACTERS, Instance
from tier1_engine.resources.instance_request import architecture_of, run_parameters

KIND = Instance()
INSTANCE = "i-0123456789abcdef0"
INPUTS: dict[str, Any] = {
    "types": ["t3.medium", "t3a.medium"],
    "market": "spot-then-on-demand",
    "ami": "ami-1",
    "subnets": [{"id": "subnet-1", "zone": "us-east-1a"}, {"id": "subnet-2", "zone": "us-east-1b"}],
    "security_group_ids": ["sg-1"],
    "profile_name": "the-profile",
    "key_name": "the-key",
    "root_volume_gib": 30,
    "associate_public_ip": True,
    "user_data": {
        "script": "echo $HOME",
        "file_system_id": "fs-1",
        "mount_path": "/mnt/efs",
        "mount_targets": {"us-east-1a": "10.0.0.5"},
    },
}
IMAGE = {
    "ImageId": "ami-1",
    "RootDeviceName": "/dev/sda1",
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, "SnapshotId": "snap-1"}},
        {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 100, "SnapshotId": "snap-2"}},
        {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 5}},
        {"DeviceName": "/dev/sdd", "VirtualName": "ephemeral0"},
    ],
}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with local_aws(monkeypatch) as found:
        yield found


def requested(image: Mapping[str, Any] | CallError = IMAGE, **inputs: Any) -> dict[str, Any]:
    answer = image if isinstance(image, CallError) else {"Images": [image]}
    return KIND.request(ScriptedCloud(describe_images=answer), {**INPUTS, **inputs})


# --- the request


@pytest.mark.parametrize(
    ("instance_type", "architecture"),
    [
        ("t3.medium", "x86_64"),
        ("m7i-flex.large", "x86_64"),
        ("g4dn.xlarge", "x86_64"),
        ("g6.xlarge", "x86_64"),
        ("x2iedn.xlarge", "x86_64"),
        ("u-6tb1.metal", "x86_64"),
        ("a1.large", "arm64"),
        ("t4g.small", "arm64"),
        ("m7g.large", "arm64"),
        ("c7gn.large", "arm64"),
        ("im4gn.large", "arm64"),
        ("is4gen.medium", "arm64"),
        ("g5g.xlarge", "arm64"),
        ("hpc7g.4xlarge", "arm64"),
    ],
)
def test_the_architecture_follows_from_the_name(instance_type: str, architecture: str) -> None:
    """Graviton types have a `g` behind their generation; a family named g is not one."""
    assert architecture_of(instance_type) == architecture


def test_candidates_are_ordered_by_market_type_and_zone() -> None:
    """Spot requests of all types come before any on-demand one."""
    request = requested()
    tried = [(c["market"], c["type"], c["zone"], c["subnet_id"]) for c in request["candidates"]]
    assert tried[:4] == [
        ("spot", "t3.medium", "us-east-1a", "subnet-1"),
        ("spot", "t3.medium", "us-east-1b", "subnet-2"),
        ("spot", "t3a.medium", "us-east-1a", "subnet-1"),
        ("spot", "t3a.medium", "us-east-1b", "subnet-2"),
    ]
    assert [market for market, *_ in tried[4:]] == ["on-demand"] * 4
    assert KIND.candidates(request) == 8
    assert KIND.candidates(requested(market="spot")) == 4
    assert {c["market"] for c in requested(market="on-demand")["candidates"]} == {"on-demand"}


def test_the_default_image_is_amazon_linux_for_the_architecture_of_each_type() -> None:
    """A list of mixed architectures gets an image for each, so that every candidate can start."""
    parameters = {"x86_64": "ami-intel", "arm64": "ami-graviton"}
    cloud = ScriptedCloud(
        get_parameter=lambda sent: {
            "Parameter": {"Value": parameters[sent["Name"].removeprefix(AMAZON_LINUX)]}
        },
        describe_images={"Images": []},
    )
    request = KIND.request(cloud, {**INPUTS, "ami": None, "types": ["t4g.small", "t3.medium"]})
    assert {arch: image["id"] for arch, image in request["images"].items()} == parameters
    sent = run_parameters(target(request, candidate=0))
    assert (sent["InstanceType"], sent["ImageId"]) == ("t4g.small", "ami-graviton")


AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"


def test_the_default_image_is_known_to_a_local_aws(cloud: Cloud) -> None:
    """The public parameter resolves, for both architectures."""
    for types in (["t3.medium"], ["t4g.small"]):
        (image,) = KIND.request(cloud, {**INPUTS, "ami": None, "types": types})["images"].values()
        assert image["id"].startswith("ami-")


def test_an_image_can_be_named_by_a_parameter() -> None:
    """`ssm:/path` is resolved once for all types, and later requests reuse the result."""
    cloud = ScriptedCloud(
        get_parameter={"Parameter": {"Value": "ami-1"}}, describe_images={"Images": [IMAGE]}
    )
    request = KIND.request(cloud, {**INPUTS, "ami": "ssm:/mine", "types": ["t3.medium", "t4g.small"]})
    assert {image["id"] for image in request["images"].values()} == {"ami-1"}
    assert [operation for operation, _ in cloud.calls] == ["get_parameter", "describe_images"]
    cloud.answers["get_parameter"] = {}
    with pytest.raises(CallError):
        KIND.request(cloud, {**INPUTS, "ami": "ssm:/mine"})


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidAction"])
def test_an_image_that_is_not_described_gets_the_usual_root_device(code: str) -> None:
    """RunInstances reports whether it exists."""
    (image,) = requested(refusal(code))["images"].values()
    assert (image["id"], image["root_device"]) == ("ami-1", "/dev/xvda")


def test_a_refused_read_of_the_image_is_an_error() -> None:
    """Unknown volumes would be left behind."""
    with pytest.raises(CallError):
        requested(refusal("UnauthorizedOperation"))


def test_the_request_stores_the_rendered_user_data() -> None:
    """A second send has the same bytes, whatever the program renders by then."""
    assert requested()["user_data"].startswith("#!")
    assert requested(user_data=None)["user_data"] == ""


def test_user_data_that_is_too_long_is_stored_and_sent_compressed(cloud: Cloud) -> None:
    """The stored request has the very bytes, so that a second send is the same for EC2's token."""
    long = {**INPUTS["user_data"], "script": ": something to repeat\n" * 2_000}
    request = json.loads(json.dumps(requested(user_data=long)))
    sent = run_parameters(target(request))["UserData"]
    assert (request["user_data_compressed"], sent[:2], len(sent) < 16_384) == (True, b"\x1f\x8b", True)
    assert "FS=fs-1" in unpacked(sent)
    assert masked(request)["user_data"].keys() == {"sha256"}
    assert "user_data_compressed" not in requested()


def test_the_mount_uses_the_profile_s_identity_where_there_is_one() -> None:
    """Without a profile there is no identity to mount with."""
    wanted = {**INPUTS["user_data"], "iam": True}
    assert "TLS=tls,iam\n" in requested(user_data=wanted)["user_data"]
    assert "TLS=tls\n" in requested(user_data=wanted, profile_name=None)["user_data"]
    assert "TLS=tls\n" in requested()["user_data"]


# --- the call


def test_every_volume_is_encrypted_and_deleted_with_the_instance() -> None:
    """The image's volumes are included; instance store disks are not."""
    mappings = run_parameters(target(requested()))["BlockDeviceMappings"]
    assert [mapping["DeviceName"] for mapping in mappings] == ["/dev/sda1", "/dev/sdb", "/dev/sdc"]
    assert all(m["Ebs"]["DeleteOnTermination"] and m["Ebs"]["Encrypted"] for m in mappings)
    assert mappings[0]["Ebs"]["VolumeSize"] == 30
    assert mappings[0]["Ebs"]["VolumeType"] == "gp3"
    assert mappings[1]["Ebs"]["SnapshotId"] == "snap-2"


def test_a_key_encrypts_every_volume_and_a_reservation_is_targeted() -> None:
    """Both are in the stored request; the observation names the reservation that the instance runs in."""
    reservation = "cr-0123456789abcdef0"
    request = requested(kms_key_id="alias/mine", capacity_reservation_id=reservation, market="on-demand")
    reply = {"Instances": [{"InstanceId": INSTANCE, "CapacityReservationId": reservation}]}
    cloud = ScriptedCloud(run_instances=reply)
    observation = KIND.create(cloud, target(request))
    ((_, sent),) = cloud.changes
    assert {mapping["Ebs"]["KmsKeyId"] for mapping in sent["BlockDeviceMappings"]} == {"alias/mine"}
    assert sent["CapacityReservationSpecification"] == {
        "CapacityReservationTarget": {"CapacityReservationId": reservation}
    }
    assert observation.facts["capacity_reservation_id"] == reservation
    plain = requested()
    assert {"kms_key_id", "capacity_reservation_id"}.isdisjoint(plain)
    assert KIND.price(request, 0) == KIND.price(requested(market="on-demand"), 0)


def test_a_root_smaller_than_its_image_grows_to_it() -> None:
    """AWS refuses a volume that is smaller than its snapshot."""
    mappings = run_parameters(target(requested(root_volume_gib=4)))["BlockDeviceMappings"]
    assert mappings[0]["Ebs"]["VolumeSize"] == 8


@pytest.mark.parametrize(("candidate", "spot"), [(0, True), (4, False)])
def test_everything_it_creates_is_tagged_in_the_same_call(candidate: int, spot: bool) -> None:
    """That is the instance, volumes and interface, and the spot request if there is one."""
    cloud = ScriptedCloud(run_instances={"Instances": [{"InstanceId": INSTANCE}]})
    KIND.create(cloud, target(requested(), candidate=candidate))
    ((_, sent),) = cloud.changes
    tagged = {entry["ResourceType"]: entry["Tags"] for entry in sent["TagSpecifications"]}
    wanted = {"instance", "volume", "network-interface"} | ({"spot-instances-request"} if spot else set())
    assert set(tagged) == wanted
    assert all(tags == tag_entries(TAGS) for tags in tagged.values())
    assert ("InstanceMarketOptions" in sent) is spot
    if spot:
        options = sent["InstanceMarketOptions"]["SpotOptions"]
        assert options == {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}


@pytest.mark.field_case("a replaced script: creates carried no tokens")
def test_the_call_is_safe_by_default_and_sent_once() -> None:
    """It has a token, one instance, IMDSv2, an interface that is deleted with it, and a public address only
    on request.
    """
    it = target(requested())
    sent = run_parameters(it)
    assert (sent["ClientToken"], sent["MinCount"], sent["MaxCount"]) == (it.key, 1, 1)
    assert sent["MetadataOptions"]["HttpTokens"] == "required"
    assert sent["NetworkInterfaces"][0] == {
        "DeviceIndex": 0,
        "SubnetId": "subnet-1",
        "Groups": ["sg-1"],
        "DeleteOnTermination": True,
        "AssociatePublicIpAddress": True,
    }
    assert (sent["IamInstanceProfile"], sent["KeyName"]) == ({"Name": "the-profile"}, "the-key")
    bare = run_parameters(
        target(requested(profile_name=None, key_name=None, user_data=None, associate_public_ip=False))
    )
    assert {"IamInstanceProfile", "KeyName", "UserData"}.isdisjoint(bare)
    assert "AssociatePublicIpAddress" not in bare["NetworkInterfaces"][0]


@pytest.mark.parametrize("reply", [{}, {"Instances": []}, {"Instances": [{"State": {"Name": "pending"}}]}])
def test_a_reply_without_an_id_may_have_acted(reply: dict[str, Any]) -> None:
    """It is searched for by its key, and never taken for absent."""
    with pytest.raises(CallError) as caught:
        KIND.create(ScriptedCloud(run_instances=reply), target(requested()))
    assert (caught.value.code, caught.value.acted) == ("UnreadableReply", Acted.UNKNOWN)


def test_a_local_aws_accepts_all_of_it(cloud: Cloud) -> None:
    """EC2 returns encrypted volumes, tags on volume and interface, and IMDSv2."""
    vpc = cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = cloud.change("ec2", "create_subnet", VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]
    group = cloud.change("ec2", "create_security_group", GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    inputs = {
        **INPUTS,
        "ami": None,
        "subnets": [{"id": subnet["SubnetId"], "zone": subnet["AvailabilityZone"]}],
        "security_group_ids": [group],
        "profile_name": None,
        "key_name": None,
    }
    made = KIND.create(cloud, target(KIND.request(cloud, inputs)))
    assert (made.facts["market"], made.facts["type"]) == ("spot", "t3.medium")
    (volume,) = cloud.read(
        "ec2",
        "describe_volumes",
        Filters=[{"Name": "attachment.instance-id", "Values": [made.aws_id]}],
    )["Volumes"]
    assert volume["Encrypted"]
    assert volume["Size"] == 30
    reply = cloud.read("ec2", "describe_instances", InstanceIds=[made.aws_id])
    (instance,) = reply["Reservations"][0]["Instances"]
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    (interface,) = instance["NetworkInterfaces"]
    assert [shown["GroupId"] for shown in interface["Groups"]] == [group]


def test_a_failed_candidate_does_not_fail_a_list_of_several() -> None:
    """After a lack of capacity, price, quota or zone another candidate may succeed."""
    for code in (
        "InsufficientInstanceCapacity",
        "SpotMaxPriceTooLow",
        "MaxSpotInstanceCountExceeded",
        "Unsupported",
        "VcpuLimitExceeded",
        "InsufficientFreeAddressesInSubnet",
    ):
        assert code in KIND.next_candidate


# --- reads


def looked(instance: Mapping[str, Any], date: str | None = None, public: bool = True) -> Any:
    headers = {"date": date} if date else {}
    cloud = ScriptedCloud(
        describe_instances={
            "Reservations": [{"Instances": [{"InstanceId": INSTANCE, **instance}]}],
            "ResponseMetadata": {"HTTPHeaders": headers},
        }
    )
    return KIND.describe(cloud, target({"associate_public_ip": public}, aws_id=INSTANCE))


ADDRESSED = {"PrivateIpAddress": "10.0.0.9", "PublicIpAddress": "203.0.113.9"}


@pytest.mark.parametrize(
    ("state", "presence"),
    [
        ("pending", Presence.PENDING),
        ("running", Presence.READY),
        ("stopping", Presence.BROKEN),
        ("stopped", Presence.BROKEN),
        ("shutting-down", Presence.LEAVING),
        ("terminated", Presence.GONE),
    ],
)
def test_every_state_has_a_presence(state: str, presence: Presence) -> None:
    """A stopped instance does not come back; one that shuts down is being deleted."""
    observation = looked({"State": {"Name": state}, **ADDRESSED})
    assert observation.presence is presence
    assert (observation.problem is not None) is (presence is Presence.BROKEN)


def test_the_reason_of_an_end_is_kept_and_may_lead_to_the_next_candidate() -> None:
    """A reclaimed spot instance has a code that ends its candidate."""
    reason = {"Code": "Server.SpotInstanceTermination", "Message": "Spot instance termination"}
    observation = looked({"State": {"Name": "terminated"}, "StateReason": reason})
    assert observation.problem is not None
    assert observation.problem.code in KIND.next_candidate
    assert "Spot instance termination" in observation.problem.message


TAKEN_BACK = {
    "State": {"Name": "terminated"},
    "StateReason": {"Code": "Server.SpotInstanceTermination", "Message": "Spot instance termination"},
    "SpotInstanceRequestId": "sir-1",
}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            {"Status": {"Code": "instance-terminated-no-capacity", "Message": "No capacity."}},
            "Spot instance termination (spot request sir-1 is instance-terminated-no-capacity: No capacity.)",
        ),
        ({}, "Spot instance termination"),
        (refusal("UnauthorizedOperation"), "Spot instance termination"),
    ],
)
def test_an_ended_spot_instance_has_its_request_s_status(request_: Any, said: str) -> None:
    """It is added to the reason, whose code decides; an unreadable request removes nothing."""
    instance = {"InstanceId": INSTANCE, **TAKEN_BACK}
    answer = request_ if isinstance(request_, CallError) else {"SpotInstanceRequests": [request_]}
    cloud = ScriptedCloud(
        describe_instances={"Reservations": [{"Instances": [instance]}]},
        describe_spot_instance_requests=answer,
    )
    observation = KIND.describe(cloud, target({"associate_public_ip": True}, aws_id=INSTANCE))
    assert observation.problem is not None
    assert observation.problem.code == "Server.SpotInstanceTermination"
    assert observation.problem.message.endswith(said)


def test_a_terminated_instance_is_no_problem_by_itself() -> None:
    """It is recreated; without a reason from AWS there is nothing to report."""
    for reason in ({"Code": "Client.UserInitiatedShutdown", "Message": "m"}, {}):
        assert looked({"State": {"Name": "terminated"}, "StateReason": reason}).problem is None


def test_a_stopped_one_says_why() -> None:
    """A stopped instance is always a problem of the deployment."""
    reason = {"Code": "Client.UserInitiatedShutdown", "Message": "stopped by hand"}
    stopped = looked({"State": {"Name": "stopped"}, "StateReason": reason})
    assert "stopped by hand" in stopped.problem.message
    silent = looked({"State": {"Name": "stopped"}, "StateTransitionReason": "User initiated"})
    assert silent.problem.code == "InstanceState.stopped"
    assert "User initiated" in silent.problem.message


LAUNCHED = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "date", "public", "presence"),
    [
        ({}, None, False, Presence.PENDING),
        ({"PrivateIpAddress": "10.0.0.9"}, None, False, Presence.READY),
        ({"PrivateIpAddress": "10.0.0.9"}, "Thu, 01 Jan 2026 12:00:05 GMT", True, Presence.PENDING),
        ({"PrivateIpAddress": "10.0.0.9"}, "Thu, 01 Jan 2026 12:00:30 GMT", True, Presence.READY),
        ({"PrivateIpAddress": "10.0.0.9"}, "no date at all", True, Presence.READY),
        ({"PrivateIpAddress": "10.0.0.9"}, None, True, Presence.READY),
        (ADDRESSED, "Thu, 01 Jan 2026 12:00:05 GMT", True, Presence.READY),
    ],
)
def test_a_running_one_is_ready_with_its_addresses(
    shown: Mapping[str, str], date: str | None, public: bool, presence: Presence
) -> None:
    """A requested public address is waited for, by EC2's own clock, with a limit."""
    instance = {"State": {"Name": "running"}, "LaunchTime": LAUNCHED, **shown}
    assert looked(instance, date, public).presence is presence


def test_what_the_launch_made_with_it_is_recorded_and_what_a_user_attached_is_not() -> None:
    """The volumes of the request's devices, and the interface that it started with: they may outlive it."""
    instance = {
        "InstanceId": "i-1",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": "vol-root"}},
            {"DeviceName": "/dev/sdb", "Ebs": {"VolumeId": "vol-image"}},
            {"DeviceName": "/dev/sdz", "Ebs": {"VolumeId": "vol-users"}},
        ],
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-1", "Attachment": {"DeviceIndex": 0}},
            {"NetworkInterfaceId": "eni-users", "Attachment": {"DeviceIndex": 1}},
        ],
    }
    cloud = ScriptedCloud(describe_instances={"Reservations": [{"Instances": [instance]}]})
    it = target(requested(), aws_id="i-1")
    made = {"network_interface": ["eni-1"], "volume": ["vol-image", "vol-root"]}
    assert KIND.describe(cloud, it).facts[COMPANIONS] == made


def test_a_found_instance_has_its_key_and_launch_time() -> None:
    """The current key's is adopted first, else the oldest."""
    shown = {
        "InstanceId": INSTANCE,
        "State": {"Name": "running"},
        "ClientToken": "a-1-0",
        "LaunchTime": LAUNCHED,
        "InstanceLifecycle": "spot",
        "Placement": {"AvailabilityZone": "us-east-1a"},
        **ADDRESSED,
    }
    cloud = ScriptedCloud(describe_instances={"Reservations": [{"Instances": [shown, {}]}]})
    (found,) = KIND.find(cloud, target())
    assert (found.key, found.made_at) == ("a-1-0", "2026-01-01T12:00:00+00:00")
    assert found.facts == {
        "public_ip": "203.0.113.9",
        "private_ip": "10.0.0.9",
        "zone": "us-east-1a",
        "type": None,
        "market": "spot",
    }


def test_only_not_found_or_an_empty_list_is_absence() -> None:
    """A denied read is an error."""
    it = target(aws_id=INSTANCE)
    answers: tuple[Any, ...] = (refusal("InvalidInstanceID.NotFound"), {"Reservations": []})
    for answer in answers:
        assert KIND.describe(ScriptedCloud(describe_instances=answer), it).presence is Presence.ABSENT
    with pytest.raises(CallError):
        KIND.describe(ScriptedCloud(describe_instances=refusal("UnauthorizedOperation")), it)


# --- the console


def test_the_end_of_the_console_is_archived() -> None:
    """The last 64 KiB are stored, because the error is at the end."""
    text = "begin\n" + "x" * CONSOLE_LIMIT_CHARACTERS + "the end"
    cloud = ScriptedCloud(get_console_output={"Output": text})
    kept = KIND.console(cloud, target(aws_id=INSTANCE))
    assert len(kept) == CONSOLE_LIMIT_CHARACTERS
    assert kept.endswith("the end")


def test_a_type_without_latest_output_returns_its_boot_output() -> None:
    """Types that are not built on Nitro refuse `Latest`."""

    def answer(sent: Mapping[str, Any]) -> dict[str, Any]:
        if sent.get("Latest"):
            raise refusal("UnsupportedOperation")
        return {"Output": "booted"}

    it = target(aws_id=INSTANCE)
    assert KIND.console(ScriptedCloud(get_console_output=answer), it) == "booted"
    assert KIND.console(ScriptedCloud(get_console_output={}), it) == ""
    with pytest.raises(CallError):
        KIND.console(ScriptedCloud(get_console_output=refusal("InvalidAction")), it)
