"""Turns whatever one AWS call ran into into one of our errors, and says whether AWS may have acted.

Owns the judgement `refused` (AWS provably did not act) or `unknown` (it may have), and the reading
of replies that botocore would take for empty ones. It never says what follows a failure: that is
the failure policy's. Matches exception types and error codes, never message text.

    AWS answered with a code, 4xx, a throttle or a lack of capacity       refused, AWS's code
    AWS answered with a code, 5xx                                         unknown, AWS's code
    an answer that is none of AWS's (HTML, cut, a redirect)               refused below 500, else unknown,
                                                                          `UnreadableReply`
    nothing was sent: no connection, no name, no credentials, no permit   refused
    sent, and no answer: time-out, reset                                  unknown
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from tier1_engine.contract.cloud import Permit, PermitRefused
from tier1_engine.errors import Acted, CallError, ConfigurationError, Tier1Error
from tier1_engine.failures.codes import (
    CALL_TIMEOUT,
    CONNECT_TIMEOUT,
    CONNECTION_REFUSED,
    CONNECTION_RESET,
    HTTP_NOT_IMPLEMENTED,
    HTTP_REQUEST_TIMEOUT,
    NAME_NOT_RESOLVED,
    NO_CREDENTIALS,
    UNREADABLE_REPLY,
    acts_never,
)

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.model import OperationModel, Shape

XML_PROTOCOLS = frozenset({"ec2", "query"})

PARSER_STUMBLES = (LookupError, ValueError, TypeError, AttributeError)
"""What botocore's parsers raise, unwrapped, over a reply that lacks what they take for granted."""

_CAUSES_LIMIT = 8
_SNIPPET_CHARACTERS = 120
_XML_ROOT = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*\?>\s*|<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL
)


@dataclass(slots=True)
class Call:
    """One call under way.

    Attributes:
        operation: as AWS names it, e.g. `CreateVpc`.
        permit: asked before the bytes go out; None for a call that only observes.
        sent: whether it was handed to the network.
        status: the HTTP status of its reply, once there is one.
    """

    operation: str
    permit: Permit | None = None
    sent: bool = False
    status: int | None = None
    _over: bool = False
    _lock: Lock = field(default_factory=Lock)

    def leave(self) -> None:
        """Say that it leaves now.

        Raises:
            PermitRefused: the permit was withdrawn, or its caller no longer waits for it.
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
        """Give it up: it will not leave any more. The error says whether it had."""
        with self._lock:
            self._over = True
            return CallError(
                CALL_TIMEOUT,
                f"no answer within {budget_seconds:g} seconds",
                operation=self.operation,
                acted=Acted.UNKNOWN if self.sent else Acted.REFUSED,
            )


class UnreadableBody(Exception):
    """A reply of 2xx whose body is not what the operation answers with."""


def check_body(model: OperationModel, reply: Mapping[str, Any]) -> None:
    """Refuse the body of a 2xx reply that botocore would take for an empty answer.

    botocore reads JSON that does not parse, and XML of another document, as a reply without members;
    a look would then find nothing where something is.

    Args:
        model: the operation that was called.
        reply: botocore's `response_dict`, as its `before-parse` event hands it out.

    Raises:
        UnreadableBody: the body is cut, empty, HTML or otherwise not the operation's.
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
    """Whether a member of a reply stands in its body, and not in its headers or its status (REST)."""
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
    """Every type of exception that `translate` takes."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return BotoCoreError, ClientError, ResponseParserError, UnreadableBody


def translate(error: Exception, call: Call) -> Tier1Error:
    """Our error for what the call ran into, which is one of `failures()`.

    A `Tier1Error` that is no `CallError` is a defect of ours or a setting that cannot be: nothing was
    sent then.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        return _answered(error, call)
    if isinstance(error, BotoCoreError):
        return _unanswered(error, call)
    return unreadable(call, str(error))


def _answered(error: ClientError, call: Call) -> CallError:
    details = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    if error.operation_name != call.operation:
        # The credential chain made a call of its own (AssumeRole, GetRoleCredentials): ours never left.
        said = f"{error.operation_name}: {code}: {message}"
        return CallError(NO_CREDENTIALS, said, operation=call.operation)
    status = metadata.get("HTTPStatusCode", call.status)
    if status == HTTP_NOT_IMPLEMENTED and not _is_code(code):
        code = "NotImplemented"
    if not _is_code(code):
        return unreadable(call, message or f"HTTP status {status} without an AWS error code")
    return CallError(
        code,
        message,
        operation=call.operation,
        acted=_acted(code, status),
        request_id=metadata.get("RequestId") or None,
        http_status=status,
    )


def _is_code(code: str) -> bool:
    """botocore puts the HTTP status, `Unknown` or nothing where a reply carries no code of AWS's."""
    return bool(code) and not code.isdigit() and code != "Unknown"


def _acted(code: str, status: int | None) -> Acted:
    return Acted.REFUSED if acts_never(code, status) else _acted_by_status(status)


def _acted_by_status(status: int | None) -> Acted:
    # 408 is said by whoever stands between us and AWS, and may come after the request got through.
    if status is not None and 400 <= status < 500 and status != HTTP_REQUEST_TIMEOUT:
        return Acted.REFUSED
    return Acted.UNKNOWN


def unreadable(call: Call, message: str) -> CallError:
    """The error for an answer that is not from AWS."""
    acted = _acted_by_status(call.status) if call.sent else Acted.REFUSED
    return CallError(
        UNREADABLE_REPLY, message, operation=call.operation, acted=acted, http_status=call.status
    )


def _unanswered(error: BotoCoreError, call: Call) -> Tier1Error:
    from botocore import exceptions as boto

    if isinstance(error, boto.InvalidRegionError | boto.EndpointProviderError | boto.NoRegionError):
        return ConfigurationError(
            f"The region or endpoint cannot be used: {error}. Correct it, and try again."
        )
    if isinstance(error, _defects()):
        return Tier1Error(f"{call.operation} was called in a way that its model does not allow: {error}")
    if isinstance(error, _credential_failures()):
        return CallError(NO_CREDENTIALS, str(error), operation=call.operation)
    code, acted = _network_failure(error)
    if not call.sent:
        acted = Acted.REFUSED
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
    """Whether an exception of that type stands behind botocore's, which keeps it as `error`."""
    cause: Any = error.kwargs.get("error")
    for _ in range(_CAUSES_LIMIT):
        if cause is None or isinstance(cause, kind):
            break
        cause = cause.__cause__ or cause.__context__
    return isinstance(cause, kind)


def _defects() -> tuple[type[BotoCoreError], ...]:
    return _named("ParamValidationError", "ValidationError", "MissingParametersError", "DataNotFoundError")


def _credential_failures() -> tuple[type[BotoCoreError], ...]:
    return _named(
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "NoAuthTokenError",
        "TokenRetrievalError",
        "SSOError",
        "LoginError",
        "ProfileNotFound",
        "ConfigParseError",
        "ConfigNotFound",
        "InvalidConfigError",
        "UnknownCredentialError",
        "RefreshWithMFAUnsupportedError",
        "MetadataRetrievalError",
        "MissingDependencyException",
    )


def _named(*names: str) -> tuple[type[BotoCoreError], ...]:
    """botocore's exceptions of these names; an older botocore does not have them all."""
    from botocore import exceptions as boto

    return tuple(getattr(boto, name) for name in names if hasattr(boto, name))
