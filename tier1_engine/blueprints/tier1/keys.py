"""Checks before anything is created that the KMS keys of a spec can encrypt its volumes and its file system.

Owns these checks and their messages. With a wrong key CreateFileSystem is refused after the network exists,
and RunInstances succeeds with an instance that ends at once. A check that cannot be made is a warning.

Source: "Requirements for Amazon EBS encryption" of the EBS user guide and "Encrypting data at rest" of the
EFS user guide (symmetric keys only); "Key states of KMS keys" of the KMS developer guide; DescribeKey of the
KMS API reference, by which an alias that begins with `alias/aws/` always has a key.
"""

from __future__ import annotations

from tier1_engine.blueprints.tier1.launch import Launch
from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.contract.cloud import Cloud
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import NEVER_ANSWERED

IAM_ACTIONS = ("kms:DescribeKey",)
AWS_MANAGED = "alias/aws/"
NO_KEY = frozenset({"NotFoundException", "InvalidArnException"})
USABLE_STATES = frozenset({"Enabled", "Updating"})
SYMMETRIC = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")


def problems(cloud: Cloud, spec: Spec, launch: Launch) -> list[str]:
    """Return a line for each key that cannot be used; what could not be checked is a warning of `launch`."""
    named = {"efs.kms_key_id": spec.efs.kms_key_id, "instance.kms_key_id": spec.instance.kms_key_id}
    wrong = ((at, key, _why_not(cloud, key, launch)) for at, key in named.items() if key is not None)
    return [f"{at}: the key {key} {why}." for at, key, why in wrong if why is not None]


def _why_not(cloud: Cloud, key: str, launch: Launch) -> str | None:
    if AWS_MANAGED in key:
        return None
    try:
        answer = launch.observe(
            lambda: cloud.read("kms", "describe_key", KeyId=key), f"whether the key {key} can be used"
        )
    except CallError as error:
        if error.code in NO_KEY:
            return f"does not exist in {cloud.region}; create it, or use one that does"
        if error.code not in NEVER_ANSWERED:
            raise
        launch.warnings.append(
            f"KMS could not be asked ({error.code}), so that whether the key {key} can be used was not "
            "checked."
        )
        return None
    found = (answer or {}).get("KeyMetadata") or {}
    if (state := found.get("KeyState", "Enabled")) not in USABLE_STATES:
        return f"is in the state {state}; enable it, or use another one"
    # `CustomerMasterKeySpec` is the former name of `KeySpec`, which an emulator may not know.
    kind = found.get("KeySpec", found.get("CustomerMasterKeySpec", SYMMETRIC[0]))
    if (kind, found.get("KeyUsage", SYMMETRIC[1])) != SYMMETRIC:
        return f"is no symmetric key for encryption ({kind}, {found.get('KeyUsage')}); use one that is"
    return None
