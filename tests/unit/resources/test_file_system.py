"""The file system kind: what the conformance suite cannot show on a local AWS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.scripted_cloud import RESOURCE, TAGS, ScriptedCloud, refusal, tag_entries, target
from tier1_engine.contract.kind import TAG_DATABASE, Presence
from tier1_engine.errors import CallError
from tier1_engine.resources.file_system import FileSystem, dns_name

KIND = FileSystem()


def described(**members: Any) -> dict[str, Any]:
    return {
        "FileSystemId": "fs-1",
        "CreationToken": f"{RESOURCE}-1-0",
        "LifeCycleState": "available",
        "Tags": tag_entries(TAGS),
        **members,
    }


@pytest.mark.parametrize(
    ("state", "presence"),
    [
        ("creating", Presence.PENDING),
        ("available", Presence.READY),
        ("updating", Presence.PENDING),
        ("deleting", Presence.LEAVING),
        ("deleted", Presence.GONE),
        ("error", Presence.BROKEN),
        ("a-later-one", Presence.PENDING),
        (None, Presence.READY),
    ],
)
def test_every_life_cycle_state_has_a_presence(state: str | None, presence: Presence) -> None:
    """The states of EFS's model map to the engine's; a state that an emulator omits counts as available."""
    cloud = ScriptedCloud(describe_file_systems={"FileSystems": [described(LifeCycleState=state)]})
    assert KIND.describe(cloud, target(aws_id="fs-1")).presence is presence


def test_only_the_error_state_is_a_problem() -> None:
    """A deleted one has no problem, so that it is recreated; one in error says why."""
    for state, code in (("deleting", None), ("deleted", None), ("error", "LifeCycleState.error")):
        cloud = ScriptedCloud(describe_file_systems={"FileSystems": [described(LifeCycleState=state)]})
        problem = KIND.describe(cloud, target(aws_id="fs-1")).problem
        assert (problem.code if problem else None) == code


def test_it_is_made_encrypted_with_its_key_as_token_and_its_tags_in_the_same_call() -> None:
    """A repeated create makes one, and it is never without its tags."""
    cloud = ScriptedCloud(create_file_system=described(LifeCycleState="creating"))
    it = target({"performance_mode": "generalPurpose", "throughput_mode": "bursting"})
    observation = KIND.create(cloud, it)
    ((_, sent),) = cloud.changes
    assert sent["CreationToken"] == it.key
    assert sent["Encrypted"] is True
    assert sent["Tags"] == tag_entries(TAGS)
    assert sent["ThroughputMode"] == "bursting"
    assert (observation.presence, observation.aws_id, observation.key) == (Presence.PENDING, "fs-1", it.key)


def test_a_key_of_the_user_s_is_sent_and_shown() -> None:
    """Without one, EFS uses the key that AWS manages."""
    cloud = ScriptedCloud(create_file_system=described(KmsKeyId="arn:of-the-key"))
    observation = KIND.create(cloud, target({"kms_key_id": "alias/mine"}))
    KIND.create(cloud, target({}))
    (_, sent), (_, plain) = cloud.changes
    assert (sent["KmsKeyId"], sent["Encrypted"], "KmsKeyId" in plain) == ("alias/mine", True, False)
    assert observation.facts["kms_key_id"] == "arn:of-the-key"


def test_a_reply_without_an_id_may_have_acted() -> None:
    """A create without an id in its reply is not taken for a failure without effect."""
    with pytest.raises(CallError) as caught:
        KIND.create(ScriptedCloud(create_file_system={}), target())
    assert (caught.value.code, caught.value.acted.value) == ("UnreadableReply", "unknown")


def test_one_of_an_earlier_key_is_found_by_its_tag_with_its_key() -> None:
    """`find` covers all keys of the resource, and ignores all others."""
    shown = [
        described(CreationToken=f"{RESOURCE}-2-0"),
        described(FileSystemId="fs-2", CreationToken="other", Tags=[]),
    ]
    found = KIND.find(ScriptedCloud(describe_file_systems={"FileSystems": shown}), target())
    assert [(observation.aws_id, observation.key) for observation in found] == [("fs-1", f"{RESOURCE}-2-0")]


def test_one_without_visible_tags_is_found_by_its_token_and_is_not_proved() -> None:
    """The token finds it after `FileSystemAlreadyExists`; only tags prove ownership."""
    cloud = ScriptedCloud(describe_file_systems={"FileSystems": [described(Tags=[])]})
    (found,) = KIND.find(cloud, target())
    assert not KIND.owns(target(), found)


def test_tags_missing_from_a_description_are_requested() -> None:
    """An endpoint may list file systems without tags."""
    without = {name: value for name, value in described().items() if name != "Tags"}
    cloud = ScriptedCloud(
        describe_file_systems={"FileSystems": [without]}, list_tags_for_resource={"Tags": tag_entries(TAGS)}
    )
    assert KIND.owns(target(), KIND.describe(cloud, target(aws_id="fs-1")))
    assert len(KIND.list_owned(cloud, {TAG_DATABASE: TAGS[TAG_DATABASE]})) == 1
    cloud.answers["list_tags_for_resource"] = refusal("UnknownOperationException")
    assert KIND.describe(cloud, target(aws_id="fs-1")).tags == {}
    cloud.answers["list_tags_for_resource"] = refusal("ThrottlingException")
    with pytest.raises(CallError):
        KIND.describe(cloud, target(aws_id="fs-1"))


def test_a_refused_read_is_no_absence() -> None:
    """Only `FileSystemNotFound` proves absence."""
    cloud = ScriptedCloud(describe_file_systems=refusal("AccessDeniedException"))
    with pytest.raises(CallError):
        KIND.describe(cloud, target(aws_id="fs-1"))
    cloud.answers["describe_file_systems"] = refusal("FileSystemNotFound")
    assert KIND.describe(cloud, target(aws_id="fs-1")).presence is Presence.ABSENT


MOUNTED = {"MountTargetId": "fsmt-1", "SubnetId": "subnet-1"}


@pytest.mark.parametrize(
    ("state", "mounted", "subnets", "code"),
    [
        ("available", [], [], None),
        ("updating", [], [], None),
        ("creating", [], [], "IncorrectFileSystemLifeCycleState"),
        ("deleting", [], [], "IncorrectFileSystemLifeCycleState"),
        ("available", [{**MOUNTED, "VpcId": "vpc-ours"}], [], None),
        ("available", [{**MOUNTED, "VpcId": "vpc-theirs"}], [], "FileSystemInAnotherVpc"),
        ("available", [MOUNTED], [{"SubnetId": "subnet-1", "VpcId": "vpc-ours"}], None),
        ("available", [MOUNTED], [{"SubnetId": "subnet-1", "VpcId": "vpc-theirs"}], "FileSystemInAnotherVpc"),
    ],
)
def test_a_referenced_one_must_be_available_and_in_no_other_vpc(
    state: str, mounted: list[dict[str, str]], subnets: list[dict[str, str]], code: str | None
) -> None:
    """AWS mounts a file system in one VPC only, so another is refused before anything is created."""
    cloud = ScriptedCloud(
        describe_file_systems={"FileSystems": [described(LifeCycleState=state, Tags=[])]},
        describe_mount_targets={"MountTargets": mounted},
        describe_subnets={"Subnets": subnets},
    )
    observation = KIND.reference(cloud, {"reference": "fs-1", "vpc_id": "vpc-ours"})
    assert observation.presence is (Presence.BROKEN if code else Presence.READY)
    assert (observation.problem.code if observation.problem else None) == code
    assert cloud.changes == []


def test_a_referenced_one_with_missing_subnets_is_judged_by_the_others() -> None:
    """A missing subnet says nothing about the VPC; any other error is raised."""
    cloud = ScriptedCloud(
        describe_file_systems={"FileSystems": [described()]},
        describe_mount_targets={"MountTargets": [MOUNTED]},
        describe_subnets=refusal("InvalidSubnetID.NotFound"),
    )
    inputs = {"reference": "fs-1", "vpc_id": "vpc-ours"}
    assert KIND.reference(cloud, inputs).presence is Presence.READY
    cloud.answers["describe_subnets"] = refusal("UnauthorizedOperation")
    with pytest.raises(CallError):
        KIND.reference(cloud, inputs)


def test_the_dns_name_has_the_partitions_domain() -> None:
    """In China the mount targets have another domain."""
    assert dns_name("fs-1", "eu-west-1") == "fs-1.efs.eu-west-1.amazonaws.com"
    assert dns_name("fs-1", "cn-north-1") == "fs-1.efs.cn-north-1.amazonaws.com.cn"
