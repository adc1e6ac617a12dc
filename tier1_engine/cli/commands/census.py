"""`tier1 sandbox census`: lists everything that exists in the running local AWS."""

from __future__ import annotations

from tier1_engine.cli.options import Output
from tier1_engine.cli.screen.streams import put, put_json
from tier1_engine.sandbox.process import remote
from tier1_engine.settings import state_directory


def run(output: Output) -> int:
    """List everything; return the exit code."""
    found = [thing.to_json() for thing in remote.census(state_directory())]
    if output is Output.JSON:
        put_json(found)
    else:
        from tier1_engine.cli.screen.render.rehearsal import census

        put(census(found))
    return 0
