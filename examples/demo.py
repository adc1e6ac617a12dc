"""The whole of `tier1` on a local AWS, in about a minute: `make demo`, or `python -m examples.demo`.

Runs the real commands as processes and prints each before it runs: deploys, fails and rolls back, is killed
and continues, destroys. State, database and local AWS are in a folder of their own, which is removed at the
end. Ends with exit code 0 only when everything happened as announced.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from examples.demo_census import tagged

ROOT = Path(__file__).resolve().parent.parent
AI_STACK = Path("examples/ai-stack.yaml")
MINIMAL = Path("examples/minimal.yaml")
REGION = "us-east-1"

PACE = {"TIER1_POLL_SECONDS": "0.2", "TIER1_VISIBILITY_GRACE_SECONDS": "1"}
"""A local AWS shows at once what it made; for the real one the defaults wait a minute."""
COMMAND_SECONDS = 60.0
KILL_AT = "instance: started"
KILL_TRIES = 3

NOT_ALLOWED = "not-allowed"
REFUSAL = ("--operation", "RunInstances", "--code", "UnauthorizedOperation", "--always")


class DemoFailed(Exception):
    """A result differs from what the demo announced; the message says which."""


class Demo:
    """The commands, in a folder and an environment of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = _environment(folder)
        script = Path(sys.executable).with_name("tier1")
        self._program = [str(script)] if script.exists() else [sys.executable, "-m", "tier1_engine.cli"]

    def tier1(self, *words: str, expect: int = 0) -> None:
        """Run a command where everybody sees it."""
        _print_command(words)
        process = subprocess.Popen([*self._program, *words], env=self.environment, cwd=ROOT)
        try:
            code = process.wait(COMMAND_SECONDS)
        finally:
            _end(process)
        if code != expect:
            raise DemoFailed(f"`tier1 {shlex.join(words)}` ended with code {code} and not {expect}.")
        print(f"(exit code {code})", flush=True)

    def ask(self, *words: str) -> Any:
        """What a command answers as JSON; not shown."""
        answer = subprocess.run(
            [*self._program, *words, "-o", "json"],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            timeout=COMMAND_SECONDS,
            check=True,
        )
        return json.loads(answer.stdout)

    def kill_at(self, mark: str, *words: str) -> bool:
        """Run a command until its output contains `mark`, then kill it; return whether it was still
        running.
        """
        _print_command(words)
        process = subprocess.Popen(
            [*self._program, *words],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        with process.stderr as lines:
            try:
                for line in lines:
                    if mark in line:
                        process.send_signal(signal.SIGKILL)
                    print(line, end="", flush=True)
                code = process.wait(COMMAND_SECONDS)
            finally:
                _end(process)
        return code == -signal.SIGKILL

    def left(self) -> Mapping[tuple[str, str], int]:
        """The objects in the local AWS, counted by deployment and kind."""
        return tagged(self.ask("sandbox", "status")["endpoint"], REGION)


def run(demo: Demo) -> None:
    """All scenes, in order.

    Raises:
        DemoFailed: one of them had another result.
    """
    _tell("1. A local AWS, and a stack deployed on it")
    demo.tier1("sandbox", "start")
    demo.tier1("deploy", str(AI_STACK), "--sandbox")
    _expect(demo, "ai-stack", state="active")
    fail_and_roll_back(demo)
    resumed = kill_and_resume(demo)
    _tell("4. All of them, as the database knows them")
    demo.tier1("list")
    destroy_all(demo, ["ai-stack", resumed])


def fail_and_roll_back(demo: Demo) -> None:
    """A launch that AWS refuses: everything that was made before it goes again, by itself."""
    _tell("2. A stack whose instance cannot be launched: the operator lacks the permission")
    demo.tier1("sandbox", "fault", "add", *REFUSAL)
    demo.tier1("deploy", str(MINIMAL), "--name", NOT_ALLOWED, "--sandbox", expect=3)
    demo.tier1("sandbox", "fault", "clear")
    ended = _expect(demo, NOT_ALLOWED, state="rolled_back")
    failure = ended["failure"]
    if failure["step"] != "instance" or any(owner == ended["id"] for owner, _ in demo.left()):
        raise DemoFailed("The rollback is not the one of a refused launch, or it left something.")
    print(f"\nThe reason stays on record: {failure['code']} at {failure['step']}. AWS holds nothing of it.")


def kill_and_resume(demo: Demo) -> str:
    """A driver killed while AWS launches the instance, and another that continues; answers the name."""
    _tell("3. A process that is killed (SIGKILL) while AWS launches the instance, and resumed")
    for number in range(1, KILL_TRIES + 1):
        name = f"killed-{number}"
        if demo.kill_at(KILL_AT, "deploy", str(MINIMAL), "--name", name, "--sandbox"):
            break
        print("It had ended before the signal came: once more, under another name.", flush=True)
    else:
        raise DemoFailed(f"None of {KILL_TRIES} deployments could be killed at `{KILL_AT}`.")
    print("Killed. Nobody cleaned up; the database has what was begun:", flush=True)
    killed = _expect(demo, name, interrupted=True)
    demo.tier1("list")
    demo.tier1("resume", name)
    _expect(demo, name, state="active")
    instances = demo.left().get((killed["id"], "instance"), 0)
    if instances != 1:
        raise DemoFailed(f"AWS holds {instances} instances of {name} and not one.")
    print("\nAWS holds exactly one instance of it, whether or not the killed driver's call had arrived.")
    return name


def destroy_all(demo: Demo, names: Sequence[str]) -> None:
    """Destroy the active deployments, and list what remains in AWS."""
    _tell("5. What is active is taken down")
    _print_left(demo)
    for deployment in demo.ask("list"):
        if deployment["state"] == "active":
            demo.tier1("destroy", deployment["name"], "--yes")
    for name in names:
        _expect(demo, name, state="destroyed", remaining=0)
    _tell("6. What remains")
    demo.tier1("list")
    _print_left(demo)
    if demo.left():
        raise DemoFailed("AWS still holds something that tier1 made.")


def _environment(folder: Path) -> dict[str, str]:
    """The environment of this process, without settings for a real AWS or another database."""
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "TIER1_", "MOTO_"))}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**inherited, **nowhere, **PACE, "XDG_STATE_HOME": str(folder / "state")}


def _expect(demo: Demo, name: str, **wanted: Any) -> dict[str, Any]:
    """The deployment of that name, once it has the expected values."""
    found: dict[str, Any] = next((d for d in demo.ask("list") if d["name"] == name), {})
    for key, value in wanted.items():
        if found.get(key) != value:
            raise DemoFailed(f"{name} should have {key} {value}, but has {found.get(key)}.")
    return found


def _print_left(demo: Demo) -> None:
    print("\nEverything in the local AWS with the tag tier1:deployment, listed by boto3:")
    left = demo.left()
    for (owner, kind), number in sorted(left.items()):
        print(f"  {owner}  {number:3} {kind}")
    print(f"  {sum(left.values())} in all", flush=True)


def _print_command(words: Sequence[str]) -> None:
    print(f"\n$ tier1 {shlex.join(words)}", flush=True)


def _tell(title: str) -> None:
    print(f"\n\n=== {title} ===", flush=True)


def _end(process: subprocess.Popen[Any]) -> None:
    """A command that has not ended by now is ended."""
    if process.poll() is None:
        process.kill()
        process.wait()


def main() -> int:
    """Run the demo; answer its exit code."""
    # The signal that ends the demo must also end its processes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="tier1-demo-") as folder:
        demo = Demo(Path(folder))
        settings = " ".join(f"{name}={value}" for name, value in PACE.items())
        print("Everything happens on this machine; no AWS account is used.")
        print(f"Set for a local AWS: {settings}", flush=True)
        code = _guarded(lambda: run(demo))
        _tell("The local AWS is stopped")
        code = _guarded(lambda: stop(demo)) or code
    print(
        "\nEverything happened as announced." if code == 0 else "\nIt did not happen as announced.",
        flush=True,
    )
    return code


def stop(demo: Demo) -> None:
    """Stop what was started."""
    demo.tier1("sandbox", "stop")
    if demo.ask("sandbox", "status")["running"]:
        raise DemoFailed("The local AWS still runs.")


def _guarded(act: Callable[[], None]) -> int:
    """Run the action; return the exit code, and print what failed."""
    try:
        act()
    except KeyboardInterrupt:
        print("\nThe demo was interrupted.", file=sys.stderr, flush=True)
        return 130
    except (DemoFailed, SubprocessError, BotoCoreError, ClientError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
