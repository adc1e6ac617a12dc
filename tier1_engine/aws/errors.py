"""Translates the failure of one AWS call into a `Tier1Error`, and says whether AWS may have acted.

Owns the classification `refused` (AWS provably did not act) or `unknown` (it may have), and rejects
replies that botocore would read as empty. It does not decide what follows a failure: `failures` does.
It matches exception types and error codes, never message text.

    error code with 4xx, throttling, or insufficient capacity             refused, AWS's code
    error code with 5xx                                                   unknown, AWS's code
    a reply that is not from AWS (HTML, truncated, a redirect)            refused below 500, else unknown,
                                                                          `UnreadableReply`
    not sent: no connection, no DNS name, no permit                       refused
    not sent: no usable credentials, whatever their source raised         refused, a code that blocks
    sent, but no reply: timeout, connection reset                         unknown
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from tier1_engine.aws.credentials import credential_failures, named, source_failure
from tier1_engine.aws.times import clock_skew
from tier1_engine.contract.cloud import Permit, PermitRefused
from tier1_engine.errors import Acted, CallError, ConfigurationError, Tier1Error
from tier1_engine.failures.codes import (
    BLOCKED_CODES,
    CALL_TIMEOUT,
    CLOCK_SKEW,
    CONNECT_TIMEOUT,
    CONNECTION_REFUSED,
    CONNECTION_RESET,
    CREDENTIAL_SOURCE_SILENT,
    HTTP_NOT_IMPLEMENTED,
    HTTP_REQUEST_TIMEOUT,
    NAME_NOT_RESOLVED,
    UNREADABLE_REPLY,
    acts_never,
)

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.model import OperationModel, Shape

XML_PROTOCOLS = frozenset({"ec2", "query"})

PARSER_STUMBLES = (LookupError, ValueError, TypeError, AttributeError)
"""What botocore's parsers raise, unwrapped, on a reply that lacks members they expect."""

_CAUSES_LIMIT = 8
_SNIPPET_CHARACTERS = 120
_XML_ROOT = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*\?>\s*|<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL
)


@dataclass(slots=True)
class Call:
    """One AWS call in flight.

    Attributes:
        operation: the API operation, such as `CreateVpc`.
        permit: checked before the request is sent; None for a read-only call.
        signed_in: whether there were usable credentials for it.
        sent: whether the request was handed to the network.
        status: the HTTP status of the reply, once there is one.
    """

    operation: str
    permit: Permit | None = None
    signed_in: bool = False
    sent: bool = False
    status: int | None = None
    _over: bool = False
    _lock: Lock = field(default_factory=Lock)

    def leave(self) -> None:
        """Mark the call as sent.

        Raises:
            PermitRefused: the permit was withdrawn, or the caller no longer waits for the call.
        """
        if self.permit is not None:
            try:
                self.permit.check()
            except PermitRefused as refusal:
                raise PermitRefused(refusal.message, self.operation) from refusal
        with self._lock:
            if self._over:
                raise PermitRefused("its time budget ran out before it was sent", self.operation)
            self.sent = True

    def abandoned(self, budget_seconds: float) -> CallError:
        """Abandon the call so that it can no longer be sent. The error says whether it was sent before."""
        with self._lock:
            self._over = True
            if not self.signed_in:
                return CallError(
                    CREDENTIAL_SOURCE_SILENT,
                    f"there were no credentials within {budget_seconds:g} seconds",
                    operation=self.operation,
                )
            return CallError(
                CALL_TIMEOUT,
                f"no answer within {budget_seconds:g} seconds",
                operation=self.operation,
                acted=Acted.UNKNOWN if self.sent else Acted.REFUSED,
            )


class UnreadableBody(Exception):
    """A 2xx reply whose body does not belong to the operation."""


def check_body(model: OperationModel, reply: Mapping[str, Any]) -> None:
    """Reject the body of a 2xx reply that botocore would read as an empty result.

    botocore reads invalid JSON, and XML of another document, as a reply without members. A read would
    then report that nothing exists where something does.

    Args:
        model: the operation that was called.
        reply: botocore's `response_dict`, from its `before-parse` event.

    Raises:
        UnreadableBody: the body is truncated, empty, HTML, or otherwise not the operation's.
    """
    body = reply.get("body")
    if reply["status_code"] >= 300 or not isinstance(body, bytes):
        return
    declared = str(reply["headers"].get("Content-Length", ""))
    if declared.isdigit() and len(body) < int(declared):
        raise UnreadableBody(f"the reply was cut after {len(body)} of {declared} bytes")
    if not body.strip():
        if model.output_shape is not None and any(map(_in_body, model.output_shape.members.values())):
            raise UnreadableBody("the reply is empty")
        return
    if "json" in model.service_model.resolved_protocol:
        _check_json(body)
    elif model.service_model.resolved_protocol in XML_PROTOCOLS:
        root = _XML_ROOT.match(body)
        if root is None or not root[1].endswith(b"Response"):
            raise UnreadableBody(f"the reply is not AWS's XML: {_snippet(body)}")


def _in_body(member: Shape) -> bool:
    """Whether a member of a reply is in its body, not in a header or the status code (REST)."""
    return member.serialization.get("location") not in ("header", "headers", "statusCode")


def _check_json(body: bytes) -> None:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise UnreadableBody(f"the reply is not JSON: {_snippet(body)}") from error
    if not isinstance(value, dict):
        raise UnreadableBody(f"the reply is not a JSON object: {_snippet(body)}")


def _snippet(body: bytes) -> str:
    return repr(body[:_SNIPPET_CHARACTERS].decode("utf-8", "replace"))


def failures() -> tuple[type[Exception], ...]:
    """Return every exception type that `translate` accepts."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return BotoCoreError, ClientError, ResponseParserError, UnreadableBody


def translate(error: Exception, call: Call) -> Tier1Error:
    """Return the `Tier1Error` for an exception of a type in `failures()`.

    A `Tier1Error` other than a `CallError` means a bug in tier1 or an invalid setting: nothing was sent.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        return _answered(error, call)
    if isinstance(error, BotoCoreError):
        return _unanswered(error, call)
    return unreadable(call, str(error))


def _answered(error: ClientError, call: Call) -> Tier1Error:
    details = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    if error.operation_name != call.operation:
        return credentials_unusable(error, call)
    status = metadata.get("HTTPStatusCode", call.status)
    if status == HTTP_NOT_IMPLEMENTED and not _is_code(code):
        code = "NotImplemented"
    if not _is_code(code):
        return unreadable(call, message or f"HTTP status {status} without an AWS error code")
    if code in BLOCKED_CODES and (skew := clock_skew(metadata.get("HTTPHeaders") or {})):
        code, message = CLOCK_SKEW, f"{skew} ({code}: {message})"
    return CallError(
        code,
        message,
        operation=call.operation,
        acted=_acted(code, status),
        request_id=metadata.get("RequestId") or None,
        http_status=status,
    )


def _is_code(code: str) -> bool:
    """Whether the code is AWS's: botocore substitutes the status, `Unknown` or nothing if there is none."""
    return bool(code) and not code.isdigit() and code != "Unknown"


def _acted(code: str, status: int | None) -> Acted:
    return Acted.REFUSED if acts_never(code, status) else _acted_by_status(status)


def _acted_by_status(status: int | None) -> Acted:
    # A proxy may answer 408 after it has passed the request on to AWS.
    if status is not None and 400 <= status < 500 and status != HTTP_REQUEST_TIMEOUT:
        return Acted.REFUSED
    return Acted.UNKNOWN


def unreadable(call: Call, message: str) -> CallError:
    """Return the error for a reply that is not from AWS."""
    acted = _acted_by_status(call.status) if call.sent else Acted.REFUSED
    return CallError(
        UNREADABLE_REPLY, message, operation=call.operation, acted=acted, http_status=call.status
    )


def _wrong_places() -> tuple[type[BotoCoreError], ...]:
    return named("InvalidRegionError", "EndpointProviderError", "NoRegionError")


def _wrong_place(error: BotoCoreError) -> ConfigurationError:
    return ConfigurationError(f"The region or endpoint cannot be used: {error}. Correct it, and try again.")


def _unanswered(error: BotoCoreError, call: Call) -> Tier1Error:
    if isinstance(error, _wrong_places()):
        return _wrong_place(error)
    if isinstance(error, _defects()):
        return Tier1Error(f"{call.operation} was called in a way that its model does not allow: {error}")
    if not call.sent or isinstance(error, credential_failures()):
        return credentials_unusable(error, call)
    code, acted = _network_failure(error)
    return CallError(code, str(error), operation=call.operation, acted=acted, http_status=call.status)


def _network_failure(error: BotoCoreError) -> tuple[str, Acted]:
    from botocore import exceptions as boto

    if isinstance(error, boto.ConnectTimeoutError):
        return CONNECT_TIMEOUT, Acted.REFUSED
    if isinstance(error, boto.EndpointConnectionError):
        unknown_name = _is_caused_by(error, socket.gaierror)
        return NAME_NOT_RESOLVED if unknown_name else CONNECTION_REFUSED, Acted.REFUSED
    if isinstance(error, boto.ReadTimeoutError):
        return CALL_TIMEOUT, Acted.UNKNOWN
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | boto.IncompleteReadError):
        return CONNECTION_RESET, Acted.UNKNOWN
    return UNREADABLE_REPLY, Acted.UNKNOWN


def _is_caused_by(error: BotoCoreError, kind: type[BaseException]) -> bool:
    """Whether botocore's exception, which keeps its cause as `error`, was caused by one of this type."""
    cause: Any = error.kwargs.get("error")
    for _ in range(_CAUSES_LIMIT):
        if cause is None or isinstance(cause, kind):
            break
        cause = cause.__cause__ or cause.__context__
    return isinstance(cause, kind)


def _defects() -> tuple[type[BotoCoreError], ...]:
    return named("ParamValidationError", "ValidationError", "MissingParametersError", "DataNotFoundError")


# --- credentials


def credentials_unusable(error: Exception, call: Call) -> Tier1Error:
    """Return the error for anything that was raised while credentials were obtained: nothing was sent.

    Args:
        error: what the source raised. botocore passes most of it on as it is: what `credential_process`
            prints may not be JSON, a binary or a token file may be missing, a role may not be assumed.
    """
    if isinstance(error, _wrong_places()):
        return _wrong_place(error)
    code, message = source_failure(error)
    return CallError(code, message, operation=call.operation)
