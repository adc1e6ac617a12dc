"""The contract of a blueprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tier1_engine.contract.cloud import Cloud
from tier1_engine.deployment.plan import Plan


class Blueprint(Protocol):
    """Turns a spec into a plan."""

    name: str
    version: int

    def survey(self, cloud: Cloud, spec: Any) -> dict[str, Any]:
        """Look at what the plan depends on, and refuse what cannot work before anything is made."""
        ...

    def plan(self, spec: Any, survey: Mapping[str, Any] | None = None) -> Plan:
        """The plan. Pure; without a survey (a dry run) what only AWS knows is a placeholder."""
        ...
