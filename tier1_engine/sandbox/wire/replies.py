"""Replies of the local AWS: AWS's error documents in each protocol, and the code in a reply.

Owns the format of the documents. `codes` has the status and message of each code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from xml.sax.saxutils import escape

from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.codes import SERVER_ERROR, message_of, status_of
from tier1_engine.sandbox.wire.operations import service_model

Headers = tuple[tuple[str, str], ...]

_REQUEST_ID_HEADER: Final = "x-amzn-RequestId"
_CODE_IN_XML: Final = re.compile(rb"<Code>([^<]*)</Code>")
_REQUEST_ID_IN_XML: Final = re.compile(rb"(<(requestId|RequestId|RequestID)>)[^<]*(</\2>)")
_OK_BELOW: Final = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client.

    Attributes:
        status: of HTTP.
        headers: those of HTTP, without the length.
        body: the document.
    """

    status: int
    headers: Headers
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < _OK_BELOW

    @property
    def code(self) -> str | None:
        """AWS's error code; None when the reply is not an error, or not AWS's."""
        return None if self.ok else _code_in(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def refusal(
    call: Call, code: str, message: str | None = None, status: int | None = None, /, **more: str
) -> Reply:
    """AWS's error document for a call.

    Args:
        message: beside the code; AWS's own words where None.
        status: of HTTP; the code's own where None.
        more: members that the error's shape has beside them (`FileSystemId`).
    """
    said = message_of(call, code) if message is None else message
    number = status_of(call.service, code) if status is None else status
    protocol = service_model(call.service).resolved_protocol
    if protocol == "ec2":
        body = _ec2(code, said)
    elif protocol == "query":
        body = _query(call, code, said, number)
    elif protocol == "rest-xml":
        body = _rest(code, said)
    else:
        return _json(call, code, said, number, more)
    return Reply(number, (("Content-Type", "text/xml;charset=UTF-8"),), body)


def with_request_id(reply: Reply, request_id: str) -> Reply:
    """Add a request id to the reply, in the header and in the document."""
    kept = tuple(
        (name, value)
        for name, value in reply.headers
        if name.lower() not in ("x-amzn-requestid", "content-length")
    )
    body = reply.body
    if _is_xml(reply):
        body = _REQUEST_ID_IN_XML.sub(rb"\g<1>" + request_id.encode() + rb"\g<3>", body)
    return replace(reply, headers=(*kept, (_REQUEST_ID_HEADER, request_id)), body=body)


def _is_xml(reply: Reply) -> bool:
    return reply.body.lstrip()[:1] == b"<"


# Source of the shapes: "Sample error response" of the EC2 developer guide, "Making query requests" of the IAM
# user guide, "REST error responses" of the S3 API reference, and the parsers of botocore (`EC2QueryParser`,
# `QueryParser`, `RestXMLParser`, `JSONParser`).


def _ec2(code: str, message: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        "</Errors><RequestID></RequestID></Response>"
    ).encode()


def _query(call: Call, code: str, message: str, status: int) -> bytes:
    namespace = service_model(call.service).metadata.get("xmlNamespace", "")
    at_fault = "Receiver" if status >= SERVER_ERROR else "Sender"
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{at_fault}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId></RequestId></ErrorResponse>"
    ).encode()


def _rest(code: str, message: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        "<RequestId></RequestId></Error>"
    ).encode()


def _json(call: Call, code: str, message: str, status: int, more: dict[str, str]) -> Reply:
    if call.service == "efs":
        document = {"ErrorCode": code, "Message": message, **more}
        content_type = "application/json"
    else:
        document = {"__type": code, "message": message, **more}
        content_type = "application/x-amz-json-1.1"
    headers = (("Content-Type", content_type), ("x-amzn-ErrorType", f"{code}:"))
    return Reply(status, headers, json.dumps(document).encode())


def _code_in(body: bytes) -> str | None:
    if found := _CODE_IN_XML.search(body):
        return found[1].decode()
    try:
        document = json.loads(body)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    return _first_text(document.get(name) for name in ("__type", "ErrorCode", "code", "Code"))


def _first_text(values: Iterable[object]) -> str | None:
    return next((value.rpartition("#")[2] for value in values if isinstance(value, str)), None)
