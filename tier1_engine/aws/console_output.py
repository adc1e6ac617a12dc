"""What an instance wrote to its console, as EC2 shows it. Read for the mount check and for the archive."""

from __future__ import annotations

from tier1_engine.contract.cloud import Cloud
from tier1_engine.errors import CallError

_NOT_THE_LATEST = frozenset({"UnsupportedOperation", "InvalidParameterCombination"})
"""What an instance type that is not built on Nitro answers to `Latest`."""


def console_output(cloud: Cloud, instance_id: str) -> str:
    """The console's text; empty while there is none.

    botocore decodes the base64 of the reply (its handler `decode_console_output`).

    Raises:
        CallError: EC2 refused; an endpoint that does not know the call at all refuses both tries.
    """
    try:
        reply = cloud.read("ec2", "get_console_output", InstanceId=instance_id, Latest=True)
    except CallError as error:
        if error.code not in _NOT_THE_LATEST:
            raise
        reply = cloud.read("ec2", "get_console_output", InstanceId=instance_id)
    return str(reply.get("Output") or "")
