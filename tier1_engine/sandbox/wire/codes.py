"""The HTTP status and message of each AWS error code.

Owns the two tables. A code that a service's model declares has the model's status; a fault may set its own.
"""

from __future__ import annotations

from typing import Any, Final

from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.operations import service_model

BAD_REQUEST: Final = 400
SERVER_ERROR: Final = 500

_STATUS: Final = {
    "AccessDenied": 403,
    "AuthFailure": 401,
    "DryRunOperation": 412,
    "ExpiredToken": 403,
    "IncompleteSignature": 403,
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InvalidClientTokenId": 403,
    "MissingAuthenticationToken": 403,
    "NotImplemented": 501,
    "OptInRequired": 403,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "Unavailable": 503,
    "UnauthorizedOperation": 403,
}
"""Source: "Common errors" of the EC2, EFS, IAM, SSM and STS API references, and "Error codes for the Amazon
EC2 API". Where those pages differ from AWS's actual answers, the answers count: DryRunOperation comes with
412.
"""

_WORDS: Final = {
    "AccessDenied": "User is not authorized to perform: {service}:{operation}",
    "AccessDeniedException": "User is not authorized to perform: {namespace}:{operation}",
    "AddressLimitExceeded": "The maximum number of addresses has been reached.",
    "AuthFailure": "AWS was not able to validate the provided access credentials",
    "DependencyViolation": "The resource has dependencies and cannot be deleted.",
    "DryRunOperation": "Request would have succeeded, but DryRun flag is set.",
    "ExpiredToken": "The security token included in the request is expired",
    "ExpiredTokenException": "The security token included in the request is expired",
    "IdempotentParameterMismatch": (
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
    ),
    "InsufficientInstanceCapacity": (
        "We currently do not have sufficient {InstanceType} capacity in the Availability Zone you "
        "requested. Our system will be working on provisioning additional capacity."
    ),
    "InternalError": "An internal error has occurred",
    "InternalFailure": "The request processing has failed because of an unknown error, exception or failure.",
    "InternalServerError": "The server encountered an internal error.",
    "InvalidClientTokenId": "The security token included in the request is invalid.",
    "MaxSpotInstanceCountExceeded": "Max spot instance count exceeded",
    "OptInRequired": "You are not subscribed to this service.",
    "RequestExpired": "Request has expired.",
    "RequestLimitExceeded": "Request limit exceeded.",
    "ServiceUnavailable": "The request has failed due to a temporary failure of the server.",
    "SpotMaxPriceTooLow": (
        "Your Spot request price is lower than the minimum required Spot request fulfillment price."
    ),
    "Throttling": "Rate exceeded",
    "ThrottlingException": "Rate exceeded",
    "UnauthorizedOperation": "You are not authorized to perform this operation.",
    "Unavailable": "The service is unavailable. Please try again shortly.",
    "VcpuLimitExceeded": (
        "You have requested more vCPU capacity than your current vCPU limit allows for the instance "
        "bucket that the specified instance type belongs to."
    ),
    "VpcLimitExceeded": "The maximum number of VPCs has been reached.",
}
"""AWS's messages; the placeholders are values of the call."""

_SERVER_CODES: Final = {
    "ec2": "InternalError",
    "efs": "InternalServerError",
    "ssm": "InternalServerError",
    "s3": "InternalError",
}


_OWN_CODES: Final = {
    "ExpiredToken": {
        "ec2": "RequestExpired",
        "efs": "ExpiredTokenException",
        "ssm": "ExpiredTokenException",
    },
}
"""Service-specific codes with the same meaning. Source: "Common errors" of each API reference, and "Error
codes for the Amazon EC2 API".
"""


def code_of(service: str, code: str) -> str:
    """The code that a service uses for the meaning of `code`."""
    return _OWN_CODES.get(code, {}).get(service, code)


def status_of(service: str, code: str) -> int:
    """The HTTP status that a service sends with a code."""
    if (declared := declared_status(service, code)) is not None:
        return declared
    if code.startswith("Insufficient") and code.endswith("Capacity"):
        return SERVER_ERROR  # EC2 lists them among the server errors
    return _STATUS.get(code, BAD_REQUEST)


def declared_status(service: str, code: str) -> int | None:
    """The HTTP status that a service's model declares for a code."""
    for shape in service_model(service).error_shapes:
        declared: Any = shape.metadata.get("error") or {}
        if code in (declared.get("code"), shape.name) and "httpStatusCode" in declared:
            return int(declared["httpStatusCode"])
    return None


def message_of(call: Call, code: str) -> str:
    """AWS's message for a code; the code itself when the table has none."""
    namespace = "elasticfilesystem" if call.service == "efs" else call.service
    known = {"service": call.service, "namespace": namespace, "operation": call.operation}
    asked_for = str(call.parameters.get("InstanceType", "instance"))
    return _WORDS.get(code, f"{code}.").format(**known, InstanceType=asked_for)


def server_code(service: str) -> str:
    """The code that a service uses for an internal failure."""
    return _SERVER_CODES.get(service, "InternalFailure")
