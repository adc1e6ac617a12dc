"""The scheduled jobs in `examples/sweep` are valid for their schedulers, and their commands work."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command import Command

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "sweep"
NIGHTLY = "17 3 * * *"


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(FOLDER / name)
    return parsed


def document(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def lines_of_cron() -> list[str]:
    text = (FOLDER / "crontab").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def commands() -> dict[str, list[str]]:
    """Every `tier1` command line of every example, in order."""
    workflow = document("github-actions.yml")
    steps = [step["run"] for step in workflow["jobs"]["sweep"]["steps"] if "tier1 " in step.get("run", "")]
    pod = document("kubernetes-cronjob.yaml")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (script,) = pod["containers"][0]["args"]
    return {
        "systemd": [unit("tier1-sweep.service")["Service"]["ExecStart"].removeprefix("/usr/bin/env ")],
        "cron": [line.removeprefix(f"{NIGHTLY} ") for line in lines_of_cron() if line[0].isdigit()],
        "github": steps,
        "kubernetes": re.findall(r"^exec (tier1 .*)$", script, re.MULTILINE),
    }


@pytest.mark.parametrize("name", ["systemd", "cron", "github", "kubernetes"])
def test_its_command_lines_run(tier1: Command, aws: str, name: str) -> None:
    """The account has one failed deployment, too young to be swept: they exit with 0 and delete nothing."""
    tier1.write("aaaa00000001")
    found = commands()[name]
    assert found
    for line in found:
        program, *arguments = shlex.split(line)
        assert program == "tier1"
        done = tier1(*arguments)
        assert done.code == 0, done
        assert "tier1 sweep: marked=0" in done.out
    assert tier1.show("aaaa00000001")["state"] == "pending"


def test_all_run_at_the_same_time_of_night_and_never_concurrently() -> None:
    """Each example uses its scheduler's own setting for this."""
    workflow, job = document("github-actions.yml"), document("kubernetes-cronjob.yaml")
    # YAML 1.1 reads the key `on` as true.
    assert workflow[True]["schedule"] == [{"cron": NIGHTLY}]
    assert workflow["concurrency"]
    assert (job["kind"], job["spec"]["schedule"]) == ("CronJob", NIGHTLY)
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert job["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert unit("tier1-sweep.timer")["Timer"]["OnCalendar"].endswith("03:17:00")
    assert unit("tier1-sweep.service")["Service"]["Type"] == "oneshot"
    assert [line for line in lines_of_cron() if line.startswith(NIGHTLY)]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_accepts_the_units() -> None:
    """`systemd-analyze verify` reports nothing."""
    units = [str(FOLDER / name) for name in ("tier1-sweep.service", "tier1-sweep.timer")]
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, ""), checked
