"""Error shapes: EFS puts the code into `ErrorCode`, where moto uses `__type`, and has a status for each code.

Source: the error shapes of EFS's model (`FileSystemNotFound` and similar), which require `ErrorCode` and
declare the status: 400 for `SubnetNotFound` and `SecurityGroupNotFound`, for which moto sends 404.
"""

from __future__ import annotations

import json

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.codes import declared_status
from tier1_engine.sandbox.wire.replies import Reply, refusal


class ErrorShapes(CallBehaviour):
    """Rewrites moto's errors into AWS's shape."""

    def after(self, call: Call, reply: Reply) -> Reply:
        if call.service != "efs" or reply.ok or reply.code is None:
            return reply
        document = json.loads(reply.body)
        if "ErrorCode" in document:
            return reply
        status = declared_status(call.service, reply.code) or reply.status
        return refusal(call, reply.code, str(document.get("message", "")), status)
