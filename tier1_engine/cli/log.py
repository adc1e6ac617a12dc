"""`tier1 log`: every attempt with its error, and the time line."""

from __future__ import annotations

from tier1_engine import engine, views
from tier1_engine.cli import compose
from tier1_engine.cli.options import Output
from tier1_engine.cli.streams import put, put_json
from tier1_engine.settings import from_environment


def run(reference: str, output: Output) -> int:
    """Print the log; answer the exit code."""
    with compose.opened_store(from_environment()) as store:
        deployment = engine.find(store, reference, to_change=False)
        found = views.of_log(store.attempts(deployment.id), store.events(deployment.id))
    if output is Output.JSON:
        put_json(found)
    else:
        from tier1_engine.cli.render.history import logged

        put(logged(found))
    return 0
