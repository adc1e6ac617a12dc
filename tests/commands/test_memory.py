"""Memory limits of the commands: peak resident memory as the kernel counts it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.command import TIER1, Command

DEPLOY_MIB = 150
LIST_MIB = 80
MEASURING = "COVERAGE"
"""Variables with this prefix make the command measure its own coverage, which costs memory."""

PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, check=False)
assert done.returncode == 0, done.stderr
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A small process in between, because peak memory survives `exec`: the parent's would count as the
command's.
"""


def peak_mib(tier1: Command, *arguments: str) -> float:
    environment = {k: v for k, v in tier1.environment.items() if not k.startswith(MEASURING)}
    command = [sys.executable, "-c", PEAK, *TIER1, *arguments]
    done = subprocess.run(
        command, cwd=tier1.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


@pytest.mark.leaves("an active deployment, of a command that is measured past the harness", "unknown")
def test_a_deploy_that_creates_its_database_stays_within_its_limit(newcomer: Command) -> None:
    """The first deploy loads the most: AWS's models and the migrations."""
    assert peak_mib(newcomer, "deploy", newcomer.spec()) < DEPLOY_MIB


def test_list_stays_within_its_limit(tier1: Command) -> None:
    """It loads neither AWS nor the migrations."""
    tier1.active()
    assert peak_mib(tier1, "list") < LIST_MIB
