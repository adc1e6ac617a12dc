"""A cache of the lists that one survey has read, shared by the kinds that need them.

A cache lives for one survey of one place. It only reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from tier1_engine.contract.cloud import Cloud, Reply
from tier1_engine.errors import Tier1Error


@dataclass(slots=True)
class Remembered:
    """The lists that one survey of a place has read."""

    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    locks: dict[str, Lock] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def read(self, key: str, read: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return the list of this key, read once; after a failed read, the next caller reads it again."""
        with self.lock:
            own = self.locks.setdefault(key, Lock())
        with own:
            if key not in self.lists:
                self.lists[key] = read()
            return self.lists[key]


@dataclass(frozen=True, slots=True)
class CachedReads:
    """A cloud for one survey: it only reads, and reads each list once."""

    cloud: Cloud
    remembered: Remembered

    @property
    def region(self) -> str:
        return self.cloud.region

    @property
    def account_id(self) -> str:
        return self.cloud.account_id

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Read as the cloud does."""
        return self.cloud.read(service, operation, **parameters)

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """List as the cloud does, but read the same list only once."""
        key = json.dumps([service, operation, result_key, parameters], sort_keys=True, default=str)
        pages = self.cloud.pages
        yield from self.remembered.read(
            key, lambda: list(pages(service, operation, result_key, **parameters))
        )

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        """Never: a read changes nothing."""
        raise Tier1Error("A survey must not change anything.")
