"""The IAM instance profile: found by its path and name; its role is its configuration.

Owns the IAM calls about an instance profile. It never changes one that the user provided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tier1_engine.aws.times import iso_8601
from tier1_engine.aws.words import aws, console, part, partition, proof, tag_dict, tag_list
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, IAM_PATH, Holder, Kind, Observation, Presence, Problem, Target
from tier1_engine.contract.manual import Freeing, Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import is_unsupported
from tier1_engine.resources import _iam

ROLE = "role"


# Source: "IAM and AWS STS quotas" of the IAM user guide; the quotas are managed in us-east-1.
_PROFILES_PER_ACCOUNT = Quota("iam", "L-6E65F664", "Instance profiles per account", 100, region="us-east-1")
REMEDIES: Remedies = {
    **_iam.REMEDIES,
    "CreateInstanceProfile/LimitExceeded": Remedy(
        "The account has reached its limit of instance profiles.",
        ("Delete unused profiles, or use one of yours in `instance.iam_profile`.",),
        quota=_PROFILES_PER_ACCOUNT,
    ),
}


class InstanceProfile(Kind):
    """An IAM instance profile, which passes one role to an instance. Its `aws_id` is its name.

    Source of codes: the iam model of botocore.
    """

    name = "instance_profile"
    title = "IAM instance profile"
    already_exists = frozenset({"EntityAlreadyExists"})
    not_visible_yet = frozenset({_iam.NO_SUCH_ENTITY})
    gone = frozenset({_iam.NO_SUCH_ENTITY})
    in_use = frozenset({"DeleteConflict"})
    iam_actions = (
        "iam:CreateInstanceProfile",
        "iam:TagInstanceProfile",
        "iam:GetInstanceProfile",
        "iam:ListInstanceProfiles",
        "iam:AddRoleToInstanceProfile",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:DeleteInstanceProfile",
        "ec2:DescribeIamInstanceProfileAssociations",
    )
    implied_actions = (
        ("CreateInstanceProfile", "iam:TagInstanceProfile"),
        ("AddRoleToInstanceProfile", "iam:PassRole"),
    )
    remedies = REMEDIES
    list_price = FREE

    def reference(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        """Whether the provided profile exists and has a role; EC2 refuses one without."""
        name = str(inputs["reference"])
        profile = _profile(cloud, name)
        if profile is None:
            sentence = (
                f"The instance profile {name} does not exist: correct instance.iam_profile in the spec."
            )
        elif not _roles(profile):
            sentence = f"The instance profile {name} has no role: add one to it, or use another profile."
        else:
            return _observation(cloud, profile)
        return Observation(
            Presence.BROKEN, problem=Problem(_iam.NO_SUCH_ENTITY, sentence, operation="GetInstanceProfile")
        )

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        observation = self.describe(cloud, target)
        return [] if observation is ABSENT else [observation]

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "iam",
            "create_instance_profile",
            InstanceProfileName=_iam.name_of(target),
            Path=IAM_PATH,
            Tags=tag_list(target.tags),
        )
        part(reply, "InstanceProfile", "InstanceProfileName", operation="CreateInstanceProfile")
        return _observation(cloud, reply["InstanceProfile"], wanted=target.request["role_name"])

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        profile = _profile(cloud, target.aws_id or _iam.name_of(target))
        if profile is None:
            return ABSENT
        return _observation(cloud, profile, wanted=target.request.get("role_name"))

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Add the role. A profile holds a single role, so another role in an owned profile is removed first.

        `LimitExceeded` means that the profile holds a role that the last observation did not show; the next
        one shows it.
        """
        if ROLE not in observation.unset:
            return
        for other in observation.facts.get("roles") or ():
            _take_out(cloud, observation.aws_id, other)
        role = target.request["role_name"]
        try:
            cloud.change(
                "iam", "add_role_to_instance_profile", InstanceProfileName=observation.aws_id, RoleName=role
            )
        except CallError as error:
            if error.code != "LimitExceeded":
                raise

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Delete it, unless an instance uses it. Ours is gone by now, and IAM does not check that: "deleting
        a role or instance profile that is associated with a running instance will break any applications
        running on the instance".

        Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteInstanceProfile.html
        """
        if users := _users(cloud, observation.aws_id):
            named = ", ".join(instance for instance, _ in users)
            raise CallError("DeleteConflict", f"{named} uses it", operation="DeleteInstanceProfile")
        for role in observation.facts.get("roles") or ():
            _take_out(cloud, observation.aws_id, role)
        cloud.change("iam", "delete_instance_profile", InstanceProfileName=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return self.list_beyond(cloud, tags, {})

    def list_beyond(
        self, cloud: Cloud, tags: Mapping[str, str], known: Mapping[str, Mapping[str, Any]]
    ) -> Sequence[Observation]:
        """Profiles under our path; the tags of each are read separately, because `ListInstanceProfiles` shows
        none.
        """
        owned: list[Observation] = []
        listing = cloud.pages("iam", "list_instance_profiles", "InstanceProfiles", PathPrefix=IAM_PATH)
        for listed in list(listing):
            name = str(listed.get("InstanceProfileName") or "")
            # An emulator may ignore the prefix.
            if not name or listed.get("Path") != IAM_PATH or not _iam.may_carry(name, tags):
                continue
            if name in known:
                continue
            profile = _profile(cloud, name)
            if profile and _iam.is_owned(name, tag_dict(profile.get("Tags")), tags):
                owned.append(_observation(cloud, profile))
        return owned

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """Instances in this region that somebody else gave the profile to."""
        return [
            Holder(
                f"instance {instance}",
                aws("ec2", "disassociate-iam-instance-profile", "--association-id", association),
            )
            for instance, association in _users(cloud, target.aws_id or "")
            if instance not in ours
        ]

    def owns(self, target: Target, observation: Observation) -> bool:
        return _iam.proves(target, observation)

    def console_url(self, region: str, aws_id: str) -> str:
        # A profile has no page of its own; the console shows it on the page of the role of the same name.
        return console(region, "iam", f"/roles/details/{aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        profile = ("--instance-profile-name", aws_id)
        take_out = [
            aws("iam", "remove-role-from-instance-profile", *profile, "--role-name", role)
            for role in facts.get("roles") or ()
        ]
        return {
            "look": [aws("iam", "get-instance-profile", *profile)],
            "delete": [*take_out, aws("iam", "delete-instance-profile", *profile)],
        }

    def recipe(self, target: Target) -> Recipe:
        profile = 'aws iam get-instance-profile --instance-profile-name "$id"'
        return Recipe(
            find=_iam.find_line("list-instance-profiles", "InstanceProfiles", "InstanceProfileName", target),
            absent=self.gone,
            evidence=(f"{profile} --query 'InstanceProfile.Tags[].[Key,Value]' --output text",),
            proof=proof(target),
            untagged=True,
            free=(
                Freeing(
                    f"{profile} --query 'InstanceProfile.Roles[].RoleName' --output text",
                    'aws iam remove-role-from-instance-profile --instance-profile-name "$id" '
                    '--role-name "$it"',
                    self.gone,
                ),
            ),
            delete='aws iam delete-instance-profile --instance-profile-name "$id"',
        )


def _profile(cloud: Cloud, name: str) -> dict[str, Any] | None:
    try:
        reply = cloud.read("iam", "get_instance_profile", InstanceProfileName=name)
    except CallError as error:
        if error.code == _iam.NO_SUCH_ENTITY:
            return None
        raise
    profile: dict[str, Any] | None = reply.get("InstanceProfile")
    return profile if profile and profile.get("InstanceProfileName") else None


def _users(cloud: Cloud, name: str) -> list[tuple[str, str]]:
    """The instances in this region that use the profile, each with the id of its association.

    None where the caller may not list them, or the endpoint cannot.
    """
    try:
        found = list(
            cloud.pages("ec2", "describe_iam_instance_profile_associations", "IamInstanceProfileAssociations")
        )
    except CallError as error:
        if is_unsupported(error) or error.code == "UnauthorizedOperation":
            return []
        raise
    return [
        (str(one["InstanceId"]), str(one["AssociationId"]))
        for one in found
        if one.get("State") in ("associating", "associated")
        and str((one.get("IamInstanceProfile") or {}).get("Arn")).rpartition("/")[2] == name
    ]


def _roles(profile: Mapping[str, Any]) -> list[str]:
    return [str(role["RoleName"]) for role in profile.get("Roles") or () if role.get("RoleName")]


def _take_out(cloud: Cloud, profile: str, role: str) -> None:
    """Remove a role from a profile; a role that is not in it counts as success."""
    try:
        cloud.change("iam", "remove_role_from_instance_profile", InstanceProfileName=profile, RoleName=role)
    except CallError as error:
        if error.code != _iam.NO_SUCH_ENTITY:
            raise


def _observation(cloud: Cloud, profile: Mapping[str, Any], *, wanted: str | None = None) -> Observation:
    """The observation of a profile; `wanted` is the role that must be in it, None when any role is
    accepted.
    """
    name, path = str(profile["InstanceProfileName"]), str(profile.get("Path") or "/")
    roles = _roles(profile)
    unset = (ROLE,) if wanted is not None and roles != [wanted] else ()
    return Observation(
        Presence.UNSET if unset else Presence.READY,
        aws_id=name,
        arn=profile.get("Arn")
        or f"arn:{partition(cloud.region)}:iam::{cloud.account_id}:instance-profile{path}{name}",
        tags=tag_dict(profile.get("Tags")),
        facts={"name": name, "path": path, "roles": roles},
        made_at=iso_8601(profile.get("CreateDate")),
        unset=unset,
    )
