"""Reads an instance's console output from EC2, for the mount check and for the archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tier1_engine.contract.cloud import Cloud
from tier1_engine.errors import CallError

_NOT_THE_LATEST = frozenset({"UnsupportedOperation", "InvalidParameterCombination"})
"""The error codes for `Latest` on an instance type that is not built on Nitro."""


def console_output(cloud: Cloud, instance_id: str) -> str:
    """Return the console output, or an empty string if there is none yet.

    Raises:
        CallError: EC2 refused.
    """
    return str(latest_console_output(cloud, instance_id).get("Output") or "")


def latest_console_output(cloud: Cloud, instance_id: str) -> Mapping[str, Any]:
    """Return EC2's reply: `Output`, and the `Timestamp` of its last line.

    botocore decodes the base64 of the reply in its handler `decode_console_output`.

    Raises:
        CallError: EC2 refused. An endpoint that does not support the call refuses both attempts.
    """
    try:
        return cloud.read("ec2", "get_console_output", InstanceId=instance_id, Latest=True)
    except CallError as error:
        if error.code not in _NOT_THE_LATEST:
            raise
        return cloud.read("ec2", "get_console_output", InstanceId=instance_id)
