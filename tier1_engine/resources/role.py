"""The IAM role of the instance: found by its path and name; its managed policies are its configuration.

Owns the IAM calls about a role. It never changes a role outside the path `/tier1/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tier1_engine.aws.times import iso_8601
from tier1_engine.aws.words import aws, console, part, partition, proof, tag_dict, tag_list
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import ABSENT, IAM_PATH, Holder, Kind, Observation, Presence, Target
from tier1_engine.contract.manual import Freeing, Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import is_unsupported
from tier1_engine.resources import _holders, _iam

POLICIES = "policies"
BOUNDARY = "permissions_boundary"
AWS_MANAGED = ":iam::aws:policy/"
"""Part of the ARN of every AWS managed policy."""

TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


# Source: "IAM and AWS STS quotas" of the IAM user guide; the quotas are managed in us-east-1.
_ROLES_PER_ACCOUNT = Quota("iam", "L-FE177D64", "Roles per account", 100, region="us-east-1")
_POLICIES_PER_ROLE = Quota("iam", "L-0DA4ABF3", "Managed policies per role", 5, region="us-east-1")
REMEDIES: Remedies = {
    **_iam.REMEDIES,
    "CreateRole/LimitExceeded": Remedy(
        "The account has reached its limit of roles.",
        ("Delete unused roles, or use one of your profiles in `instance.iam_profile`.",),
        quota=_ROLES_PER_ACCOUNT,
    ),
    "AttachRolePolicy/LimitExceeded": Remedy(
        "The role has reached its limit of managed policies.",
        ("Detach policies that are no longer needed, or ask AWS for a higher quota.",),
        quota=_POLICIES_PER_ROLE,
    ),
    "CreateRole/NoSuchEntity": Remedy(
        "The policy of `instance.permissions_boundary` does not exist, or cannot be a boundary.",
        ("Correct `instance.permissions_boundary`, or create the policy, then retry.",),
    ),
    "MalformedPolicyDocument": Remedy(
        "IAM rejects the trust policy; in some partitions the service has another name.",
        ("Use one of your profiles in `instance.iam_profile`.",),
    ),
}


class Role(Kind):
    """An IAM role that EC2 instances assume. Its `aws_id` is its name.

    Source of codes: the iam model of botocore.
    """

    name = "role"
    title = "IAM role"
    already_exists = frozenset({"EntityAlreadyExists"})
    not_visible_yet = frozenset({_iam.NO_SUCH_ENTITY})
    gone = frozenset({_iam.NO_SUCH_ENTITY})
    in_use = frozenset({"DeleteConflict"})
    iam_actions = (
        "iam:CreateRole",
        "iam:TagRole",
        "iam:GetRole",
        "iam:ListRoles",
        "iam:ListRoleTags",
        "iam:AttachRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:DetachRolePolicy",
        "iam:GetPolicy",
        "iam:ListRolePolicies",
        "iam:DeleteRolePolicy",
        "iam:ListInstanceProfilesForRole",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:DeleteRole",
    )
    implied_actions = (("CreateRole", "iam:TagRole"),)
    remedies = REMEDIES
    list_price = FREE

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        observation = self.describe(cloud, target)
        return [] if observation is ABSENT else [observation]

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "iam",
            "create_role",
            Path=IAM_PATH,
            RoleName=_iam.name_of(target),
            AssumeRolePolicyDocument=json.dumps(TRUST_POLICY),
            Description="Made by tier1 for the instance of one deployment",
            **({"PermissionsBoundary": boundary} if (boundary := target.request.get(BOUNDARY)) else {}),
            Tags=tag_list(target.tags),
        )
        part(reply, "Role", "RoleName", operation="CreateRole")
        shown = tag_dict(reply["Role"].get("Tags")) or target.tags
        return _observation(cloud, reply["Role"], shown, attached=[], wanted=_wanted(target))

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        name = target.aws_id or _iam.name_of(target)
        role = _role(cloud, name)
        if role is None:
            return ABSENT
        try:
            attached = _attached(cloud, name)
        except CallError as error:
            if error.code == _iam.NO_SUCH_ENTITY:
                return ABSENT
            raise
        possible = [one for one in _wanted(target) if one in attached or not _unheard_of(cloud, one)]
        return _observation(cloud, role, _tags(cloud, role), attached=attached, wanted=possible)

    def glance(self, cloud: Cloud, target: Target) -> Observation:
        role = _role(cloud, target.aws_id or _iam.name_of(target))
        return ABSENT if role is None else _observation(cloud, role, _tags(cloud, role))

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Attach the policies that are missing; attaching one twice succeeds in IAM."""
        if POLICIES not in observation.unset:
            return
        for policy in _wanted(target):
            if policy in observation.facts.get(POLICIES, ()):
                continue
            try:
                cloud.change("iam", "attach_role_policy", RoleName=observation.aws_id, PolicyArn=policy)
            except CallError as error:
                if error.code != _iam.NO_SUCH_ENTITY or not _unheard_of(cloud, policy):
                    raise

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Detach its policies and delete it; only when IAM refuses, list what else the role holds.

        The role is not removed from a foreign profile, and keeps its policies while it is in one.
        """
        name = observation.aws_id
        if others := [one for one in _profiles(cloud, name) if one != _iam.name_of(target)]:
            message = f"it is in the instance profile {', '.join(others)}"
            raise CallError("DeleteConflict", message, operation="DeleteRole")
        # The requested policies, not the ones recorded as attached, so that a throttled attempt makes
        # progress.
        for policy in _attached(cloud, name):
            with _already_so():
                cloud.change("iam", "detach_role_policy", RoleName=name, PolicyArn=policy)
        try:
            cloud.change("iam", "delete_role", RoleName=name)
        except CallError as error:
            if error.code not in self.in_use:
                raise
        else:
            return
        _free(cloud, target, name)
        cloud.change("iam", "delete_role", RoleName=name)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return self.list_beyond(cloud, tags, {})

    def list_beyond(
        self, cloud: Cloud, tags: Mapping[str, str], known: Mapping[str, Mapping[str, Any]]
    ) -> Sequence[Observation]:
        """Roles under our path; the tags of each are read separately, because `ListRoles` shows none."""
        owned: list[Observation] = []
        for listed in list(cloud.pages("iam", "list_roles", "Roles", PathPrefix=IAM_PATH)):
            name = str(listed.get("RoleName") or "")
            # An emulator may ignore the prefix.
            if not name or listed.get("Path") != IAM_PATH or not _iam.may_carry(name, tags):
                continue
            if name in known:
                continue
            role = _role(cloud, name)
            shown = _tags(cloud, role) if role else {}
            if role and _iam.is_owned(name, shown, tags):
                owned.append(_observation(cloud, role, shown))
        return owned

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """Instance profiles that somebody else added it to: IAM deletes no role that is in one.

        Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
        """
        name = target.aws_id or ""
        return [
            Holder(
                f"instance profile {_holders.quoted(profile)}",
                aws(
                    "iam",
                    "remove-role-from-instance-profile",
                    *("--instance-profile-name", profile),
                    *("--role-name", name),
                ),
            )
            for profile in _profiles(cloud, name)
            if profile not in ours
        ]

    def owns(self, target: Target, observation: Observation) -> bool:
        return _iam.proves(target, observation)

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "iam", f"/roles/details/{aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        detach = [
            aws("iam", "detach-role-policy", "--role-name", aws_id, "--policy-arn", policy)
            for policy in facts.get(POLICIES) or ()
        ]
        return {
            "look": [aws("iam", "get-role", "--role-name", aws_id)],
            "delete": [*detach, aws("iam", "delete-role", "--role-name", aws_id)],
        }

    def fields(self, aws_id: str | None, request: Mapping[str, Any], candidate: int) -> dict[str, str]:
        """The field of a role: its name."""
        own = super().fields(aws_id, request, candidate)
        return {**own, "role_name": aws_id} if aws_id else own

    def recipe(self, target: Target) -> Recipe:
        named, text = '--role-name "$id"', "--output text"
        in_ours = f"InstanceProfiles[?Path=='{IAM_PATH}' && InstanceProfileName=='$id'].InstanceProfileName"
        return Recipe(
            find=_iam.find_line("list-roles", "Roles", "RoleName", target),
            absent=self.gone,
            evidence=(f"aws iam list-role-tags {named} --query 'Tags[].[Key,Value]' {text}",),
            proof=proof(target),
            untagged=True,
            free=(
                Freeing(
                    f"aws iam list-attached-role-policies {named} "
                    f"--query 'AttachedPolicies[].PolicyArn' {text}",
                    f'aws iam detach-role-policy {named} --policy-arn "$it"',
                    self.gone,
                ),
                Freeing(
                    f"aws iam list-role-policies {named} --query 'PolicyNames[]' {text}",
                    f'aws iam delete-role-policy {named} --policy-name "$it"',
                    self.gone,
                ),
                Freeing(
                    f'aws iam list-instance-profiles-for-role {named} --query "{in_ours}" {text}',
                    f'aws iam remove-role-from-instance-profile --instance-profile-name "$it" {named}',
                    self.gone,
                ),
            ),
            delete=f"aws iam delete-role {named}",
        )


def _wanted(target: Target) -> list[str]:
    return list(target.request.get(POLICIES) or ())


def _role(cloud: Cloud, name: str) -> dict[str, Any] | None:
    try:
        role: dict[str, Any] | None = cloud.read("iam", "get_role", RoleName=name).get("Role")
    except CallError as error:
        if error.code == _iam.NO_SUCH_ENTITY:
            return None
        raise
    return role if role and role.get("RoleName") else None


def _tags(cloud: Cloud, role: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a role; read with a separate call when `GetRole` shows none."""
    if role.get("Tags"):
        return tag_dict(role["Tags"])
    try:
        return tag_dict(cloud.read("iam", "list_role_tags", RoleName=role["RoleName"]).get("Tags"))
    except CallError as error:
        if error.code == _iam.NO_SUCH_ENTITY or is_unsupported(error):
            return {}
        raise


def _attached(cloud: Cloud, name: str) -> list[str]:
    found = cloud.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)
    return [str(one["PolicyArn"]) for one in found if one.get("PolicyArn")]


def _unheard_of(cloud: Cloud, policy: str) -> bool:
    """Whether the endpoint lacks an AWS managed policy: an emulator may have none of them."""
    if AWS_MANAGED not in policy:
        return False
    try:
        cloud.read("iam", "get_policy", PolicyArn=policy)
    except CallError as error:
        if error.code == _iam.NO_SUCH_ENTITY or is_unsupported(error):
            return True
        raise
    return False


def _inline(cloud: Cloud, name: str) -> list[str]:
    """Names of inline policies. One page holds them all: IAM allows 10,240 characters of them per role."""
    try:
        reply = cloud.read("iam", "list_role_policies", RoleName=name)
    except CallError as error:
        if is_unsupported(error):
            return []
        raise
    return [str(one) for one in reply.get("PolicyNames") or ()]


def _profiles(cloud: Cloud, name: str) -> list[str]:
    """Names of the profiles that contain the role; a name is unique in the account, whatever its path."""
    try:
        found = list(cloud.pages("iam", "list_instance_profiles_for_role", "InstanceProfiles", RoleName=name))
    except CallError as error:
        if is_unsupported(error):
            return []
        raise
    return [str(one["InstanceProfileName"]) for one in found]


def _free(cloud: Cloud, target: Target, name: str) -> None:
    """Delete its inline policies, and remove it from owned profiles."""
    for inline in _inline(cloud, name):
        with _already_so():
            cloud.change("iam", "delete_role_policy", RoleName=name, PolicyName=inline)
    for profile in (one for one in _profiles(cloud, name) if one == _iam.name_of(target)):
        with _already_so():
            cloud.change(
                "iam", "remove_role_from_instance_profile", InstanceProfileName=profile, RoleName=name
            )


@contextmanager
def _already_so() -> Iterator[None]:
    """Ignore the error of detaching what is already detached; the delete of the role decides."""
    try:
        yield
    except CallError as error:
        if error.code != _iam.NO_SUCH_ENTITY:
            raise


def _observation(
    cloud: Cloud,
    role: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    attached: Sequence[str] = (),
    wanted: Sequence[str] = (),
) -> Observation:
    name, path = str(role["RoleName"]), str(role.get("Path") or "/")
    unset = () if set(wanted) <= set(attached) else (POLICIES,)
    boundary = (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    return Observation(
        Presence.UNSET if unset else Presence.READY,
        aws_id=name,
        arn=role.get("Arn") or f"arn:{partition(cloud.region)}:iam::{cloud.account_id}:role{path}{name}",
        tags=tags,
        facts={
            "name": name,
            "path": path,
            POLICIES: list(attached),
            **({BOUNDARY: boundary} if boundary else {}),
        },
        made_at=iso_8601(role.get("CreateDate")),
        unset=unset,
    )
