"""The layer around moto: every call passes through it, and through the behaviours and faults.

Owns the path of one call: parse it, let a fault or a behaviour answer, otherwise let moto execute it, and
send the reply when it is due. One call executes at a time, under the world's lock; waiting happens outside
it. A request that is not a call of a supported service goes to moto unchanged.
"""

from __future__ import annotations

import hashlib
import io
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import responses
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.faults.board import Board
from tier1_engine.sandbox.faults.faults import Cut, Fault
from tier1_engine.sandbox.process.late import Late
from tier1_engine.sandbox.process.recorder import LOST, Recorder
from tier1_engine.sandbox.wire.call import Call, read
from tier1_engine.sandbox.wire.codes import SERVER_ERROR, code_of, server_code
from tier1_engine.sandbox.wire.operations import ANY_OPERATION
from tier1_engine.sandbox.wire.places import ec2_backend, iam_backend
from tier1_engine.sandbox.wire.replies import Reply, refusal, with_request_id
from tier1_engine.sandbox.world import World

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

RESET_PATH: Final = "/moto-api/reset"
SOCKET_KEY: Final = "werkzeug.socket"


class ConnectionCut(ConnectionAbortedError):
    """The client gets no answer. A werkzeug server drops the connection for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call.

    Attributes:
        reply: AWS's answer; None when the connection is cut.
        delay_seconds: AWS seconds until the client gets it.
    """

    reply: Reply | None
    delay_seconds: float = 0.0


class Layer:
    """A WSGI application around moto's.

    Args:
        aws: moto's application.
        world: provides clock, random numbers and lock.
        behaviours: the call behaviours, in the order in which they apply.
        board: the faults.
        late: the pending executions.
        recorder: records every call; None for no recording.
        wait: sleeps for real seconds.
    """

    def __init__(
        self,
        aws: WSGIApplication,
        world: World,
        behaviours: Sequence[CallBehaviour],
        board: Board,
        late: Late,
        recorder: Recorder | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws = aws
        self._world = world
        self._behaviours = tuple(behaviours)
        self._board = board
        self._late = late
        self._recorder = recorder
        self._wait = wait
        self._ids = Ids(world.dice.seed)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        call = read(environ)
        if call is None:
            return self._pass_on(environ, start_response)
        with self._world.lock:
            self._settle()
            answer = self._answer(call, environ)
        if answer.delay_seconds > 0:
            self._wait(self._world.clock.ours(answer.delay_seconds))
        if answer.reply is None:
            _hang_up(environ)
            raise ConnectionCut(call.operation)
        return _send(answer.reply, environ, start_response)

    def _settle(self) -> None:
        """Run all due events."""
        self._late.run_due()
        for happen in self._world.on_call:
            happen()

    def _pass_on(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._world.lock:
            if environ.get("PATH_INFO") == RESET_PATH:
                self.forget()
            self._settle()
            return list(self._aws(environ, start_response))

    def forget(self) -> None:
        """Clear what is remembered of an emptied account. Its faults remain set."""
        self._late.forget()
        self._ids.begin()
        for behaviour in self._behaviours:
            behaviour.forget()
        for forget in self._world.on_reset:
            forget()

    def _answer(self, call: Call, environ: WSGIEnvironment) -> Answer:
        self._ids.enter(call)
        fault = self._board.strike(call)
        answer = Answer(self._execute(call, environ)) if fault is None else self._struck(fault, call, environ)
        self._record(call, answer.reply)
        return answer

    def _struck(self, fault: Fault, call: Call, environ: WSGIEnvironment) -> Answer:
        delay = fault.delay_seconds
        if fault.execute_late_seconds is not None:
            self._put_off(fault.execute_late_seconds, call, environ)
            return Answer(None, delay)
        if fault.cut is Cut.BEFORE:
            return Answer(None, delay)
        if fault.refuses and not fault.after_execution:
            return Answer(self._refusal(fault, call), delay)
        reply = self._execute(call, environ)
        if fault.cut is Cut.AFTER:
            return Answer(None, delay)
        # A call that AWS refused did not act; it keeps its own answer.
        return Answer(self._refusal(fault, call) if fault.after_execution and reply.ok else reply, delay)

    def _refusal(self, fault: Fault, call: Call) -> Reply:
        code = fault.code or server_code(call.service)
        if fault.operation == ANY_OPERATION:
            code = code_of(call.service, code)
        status = fault.status or (SERVER_ERROR if fault.after_execution else None)
        return with_request_id(refusal(call, code, fault.message, status), self._ids.request_id())

    def _put_off(self, seconds: float, call: Call, environ: WSGIEnvironment) -> None:
        body = environ["wsgi.input"].read()
        again = {**environ}
        again.pop(SOCKET_KEY, None)

        def execute() -> None:
            again["wsgi.input"] = io.BytesIO(body)
            self._ids.enter(call)
            for happen in self._world.on_call:
                happen()
            self._record(call, self._execute(call, again))

        self._late.put_off(seconds, execute)

    def _execute(self, call: Call, environ: WSGIEnvironment) -> Reply:
        reply = self._before(call)
        if reply is None:
            self._ids.seed(call)
            reply = _ask(self._aws, call, environ)
            for behaviour in self._behaviours:
                reply = behaviour.after(call, reply)
        return with_request_id(reply, self._ids.request_id())

    def _before(self, call: Call) -> Reply | None:
        for behaviour in self._behaviours:
            if (reply := behaviour.before(call)) is not None:
                return reply
        return None

    def _record(self, call: Call, reply: Reply | None) -> None:
        if self._recorder is not None:
            status, code = (reply.status, reply.code) if reply else (None, LOST)
            self._recorder.write(self._world.clock.now(), call, status, code)


class Ids:
    """moto's random ids, made a function of the seed and the request.

    The n-th identical request gets the same ids in every run, no matter which other requests come in between:
    a different number of polls changes nothing.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.begin()

    def begin(self) -> None:
        """Reset: an empty account has seen no requests."""
        self._asked: Counter[str] = Counter()
        self._regions: set[tuple[str, str]] = set()
        self._calls = 0
        self._draw("begin")

    def enter(self, call: Call) -> None:
        """Create the call's region and account before any call looks into them.

        They start with a default VPC and roles, whose ids must not depend on which call comes first.
        """
        place = (call.account_id, call.region)
        if place not in self._regions:
            self._regions.add(place)
            self._draw(f"region/{place}")
            ec2_backend(call)
            iam_backend(call)

    def seed(self, call: Call) -> None:
        """Seed moto's random numbers for the execution of a call."""
        if not call.changes:
            self._draw(f"{call.service}/{call.operation}")
            return
        # A client generates a token when its user gives none; it is not part of what the call asks for.
        plain = {name: value for name, value in call.parameters.items() if name != "ClientToken"}
        asked = replace(call, parameters=plain).fingerprint()
        self._asked[asked] += 1
        self._draw(f"{asked}/{self._asked[asked]}")

    def request_id(self) -> str:
        """The request id of the next reply, a UUID determined by their order."""
        self._calls += 1
        digest = hashlib.blake2b(f"{self._seed}/request/{self._calls}".encode(), digest_size=16).digest()
        return str(UUID(bytes=digest, version=4))

    def _draw(self, name: str) -> None:
        from moto.moto_api._internal import mock_random

        mock_random.seed(f"{self._seed}/{name}")


def _ask(aws: WSGIApplication, call: Call, environ: WSGIEnvironment) -> Reply:
    """moto's answer. An operation that moto lacks gets an error reply instead of a traceback."""
    heard: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], _: Any = None
    ) -> Callable[[bytes], object]:
        heard.append((status, headers))
        return lambda _data: None

    try:
        pieces = aws(environ, start_response)
    except NotImplementedError:
        return refusal(call, "NotImplemented", f"The local AWS does not implement {call.operation}.")
    body = b"".join(pieces)
    status, headers = heard[-1]
    kept = tuple((name, value) for name, value in headers if name.lower() != "content-length")
    return Reply(int(status.split()[0]), kept, body)


def _send(reply: Reply, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    words = responses.get(reply.status, "Unknown")
    length = ("Content-Length", str(len(reply.body)))
    start_response(f"{reply.status} {words}", [*reply.headers, length])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]


def _hang_up(environ: WSGIEnvironment) -> None:
    """Close the client's connection at the socket, if there is one."""
    connection = environ.get(SOCKET_KEY)
    if isinstance(connection, socket.socket):
        with suppress(OSError):  # the client has already disconnected
            connection.shutdown(socket.SHUT_RDWR)
