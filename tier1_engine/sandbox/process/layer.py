"""The layer around moto: every call passes through here, and through the manners and faults.

Owns the way of one call: parse it, let a fault or a manner answer, else let moto execute it, and send
the reply when it is due. One call executes at a time, under the world's lock; whatever waits does so
outside it. What is no call of a service that is spoken here goes to moto as it came.
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

from tier1_engine.sandbox.behaviour.manner import Manner
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
    """The client gets no answer. A server that is a werkzeug's drops the connection for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended.

    Attributes:
        reply: what AWS says; None when the connection is cut.
        delay_seconds: AWS seconds that it still takes until the client gets it.
    """

    reply: Reply | None
    delay_seconds: float = 0.0


class Layer:
    """A WSGI application around moto's.

    Args:
        aws: moto's.
        world: whose clock, dice and lock count.
        manners: of calls, in the order in which they are asked.
        board: the faults.
        late: what executes later.
        recorder: where every call is written down, if anywhere.
        wait: sleeps so many seconds of ours.
    """

    def __init__(
        self,
        aws: WSGIApplication,
        world: World,
        manners: Sequence[Manner],
        board: Board,
        late: Late,
        recorder: Recorder | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws = aws
        self._world = world
        self._manners = tuple(manners)
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
        """Let happen what is due by now."""
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
        """Remember nothing of an account that was emptied. Its faults stay set."""
        self._late.forget()
        self._ids.begin()
        for manner in self._manners:
            manner.forget()
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
        # What AWS refused anyway did not act; it keeps its own answer.
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
            for manner in self._manners:
                reply = manner.after(call, reply)
        return with_request_id(reply, self._ids.request_id())

    def _before(self, call: Call) -> Reply | None:
        for manner in self._manners:
            if (reply := manner.before(call)) is not None:
                return reply
        return None

    def _record(self, call: Call, reply: Reply | None) -> None:
        if self._recorder is not None:
            status, code = (reply.status, reply.code) if reply else (None, LOST)
            self._recorder.write(self._world.clock.now(), call, status, code)


class Ids:
    """The random ids of moto, made a function of the seed and of what is asked for.

    The n-th time that the same is asked for gives the same ids in every run, whatever else was asked for
    in between: polls that come more often in one run than in another shift nothing.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.begin()

    def begin(self) -> None:
        """Begin anew: an empty account has been asked for nothing."""
        self._asked: Counter[str] = Counter()
        self._regions: set[tuple[str, str]] = set()
        self._calls = 0
        self._draw("begin")

    def enter(self, call: Call) -> None:
        """Have the call's region and account there before anybody looks into them.

        They come with a default VPC and with roles, whose ids must not be drawn by whoever happens to call
        there first.
        """
        place = (call.account_id, call.region)
        if place not in self._regions:
            self._regions.add(place)
            self._draw(f"region/{place}")
            ec2_backend(call)
            iam_backend(call)

    def seed(self, call: Call) -> None:
        """Set moto's dice for the execution of a call."""
        if not call.changes:
            self._draw(f"{call.service}/{call.operation}")
            return
        # A client draws a token where its user gives none; it says nothing of what is asked for.
        plain = {name: value for name, value in call.parameters.items() if name != "ClientToken"}
        asked = replace(call, parameters=plain).fingerprint()
        self._asked[asked] += 1
        self._draw(f"{asked}/{self._asked[asked]}")

    def request_id(self) -> str:
        """One for each reply, as a UUID in the order in which they are given."""
        self._calls += 1
        digest = hashlib.blake2b(f"{self._seed}/request/{self._calls}".encode(), digest_size=16).digest()
        return str(UUID(bytes=digest, version=4))

    def _draw(self, name: str) -> None:
        from moto.moto_api._internal import mock_random

        mock_random.seed(f"{self._seed}/{name}")


def _ask(aws: WSGIApplication, call: Call, environ: WSGIEnvironment) -> Reply:
    """What moto answers. An operation that it does not have is answered as such, not with its trace."""
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
    """Close the client's connection for real, where there is one."""
    connection = environ.get(SOCKET_KEY)
    if isinstance(connection, socket.socket):
        with suppress(OSError):  # the client was faster
            connection.shutdown(socket.SHUT_RDWR)
