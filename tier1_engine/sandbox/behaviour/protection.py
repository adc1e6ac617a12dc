"""Protected instances are not terminated or stopped.

Source: EC2 user guide, "Change instance termination protection" and "Enable stop protection"; the code
`OperationNotPermitted`: "Error codes for the Amazon EC2 API". moto ignores what a launch says about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import ec2_backend
from tier1_engine.sandbox.wire.replies import Reply, refusal

_PROTECTED: Final[Mapping[str, tuple[str, str, str]]] = {
    "TerminateInstances": ("disable_api_termination", "disableApiTermination", "terminated"),
    "StopInstances": ("disable_api_stop", "disableApiStop", "stopped"),
}
_OF_LAUNCH: Final = {"DisableApiTermination": "disable_api_termination", "DisableApiStop": "disable_api_stop"}


class Protection(CallBehaviour):
    """Refuses what an instance is protected from."""

    def before(self, call: Call) -> Reply | None:
        if call.service != "ec2" or call.operation not in _PROTECTED:
            return None
        attribute, name, done = _PROTECTED[call.operation]
        for instance in _instances(call):
            if str(getattr(instance, attribute, False)).lower() == "true":
                words = (
                    f"The instance '{instance.id}' may not be {done}. Modify its '{name}' instance attribute "
                    "and try again."
                )
                return refusal(call, "OperationNotPermitted", words)
        return None

    def after(self, call: Call, reply: Reply) -> Reply:
        """Keep what a launch says about protection."""
        if reply.ok and (call.service, call.operation) == ("ec2", "RunInstances"):
            said = {attribute: call.parameters.get(name) for name, attribute in _OF_LAUNCH.items()}
            for instance in _launched(call, reply):
                for attribute, value in said.items():
                    if value is not None:
                        setattr(instance, attribute, value)
        return reply


def _all(call: Call) -> dict[str, Any]:
    held = ec2_backend(call).reservations.values()
    return {instance.id: instance for reservation in held for instance in reservation.instances}


def _instances(call: Call) -> list[Any]:
    every = _all(call)
    return [every[one] for one in call.parameters.get("InstanceIds") or () if one in every]


def _launched(call: Call, reply: Reply) -> list[Any]:
    body = reply.body.decode()
    return [instance for instance_id, instance in _all(call).items() if f"<instanceId>{instance_id}<" in body]
