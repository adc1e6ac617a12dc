"""Checks the two EC2 status checks of an instance: the instance's and the system's.

Read-only. It reports why the check does not pass yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tier1_engine.checks._observations import PASSED, failed, unknown, waiting
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Check, Observation
from tier1_engine.contract.remedy import Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.failures.codes import is_unsupported

OPERATION = "DescribeInstanceStatus"
OK = "ok"
STATUS_LINE = (
    "ec2",
    "describe-instance-status",
    "--instance-ids",
    "{instance_id}",
    "--include-all-instances",
)
# Source: InstanceStateName in botocore's ec2 model.
_ENDED_STATES = frozenset({"shutting-down", "terminated", "stopping", "stopped"})
REMEDIES: Remedies = {
    "InstanceNotRunning": Remedy(
        "The instance stopped or terminated before it was healthy.",
        ("Find out why with the command below, then retry.",),
        (("ec2", "describe-instances", "--instance-ids", "{instance_id}"),),
    ),
    "StatusImpaired": Remedy(
        "EC2's status checks report the instance or its host as impaired.",
        ("Roll back and deploy again: a new instance gets another host. Its console may say more.",),
        (STATUS_LINE,),
    ),
    "StatusPending": Remedy(
        "EC2's status checks did not finish in time.",
        ("Retry, or raise `health.timeout`: they take two to five minutes.",),
        (STATUS_LINE,),
    ),
}


class InstanceStatus(Check):
    """Passes when both EC2 status checks pass. Inputs: `{instance_id}`."""

    name = "instance_status"
    title = "Instance status checks"
    remedies = REMEDIES
    iam_actions = ("ec2:DescribeInstanceStatus",)
    explained_by_console = True

    def look(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        instance_id = str(inputs["instance_id"])
        try:
            # Without IncludeAllInstances, AWS lists only running instances.
            reply = cloud.read(
                "ec2", "describe_instance_status", InstanceIds=[instance_id], IncludeAllInstances=True
            )
        except CallError as error:
            if error.code == "InvalidInstanceID.NotFound":
                # It may not be visible to this part of EC2 yet; the deadline bounds the wait.
                return waiting(error.code, f"EC2 does not show the instance {instance_id}.", OPERATION)
            if is_unsupported(error):
                return unknown("This endpoint has no instance status checks.", OPERATION)
            raise
        shown = reply.get("InstanceStatuses") or []
        status = next((one for one in shown if one.get("InstanceId") == instance_id), None)
        if status is None:
            # AWS reports every instance that exists; only an emulator returns nothing.
            return unknown(f"This endpoint reports no status of the instance {instance_id}.", OPERATION)
        return _judge(instance_id, status)


def _judge(instance_id: str, status: Mapping[str, Any]) -> Observation:
    state = (status.get("InstanceState") or {}).get("Name")
    if state in _ENDED_STATES:
        return failed("InstanceNotRunning", f"The instance {instance_id} is {state}.", OPERATION)
    of_instance = (status.get("InstanceStatus") or {}).get("Status")
    of_system = (status.get("SystemStatus") or {}).get("Status")
    if of_instance == OK and of_system == OK:
        return PASSED
    if of_instance is None and of_system is None:
        return unknown(f"This endpoint reports no status of the instance {instance_id}.", OPERATION)
    code = "StatusImpaired" if "impaired" in (of_instance, of_system) else "StatusPending"
    message = f"The instance's status check is {of_instance}, the host's is {of_system}."
    return waiting(code, message, OPERATION)
