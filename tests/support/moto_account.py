"""A local AWS in this process with a clock that moves by hand: no socket, no sleep, no other process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tier1_engine.sandbox.process import region
from tier1_engine.sandbox.process.late import never
from tier1_engine.sandbox.process.local import LocalAws, new_world, strict
from tier1_engine.sandbox.world import Speed

REGION = "us-east-1"
IMAGE = "ami-12c6146b"
"""An image of moto's, and the only one in these tests."""
ENDPOINT = "http://127.0.0.1:1"
"""Named in requests, and never connected to."""


@dataclass
class ManualClock:
    """A clock of real seconds that advances when a test says so."""

    seconds: float = 0.0
    waited: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        """Sleep: the clock moves at once."""
        self.waited.append(seconds)
        self.seconds += seconds


class Raw(io.BytesIO):
    """The body as botocore reads it."""

    def stream(self, **_options: Any) -> Iterator[bytes]:
        while piece := self.read(65_536):
            yield piece


@dataclass
class Rig:
    """A strict local AWS, and clients of it.

    At speed 1, so that a second of the clock is one of AWS.
    """

    aws: LocalAws
    clock: ManualClock

    def client(self, service: str, region: str = REGION) -> Any:
        """A client whose requests are answered in this process. It never retries."""
        made = boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=ENDPOINT,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
        )
        made.meta.events.register("before-send", self.send)
        return made

    def request(self, method: str, path: str, headers: Headers, body: bytes) -> Any:
        """What the application answers to one request, as botocore has it."""
        environ = EnvironBuilder(path, ENDPOINT, method=method, headers=headers, data=body).get_environ()
        pieces, status, answered = run_wsgi_app(self.aws.application, environ)
        given: Any = HTTPHeaders.from_pairs(list(answered))
        return AWSResponse(ENDPOINT + path, int(status.split()[0]), given, Raw(b"".join(pieces)))

    def reset(self) -> None:
        """Empty the account."""
        assert self.request("POST", "/moto-api/reset", Headers(), b"").status_code == 200

    def send(self, request: Any, **_event: Any) -> Any:
        """botocore's `before-send`: what is answered here goes nowhere else."""
        return self.request(request.method, path_of(request), headers_of(request), body_of(request))


def path_of(request: Any) -> str:
    return str(request.url).removeprefix(ENDPOINT)


def headers_of(request: Any) -> Headers:
    """The headers of botocore's request, some of which are bytes."""
    pairs = [
        (name, value.decode() if isinstance(value, bytes) else value)
        for name, value in request.headers.items()
    ]
    return Headers(pairs)


def body_of(request: Any) -> bytes:
    body = request.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)


def make_rig(seed: int = 7, record: Path | None = None) -> Rig:
    """A strict local AWS whose account is empty, without the behaviours of objects."""
    clock = ManualClock()
    world = new_world(seed, Speed.REAL, clock)
    rig = Rig(strict(world, record=record, objects=False, schedule=never, wait=clock.wait), clock)
    rig.reset()
    return rig


def prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto make one image instead of all thousand each time that an account is emptied."""
    from moto.ec2.models import amis

    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    monkeypatch.setattr(amis, "AMIS", [one for one in amis.AMIS if one["ami_id"] == IMAGE])
    # Making a local AWS patches this process for good, so patch before replacing.
    region.patch_moto()
    monkeypatch.setattr(amis, "load_resource", lambda _path: [])


def refused(error: ClientError) -> tuple[str, int]:
    """Code and HTTP status of a refusal."""
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
