"""`tier1 sandbox`: starts, stops and shows the local AWS of this state directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tier1_engine import sandbox
from tier1_engine.cli.options import Output, Pace
from tier1_engine.cli.screen.streams import put, put_json, say
from tier1_engine.errors import Refused
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
    any_ami: bool,
    record: Path | None,
) -> int:
    """Start the local AWS, or report that it is running and with which options.

    Raises:
        Refused: the options exclude each other, or there is no such scenario.
    """
    if any_ami and strict is False:
        raise Refused("--any-ami and --plain are mutually exclusive: plain moto launches any image.")
    options = Options(
        speed=Speed(speed.value) if speed else Speed.MAX,
        seed=seed,
        strict=strict is not False,
        scenario=_known_scenario(scenario),
        record=record.absolute() if record else None,
        any_ami=any_ami,
    )
    asked = {"speed": speed and speed.value, "seed": seed, "strict": strict, "scenario": scenario}
    asked["any_ami"] = any_ami or None
    ran = sandbox.status(state_directory()).running

    def announce(found: Status) -> None:
        verb = "is already running" if ran else "is running"
        put(f"The local AWS {verb} at {found.endpoint} ({_with_which(found)}).")
        if ran and _differs(found, asked, port):
            say("It keeps the options it was started with: to change them, stop it first.")
        if found.any_ami:
            say(ANY_AMI)
        say(f"Use it with `tier1 deploy SPEC --sandbox`, or with AWS_ENDPOINT_URL={found.endpoint}.")

    sandbox.start(state_directory(), port, foreground, announce, options)
    return 0


ANY_AMI = (
    "Any AMI id is accepted: in place of one that the local AWS does not know it launches a stand-in. "
    "Whether that image exists on AWS and fits the instance type is not checked."
)


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
    if found.any_ami:
        parts.append("any AMI")
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
