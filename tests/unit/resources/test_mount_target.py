"""The mount target kind: ownership without tags of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.scripted_cloud import (
    DEPLOYMENT,
    TAGS,
    ScriptedCloud,
    local_aws,
    refusal,
    tag_entries,
    target,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import (
    DEPLOYMENT_PROOF,
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    Observation,
    Presence,
    Target,
)
from tier1_engine.errors import CallError
from tier1_engine.resources.mount_target import MountTarget

KIND = MountTarget()
ZONE = "us-east-1a"
MOUNT_TARGET = "fsmt-0123456789abcdef0"
OTHERS = {**TAGS, TAG_DEPLOYMENT: "ffffffffffff"}
PROVED = {tag: TAGS[tag] for tag in DEPLOYMENT_PROOF}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with local_aws(monkeypatch) as found:
        yield found


class Site:
    """A VPC with a subnet on a local AWS, and the file system and groups that a test adds."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.vpc_id = cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = cloud.change(
            "ec2", "create_subnet", VpcId=self.vpc_id, CidrBlock="10.0.0.0/24", AvailabilityZone=ZONE
        )
        self.subnet_id = subnet["Subnet"]["SubnetId"]

    def file_system(self, tags: Mapping[str, str]) -> str:
        reply = self.cloud.change(
            "efs", "create_file_system", CreationToken="brought", Tags=tag_entries(tags)
        )
        return str(reply["FileSystemId"])

    def group(self, name: str, tags: Mapping[str, str]) -> str:
        specification = [{"ResourceType": "security-group", "Tags": tag_entries(tags)}] if tags else []
        reply = self.cloud.change(
            "ec2",
            "create_security_group",
            GroupName=name,
            Description=name,
            VpcId=self.vpc_id,
            TagSpecifications=specification,
        )
        return str(reply["GroupId"])

    def wanted(self, file_system_id: str, *groups: str) -> Target:
        request = {
            "file_system_id": file_system_id,
            "subnet_id": self.subnet_id,
            "zone": ZONE,
            "security_group_ids": list(groups),
        }
        return target(request)

    def theirs(self, file_system_id: str, *groups: str) -> str:
        reply = self.cloud.change(
            "efs",
            "create_mount_target",
            FileSystemId=file_system_id,
            SubnetId=self.subnet_id,
            SecurityGroups=list(groups),
        )
        return str(reply["MountTargetId"])


@pytest.mark.field_case("a replaced script: what was added to a user's security group was never taken out")
def test_a_users_mount_target_is_found_as_foreign_and_never_changed(cloud: Cloud) -> None:
    """It is in the zone and is not owned, and its groups are left alone."""
    site = Site(cloud)
    file_system_id = site.file_system({})
    theirs = site.theirs(file_system_id, site.group("theirs", {}))
    it = site.wanted(file_system_id, site.group("ours", TAGS))
    (found,) = KIND.find(cloud, it)
    assert (found.aws_id, found.presence, dict(found.tags)) == (theirs, Presence.READY, {})
    assert not KIND.owns(it, found)
    assert KIND.describe(cloud, replace(it, aws_id=theirs)).unset == ()


@pytest.mark.leaves("groups of two deployments with one resource id, which AWS never has", "twice")
def test_one_of_another_deployment_is_not_owned(cloud: Cloud) -> None:
    """Neither another deployment's file system nor its group proves ownership."""
    site = Site(cloud)
    file_system_id = site.file_system(OTHERS)
    theirs = site.theirs(file_system_id, site.group("theirs", OTHERS))
    it = site.wanted(file_system_id, site.group("ours", TAGS))
    (found,) = KIND.find(cloud, it)
    assert found.aws_id == theirs
    assert not KIND.owns(it, found)


def test_on_a_referenced_file_system_an_owned_group_proves_ownership(cloud: Cloud) -> None:
    """The result of a lost reply on the user's file system is found and owned by its group."""
    site = Site(cloud)
    it = site.wanted(site.file_system({}), site.group("ours", TAGS))
    made = KIND.create(cloud, it)
    (found,) = KIND.find(cloud, it)
    assert (found.aws_id, dict(found.tags)) == (made.aws_id, PROVED)
    assert KIND.owns(it, found)


def test_a_census_finds_one_on_a_referenced_file_system_by_its_owned_group(cloud: Cloud) -> None:
    """Otherwise it would remain on the user's file system."""
    site = Site(cloud)
    file_system_id = site.file_system({})
    it = site.wanted(file_system_id, site.group("ours", TAGS))
    made = KIND.create(cloud, it)
    wanted = {TAG_DATABASE: TAGS[TAG_DATABASE], TAG_DEPLOYMENT: DEPLOYMENT}
    assert [observation.aws_id for observation in KIND.list_owned(cloud, wanted)] == [made.aws_id]
    assert KIND.list_owned(cloud, {TAG_DEPLOYMENT: "ffffffffffff"}) == []


def test_a_census_ignores_foreign_mount_targets(cloud: Cloud) -> None:
    """One in an owned VPC without an owned group does not count."""
    site = Site(cloud)
    site.group("ours", TAGS)
    site.theirs(site.file_system({}), site.group("theirs", {}))
    assert KIND.list_owned(cloud, {TAG_DEPLOYMENT: DEPLOYMENT}) == []


def test_changed_groups_are_set_again(cloud: Cloud) -> None:
    """Groups are configuration: compared, named as unset, set, and then it is ready."""
    site = Site(cloud)
    file_system_id, ours = site.file_system(TAGS), site.group("ours", TAGS)
    made = site.theirs(file_system_id, site.group("other", {}))
    it = replace(site.wanted(file_system_id, ours), aws_id=made)
    observation = KIND.describe(cloud, it)
    assert (observation.presence, observation.unset) == (Presence.UNSET, ("security_groups",))
    KIND.configure(cloud, it, observation)
    assert KIND.describe(cloud, it).presence is Presence.READY


def test_one_in_another_zone_is_ignored(cloud: Cloud) -> None:
    """A file system has one mount target in each zone, and only that of the zone is read."""
    site = Site(cloud)
    it = site.wanted(site.file_system(TAGS), site.group("ours", TAGS))
    KIND.create(cloud, it)
    elsewhere = replace(it, request={**it.request, "zone": "us-east-1b"})
    assert KIND.find(cloud, elsewhere) == []


def test_a_missing_file_system_has_no_mount_target(cloud: Cloud) -> None:
    """AWS cannot show any."""
    site = Site(cloud)
    assert KIND.find(cloud, site.wanted("fs-0123456789abcdef0", site.group("ours", TAGS))) == []


REQUEST = {
    "file_system_id": "fs-1",
    "subnet_id": "subnet-1",
    "zone": ZONE,
    "security_group_ids": ["sg-1"],
}


def scripted(
    state: str = "available", tags: Mapping[str, str] = TAGS, groups: Any = ("sg-1",), **members: Any
) -> ScriptedCloud:
    """A mount target in a state, on a file system with tags, with groups or a refusal to show them."""
    shown = {
        "MountTargetId": MOUNT_TARGET,
        "FileSystemId": "fs-1",
        "SubnetId": "subnet-1",
        "LifeCycleState": state,
        **members,
    }
    return ScriptedCloud(
        describe_mount_targets={"MountTargets": [shown]},
        describe_file_systems={"FileSystems": [{"FileSystemId": "fs-1", "Tags": tag_entries(tags)}]},
        describe_mount_target_security_groups=(
            groups if isinstance(groups, CallError) else {"SecurityGroups": list(groups)}
        ),
        describe_security_groups={"SecurityGroups": [{"GroupId": "sg-1", "Tags": tag_entries(OTHERS)}]},
    )


@pytest.mark.parametrize(
    ("state", "presence"),
    [
        ("creating", Presence.PENDING),
        ("available", Presence.READY),
        ("updating", Presence.PENDING),
        ("deleting", Presence.LEAVING),
        ("deleted", Presence.GONE),
        ("error", Presence.BROKEN),
    ],
)
def test_every_life_cycle_state_has_a_presence(state: str, presence: Presence) -> None:
    """The states map like the file system's, also if the groups can no longer be read."""
    cloud = scripted(state, groups=refusal("IncorrectMountTargetState"))
    observation = KIND.describe(cloud, target(REQUEST, aws_id=MOUNT_TARGET))
    assert observation.presence is presence
    assert KIND.owns(target(REQUEST), observation)


def test_without_a_zone_in_the_reply_the_subnet_is_used() -> None:
    """The requested zone is reported."""
    (found,) = KIND.find(scripted(), target(REQUEST))
    assert found.facts["zone"] == ZONE
    assert KIND.find(scripted(), target({**REQUEST, "subnet_id": "subnet-2"})) == []


def test_the_owner_of_a_mount_target_being_created_is_unknown() -> None:
    """Taken as foreign it would be left behind, so the read fails with a code that is retried."""
    cloud = scripted("creating", tags={}, groups=refusal("IncorrectMountTargetState"))
    for look in (KIND.find, KIND.describe):
        with pytest.raises(CallError) as caught:
            look(cloud, target(REQUEST, aws_id=MOUNT_TARGET))
        assert caught.value.code in KIND.not_visible_yet & KIND.in_use


def test_one_in_another_subnet_is_the_users_whatever_group_it_has() -> None:
    """A create without a reply cannot have made it: it asked for another subnet."""
    it = target(REQUEST)
    there = Observation(Presence.READY, MOUNT_TARGET, tags=PROVED, facts={"subnet_id": "subnet-users"})
    here = replace(there, facts={"subnet_id": REQUEST["subnet_id"]})
    assert (KIND.owns(it, there), KIND.owns(it, here)) == (False, True)


def test_an_endpoint_without_groups_leaves_the_file_system_as_proof() -> None:
    """Nothing is changed on a guess, and an owned one stays owned."""
    cloud = scripted(groups=refusal("UnknownOperationException"))
    observation = KIND.describe(cloud, target(REQUEST, aws_id=MOUNT_TARGET))
    assert (observation.presence, observation.unset) == (Presence.READY, ())
    assert KIND.owns(target(REQUEST), observation)


def test_a_refused_read_is_no_absence() -> None:
    """Only `MountTargetNotFound`, or a list without it, proves absence."""
    cloud = scripted()
    it = target(REQUEST, aws_id=MOUNT_TARGET)
    cloud.answers["describe_mount_targets"] = refusal("AccessDeniedException")
    for look in (KIND.find, KIND.describe):
        with pytest.raises(CallError):
            look(cloud, it)
    cloud.answers["describe_mount_targets"] = refusal("MountTargetNotFound")
    assert KIND.describe(cloud, it).presence is Presence.ABSENT
    cloud.answers["describe_mount_targets"] = {"MountTargets": []}
    assert KIND.describe(cloud, it).presence is Presence.ABSENT


ANOTHER = "fsmt-0123456789abcdef1"


@pytest.mark.parametrize("look", [KIND.describe, KIND.glance])
def test_mount_targets_of_a_known_file_system_are_read_together(look: Any) -> None:
    """One call serves several; one that is not listed is absent, and so are all of a missing file system."""
    cloud = scripted()
    it = target(
        REQUEST, aws_id=MOUNT_TARGET, facts=KIND.describe(cloud, target(REQUEST, aws_id=MOUNT_TARGET)).facts
    )
    cloud.calls.clear()
    observation = look(cloud, it)
    assert (observation.aws_id, observation.presence) == (MOUNT_TARGET, Presence.READY)
    assert KIND.owns(it, observation)
    assert cloud.calls[0] == ("describe_mount_targets", {"FileSystemId": "fs-1"})
    assert look(cloud, replace(it, aws_id=ANOTHER)).presence is Presence.ABSENT
    cloud.answers["describe_mount_targets"] = refusal("FileSystemNotFound")
    assert look(cloud, it).presence is Presence.ABSENT
    cloud.answers["describe_mount_targets"] = refusal("AccessDeniedException")
    with pytest.raises(CallError):
        look(cloud, it)


def test_a_duplicate_is_searched_for_where_aws_showed_it(cloud: Cloud) -> None:
    """Its row has the request of its step, which may name another file system."""
    site = Site(cloud)
    group = site.group("ours", TAGS)
    elsewhere = site.file_system(TAGS)
    stray = site.theirs(elsewhere, group)
    it = replace(site.wanted("fs-0123456789abcdef0", group), aws_id=stray)
    seen = KIND.glance(cloud, it)
    assert seen.facts["file_system_id"] == elsewhere
    assert KIND.glance(cloud, replace(it, facts=seen.facts)).aws_id == stray
    cloud.change("efs", "delete_mount_target", MountTargetId=stray)
    assert KIND.glance(cloud, replace(it, facts=seen.facts)).presence is Presence.ABSENT


def test_a_census_counts_a_deleting_one_without_groups() -> None:
    """One that is being deleted is not asked for groups that it may no longer have."""
    cloud = scripted("deleted", tags={}, groups=refusal("IncorrectMountTargetState"))
    cloud.answers["describe_security_groups"] = {
        "SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "Tags": tag_entries(TAGS)}]
    }
    assert KIND.list_owned(cloud, {TAG_DEPLOYMENT: DEPLOYMENT}) == []
