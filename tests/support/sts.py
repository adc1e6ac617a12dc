"""AWS's STS on loopback: roles that want an MFA code, and the AWS config file that names them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from tests.support.loopback import Endpoint, endpoint, http

CODE = "123456"
DEVICE = "arn:aws:iam::123456789012:mfa/me"
ROLE = f"""[profile base]
aws_access_key_id = AKIABASE
aws_secret_access_key = secret
[profile ops]
role_arn = arn:aws:iam::123456789012:role/ops
source_profile = base
mfa_serial = {DEVICE}
"""
ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>{expires}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
IDENTITY = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/ops/me</Arn><UserId>u</UserId>
<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""
DENIED = http(
    403,
    b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>MultiFactorAuthentication failed with invalid "
    b"MFA one time pass code. </Message></Error></ErrorResponse>",
)


def sent(request: bytes) -> dict[str, str]:
    """The parameters of a request in the query protocol."""
    return {name: value for name, (value, *_) in parse_qs(request.partition(b"\r\n\r\n")[2].decode()).items()}


class Sts:
    """AWS's STS: assumes a role for one code, or for none where no code is needed."""

    def __init__(self) -> None:
        self.lives = timedelta(hours=1)
        self.served: Endpoint

    def __call__(self, connection: socket.socket) -> None:
        asked = sent(self.served.requests[-1])
        if asked["Action"] == "GetCallerIdentity":
            return connection.sendall(http(200, IDENTITY))
        if "SerialNumber" in asked and asked.get("TokenCode") != CODE:
            return connection.sendall(DENIED)
        expires = (datetime.now(UTC) + self.lives).strftime("%Y-%m-%dT%H:%M:%SZ")
        return connection.sendall(http(200, ASSUMED.format(expires=expires).encode()))

    @property
    def asked(self) -> list[str]:
        return [sent(request)["Action"] for request in self.served.requests]


@contextmanager
def sts() -> Iterator[Sts]:
    """An STS on a free port of the loopback interface."""
    it = Sts()
    with endpoint(it) as served:
        it.served = served
        yield it
