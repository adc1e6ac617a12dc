"""How an object of a kind is judged."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore import xform_name

from tests.support.conformance import command_lines
from tests.support.conformance.surroundings import LOOKS
from tier1_engine.contract.cloud import Cloud, Reply
from tier1_engine.contract.kind import Kind, Observation, Presence, Target
from tier1_engine.errors import CallError


def deleted(kind: Kind, cloud: Cloud, target: Target) -> Observation:
    """Delete it as the engine does: with the observation that proves ownership, until it is gone."""
    kind.delete(cloud, target, kind.describe(cloud, target))
    return gone(kind, cloud, target)


def failure_of(kind: Kind, cloud: Cloud, target: Target, observation: Observation) -> str | None:
    """The code that a deletion meets, if any."""
    try:
        kind.delete(cloud, target, observation)
    except CallError as error:
        return error.code
    return None


class Counting:
    """A cloud that notes which calls go through it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.changes: list[str] = []
        self.calls: set[tuple[str, str]] = set()

    @property
    def region(self) -> str:
        return self._cloud.region

    @property
    def account_id(self) -> str:
        return self._cloud.account_id

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self._note(service, operation)
        return self._cloud.read(service, operation, **parameters)

    def pages(self, service: str, operation: str, result_key: str, **parameters: Any) -> Iterator[Any]:
        self._note(service, operation)
        return self._cloud.pages(service, operation, result_key, **parameters)

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        self._note(service, operation)
        self.changes.append(operation)
        return self._cloud.change(service, operation, **parameters)

    def _note(self, service: str, operation: str) -> None:
        self.calls.add((service, operations(service)[operation]))


def gone(kind: Kind, cloud: Cloud, target: Target) -> Observation:
    """The first observation that shows it ended; deleted objects may linger."""
    for _ in range(LOOKS):
        after = kind.describe(cloud, target)
        if after.presence in ENDED:
            return after
    raise AssertionError(f"{kind.name} is still {after.presence}")


@cache
def operations(service: str) -> dict[str, str]:
    """The operations of a service: boto3's names and AWS's."""
    return {xform_name(name): name for name in api_operations(service)}


@cache
def api_operations(service: str) -> frozenset[str]:
    return frozenset(command_lines.service_model(service).operation_names)


ENDED = frozenset({Presence.ABSENT, Presence.GONE})
