"""The control path of a running sandbox: its faults and its census, over HTTP on the same port.

    GET    /_tier1/sandbox   nothing, signed: who answers is this sandbox
    GET    /_tier1/faults    all faults, with their counters
    POST   /_tier1/faults    adds one; returns it with any warnings
    DELETE /_tier1/faults    removes all
    GET    /_tier1/census    everything that exists
    POST   /_tier1/reset     deletes everything in all accounts

Owns these requests. Each is signed with the token of the state file, which only its user can read, and so is
each reply (`proof`); the socket is bound to loopback. It never answers AWS calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from tier1_engine.errors import Refused
from tier1_engine.sandbox.faults.board import warnings
from tier1_engine.sandbox.faults.faults import from_json
from tier1_engine.sandbox.process.layer import RESET_PATH as MOTO_RESET_PATH
from tier1_engine.sandbox.process.local import LocalAws
from tier1_engine.sandbox.process.proof import PROOF_HEADER, authorized, proof
from tier1_engine.sandbox.process.routes import (
    CENSUS_PATH,
    CONTROL_PATH,
    FAULTS_PATH,
    IDENTITY_PATH,
    RESET_PATH,
)

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

BODY_BYTES_LIMIT: Final = 65_536

Response = tuple[HTTPStatus, dict[str, Any]]

_UNSIGNED: Final[Response] = (
    HTTPStatus.FORBIDDEN,
    {"error": "The request is not signed with the token of this sandbox's state file."},
)


def controlled(aws: LocalAws, token: str) -> WSGIApplication:
    """`aws`, with the control path in front of it."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(CONTROL_PATH):
            return aws.application(environ, start_response)
        # An unread body would reset the connection before the answer arrives.
        asked = _body(environ)
        nonce = authorized(
            token,
            environ.get("HTTP_AUTHORIZATION", ""),
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            asked,
        )
        status, document = _UNSIGNED if nonce is None else _answer(aws, environ, asked)
        body = json.dumps(document).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if nonce is not None:
            headers.append((PROOF_HEADER, proof(token, nonce, status.value, body)))
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return application


def _answer(aws: LocalAws, environ: WSGIEnvironment, body: bytes) -> Response:
    if environ["PATH_INFO"] == IDENTITY_PATH:
        return HTTPStatus.OK, {}
    if environ["PATH_INFO"] == CENSUS_PATH:
        return _census(aws)
    if environ["PATH_INFO"] == RESET_PATH:
        return _reset(aws, environ)
    if environ["PATH_INFO"] != FAULTS_PATH:
        return HTTPStatus.NOT_FOUND, {"error": f"There is nothing at {environ['PATH_INFO']}."}
    if aws.board is None or aws.world is None:
        sentence = "This sandbox runs in plain mode, without faults: stop it, then start it with --strict."
        return HTTPStatus.CONFLICT, {"error": sentence}
    with aws.world.lock:
        try:
            return _faults(aws, environ["REQUEST_METHOD"], body)
        except Refused as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}


def _census(aws: LocalAws) -> Response:
    from tier1_engine.sandbox.census import things

    with aws.world.lock if aws.world is not None else nullcontext():
        if aws.world is not None:
            for happen in aws.world.on_call:  # run all due events first
                happen()
        return HTTPStatus.OK, {"things": [thing.to_json() for thing in things()]}


def _reset(aws: LocalAws, environ: WSGIEnvironment) -> Response:
    if environ["REQUEST_METHOD"] != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED, {"error": f"{environ['REQUEST_METHOD']} is not supported here."}
    statuses: list[str] = []

    def started(status: str, *_: Any) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _: None

    for _ in aws.application({**environ, "PATH_INFO": MOTO_RESET_PATH}, started):
        pass
    return HTTPStatus(int(statuses[-1].split()[0])), {}


def _faults(aws: LocalAws, method: str, body: bytes) -> Response:
    board = aws.board
    assert board is not None
    if method == "GET":
        return HTTPStatus.OK, {"faults": [pinned.to_json() for pinned in board.all()]}
    if method == "DELETE":
        return HTTPStatus.OK, {"cleared": board.clear()}
    if method != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED, {"error": f"{method} is not supported here."}
    pinned = board.add(from_json(_parsed(body)))
    return HTTPStatus.CREATED, {"fault": pinned.to_json(), "warnings": warnings(pinned, board)}


def _body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    return bytes(environ["wsgi.input"].read(min(int(length), BODY_BYTES_LIMIT)))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise Refused("The body is not JSON.") from error
