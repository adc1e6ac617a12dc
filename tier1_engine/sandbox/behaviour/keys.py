"""KMS keys that encrypt file systems and volumes: those of moto's KMS, and the ones that AWS manages.

Source: CreateFileSystem of the EFS API reference (`BadRequest`) and, for the words, aws/aws-cdk#7641;
`KmsKeyId` of CreateVolume in the EC2 API reference: "AWS authenticates the KMS key asynchronously", so that a
launch with an unknown key succeeds, and "Instance terminates immediately" for how such an instance ends.
"""

from __future__ import annotations

from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.replies import Reply, refusal

_AWS_MANAGED: Final = "alias/aws/"


class Keys(CallBehaviour):
    """Refuses a file system with a key that does not exist."""

    def before(self, call: Call) -> Reply | None:
        if (call.service, call.operation) != ("efs", "CreateFileSystem"):
            return None
        key = call.parameters.get("KmsKeyId")
        if not key or usable(call.account_id, call.region, str(key)):
            return None
        words = "The request was rejected because the specified key could not be found."
        return refusal(call, "BadRequest", words)


def usable(account_id: str, region: str, named: str) -> bool:
    """Whether an id, alias or ARN names a key that is enabled."""
    from moto.kms.models import kms_backends

    backend: Any = kms_backends[account_id][region]
    alias = backend.get_alias_name(named)
    if alias.startswith(_AWS_MANAGED):
        return True
    if alias.startswith("alias/") and not backend.alias_exists(alias):
        return False
    key = backend.keys.get(backend.any_id_to_key_id(named))
    return key is not None and bool(key.enabled)


def opens_volumes(backend: Any, instance: Any) -> bool:
    """Whether the keys of all the volumes of an instance can be used."""
    mapped = (device.volume_id for device in instance.block_device_mapping.values())
    volumes = [backend.volumes[volume_id] for volume_id in mapped if volume_id in backend.volumes]
    named = {volume.kms_key_id for volume in volumes if volume.kms_key_id}
    own = {key for key in named if key != backend.default_kms_key_id}
    return all(usable(backend.account_id, backend.region_name, key) for key in own)
