"""What a command may take of the machine it runs on: its peak resident memory, as the kernel counts it."""

from __future__ import annotations

import os
import subprocess

from tests.integration.command import TIER1, Command

DEPLOY_MIB = 150
LIST_MIB = 80
MEASURING = "COVERAGE"
"""Variables of this prefix would have the command measure its own coverage, which takes memory too."""


def peak_mib(tier1: Command, *arguments: str) -> float:
    environment = {k: v for k, v in tier1.environment.items() if not k.startswith(MEASURING)}
    process = subprocess.Popen(
        [*TIER1, *arguments],
        cwd=tier1.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Nobody else waits for it: the usage is of this one process.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


def test_a_deploy_that_makes_its_database_first_stays_within_its_memory(newcomer: Command) -> None:
    """The first one loads the most: AWS's models, and the migrations."""
    assert peak_mib(newcomer, "deploy", newcomer.spec()) < DEPLOY_MIB


def test_a_list_stays_within_its_memory(tier1: Command) -> None:
    """It loads neither AWS nor the migrations."""
    tier1.active()
    assert peak_mib(tier1, "list") < LIST_MIB
