"""`tier1 list`: every deployment at a glance, newest first."""

from __future__ import annotations

from tier1_engine.cli import compose
from tier1_engine.cli.deployments import brief
from tier1_engine.cli.options import Output
from tier1_engine.cli.streams import put, put_json
from tier1_engine.clock import SystemClock
from tier1_engine.settings import from_environment
from tier1_engine.states import State


def run(states: list[State], limit: int | None, output: Output) -> int:
    """Print the list; answer the exit code."""
    with compose.opened_store(from_environment()) as store:
        found = brief(store, states, limit)
    if output is Output.JSON:
        put_json(found)
    else:
        from tier1_engine.cli.render.listing import listed

        put(listed(found, SystemClock().now()))
    return 0
