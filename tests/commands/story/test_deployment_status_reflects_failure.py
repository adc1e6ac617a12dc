"""Criterion: the deployment's status reflects the failure, in `list`, in `show` and in the exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

from tests.support.command import Command
from tests.support.story import REFUSED_TYPE, failed, waits_for
from tests.support.terminal import Terminal

NARROW, WIDE = {"COLUMNS": "80"}, {"COLUMNS": "170"}


def test_list_shows_the_state_of_every_deployment(tier1: Command, closed_port: int) -> None:
    """It shows cost, interruption, lock holder and rollback, on narrow and on wide screens."""
    kept = tier1("deploy", tier1.spec("kept", more=waits_for(closed_port)), "--on-recoverable", "stop")
    assert kept.code == 4
    assert tier1("deploy", tier1.spec("gone", type=REFUSED_TYPE)).code == 3
    driven = tier1.begin("deploy", tier1.spec("driven", more=waits_for(closed_port, "50s")))
    driven.hear("service-door: started")
    try:
        narrow = tier1.here("list", **NARROW).out
        assert all(len(line) <= 80 for line in narrow.splitlines())
        assert "failed (13 remaining, ~$0.05/h)" in narrow
        assert f"locked by pid {driven.process.pid} on " in narrow
        assert "NotConnected: not ready within 1 s." in narrow
        wide = tier1.here("list", **WIDE).out.splitlines()
        assert len(wide) == 4
        assert "LOCKED BY" in wide[0]
        (gone,) = [line for line in wide if " gone " in line]
        assert "rolled_back" in gone
        assert "InvalidInstanceType.NotFound: The instance type" in gone
        with Terminal(tier1, "show", "driven", "--watch") as terminal:
            terminal.see(f"(pid {driven.process.pid}) since")
            driven.signal(signal.SIGKILL)
            driven.end()
            terminal.see("to resume: tier1 resume")
            assert terminal.end() == 0
    finally:
        driven.process.kill()
    assert "health_check, interrupted" in tier1.here("list").out
    for more, names in ((("--state", "failed"), ["kept"]), (("--failed",), ["gone", "kept"])):
        assert [one["name"] for one in tier1.here("list", *more, "-o", "json").json] == names
    with Terminal(tier1, "list", "--watch", "--failed") as terminal:
        terminal.see("failed (13 remaining")
        assert tier1("rollback", "kept").code == 0
        terminal.see("rolled_back")
        terminal.enter("\x03")
        assert terminal.end() == 130


def test_show_puts_the_failed_step_first(tier1: Command) -> None:
    """It comes before the phases, with its error, what remains and the options; the JSON has the
    same facts.
    """
    failed(tier1)
    shown = tier1.here("show", "demo").out
    assert shown.index("  instance ") < shown.index("12 resources remaining in AWS") < shown.index("--retry")
    assert shown.index("--retry") < shown.index("network  7 of 7")
    assert "instance                 failed, see above" in shown
    watched = tier1.here("show", "demo", "--watch", "-o", "json")
    assert json.loads(watched.out)["failure"]["step"] == "instance"
    if shutil.which("jq") is None:
        return
    asked = '.[] | select(.state == "failed") | "\\(.name) \\(.failure.code) \\(.remaining)"'
    listed = tier1.here("list", "-o", "json").out
    found = subprocess.run(["jq", "-r", asked], input=listed, capture_output=True, text=True, check=True)
    assert found.stdout == "demo InvalidInstanceType.NotFound 12\n"


def test_every_outcome_has_its_exit_code(tier1: Command) -> None:
    """This covers the commands that can follow a failure; 3, 5 and 130 have tests of their own."""
    failed(tier1)
    codes = {
        ("show", "demo"): 0,
        ("list", "--failed"): 0,
        ("resume", "demo"): 4,
        ("resume", "demo", "--continue"): 2,
        ("deploy", tier1.spec()): 2,
        ("show", "nobody"): 8,
        ("log", "nobody", "--console"): 8,
        ("show", "nobody", "--spec"): 8,
    }
    assert {command: tier1(*command).code for command in codes} == codes
    assert tier1.here("list", TIER1_DATABASE_URL=f"sqlite:///{os.devnull}/x.db").code == 9
    nobody = tier1.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    assert nobody("resume", "demo", "--retry").code == 7
    assert nobody("resume", "demo").code == 7
    assert tier1("rollback", "demo").code == 0
