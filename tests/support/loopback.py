"""A tiny HTTP endpoint on loopback that cuts, stalls and answers nonsense, and AWS's replies to give."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tier1_engine.aws.session import AwsSession
from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.errors import CallError

BUDGET_SECONDS = 5.0
Respond = Callable[[socket.socket], None]

VPC_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<CreateVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId>
<vpc><vpcId>vpc-1</vpcId><state>pending</state></vpc></CreateVpcResponse>"""
HTML = b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>"


def http(status: int, body: bytes, *, length: int | None = None, kind: str = "text/xml") -> bytes:
    """A whole reply; with another `length` than the body's it reads as cut."""
    head = f"HTTP/1.1 {status} Any\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def ec2_error(status: int, code: str) -> bytes:
    """An error in EC2's format."""
    return http(
        status,
        f"<Response><Errors><Error><Code>{code}</Code><Message>No.</Message></Error></Errors>"
        "<RequestID>req-7</RequestID></Response>".encode(),
    )


def efs_error(status: int, code: str) -> bytes:
    """An error in EFS's format."""
    return http(
        status, f'{{"ErrorCode":"{code}","Message":"No."}}'.encode(), kind="application/json"
    ).replace(b"\r\n\r\n", f"\r\nx-amzn-ErrorType: {code}\r\n\r\n".encode(), 1)


@dataclass
class Endpoint:
    """An endpoint that answers every request as the test says, and records the requests."""

    respond: bytes | Respond
    requests: list[bytes] = field(default_factory=list)
    url: str = ""
    stopped: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            self.requests.append(read_request(connection))
            if callable(self.respond):
                self.respond(connection)
            else:
                connection.sendall(self.respond)


def read_request(connection: socket.socket) -> bytes:
    """One request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    ]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def endpoint(respond: bytes | Respond) -> Iterator[Endpoint]:
    """An endpoint on a free port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = Endpoint(respond, url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=served.serve, args=(listener,), daemon=True)
        thread.start()
        yield served
        served.stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=BUDGET_SECONDS)


def nobody(environment: pytest.MonkeyPatch, folder: Path) -> None:
    """Dummy credentials, and none of this machine's settings."""
    environment.setenv("AWS_ACCESS_KEY_ID", "testing")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
    environment.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "HTTP_PROXY", "http_proxy"):
        environment.delenv(name, raising=False)


def failure(
    url: str | None,
    operation: str = "ec2.create_vpc",
    budget: float = BUDGET_SECONDS,
    region: str = "us-east-1",
) -> CallError:
    """What a changing call at the endpoint runs into."""
    service, _, name = operation.partition(".")
    parameters = {"CidrBlock": "10.0.0.0/16"} if name == "create_vpc" else {}
    cloud = AwsSession(region, None, url, budget).cloud(AlwaysPermitted())
    with pytest.raises(CallError) as caught:
        cloud.change(service, name, **parameters)
    return caught.value
