"""Two local AWSs in this process, reached through the real `aws.py`, and every discovered kind in turn.

Every test here runs on moto as it is, and on moto with AWS's behaviour: what is made takes its time to be
seen and to be ready, what is deleted lingers, and what is in use is not deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.conformance.clouds import BEHAVIOURS, KINDS, empty_account
from tests.support.conformance.surroundings import World
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Kind


@pytest.fixture(scope="module", params=sorted(BEHAVIOURS))
def behaviour(request: pytest.FixtureRequest) -> str:
    """Moto as it is, and with AWS's behaviour."""
    return str(request.param)


@pytest.fixture(scope="module")
def cloud(behaviour: str) -> Iterator[Cloud]:
    """One account for the tests of a module; each test has a deployment and a database of its own."""
    with empty_account(behaviour) as account:
        yield account


@pytest.fixture
def world(cloud: Cloud) -> World:
    """A deployment and a database of the test's own, in an account that holds others' things as well."""
    return World(cloud, KINDS, deployment_id=uuid4().hex[:12], database_id=uuid4().hex[:12])


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Every kind that `resources/` defines, and a new one, one after the other."""
    return KINDS[str(request.param)]
