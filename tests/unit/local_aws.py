"""A local AWS in this process with a clock that moves by hand: no socket, no sleep, no other process."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tier1_engine.sandbox import region
from tier1_engine.sandbox.late import never
from tier1_engine.sandbox.local import LocalAws, new_world, strict
from tier1_engine.sandbox.world import Speed

REGION = "us-east-1"
IMAGE = "ami-12c6146b"
"""An image of moto's, and the only one in these tests."""
ENDPOINT = "http://127.0.0.1:1"
"""Named in requests, and never connected to."""


@dataclass
class ManualClock:
    """Seconds of ours that pass when a test says so."""

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
        """A client whose requests are answered in this process. It never tries again."""
        made = boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=ENDPOINT,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
        )
        made.meta.events.register("before-send", self._send)
        return made

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> AWSResponse:
        """What the application answers to one request."""
        builder = EnvironBuilder(path, ENDPOINT, method=method, headers=dict(headers), data=body)
        pieces, status, answered = run_wsgi_app(self.aws.application, builder.get_environ())
        return AWSResponse(ENDPOINT + path, int(status.split()[0]), dict(answered), Raw(b"".join(pieces)))

    def reset(self) -> None:
        """Empty the account."""
        assert self.request("POST", "/moto-api/reset", {}, b"").status_code == 200

    def _send(self, request: AWSPreparedRequest, **_event: Any) -> AWSResponse:
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        return self.request(str(request.method), request.url.removeprefix(ENDPOINT), headers, content)


def make_rig(seed: int = 7, record: Path | None = None) -> Rig:
    """A strict local AWS whose account is empty, without the manners of objects."""
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
    # Making a local AWS mends this one for good, so it is mended before it is replaced.
    region.mend()
    monkeypatch.setattr(amis, "load_resource", lambda _path: [])


def refused(error: ClientError) -> tuple[str, int]:
    """Code and HTTP status of a refusal."""
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
