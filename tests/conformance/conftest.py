"""Fixtures of the conformance suite: two local AWSs in this process, and every discovered kind in turn.

Every test runs through the real `aws.py`, on plain moto and on moto with the behaviour of AWS: created
resources become visible and ready with a delay, deleted ones linger, and resources in use cannot be deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.conformance.clouds import BEHAVIOURS, KINDS, empty_account
from tests.support.conformance.surroundings import World
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Kind

PLAIN_SAMPLE = ("elastic_ip", "file_system", "instance", "role")
"""The kinds that always run on plain moto too, at least one of each service: plain moto only does at once
what takes time with the behaviour of AWS.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave every other kind on plain moto to `make long`."""
    for item in items:
        given = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        if given.get("behaviour") == "plain" and given.get("kind", PLAIN_SAMPLE[0]) not in PLAIN_SAMPLE:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="module", params=sorted(BEHAVIOURS))
def behaviour(request: pytest.FixtureRequest) -> str:
    """Plain moto, then moto with the behaviour of AWS."""
    return str(request.param)


@pytest.fixture(scope="module")
def cloud(behaviour: str) -> Iterator[Cloud]:
    """One account for the tests of a module; each test has its own deployment and database."""
    with empty_account(behaviour) as account:
        yield account


@pytest.fixture
def world(cloud: Cloud) -> World:
    """The test's own deployment and database, in an account that also holds other people's resources."""
    return World(cloud, KINDS, deployment_id=uuid4().hex[:12], database_id=uuid4().hex[:12])


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Every kind in `resources/`, and the new one of the example package, one at a time."""
    return KINDS[str(request.param)]
