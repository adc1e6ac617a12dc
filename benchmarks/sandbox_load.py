"""What a sandbox costs under load: 100 deployments to active and back, in one sandbox.

    python -m benchmarks.sandbox_load [--deployments 100]

Prints one JSON object: the time of describe calls before any deployment and after everything was deleted,
with their ratio, each as a multiple of plain moto's (deleted resources must cost nothing); the peak memory of
the sandbox's process; and what the whole layer (call and object behaviours) adds to a call, against a plain
sandbox in the same run. Strict and plain answer alternately, so that other load on the machine affects both.

The command's own code runs the deployments one after the other in this process: starting Python for each
would dominate the measurement.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.sandbox_layer import client
from tier1_engine.cli.commands import deploy, teardown
from tier1_engine.cli.options import Output
from tier1_engine.cli.signals import Signals
from tier1_engine.deployment.states import Goal
from tier1_engine.errors import Tier1Error
from tier1_engine.sandbox.process import server, state
from tier1_engine.sandbox.rehearsal.rehearsal_spec import RehearsalSpec
from tier1_engine.sandbox.rehearsal.stage import SETTINGS

SEED = 1
LOOKS = 40
"""Of each describe call, before and after."""
FORGET_SECONDS = 5.0
"""Real seconds; in AWS time, well over the hour for which a terminated instance is shown."""
DESCRIBES: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "DescribeVpcs": ("ec2", lambda c: c.describe_vpcs(Filters=[{"Name": "tag:a", "Values": ["b"]}])),
    "DescribeSubnets": ("ec2", lambda c: c.describe_subnets(Filters=[{"Name": "tag:a", "Values": ["b"]}])),
    "DescribeInstances": ("ec2", lambda c: c.describe_instances()),
    "DescribeNetworkInterfaces": ("ec2", lambda c: c.describe_network_interfaces()),
    "DescribeSecurityGroups": ("ec2", lambda c: c.describe_security_groups()),
    "DescribeFileSystems": ("efs", lambda c: c.describe_file_systems()),
    "ListRoles": ("iam", lambda c: c.list_roles(PathPrefix="/tier1/")),
}
CHANGES: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "CreateSecurityGroup": (
        "ec2",
        lambda c: c.create_security_group(GroupName=f"g{time.perf_counter_ns()}", Description="d"),
    ),
    "CreateFileSystem": ("efs", lambda c: c.create_file_system(Encrypted=True)),
}
MIB = 1024 * 1024


class DemoFailed(Tier1Error):
    """A deployment did not end as it should have: the numbers would mean nothing."""


def measure(deployments: int) -> dict[str, Any]:
    """All figures.

    Raises:
        DemoFailed: a deployment did not become active, or did not go.
    """
    with tempfile.TemporaryDirectory(prefix="tier1-load-") as text:
        folder = Path(text)
        with (
            _sandbox(folder / "strict", strict=True) as at,
            _sandbox(folder / "plain", strict=False) as other,
        ):
            first = _describe(str(at.endpoint), str(other.endpoint))
            began = time.perf_counter()
            _there_and_back(folder, str(at.endpoint), deployments)
            took = time.perf_counter() - began
            time.sleep(FORGET_SECONDS)
            last = _describe(str(at.endpoint), str(other.endpoint))
            added = _added(str(at.endpoint), str(other.endpoint))
            peak = _peak_bytes(at.pid or 0)
    return {
        "deployments": deployments,
        "seconds": round(took, 1),
        "describe_ms_first": {name: round(one.strict, 2) for name, one in first.items()},
        "describe_ms_last": {name: round(one.strict, 2) for name, one in last.items()},
        "describe_ratio": round(statistics.median(last[one].ratio / first[one].ratio for one in first), 2),
        "peak_mib": None if peak is None else round(peak / MIB, 1),
        "added_ms": added,
        "added_ms_median": round(statistics.median(added.values()), 2),
    }


@contextlib.contextmanager
def _sandbox(directory: Path, *, strict: bool) -> Iterator[state.Status]:
    directory.mkdir()
    yield server.start(directory, options=state.Options(seed=SEED, strict=strict))
    server.stop(directory)


@dataclass(frozen=True, slots=True)
class Looks:
    """Milliseconds of one describe call, the medians of calls in turns."""

    strict: float
    plain: float

    @property
    def ratio(self) -> float:
        """How much slower than plain moto, in which nothing was ever made: the machine's load is in both."""
        return self.strict / self.plain


def _describe(strict_at: str, plain_at: str) -> dict[str, Looks]:
    """Every describe call."""
    found = {}
    for operation, (service, call) in DESCRIBES.items():
        pairs = _in_turns(call, client(service, strict_at), client(service, plain_at))
        found[operation] = Looks(*(statistics.median(times) for times in zip(*pairs, strict=True)))
    return found


def _added(strict_at: str, plain_at: str) -> dict[str, float]:
    """What is added to each call, in milliseconds: the median of the differences of neighbours."""
    found = {}
    for operation, (service, call) in {**DESCRIBES, **CHANGES}.items():
        pairs = _in_turns(call, client(service, strict_at), client(service, plain_at))
        found[operation] = round(statistics.median(strict - plain for strict, plain in pairs), 2)
    return found


def _in_turns(call: Callable[[Any], Any], strict: Any, plain: Any) -> list[tuple[float, float]]:
    """The durations of the call on both, alternately; the first calls include connecting."""
    return [(_took(call, strict), _took(call, plain)) for _ in range(LOOKS + 1)][1:]


def _took(call: Callable[[Any], Any], one: Any) -> float:
    began = time.perf_counter()
    call(one)
    return (time.perf_counter() - began) * 1000


def _there_and_back(folder: Path, endpoint: str, deployments: int) -> None:
    spec = folder / "spec.yaml"
    RehearsalSpec().write(spec)
    for number in range(1, deployments + 1):
        name = f"load-{number}"
        _be_an_operator(folder, endpoint)
        _must_end(name, 0, partial(_deploy, spec, name))
        _must_end(name, 0, partial(_destroy, name))
        print(f"\r{number} of {deployments}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _be_an_operator(folder: Path, endpoint: str) -> None:
    """Set the environment of a new command: the one before has changed it for itself."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "TIER1_"))]:
        del os.environ[name]
    os.environ.update(SETTINGS)
    os.environ.update(
        AWS_ENDPOINT_URL=endpoint,
        AWS_ACCESS_KEY_ID="load",
        AWS_SECRET_ACCESS_KEY="load",  # noqa: S106 - opens nothing
        XDG_STATE_HOME=str(folder),
    )


def _deploy(spec: Path, name: str) -> int:
    return deploy.run(
        spec,
        name=name,
        use_sandbox=False,
        rollback=True,
        on_recoverable=None,
        log_file=None,
        output=Output.JSON,
        signals=Signals(),
    )


def _destroy(name: str) -> int:
    return teardown.run(
        name, Goal.DESTROYED, retain=(), yes=True, log_file=None, output=Output.JSON, signals=Signals()
    )


def _must_end(name: str, code: int, act: Callable[[], int]) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        found = act()
    if found != code:
        raise DemoFailed(f"{name} ended with {found} and not {code}:\n{said.getvalue()}")


def _peak_bytes(pid: int) -> int | None:
    """The peak memory of the process; None where the system does not report it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return None
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox_load")
    parser.add_argument("--deployments", type=int, default=100)
    deployments = parser.parse_args(arguments).deployments
    try:
        print(json.dumps(measure(deployments), indent=2))
    except Tier1Error as error:
        print(f"sandbox_load: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
