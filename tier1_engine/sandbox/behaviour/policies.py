"""IAM refuses malformed policy documents and ARNs, and lists nothing of a role that is gone.

Source: the IAM API reference: `MalformedPolicyDocument` of CreateRole, `NoSuchEntity` of
ListInstanceProfilesForRole, `ValidationError` in "Common errors"; for the strict validation of ARNs
cloud-gov/aws-broker#383. moto checks documents in some of the calls only.
"""

from __future__ import annotations

import re
from typing import Final

from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import iam_backend
from tier1_engine.sandbox.wire.replies import Reply, refusal

_POLICY_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(aws|\d{12}):policy/[\w+=,.@/-]+")


class Policies(CallBehaviour):
    """Refuses what IAM refuses and moto accepts."""

    def before(self, call: Call) -> Reply | None:
        if call.service != "iam":
            return None
        arn = call.parameters.get("PolicyArn")
        if arn is not None and not _POLICY_ARN.fullmatch(str(arn)):
            return refusal(call, "ValidationError", f"ARN {arn} is not valid.")
        if call.operation == "CreateRole":
            return _trust(call) or _boundary(call)
        if call.operation == "ListInstanceProfilesForRole":
            return _gone(call)
        return None


def _trust(call: Call) -> Reply | None:
    try:
        IAMTrustPolicyDocumentValidator(str(call.parameters.get("AssumeRolePolicyDocument"))).validate()
    except MalformedPolicyDocument as error:
        return refusal(call, "MalformedPolicyDocument", str(error.message))
    return None


def _boundary(call: Call) -> Reply | None:
    arn = call.parameters.get("PermissionsBoundary")
    if arn is None or str(arn) in iam_backend(call).managed_policies:
        return None
    if not _POLICY_ARN.fullmatch(str(arn)):
        return refusal(call, "ValidationError", f"ARN {arn} is not valid.")
    return refusal(call, "NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.")


def _gone(call: Call) -> Reply | None:
    name = call.parameters.get("RoleName")
    if any(role.name == name for role in iam_backend(call).roles.values()):
        return None
    return refusal(call, "NoSuchEntity", f"The role with name {name} cannot be found.")
