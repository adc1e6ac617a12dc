"""An account in memory with fourteen kinds of one thing each, which counts the calls.

Lists are paginated, as AWS's are; a call takes the configured time. Owns no rule of a sweep.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tier1_engine.contract.cloud import Cloud, Permit, Reply
from tier1_engine.contract.kind import ABSENT, Kind, Observation, Presence, Registry, Target
from tier1_engine.errors import CallError

ACCOUNT_ID, REGION = "123456789012", "us-east-1"
PAGE = 100
KINDS = tuple(f"kind{number:02d}" for number in range(1, 15))
"""Fourteen: as many resources as a Tier 1 stack with two zones has."""


@dataclass
class Account:
    """The objects of an account, and the calls made.

    Attributes:
        seconds: how long each call takes.
        things: tags by AWS id, by kind.
        calls: the number of calls of each operation.
    """

    seconds: float = 0.0
    things: dict[str, dict[str, Mapping[str, str]]] = field(default_factory=lambda: {k: {} for k in KINDS})
    calls: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, operation: str) -> None:
        """One exchange with AWS."""
        with self.lock:
            self.calls[operation] += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.seconds:
            time.sleep(self.seconds)
        with self.lock:
            self.in_flight -= 1

    @property
    def pages_needed(self) -> int:
        """The pages that show all of it once."""
        return sum(max(1, -(-len(things) // PAGE)) for things in self.things.values())

    @property
    def standing(self) -> int:
        return sum(map(len, self.things.values()))


@dataclass(frozen=True)
class AccountCloud:
    """The account through one permit."""

    account: Account
    permit: Permit
    region: str = REGION

    @property
    def account_id(self) -> str:
        return ACCOUNT_ID

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Describe one thing."""
        self.account.call(operation)
        tags = self.account.things[parameters["kind"]].get(parameters["id"])
        return {"id": parameters["id"], "tags": tags}

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """List all of a kind, page by page."""
        everything = list(self.account.things[parameters["kind"]].items())
        for start in range(0, max(len(everything), 1), PAGE):
            self.account.call(operation)
            for id, tags in everything[start : start + PAGE]:
                if all(value in ("*", tags.get(tag)) for tag, value in parameters["tags"].items()):
                    yield {"id": id, "tags": tags}

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        """Delete one thing."""
        self.permit.check()
        self.account.call(operation)
        if self.account.things[parameters["kind"]].pop(parameters["id"], None) is None:
            raise CallError("NotFound", "it is not there", operation=operation)
        return Reply({}, operation)


class Listed(Kind):
    """A kind that is listed in pages and described one by one."""

    gone = frozenset({"NotFound"})

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]
        self.title = name  # type: ignore[misc]

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return []

    def create(self, cloud: Cloud, target: Target) -> Observation:
        raise NotImplementedError("nothing is made here")

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        return self._observation(cloud.read("account", "describe", kind=self.name, id=target.aws_id))

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("account", "delete", kind=self.name, id=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        listed = cloud.pages("account", "list", "things", kind=self.name, tags=dict(tags))
        return [self._observation(one) for one in listed]

    def console_url(self, region: str, aws_id: str) -> str:
        return ""

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {}

    def _observation(self, shown: Mapping[str, Any]) -> Observation:
        return (
            ABSENT if shown["tags"] is None else Observation(Presence.READY, shown["id"], tags=shown["tags"])
        )


def registry() -> Registry:
    """The fourteen kinds."""
    return Registry({name: Listed(name) for name in KINDS}, {})
