"""`tier1 sandbox`: the local AWS of this state directory."""

from __future__ import annotations

from dataclasses import asdict

from tier1_engine import sandbox
from tier1_engine.cli.options import Output
from tier1_engine.cli.streams import put, put_json, say
from tier1_engine.sandbox import Status
from tier1_engine.settings import state_directory


def start(port: int | None, *, foreground: bool) -> int:
    """Start it, or say that it runs."""
    ran = sandbox.status(state_directory()).running

    def announce(found: Status) -> None:
        verb = "was running already and answers" if ran else "answers"
        put(f"The local AWS {verb} at {found.endpoint} (process {found.pid}).")
        say(f"Use it with `tier1 deploy SPEC --sandbox`, or with AWS_ENDPOINT_URL={found.endpoint}.")

    sandbox.start(state_directory(), port, foreground, announce)
    return 0


def stop() -> int:
    """Stop it; well also when none runs."""
    before = sandbox.status(state_directory())
    sandbox.stop(state_directory())
    put("The local AWS is stopped." if before.pid is not None else "No local AWS was running.")
    return 0


def status(output: Output) -> int:
    """Say whether it runs, and where."""
    found = sandbox.status(state_directory())
    if output is Output.JSON:
        put_json(asdict(found))
    elif found.running:
        put(f"The local AWS answers at {found.endpoint} (process {found.pid}).")
    elif found.pid is not None:
        put(f"The local AWS is process {found.pid}, but does not answer: `tier1 sandbox stop` ends it.")
    else:
        put("No local AWS is running: `tier1 sandbox start` starts one.")
    return 0
