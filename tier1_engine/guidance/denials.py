"""Tells an explicit deny from a missing allow, and says who can change it. Pure.

AWS names both only in its messages, never by a code: "is not authorized to perform ACTION on resource
RESOURCE with an explicit deny in a service control policy", or "because no identity-based policy allows the
ACTION action" (IAM user guide, "Troubleshoot access denied error messages",
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html). `aws.denials` decodes the
messages of EC2 into the same words, where that is permitted. A tag policy has a code of its own,
`TagPolicyViolation`, and names only the tag (runs-on/runs-on#485).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_DENIED = re.compile(r"with an explicit deny(?: in an? ([a-z][a-z -]*?polic(?:y|ies)|permissions boundary))?")
_NOT_ALLOWED = re.compile(r"because no ([a-z][a-z -]*?policy|permissions boundary) allows")
_RESOURCE = re.compile(r"on resource: (\S+?)[,.]?(?=\s|$)")
_TAG_POLICY = re.compile(r"tag policy does not allow")
_TAG = re.compile(r"(?:aws:RequestTag/|tag key: ')([\w .:/=+@-]+)")
IDENTITY = "identity-based policy"

OWNERS: Mapping[str, str] = {
    "service control policy": "an administrator of the AWS organization",
    "resource control policy": "an administrator of the AWS organization",
    "tag policy": "an administrator of the AWS organization",
    "permissions boundary": "whoever set the permissions boundary of the user or role that runs tier1",
    "session policy": "whoever issues the session: the policy was passed when the role was assumed",
    "VPC endpoint policy": "the owner of the VPC endpoint through which this host calls AWS",
    "resource-based policy": "the owner of that resource",
    IDENTITY: "an administrator of the account",
}
"""Who can change each kind of policy."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Why AWS refused a call.

    Attributes:
        explicit: whether a policy denies it, so that no further permission helps.
        policy: the kind of policy that denies it, or that must allow it too; empty if AWS does not say.
        resource: the ARN, if AWS names it. tag: the tag that a condition is about.
    """

    explicit: bool
    policy: str = ""
    resource: str = ""
    tag: str = ""

    @property
    def owner(self) -> str:
        return OWNERS.get(self.policy, "an administrator of the account or the organization")

    @property
    def about(self) -> str:
        """Such as ` of a volume with the tag Project`; empty if AWS does not say."""
        kind = self.resource.rpartition(":")[2].partition("/")[0]
        of = f" of the resource type {kind}" if kind and "*" not in kind else ""
        return f"{of} with the tag {self.tag}" if self.tag else of

    def why(self, action: str) -> str:
        """What it means, in one sentence."""
        policy = self.policy or "policy"
        where = f"{'An' if policy[0] in 'aeiou' else 'A'} {policy}"
        if self.explicit:
            return f"{where} explicitly denies {action}{self.about}: no further permission changes that."
        return f"No {self.policy} allows {action}{self.about}, whatever other policies allow."

    @property
    def fix(self) -> tuple[str, ...]:
        """What to do, in the order in which to try it."""
        tags = ("Change `tags` in the spec to what the policy asks for.",) if self.tag else ()
        change = "an exception from that deny" if self.explicit else "it to be allowed there"
        return (
            *tags,
            f"Ask {self.owner} for {change}, then retry.",
            "Or deploy with another role, account or region, to which that policy does not apply.",
        )


def denial_of(message: str, title: str = "") -> Denial | None:
    """Read a refusal; None for a missing allow of an identity-based policy, or if AWS does not say.

    Args:
        title: the kind of the resource, if AWS does not name one.
    """
    resource, tag = (found[1] if (found := one.search(message)) else "" for one in (_RESOURCE, _TAG))
    if _TAG_POLICY.search(message):
        return Denial(True, "tag policy", resource or title, tag.strip())
    if explicit := _DENIED.search(message):
        return Denial(True, (explicit[1] or "").strip(), resource, tag.strip())
    missing = _NOT_ALLOWED.search(message)
    if missing is None or missing[1].strip() == IDENTITY:
        return None
    return Denial(False, missing[1].strip(), resource, tag.strip())
