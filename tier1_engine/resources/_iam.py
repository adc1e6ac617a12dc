"""Shared by role and instance profile: the deterministic name, the path, proof of ownership, remedies.

Owns how the IAM objects of a deployment are named and recognised. IAM has no filters by tag, and some
endpoints show no tags. The path `/tier1/` and a name that contains the deployment id prove ownership, unless
the tags contradict them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from tier1_engine.aws.words import ANY, aws, carries
from tier1_engine.contract.kind import (
    IAM_PATH,
    RESOURCE_PROOF,
    TAG_DEPLOYMENT,
    TAG_NAME,
    Observation,
    Target,
)
from tier1_engine.contract.remedy import Remedies, Remedy

NAME_LIMIT_CHARACTERS = 64
"""The maximum length of a role's name (iam model of botocore, roleNameType); a profile's is 128, and both use
the same name.
"""

NO_SUCH_ENTITY = "NoSuchEntity"
_PREFIX = "tier1-"

REMEDIES: Remedies = {
    "EntityAlreadyExists": Remedy(
        "A role or profile with this name, which tier1 does not own, already exists.",
        ("Find out who owns it; if nobody needs it, delete it, then retry.",),
        (
            (
                "iam",
                "list-roles",
                "--path-prefix",
                IAM_PATH,
                "--query",
                "Roles[].RoleName",
                "--output",
                "text",
            ),
            (
                "iam",
                "list-instance-profiles",
                "--path-prefix",
                IAM_PATH,
                "--query",
                "InstanceProfiles[].InstanceProfileName",
                "--output",
                "text",
            ),
        ),
    ),
    NO_SUCH_ENTITY: Remedy(
        "A role, profile or policy that the call names does not exist.",
        ("Correct `instance.iam_profile`; what tier1 created is recreated on a retry.",),
    ),
    "LimitExceeded": Remedy(
        "The account has reached an IAM limit.",
        ("Check the usage of each limit with the command below, and delete what is no longer needed.",),
        (("iam", "get-account-summary"),),
    ),
    "DeleteConflict": Remedy(
        "Something is still attached to the role or profile, or it is in a profile that tier1 does not own.",
        ("Detach or remove it there, then resume.",),
        (("iam", "list-instance-profiles-for-role", "--role-name", "{role_name}"),),
    ),
    "UnmodifiableEntity": Remedy(
        "Only AWS may change this role.",
        ("Use another profile in `instance.iam_profile`.",),
    ),
}


def name_of(target: Target) -> str:
    """The name of a deployment's role and profile; it ends with the deployment id."""
    room = NAME_LIMIT_CHARACTERS - len(_PREFIX) - len(target.deployment_id) - 1
    readable = target.tags.get(TAG_NAME, "")[:room].rstrip("-")
    return "-".join(filter(None, (_PREFIX.rstrip("-"), readable, target.deployment_id)))


def find_line(operation: str, member: str, name_member: str, target: Target) -> str:
    """The `aws iam` line that prints this deployment's role or profile, if it is under our path."""
    name = target.aws_id or name_of(target)
    query = f"{member}[?{name_member}=='{name}' && Path=='{IAM_PATH}'].{name_member}"
    return aws("iam", operation, "--path-prefix", IAM_PATH, "--query", query, "--output", "text")


def proves(target: Target, observation: Observation) -> bool:
    """Whether path, name and tags prove that this deployment made it for this resource.

    All tags shown must match. Some endpoints show none at all, which is accepted.
    """
    if observation.facts.get("path") != IAM_PATH or observation.aws_id != name_of(target):
        return False
    return not observation.tags or all(
        observation.tags.get(tag) == target.tags[tag] for tag in RESOURCE_PROOF
    )


def may_carry(name: str, tags: Mapping[str, str]) -> bool:
    """Whether an object of this name can carry `tags`: its name contains the deployment that they name."""
    deployment_id = tags.get(TAG_DEPLOYMENT, ANY)
    return deployment_id == ANY or name.endswith(deployment_id)


def is_owned(name: str, shown: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether an object under our path matches `wanted`; decided by its name when it shows no tags at all."""
    if shown:
        return carries(shown, wanted)
    return set(wanted) == {TAG_DEPLOYMENT} and wanted[TAG_DEPLOYMENT] != ANY and may_carry(name, wanted)
