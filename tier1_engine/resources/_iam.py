"""What the role and the instance profile share: the deterministic name, the path, proof by them, remedies.

Owns how IAM objects of ours are named and recognised. IAM has no filters by tag, and some endpoints
show no tags: the path `/tier1/` and a name that carries the deployment id prove whose an object is,
and tags that say otherwise overrule them. Pure.
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
"""The most characters of a role's name (iam model of botocore, roleNameType); a profile's is 128, and the
same name serves both."""

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
    """The name of the role, and of the profile, of a deployment; the deployment id is its end."""
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

    Tags that are shown must all be ours. None shown at all is how some endpoints are.
    """
    if observation.facts.get("path") != IAM_PATH or observation.aws_id != name_of(target):
        return False
    return not observation.tags or all(
        observation.tags.get(tag) == target.tags[tag] for tag in RESOURCE_PROOF
    )


def may_carry(name: str, tags: Mapping[str, str]) -> bool:
    """Whether an object of this name is worth a look for `tags`: a wanted deployment is in its name."""
    deployment_id = tags.get(TAG_DEPLOYMENT, ANY)
    return deployment_id == ANY or name.endswith(deployment_id)


def is_owned(name: str, shown: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether an object under our path is one of `wanted`; by its name where it shows no tags at all."""
    if shown:
        return carries(shown, wanted)
    return set(wanted) == {TAG_DEPLOYMENT} and wanted[TAG_DEPLOYMENT] != ANY and may_carry(name, wanted)
