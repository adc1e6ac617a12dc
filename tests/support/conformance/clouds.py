"""The clouds on which every kind is tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import pytest
from moto import mock_aws
from moto.core.responses import BaseResponse

from tests.support.elastic_ip import ElasticIp
from tests.support.requested_spot import RequestedSpot
from tier1_engine.aws.session import AwsSession
from tier1_engine.contract.cloud import AlwaysPermitted, Cloud
from tier1_engine.contract.kind import Kind
from tier1_engine.resources import discover
from tier1_engine.sandbox.behaviour import objects
from tier1_engine.sandbox.behaviour.figures import FIGURES
from tier1_engine.sandbox.behaviour.patching import around
from tier1_engine.sandbox.world import AwsClock, Dice, Figure, Speed
from tier1_engine.sandbox.world import World as AwsWorld

KINDS: dict[str, Kind] = {
    **discover(),
    ElasticIp.name: ElasticIp(),
    RequestedSpot.name: RequestedSpot(),
}
"""Those of this package, and one that only the tests know (`test_new_kind`). A spot request has a create."""


class PassingClock(AwsClock):
    """A clock that advances by the same time at every call, and stands still otherwise."""

    def __init__(self) -> None:
        super().__init__(Speed.MAX, source=lambda: 0.0)
        self.calls = 0

    def now(self) -> float:
        return self.calls * SECONDS_A_CALL


class Slowest(Dice):
    """Makes everything take its maximum time, so that a test sees the same AWS in any order of tests."""

    def seconds(self, name: str, figure: Figure) -> float:
        """The most that `figure` allows."""
        return figure.most


@contextmanager
def strict() -> Iterator[None]:
    """AWS's behaviour of objects within moto, as the sandbox has them."""
    clock = PassingClock()
    objects.install(AwsWorld(clock, Slowest(seed=1), FIGURES))

    @around(BaseResponse, "call_action")
    def call_action(before: Callable[..., Any], response: Any) -> Any:
        clock.calls += 1
        return before(response)

    try:
        yield
    finally:
        objects.remove()


BEHAVIOURS: dict[str, Callable[[], AbstractContextManager[None]]] = {"plain": nullcontext, "strict": strict}


@contextmanager
def empty_account(behaviour: str = "plain") -> Iterator[Cloud]:
    """An empty moto account. It takes a third of a second, for moto's AMIs."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            environment.delenv(variable, raising=False)
        with BEHAVIOURS[behaviour](), mock_aws():
            yield _session().cloud(AlwaysPermitted())


@cache
def _session() -> AwsSession:
    """Its clients serve every account of moto that is there when they are asked; to make them takes long."""
    return AwsSession(REGION, call_timeout_seconds=20.0)


REGION = "us-east-1"


SECONDS_A_CALL = 60.0
"""What passes on AWS's clock at each call: all that is made or deleted here ends within `LOOKS` of them."""
