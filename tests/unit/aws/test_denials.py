"""EC2 encodes why it refuses: it is decoded where that is permitted, and else left as it is."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.loopback import endpoint, failure, http, nobody
from tier1_engine.aws.denials import in_words
from tier1_engine.errors import Acted

SAID = "You are not authorized to perform this operation. Encoded authorization failure message: abc-DEF_1"
CONTEXT = {"action": "ec2:CreateVpc", "resource": "arn:aws:ec2:us-east-1:123456789012:vpc/*"}
MATCHED = {"items": [{"conditions": {"items": [{"key": "aws:RequestTag/Project"}]}}]}


def decoded(**values: Any) -> str:
    return json.dumps({"allowed": False, "explicitDeny": False, "context": CONTEXT, **values})


def test_a_decoded_deny_reads_like_those_of_other_services() -> None:
    """With the condition that decided, because it may name a tag."""
    text = in_words(SAID, decoded(explicitDeny=True, matchedStatements=MATCHED))
    assert "is not authorized to perform: ec2:CreateVpc on resource: arn:aws:ec2:" in text
    assert "with an explicit deny (by a condition on aws:RequestTag/Project)" in text
    assert "Encoded" not in text


def test_a_decoded_missing_allow_is_named_as_such() -> None:
    """No statement matched."""
    assert "because no identity-based policy allows the ec2:CreateVpc action" in in_words(SAID, decoded())


@pytest.mark.parametrize(
    "odd", ["", "[]", "null", "{}", '{"context": 1}', '{"context": {"action": 1}, "matchedStatements": 2}']
)
def test_what_cannot_be_read_changes_nothing(odd: str) -> None:
    """The guide then prints the command that decodes it."""
    assert in_words(SAID, odd) == SAID


@pytest.mark.field_case("a trial: an encoded refusal was shown as it is")
@pytest.mark.parametrize("permitted", [True, False])
def test_a_refused_call_is_decoded_once_if_permitted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, permitted: bool
) -> None:
    """Code, request id and status stay AWS's; without the permission the message does, too."""
    nobody(monkeypatch, tmp_path)
    refusal = (
        f"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>{SAID}</Message></Error></Errors>"
        "<RequestID>req-7</RequestID></Response>"
    )
    text = decoded(explicitDeny=True).replace('"', "&quot;")
    answer = (
        f"<DecodeAuthorizationMessageResponse><DecodeAuthorizationMessageResult><DecodedMessage>{text}"
        "</DecodedMessage></DecodeAuthorizationMessageResult></DecodeAuthorizationMessageResponse>"
    )
    no = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>No.</Message></Error></ErrorResponse>"
    replies = iter(
        [http(403, refusal.encode()), http(200, answer.encode()) if permitted else http(403, no.encode())]
    )

    def respond(connection: socket.socket) -> None:
        connection.sendall(next(replies))

    with endpoint(respond) as served:
        error = failure(served.url)
        assert b"Action=DecodeAuthorizationMessage" in served.requests[1]
        assert len(served.requests) == 2
    assert (error.code, error.request_id, error.http_status) == ("UnauthorizedOperation", "req-7", 403)
    assert (error.operation, error.acted) == ("CreateVpc", Acted.REFUSED)
    assert ("with an explicit deny" in error.message) is permitted
    assert ("Encoded" in error.message) is not permitted
