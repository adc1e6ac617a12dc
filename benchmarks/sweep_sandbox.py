"""How a sweep performs under load on a strict sandbox: the real command, at the speed `max`.

    python -m benchmarks.sweep_sandbox [--deployments 200]

Each failed deployment has thirteen resources and a duplicate: real objects of a real Tier 1 stack, planted by
their kinds' own calls. The sandbox is a process of its own with its token buckets, and every call is counted
by its own record of the traffic. Prints one JSON object; exit code 1 when a promise does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import wide_sandbox
from benchmarks.sweep_estate import planted
from tier1_engine import resources
from tier1_engine.aws.session import AwsSession
from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.sandbox.process import server
from tier1_engine.store.store import Store

MAX_RATIO, MAX_SECONDS = 1.2, 120.0
PAGES = {"Describe": 1000, "DescribeFileSystems": 100, "List": 100}
"""Objects on a page, by how an operation's name begins, the longest that fits: EC2, EFS and IAM."""
START_SECONDS = 60.0
SPEC = """\
name: load
region: us-east-1
instance: {types: [t3.micro], market: on-demand}
health: {timeout: 1s, mount_check: none, services: [{name: web, tcp: "127.0.0.1:9"}]}
"""
KEPT = 4
"""The error code of a failed deployment whose resources remain."""
SHARED: Mapping[str, str | None] = {
    "DescribeFileSystems": "file_system",
    "DescribeInstances": "instance",
    "DescribeInternetGateways": "internet_gateway",
    "DescribeNetworkInterfaces": None,
    "DescribeRouteTables": "route_table",
    "DescribeSecurityGroups": "security_group",
    "DescribeSubnets": "subnet",
    "DescribeVpcs": "vpc",
    "ListInstanceProfiles": "instance_profile",
    "ListRoles": "role",
}
"""Calls that AWS lets ask for many at once, and the kind that is marked by them."""
THROTTLED = frozenset({"RequestLimitExceeded", "ThrottlingException", "Throttling"})
SETTINGS = {"TIER1_POLL_SECONDS": "0.05", "TIER1_VISIBILITY_GRACE_SECONDS": "0.5"}


class DemoFailed(Exception):
    """A command did not end as it should have: the numbers would mean nothing."""


@dataclass(frozen=True)
class Stage:
    """A folder with the sandbox's state, its record, a database and the commands that run there."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "tier1"

    @property
    def record(self) -> Path:
        return self.folder / "calls.jsonl"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.state / 'tier1.db'}"

    @contextmanager
    def sandbox(self) -> Iterator[str]:
        """The endpoint of a sandbox that runs meanwhile.

        Raises:
            DemoFailed: it does not answer.
        """
        self.state.mkdir()
        words = [sys.executable, "-m", "benchmarks.wide_sandbox", str(self.state), str(self.record)]
        process = subprocess.Popen(words)
        try:
            latest = time.monotonic() + START_SECONDS
            while not (found := server.status(self.state)).running:
                if time.monotonic() > latest or process.poll() is not None:
                    raise DemoFailed("the sandbox does not answer")
                time.sleep(0.05)
            yield str(found.endpoint)
        finally:
            process.terminate()
            process.wait()

    def tighten(self) -> None:
        """Make the sandbox's token buckets so small that any load is throttled.

        Raises:
            DemoFailed: it does not.
        """
        pid = server.status(self.state).pid
        assert pid is not None
        os.kill(pid, signal.SIGUSR1)
        latest = time.monotonic() + START_SECONDS
        while not (self.state / wide_sandbox.TIGHT).exists():
            if time.monotonic() > latest:
                raise DemoFailed("the sandbox does not hear")
            time.sleep(0.05)

    def tier1(self, endpoint: str, *words: str, ends: int) -> Any:
        """What a command printed as JSON.

        Raises:
            DemoFailed: it ended with another code.
        """
        return json.loads(self.run(endpoint, *words, "-o", "json", ends=ends))

    def run(self, endpoint: str, *words: str, ends: int) -> str:
        """What a command printed.

        Raises:
            DemoFailed: it ended with another code.
        """
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "TIER1_"))}
        keys = {"AWS_ACCESS_KEY_ID": "load", "AWS_SECRET_ACCESS_KEY": "load", "AWS_ENDPOINT_URL": endpoint}
        done = subprocess.run(
            [sys.executable, "-m", "tier1_engine.cli", *words],
            env={**inherited, **keys, **SETTINGS, "XDG_STATE_HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != ends:
            raise DemoFailed(f"tier1 {words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def calls(self, after: int = 0) -> list[dict[str, Any]]:
        """The recorded calls of the sandbox, from a line of its record on."""
        lines = self.record.read_text(encoding="utf-8").splitlines()[after:]
        return [json.loads(line) for line in lines]


def measure(deployments: int) -> dict[str, Any]:
    """Plant, mark and sweep; answer the figures.

    Raises:
        DemoFailed: a command did not end as it should have.
    """
    with tempfile.TemporaryDirectory(prefix="tier1-sweep-load-") as text:
        stage = Stage(Path(text))
        with stage.sandbox() as endpoint:
            began = time.perf_counter()
            plant(stage, endpoint, deployments)
            planting = time.perf_counter() - began
            return {**_swept(stage, endpoint, deployments), "seconds_to_plant": round(planting, 1)}


def plant(stage: Stage, endpoint: str, deployments: int) -> None:
    """Deploy one that fails and keeps everything, and copy it.

    Raises:
        DemoFailed: it did not fail.
    """
    spec = stage.folder / "load.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    first = stage.tier1(endpoint, "deploy", str(spec), ends=KEPT)
    os.environ.update(AWS_ACCESS_KEY_ID="load", AWS_SECRET_ACCESS_KEY="load")  # noqa: S106 - opens nothing
    cloud = AwsSession("us-east-1", None, endpoint).cloud(AlwaysPermitted())
    store = Store.open(stage.url)
    try:
        planted(store, resources.discover(), cloud, store.load(first["id"]), deployments - 1)
    finally:
        store.close()


def _swept(stage: Stage, endpoint: str, deployments: int) -> dict[str, Any]:
    sweep = ("sweep", "--older-than", "0s", "--orphans")
    before = len(stage.calls())
    plan = stage.tier1(endpoint, *sweep, "--dry-run", ends=0)
    marking = _reads(stage.calls(before))
    standing = Counter(item["kind"] for item in plan["items"])
    needed = sum(-(-standing[kind] // _page(name)) for name, kind in SHARED.items() if kind)
    before = len(stage.calls())
    cpu = _cpu_seconds()
    began = time.perf_counter()
    found = stage.tier1(endpoint, *sweep, "--yes", "--max-deletions", "100000", ends=0)
    seconds = time.perf_counter() - began
    calls = stage.calls(before)
    looks = _reads(calls)
    shared = {name: looks[name] for name in SHARED}
    return {
        "deployments": deployments,
        "resources": sum(standing.values()),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(_cpu_seconds() - cpu, 1),
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "pages_needed_to_mark": needed,
        "calls_to_mark": sum(marking.values()),
        "ratio_to_pages": round(sum(marking.values()) / needed, 3),
        "shared_looks": shared,
        "shared_looks_in_all": sum(shared.values()),
        "looks_one_by_one": {name: number for name, number in looks.items() if name not in SHARED},
        "throttled": sum(call["code"] in THROTTLED for call in calls),
        **{name: found[name] for name in ("marked", "deleted", "skipped", "remained")},
    }


def _page(operation: str) -> int:
    return PAGES[max((name for name in PAGES if operation.startswith(name)), key=len)]


def _reads(calls: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """The number of each read-only call, without the call that identifies the account."""
    names = (call["operation"] for call in calls if call["service"] != "sts")
    return Counter(name for name in names if name.startswith(("Describe", "Get", "List")))


def _cpu_seconds() -> float:
    """Processor time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep_sandbox")
    parser.add_argument("--deployments", type=int, default=200)
    try:
        found = measure(parser.parse_args(arguments).deployments)
    except DemoFailed as error:
        print(f"sweep_sandbox: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    holds = (
        found["ratio_to_pages"] <= MAX_RATIO
        and found["seconds"] <= MAX_SECONDS
        and found["deleted"] == found["marked"] == found["resources"]
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
