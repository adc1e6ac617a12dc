"""Role and instance profile: names, proof by path and tags, and configuration one step at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_NAME,
    TAG_RESOURCE,
    Kind,
    Observation,
    Presence,
)
from tier1_engine.errors import CallError
from tier1_engine.resources import _iam
from tier1_engine.resources.instance_profile import InstanceProfile
from tier1_engine.resources.role import Role

ROLE, PROFILE = Role(), InstanceProfile()
NAME = f"tier1-ai-stack-{DEPLOYMENT}"
MANAGED = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with local_aws(monkeypatch) as found:
        yield found


STATEMENT = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})


def own_policy(cloud: Cloud, name: str = "own") -> str:
    reply = cloud.change("iam", "create_policy", PolicyName=name, PolicyDocument=DOCUMENT)
    return str(reply["Policy"]["Arn"])


@pytest.mark.field_case(
    "a replaced script: a leaked role made the next deployment of the name fail with EntityAlreadyExists"
)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", max_size=200))
def test_every_name_fits_and_ends_with_the_deployment(name: str) -> None:
    """Even with the longest deployment name a role's name stays within 64 characters and contains the
    deployment's id.
    """
    made = _iam.name_of(target(tags={**TAGS, TAG_NAME: name}))
    assert len(made) <= 64
    assert made.startswith("tier1-")
    assert made.endswith(f"-{DEPLOYMENT}")


OUR_PATH = {"path": "/tier1/"}


@pytest.mark.parametrize(
    ("observation", "ours"),
    [
        (Observation(Presence.READY, NAME, tags=TAGS, facts=OUR_PATH), True),
        (Observation(Presence.READY, NAME, tags={}, facts=OUR_PATH), True),
        (Observation(Presence.READY, NAME, tags=TAGS, facts={"path": "/"}), False),
        (Observation(Presence.READY, "another", tags=TAGS, facts=OUR_PATH), False),
        (Observation(Presence.READY, NAME, tags={"team": "theirs"}, facts=OUR_PATH), False),
        (
            Observation(Presence.READY, NAME, tags={**TAGS, TAG_DATABASE: "x"}, facts=OUR_PATH),
            False,
        ),
        (
            Observation(Presence.READY, NAME, tags={**TAGS, TAG_RESOURCE: "x"}, facts=OUR_PATH),
            False,
        ),
    ],
)
@pytest.mark.parametrize("kind", [ROLE, PROFILE])
def test_path_name_and_whatever_tags_are_shown_must_agree(
    kind: Kind, observation: Observation, ours: bool
) -> None:
    """Path and name prove ownership where an endpoint shows no tags; other tags disprove it."""
    assert kind.owns(target(), observation) is ours


def test_a_role_of_the_same_name_elsewhere_is_a_conflict_and_not_owned(cloud: Cloud) -> None:
    """`EntityAlreadyExists` leads to a read that shows a role of the user's, which is never changed."""
    cloud.change("iam", "create_role", RoleName=NAME, AssumeRolePolicyDocument="{}")
    with pytest.raises(CallError) as caught:
        ROLE.create(cloud, target())
    assert caught.value.code in ROLE.already_exists
    (found,) = ROLE.find(cloud, target())
    assert not ROLE.owns(target(), found)


def test_policies_are_configuration(cloud: Cloud) -> None:
    """Missing ones are named and attached; others that were attached are left alone."""
    mine, other = own_policy(cloud), own_policy(cloud, "other")
    it = replace(target({"policies": [mine]}), aws_id=NAME)
    ROLE.create(cloud, it)
    cloud.change("iam", "attach_role_policy", RoleName=NAME, PolicyArn=other)
    observation = ROLE.describe(cloud, it)
    assert (observation.presence, observation.unset) == (Presence.UNSET, ("policies",))
    ROLE.configure(cloud, it, observation)
    observation = ROLE.describe(cloud, it)
    assert observation.presence is Presence.READY
    assert set(observation.facts["policies"]) == {mine, other}


@pytest.mark.field_case("eksctl-io/eksctl#1221: a role may be created only with a permissions boundary")
def test_a_boundary_is_set_with_the_role_and_shown(cloud: Cloud) -> None:
    """The role never exists without it; it is no configuration that could be missing."""
    boundary = own_policy(cloud)
    it = replace(target({"policies": [], "permissions_boundary": boundary}), aws_id=NAME)
    ROLE.create(cloud, it)
    observation = ROLE.describe(cloud, it)
    assert observation.presence is Presence.READY
    assert observation.facts["permissions_boundary"] == boundary


def test_a_missing_aws_policy_on_the_endpoint_is_ignored(cloud: Cloud) -> None:
    """A local AWS may lack policies that AWS always has."""
    it = replace(target({"policies": [MANAGED]}), aws_id=NAME)
    ROLE.configure(cloud, it, ROLE.create(cloud, it))
    assert ROLE.describe(cloud, it).presence is Presence.READY


def test_a_missing_policy_of_the_user_is_an_error(cloud: Cloud) -> None:
    """Only AWS's own policies may be missing."""
    it = replace(target({"policies": ["arn:aws:iam::123456789012:policy/none"]}), aws_id=NAME)
    made = ROLE.create(cloud, it)
    with pytest.raises(CallError) as caught:
        ROLE.configure(cloud, it, made)
    assert caught.value.code == "NoSuchEntity"
    assert ROLE.describe(cloud, it).unset == ("policies",)


def test_an_aws_policy_on_an_invisible_role_is_retried() -> None:
    """The same code means a young role if the policy itself exists."""
    cloud = ScriptedCloud(attach_role_policy=refusal("NoSuchEntity"), get_policy={"Policy": {}})
    observation = Observation(Presence.UNSET, NAME, unset=("policies",), facts={"policies": []})
    with pytest.raises(CallError) as caught:
        ROLE.configure(cloud, target({"policies": [MANAGED]}), observation)
    assert caught.value.code in ROLE.not_visible_yet
    cloud.answers["get_policy"] = refusal("AccessDenied")
    with pytest.raises(CallError) as caught:
        ROLE.configure(cloud, target({"policies": [MANAGED]}), observation)
    assert caught.value.code == "AccessDenied"


def test_only_what_is_unset_is_set() -> None:
    """A read that found everything configured leads to no call."""
    for kind in (ROLE, PROFILE):
        cloud = ScriptedCloud()
        kind.configure(
            cloud, target({"policies": [MANAGED], "role_name": NAME}), Observation(Presence.READY, NAME)
        )
        assert cloud.calls == []


def test_a_role_loses_its_policies_and_owned_profile_before_it_is_deleted(cloud: Cloud) -> None:
    """Managed and inline policies and the owned profile would each block the deletion."""
    it = replace(target({"policies": [own_policy(cloud)]}), aws_id=NAME)
    ROLE.configure(cloud, it, ROLE.create(cloud, it))
    cloud.change("iam", "put_role_policy", RoleName=NAME, PolicyName="inline", PolicyDocument=DOCUMENT)
    profile = target({"role_name": NAME})
    PROFILE.configure(cloud, profile, PROFILE.create(cloud, profile))
    ROLE.delete(cloud, it, ROLE.describe(cloud, it))
    assert ROLE.describe(cloud, it).presence is Presence.ABSENT
    assert PROFILE.describe(cloud, profile).facts["roles"] == []


def test_a_role_in_somebody_elses_profile_stays_there(cloud: Cloud) -> None:
    """A foreign profile is never changed: IAM refuses, and the deletion waits."""
    it = replace(target(), aws_id=NAME)
    ROLE.create(cloud, it)
    cloud.change("iam", "create_instance_profile", InstanceProfileName="theirs")
    cloud.change("iam", "add_role_to_instance_profile", InstanceProfileName="theirs", RoleName=NAME)
    with pytest.raises(CallError) as caught:
        ROLE.delete(cloud, it, ROLE.describe(cloud, it))
    assert caught.value.code in ROLE.in_use


ATTACHED = {"AttachedPolicies": [{"PolicyArn": MANAGED}]}


def test_a_role_s_other_contents_are_read_only_when_iam_refuses() -> None:
    """A sweep deletes hundreds of roles, and IAM lists contents of one at a time. Its profiles come first:
    the policies of a role that somebody uses stay.
    """
    cloud = ScriptedCloud(
        list_instance_profiles_for_role={},
        list_attached_role_policies=ATTACHED,
        detach_role_policy={},
        delete_role={},
    )
    ROLE.delete(cloud, target(), Observation(Presence.READY, NAME))
    made = ["list_instance_profiles_for_role", "list_attached_role_policies"]
    made += ["detach_role_policy", "delete_role"]
    assert [operation for operation, _ in cloud.calls] == made


def test_a_deletion_throttled_at_every_second_call_progresses() -> None:
    """What the last attempt detached is not requested again: two policies, one bucket of one token."""
    attached, tokens = [f"{MANAGED}{number}" for number in range(3)], [0]

    def detach(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        tokens[0] -= 1
        if tokens[0] < 0:
            raise refusal("Throttling")
        attached.remove(parameters["PolicyArn"])
        return {}

    cloud = ScriptedCloud(
        list_instance_profiles_for_role={},
        list_attached_role_policies=lambda _: {"AttachedPolicies": [{"PolicyArn": one} for one in attached]},
        detach_role_policy=detach,
        delete_role={},
    )
    for left in (2, 1):
        tokens[0] = 1
        with pytest.raises(CallError):
            ROLE.delete(cloud, target({"policies": [*attached]}), Observation(Presence.READY, NAME))
        assert len(attached) == left
    tokens[0] = 1
    ROLE.delete(cloud, target(), Observation(Presence.READY, NAME))
    assert cloud.changes[-1][0] == "delete_role"


def test_a_policy_that_is_already_detached_does_not_count_as_a_missing_role() -> None:
    """`NoSuchEntity` of a policy is success; that of the role's own delete means gone."""
    refusals = iter([refusal("DeleteConflict")])

    def delete_role(_: Mapping[str, Any]) -> Mapping[str, Any]:
        if error := next(refusals, None):
            raise error
        return {}

    cloud = ScriptedCloud(
        list_attached_role_policies=ATTACHED,
        list_role_policies=refusal("InvalidAction"),
        list_instance_profiles_for_role=refusal("InvalidAction"),
        detach_role_policy=refusal("NoSuchEntity"),
        delete_role=delete_role,
    )
    ROLE.delete(cloud, target(), Observation(Presence.READY, NAME))
    changes = ["detach_role_policy", "delete_role", "delete_role"]
    assert [operation for operation, _ in cloud.changes] == changes
    for operation in ("detach_role_policy", "list_role_policies", "list_instance_profiles_for_role"):
        answers = {**cloud.answers, "delete_role": refusal("DeleteConflict")}
        refused = ScriptedCloud(**{**answers, operation: refusal("AccessDenied")})
        with pytest.raises(CallError) as caught:
            ROLE.delete(refused, target(), Observation(Presence.READY, NAME))
        assert caught.value.code == "AccessDenied"
    for code in ("NoSuchEntity", "AccessDenied"):
        refused = ScriptedCloud(**{**cloud.answers, "delete_role": refusal(code)})
        with pytest.raises(CallError) as caught:
            ROLE.delete(refused, target(), Observation(Presence.READY, NAME))
        assert caught.value.code == code


def test_another_role_in_an_owned_profile_is_replaced(cloud: Cloud) -> None:
    """A profile holds one role: it is compared first, then replaced."""
    for name in ("another", NAME):
        cloud.change("iam", "create_role", RoleName=name, AssumeRolePolicyDocument="{}")
    it = target({"role_name": NAME})
    PROFILE.create(cloud, it)
    cloud.change("iam", "add_role_to_instance_profile", InstanceProfileName=NAME, RoleName="another")
    observation = PROFILE.describe(cloud, it)
    assert observation.unset == ("role",)
    PROFILE.configure(cloud, it, observation)
    assert PROFILE.describe(cloud, it).facts["roles"] == [NAME]


def test_a_role_that_is_already_added_is_success(cloud: Cloud) -> None:
    """After a lost reply the answer is `LimitExceeded`; the next read shows the role."""
    cloud.change("iam", "create_role", RoleName=NAME, AssumeRolePolicyDocument="{}")
    it = target({"role_name": NAME})
    before = PROFILE.create(cloud, it)
    PROFILE.configure(cloud, it, before)
    PROFILE.configure(cloud, it, before)
    assert PROFILE.describe(cloud, it).presence is Presence.READY


def test_other_refusals_of_a_profile_are_errors() -> None:
    """Only a role that is already added or removed is accepted."""
    cloud = ScriptedCloud(
        get_instance_profile=profile(Roles=[role("other")]),
        add_role_to_instance_profile=refusal("AccessDenied"),
        remove_role_from_instance_profile=refusal("NoSuchEntity"),
        describe_iam_instance_profile_associations={"IamInstanceProfileAssociations": []},
    )
    observation = Observation(Presence.UNSET, NAME, unset=("role",), facts={"roles": ["other"]})
    with pytest.raises(CallError) as caught:
        PROFILE.configure(cloud, target({"role_name": NAME}), observation)
    assert caught.value.operation == "Scripted"
    assert [operation for operation, _ in cloud.changes] == [
        "remove_role_from_instance_profile",
        "add_role_to_instance_profile",
    ]
    cloud.answers["remove_role_from_instance_profile"] = refusal("AccessDenied")
    with pytest.raises(CallError):
        PROFILE.delete(cloud, target(), observation)
    PROFILE.configure(cloud, target(), replace(observation, unset=()))


def role(name: str = NAME, **members: Any) -> dict[str, Any]:
    return {"RoleName": name, "Path": "/tier1/", **members}


def profile(name: str = NAME, **members: Any) -> dict[str, Any]:
    return {"InstanceProfile": {"InstanceProfileName": name, "Path": "/tier1/", "Roles": [], **members}}


def test_a_referenced_profile_must_exist_and_have_a_role(cloud: Cloud) -> None:
    """EC2 refuses a profile without a role, so it is reported first. Any path is accepted."""
    inputs = {"reference": "theirs"}
    missing = PROFILE.reference(cloud, inputs)
    cloud.change("iam", "create_instance_profile", InstanceProfileName="theirs")
    empty = PROFILE.reference(cloud, inputs)
    assert [missing.presence, empty.presence] == [Presence.BROKEN] * 2
    cloud.change("iam", "create_role", RoleName="theirs", AssumeRolePolicyDocument="{}")
    cloud.change("iam", "add_role_to_instance_profile", InstanceProfileName="theirs", RoleName="theirs")
    fit = PROFILE.reference(cloud, inputs)
    assert (fit.presence, fit.facts["name"]) == (Presence.READY, "theirs")


LISTS: dict[str, Any] = {
    "list_roles": {"Roles": [role(), role("elsewhere", Path="/"), {}]},
    "get_role": {"Role": role()},
    "list_role_tags": {"Tags": []},
    "list_instance_profiles": {
        "InstanceProfiles": [profile()["InstanceProfile"], profile("elsewhere", Path="/")["InstanceProfile"]]
    },
    "get_instance_profile": profile(),
    "list_attached_role_policies": {"AttachedPolicies": []},
}


@pytest.mark.parametrize("kind", [ROLE, PROFILE])
def test_a_census_on_an_endpoint_without_tags_uses_the_name(kind: Kind) -> None:
    """The name has the deployment; without tags its database is unknown."""
    cloud = ScriptedCloud(**LISTS)
    assert [one.aws_id for one in kind.list_owned(cloud, {TAG_DEPLOYMENT: DEPLOYMENT})] == [NAME]
    assert kind.list_owned(cloud, {TAG_DEPLOYMENT: "ffffffffffff"}) == []
    assert kind.list_owned(cloud, {TAG_DATABASE: TAGS[TAG_DATABASE]}) == []


def test_tags_that_get_role_omits_are_requested() -> None:
    """Some endpoints show a role's tags only in the call that lists them."""
    cloud = ScriptedCloud(**{**LISTS, "list_role_tags": {"Tags": tag_entries(TAGS)}})
    (found,) = ROLE.list_owned(cloud, {TAG_DATABASE: TAGS[TAG_DATABASE]})
    assert dict(found.tags) == TAGS
    for code in ("InvalidAction", "NoSuchEntity"):
        cloud.answers["list_role_tags"] = refusal(code)
        assert ROLE.describe(cloud, target()).tags == {}
    cloud.answers["list_role_tags"] = refusal("AccessDenied")
    with pytest.raises(CallError):
        ROLE.describe(cloud, target())


@pytest.mark.parametrize("kind", [ROLE, PROFILE])
def test_only_no_such_entity_is_absence(kind: Kind) -> None:
    """A denied read is an error; a role that vanished after the list is not in the census."""
    cloud = ScriptedCloud(
        **{**LISTS, "get_role": refusal("NoSuchEntity"), "get_instance_profile": refusal("NoSuchEntity")}
    )
    assert kind.describe(cloud, target()).presence is Presence.ABSENT
    assert kind.find(cloud, target()) == []
    assert kind.list_owned(cloud, {TAG_DEPLOYMENT: DEPLOYMENT}) == []
    cloud.answers["get_role"] = cloud.answers["get_instance_profile"] = refusal("AccessDenied")
    with pytest.raises(CallError):
        kind.find(cloud, target())


def test_a_role_that_goes_while_it_is_read_is_absent() -> None:
    """Its policies are read by a second call, which may be too late; a refusal is still an error."""
    cloud = ScriptedCloud(**{**LISTS, "list_attached_role_policies": refusal("NoSuchEntity")})
    assert ROLE.describe(cloud, target()).presence is Presence.ABSENT
    cloud.answers["list_attached_role_policies"] = refusal("AccessDenied")
    with pytest.raises(CallError):
        ROLE.describe(cloud, target())


def test_the_commands_detach_before_they_delete() -> None:
    """The lines work in order: IAM refuses to delete what still has contents."""
    lines = ROLE.commands(NAME, {"policies": [MANAGED]})["delete"]
    assert [line.split()[2] for line in lines] == ["detach-role-policy", "delete-role"]
    lines = PROFILE.commands(NAME, {"roles": [NAME]})["delete"]
    assert [line.split()[2] for line in lines] == [
        "remove-role-from-instance-profile",
        "delete-instance-profile",
    ]
