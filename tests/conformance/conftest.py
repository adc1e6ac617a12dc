"""A local AWS in this process, reached through the real `aws.py`, and every discovered kind in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from moto import mock_aws

from tests.conformance.surroundings import World
from tier1_engine.aws import AwsSession
from tier1_engine.kinds import Cloud, Kind
from tier1_engine.permits import AlwaysPermitted
from tier1_engine.resources import discover

REGION = "us-east-1"
KINDS = discover()


@contextmanager
def empty_account() -> Iterator[Cloud]:
    """An account of moto with nothing of ours in it. It takes a third of a second, for moto's AMIs."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            environment.delenv(variable, raising=False)
        with mock_aws():
            yield AwsSession(REGION, call_timeout_seconds=20.0).cloud(AlwaysPermitted())


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One account for the tests of a module; each test has a deployment and a database of its own."""
    with empty_account() as account:
        yield account


@pytest.fixture
def world(cloud: Cloud) -> World:
    """A deployment and a database of the test's own, in an account that holds others' things as well."""
    return World(cloud, KINDS, deployment_id=uuid4().hex[:12], database_id=uuid4().hex[:12])


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Every kind that `resources/` defines, one after the other."""
    found: Kind = KINDS[request.param]
    return found
