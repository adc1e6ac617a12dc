"""Reads deployments for display: their lock holders and their JSON objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tier1_engine.clock import SystemClock
from tier1_engine.compose.guarded import Tell
from tier1_engine.compose.plugins import registry
from tier1_engine.deployment.states import State
from tier1_engine.store import lease
from tier1_engine.views import as_json

if TYPE_CHECKING:
    from tier1_engine.contract.kind import Registry
    from tier1_engine.deployment.overview import Summary
    from tier1_engine.store.store import Store


def is_running(store: Store, summary: Summary) -> bool:
    """Whether a process is running the deployment now."""
    return lease.driven(store, summary.holder, summary.lease_expires_at, SystemClock())


def holder(store: Store, deployment_id: str) -> str | None:
    """Describe the process that is running the deployment now, if any."""
    (summary,) = store.summaries(deployment_id=deployment_id)
    if summary.holder is None or not is_running(store, summary):
        return None
    return f"{summary.holder['host']} (pid {summary.holder['pid']})"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a list of deployments."""

    states: tuple[State, ...] = ()
    failed: bool = False
    limit: int | None = None


def brief(store: Store, wanted: Wanted) -> list[dict[str, Any]]:
    """Return the deployments as `list` shows them."""
    found = store.summaries(states=wanted.states, failed=wanted.failed, limit=wanted.limit)
    return [as_json.of_summary(summary, driven=is_running(store, summary)) for summary in found]


def costs(store: Store, deployments: Sequence[Mapping[str, Any]], tell: Tell) -> dict[str, float]:
    """Estimate the US dollars per hour of the resources that failed deployments still have, by id.

    The kinds are loaded only if there is something to price.
    """
    kept = [d["id"] for d in deployments if d["state"] == State.FAILED.value and d["remaining"]]
    if not kept:
        return {}
    from tier1_engine.views.prices import Prices

    prices = Prices(registry(tell).kinds)
    return {id: prices.hourly(rows) for id, rows in store.left(kept).items()}


def whole(store: Store, deployment_id: str, registry: Registry) -> dict[str, Any]:
    """Return one deployment as `show` shows it.

    Raises:
        NoSuchDeployment: no deployment has this id.
    """
    record = store.load(deployment_id)
    (summary,) = store.summaries(deployment_id=deployment_id)

    def console_url(kind: str, region: str, aws_id: str) -> str | None:
        known = registry.kinds.get(kind)
        return known.console_url(region, aws_id) if known else None

    return as_json.of_record(record, summary, driven=is_running(store, summary), console_url=console_url)
