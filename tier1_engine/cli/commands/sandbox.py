"""`tier1 sandbox`: starts, stops and shows the local AWS of this state directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tier1_engine import sandbox
from tier1_engine.cli.options import Output, Pace
from tier1_engine.cli.screen.streams import put, put_json, say
from tier1_engine.sandbox.process.state import Options, Status
from tier1_engine.sandbox.world import Speed
from tier1_engine.settings import state_directory


def start(
    port: int | None,
    *,
    foreground: bool,
    speed: Pace | None,
    seed: int | None,
    strict: bool | None,
    scenario: str | None,
    record: Path | None,
) -> int:
    """Start the local AWS, or report that it is running and with which options."""
    options = Options(
        speed=Speed(speed.value) if speed else Speed.MAX,
        seed=seed,
        strict=strict is not False,
        scenario=_known_scenario(scenario),
        record=record.absolute() if record else None,
    )
    asked = {"speed": speed and speed.value, "seed": seed, "strict": strict, "scenario": scenario}
    ran = sandbox.status(state_directory()).running

    def announce(found: Status) -> None:
        verb = "is already running" if ran else "is running"
        put(f"The local AWS {verb} at {found.endpoint} ({_with_which(found)}).")
        if ran and _differs(found, asked, port):
            say("It keeps the options it was started with: to change them, stop it first.")
        say(f"Use it with `tier1 deploy SPEC --sandbox`, or with AWS_ENDPOINT_URL={found.endpoint}.")

    sandbox.start(state_directory(), port, foreground, announce, options)
    return 0


def _known_scenario(name: str | None) -> str | None:
    """Return a scenario by a name or path that the sandbox's process can find from its own directory.

    Raises:
        Refused: there is no such scenario.
    """
    if name is None:
        return None
    from tier1_engine.sandbox.faults import scenarios

    path = Path(name)
    found = str(path.absolute()) if path.is_file() else name
    scenarios.load(found)
    return found


def _with_which(found: Status) -> str:
    parts = [f"pid {found.pid}", f"speed {found.speed}", f"seed {found.seed}"]
    parts.append("strict" if found.strict else "plain")
    if found.scenario:
        parts.append(f"scenario {found.scenario}")
    return ", ".join(parts)


def _differs(found: Status, asked: Mapping[str, object], port: int | None) -> bool:
    """Whether the requested options differ from those of the running sandbox."""
    other_port = port is not None and not str(found.endpoint).endswith(f":{port}")
    named = Path(str(asked["scenario"])).stem if asked["scenario"] else None
    wanted = {**asked, "scenario": named}
    return other_port or any(
        value is not None and value != getattr(found, name) for name, value in wanted.items()
    )


def stop() -> int:
    """Stop the local AWS; succeeds if none is running."""
    before = sandbox.status(state_directory())
    sandbox.stop(state_directory())
    put("The local AWS has been stopped." if before.pid is not None else "No local AWS was running.")
    return 0


STATUS_KEYS = ("running", "endpoint", "pid", "speed", "seed", "scenario")
"""The keys that are promised to other programs."""


def status(output: Output) -> int:
    """Report whether the local AWS is running, where, and with which options."""
    found = sandbox.status(state_directory())
    if output is Output.JSON:
        everything = asdict(found)
        put_json({key: everything[key] for key in STATUS_KEYS})
    elif found.running:
        put(f"The local AWS is running at {found.endpoint} ({_with_which(found)}).")
    elif found.pid is not None:
        put(f"The local AWS is process {found.pid}, but does not respond: stop it with `tier1 sandbox stop`.")
    else:
        put("No local AWS is running: start it with `tier1 sandbox start`.")
    return 0
