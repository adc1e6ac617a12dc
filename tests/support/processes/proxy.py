"""A proxy on loopback between `tier1` and a local AWS: it records every call and lets tests disturb some.

Owns the path of one call: the `Act` that a test's rule chose for it, and what was executed. botocore
interprets the calls: the operation of a request without one in it (EFS) is looked up in botocore's own
service model. It never changes the answers of the local AWS itself.
"""

from __future__ import annotations

import http.client
import json
import re
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.loaders import Loader

READING = ("Describe", "Get", "List")
CONFIGURING = ("CreateRoute", "CreateTags")
"""These set something about what is there; every other `Create...` makes something."""

RESOURCE_TAG = "tier1:resource"
CALL_SECONDS = 60.0
HOLD_SECONDS = 30.0
HOP_HEADERS = ("connection", "content-length", "date", "server", "transfer-encoding")


@dataclass(frozen=True)
class Call:
    """One request as it came.

    Attributes:
        number: of the changing calls that had come by then, this one included.
        parameters: as sent; those of a query protocol are flat (`TagSpecification.1.ResourceType`).
        began: when its request was read, on the monotonic clock.
    """

    number: int
    service: str
    operation: str
    parameters: Mapping[str, Any]
    began: float

    @property
    def changing(self) -> bool:
        return not self.operation.startswith(READING)

    @property
    def making(self) -> bool:
        creates = self.operation.startswith("Create") and self.operation not in CONFIGURING
        return creates or self.operation == "RunInstances"

    @property
    def subject(self) -> str:
        """What it is about: the resource by our tag, else what names it; the same in each try."""
        for key, value in self.parameters.items():
            if value == RESOURCE_TAG:
                return str(self.parameters[key.removesuffix("Key") + "Value"])
        for tag in self.parameters.get("Tags", ()):
            if tag["Key"] == RESOURCE_TAG:
                return str(tag["Value"])
        return json.dumps(self.parameters, sort_keys=True)


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def well(self) -> bool:
        return self.status < http.client.MULTIPLE_CHOICES


class Exchange:
    """One call in the proxy's hands; an act ends it with `answer` or `cut`."""

    def __init__(self, call: Call, forward: Callable[..., Reply], handler: _Handler) -> None:
        self.call = call
        self.forward = forward
        self._handler = handler

    def answer(self, reply: Reply) -> None:
        self._handler.write(reply)

    def cut(self) -> None:
        """End the connection with a reset, as a broken line does."""
        self._handler.reset()

    def wait_until_given_up(self) -> None:
        """Wait until the caller has closed the connection, at most `HOLD_SECONDS`."""
        self._handler.wait_until_closed()


Act = Callable[[Exchange], None]
Rule = Callable[[Call], Act | None]
"""What becomes of a call; None lets it pass. Called under a lock: calls come to it one by one."""


def passed(exchange: Exchange) -> None:
    """The call reaches AWS and its reply the caller."""
    exchange.answer(exchange.forward())


def cut_before(exchange: Exchange) -> None:
    """The line breaks before AWS has the call."""
    exchange.cut()


def cut_after(exchange: Exchange) -> None:
    """AWS executes the call, and its reply is lost."""
    exchange.forward()
    exchange.cut()


def failed_after(exchange: Exchange) -> None:
    """AWS executes the call and answers 500."""
    exchange.forward()
    exchange.answer(error(exchange.call, 500, "InternalError"))


def answered_late(exchange: Exchange) -> None:
    """AWS executes the call, and its reply comes when the caller's read time-out is over."""
    reply = exchange.forward()
    exchange.wait_until_given_up()
    exchange.answer(reply)


def never_answered(exchange: Exchange) -> None:
    """AWS never has the call, and the caller hears nothing until it gives up."""
    exchange.wait_until_given_up()
    exchange.cut()


def refused(status: int, code: str) -> Act:
    """AWS refuses the call in the format of its service, and does not execute it."""
    return lambda exchange: exchange.answer(error(exchange.call, status, code))


def first(do: Callable[[], object], then: Act = passed) -> Act:
    """Do something before AWS has the call."""

    def act(exchange: Exchange) -> None:
        do()
        then(exchange)

    return act


def delayed(until: threading.Event) -> Act:
    """The call waits for an event, at most `HOLD_SECONDS`, and then passes."""
    return first(lambda: until.wait(HOLD_SECONDS))


def killed_before(kill: Callable[[], object]) -> Act:
    """The caller dies before AWS has the call."""
    return first(kill, cut_before)


def killed_after(kill: Callable[[], object]) -> Act:
    """The caller dies after AWS executed the call and before the reply is there."""
    return executed_then(kill, Exchange.cut)


def executed_after_kill(kill: Callable[[], object]) -> Act:
    """The caller dies while its call is under way, and AWS executes it all the same."""

    def act(exchange: Exchange) -> None:
        kill()
        exchange.forward()
        exchange.cut()

    return act


def executed_then(do: Callable[[], object], then: Act | None = None) -> Act:
    """AWS executes the call; something is done; then its reply goes out, or what `then` does instead."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        do()
        if then is None:
            exchange.answer(reply)
        else:
            then(exchange)

    return act


def error(call: Call, status: int, code: str) -> Reply:
    """An error in the format of the service: the EC2 query, the query and the two JSON protocols of AWS."""
    message = f"The proxy says {code}."
    inner = f"<Code>{code}</Code><Message>{message}</Message>"
    if call.service == "ec2":
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>proxy</RequestID></Response>"
    elif call.service in ("iam", "sts"):
        text = f"<ErrorResponse><Error>{inner}</Error><RequestId>proxy</RequestId></ErrorResponse>"
    elif call.service == "efs":
        text = json.dumps({"ErrorCode": code, "Message": message})
    else:
        text = json.dumps({"__type": code, "message": message})
    kind = "text/xml" if text.startswith("<") else "application/x-amz-json-1.1"
    headers = (("Content-Type", kind), ("x-amzn-ErrorType", code), ("x-amzn-RequestId", "proxy"))
    return Reply(status, headers, text.encode())


def passes(call: Call) -> None:
    """The rule that spoils nothing."""


@dataclass
class Proxy:
    """The proxy, with what went through it.

    Attributes:
        upstream: the URL of the local AWS.
        rule: chooses the act for each call; a test may change it at any time.
        calls: every call that came, in order.
        executed: the mutating calls that AWS executed successfully, with their replies.
    """

    upstream: str
    url: str = ""
    rule: Rule = passes
    calls: list[Call] = field(default_factory=list)
    executed: list[tuple[Call, Reply]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def passes(self) -> bool:
        """Whether no rule disturbs calls."""
        return self.rule is passes

    @property
    def changing(self) -> list[Call]:
        with self._lock:
            return [call for call in self.calls if call.changing]

    @property
    def made(self) -> Counter[tuple[str, str]]:
        """How often AWS executed a call that makes something, by operation and what it was to make."""
        with self._lock:
            return Counter((call.operation, call.subject) for call, _ in self.executed if call.making)

    def received(self, service: str, operation: str, parameters: Mapping[str, Any]) -> tuple[Call, Act]:
        with self._lock:
            number = sum(call.changing for call in self.calls)
            call = Call(number, service, operation, parameters, time.monotonic())
            if call.changing:
                call = Call(number + 1, service, operation, parameters, call.began)
            self.calls.append(call)
            return call, self.rule(call) or passed

    def forward(self, call: Call, request: Callable[[], Reply]) -> Reply:
        reply = request()
        if call.changing and reply.well:
            with self._lock:
                self.executed.append((call, reply))
        return reply


class _Server(ThreadingHTTPServer):
    allow_reuse_port = True  # the port may be reserved for the next one


@contextmanager
def proxy(upstream: str, port: int = 0) -> Iterator[Proxy]:
    """A proxy on a port of the loopback interface: a free one, or a reserved one."""
    it = Proxy(upstream)
    handler = type("_Bound", (_Handler,), {"proxy": it})
    with _Server(("127.0.0.1", port), handler) as server:
        server.block_on_close = False  # a held call may outlive its test
        it.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield it
        finally:
            server.shutdown()
            thread.join(timeout=CALL_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    """One connection of the caller. A process that is killed leaves in the middle of anything."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        with suppress(ConnectionError, ValueError):  # ValueError: the file of a connection that was reset
            super().finish()

    def log_message(self, format: str, *arguments: object) -> None:
        return None

    def _exchange(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call, act = self.proxy.received(*self._read(body))

        def forward(old: bytes = b"", new: bytes = b"") -> Reply:
            return self.proxy.forward(call, lambda: self._request(body.replace(old, new)))

        act(Exchange(call, forward, self))

    do_GET = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815 - the names that http.server looks for

    def _read(self, body: bytes) -> tuple[str, str, Mapping[str, Any]]:
        # Signature Version 4: Credential=KEY/DATE/REGION/SERVICE/aws4_request
        signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", self.headers.get("Authorization", ""))
        service = "efs" if signed is None or signed[1] == "elasticfilesystem" else signed[1]
        if "X-Amz-Target" in self.headers:
            return service, self.headers["X-Amz-Target"].rpartition(".")[2], json.loads(body)
        if service == "efs":
            path = urlsplit(self.path).path
            return service, efs_operation(self.command, path), json.loads(body or b"{}") or {"path": path}
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return service, fields.pop("Action"), fields

    def _request(self, body: bytes) -> Reply:
        place = urlsplit(self.proxy.upstream)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=CALL_SECONDS)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "content-length")}
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def write(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            if name.lower() not in HOP_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def wait_until_closed(self) -> None:
        # What is readable on a connection that waits for its reply is its end.
        select.select([self.connection], [], [], HOLD_SECONDS)

    def reset(self) -> None:
        # A linger of zero seconds makes the kernel send a reset instead of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


@cache
def _efs_paths() -> list[tuple[str, re.Pattern[str], str]]:
    operations = Loader().load_service_model("efs", "service-2")["operations"]
    return [
        (
            about["http"]["method"],
            re.compile(re.sub(r"\{\w+\}", "[^/]+", about["http"]["requestUri"]) + "/?"),
            name,
        )
        for name, about in operations.items()
        if not about.get("deprecated")
    ]


def efs_operation(method: str, path: str) -> str:
    """The EFS operation of a request, from botocore's service model."""
    found = [name for m, pattern, name in _efs_paths() if m == method and pattern.fullmatch(path)]
    assert len(found) == 1, (method, path, found)
    return found[0]
