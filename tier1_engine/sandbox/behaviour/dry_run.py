"""DryRun: EC2 reports whether the call would have succeeded, and changes nothing.

Source: "Dry run" in the common parameters of the EC2 API reference: with the permission the answer is
`DryRunOperation`, without it `UnauthorizedOperation` (an injected fault with that code comes first here).
moto ignores the parameter in many operations.
"""

from __future__ import annotations

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.replies import Reply, refusal


class DryRun(CallBehaviour):
    """Answers calls that are marked as dry runs, so that they change nothing."""

    def before(self, call: Call) -> Reply | None:
        if call.service == "ec2" and call.parameters.get("DryRun") is True:
            return refusal(call, "DryRunOperation")
        return None
