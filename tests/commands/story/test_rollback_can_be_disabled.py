"""Criterion: `--no-rollback` deletes nothing and warns of what remains and what it costs."""

from __future__ import annotations

import re

from tests.support.account import WHOLE, standing
from tests.support.command import Command
from tests.support.processes.proxy import Proxy, refused
from tests.support.story import REFUSED_TYPE, waits_for
from tests.support.terminal import Terminal

PRICED = r"\[(\$\d+\.\d{4}/h, \$\d+\.\d\d/month \(.+\)|no charge|\$\d+\.\d\d per GB-month stored)\]$"


def test_everything_remains_and_its_cost_is_reported(tier1: Command, aws: str, closed_port: int) -> None:
    """Each resource is listed with id and price; the printed command deletes them all."""
    kept = tier1("deploy", tier1.spec(more=waits_for(closed_port)), "--no-rollback")
    assert kept.code == 4
    assert standing(aws) == WHOLE
    resources = [r for r in tier1.show("demo")["resources"] if r["aws_id"]]
    lines = kept.out.splitlines()
    for resource in resources:
        (text,) = [t for t in lines if t.startswith(f"  {resource['name']} {resource['aws_id']} ")]
        assert re.search(PRICED, text), text
    assert "  [$" not in kept.out
    assert "$0.0416" not in kept.out  # instance, volume and address are one figure
    assert re.search(
        r"instance i-\w+ \[\$0\.0499/h, \$36\.42/month \(t3\.medium, 30 GiB gp3, public IPv4\)", kept.out
    )
    assert (
        "13 resources remaining in AWS: about $0.05/h, $36/month (estimate from us-east-1 list prices"
        in kept.out
    )
    assert "failed (13 remaining, ~$0.05/h)" in tier1.here("list").out
    (printed,) = re.findall(r"tier1 (rollback \w+)", kept.out)
    assert tier1(*printed.split()).code == 0
    assert standing(aws) == {}


def test_by_the_spec_and_on_a_terminal(tier1: Command, aws: str) -> None:
    """`policy.rollback: false` has the same effect; a terminal asks, and `m` leaves it as it is."""
    spec = tier1.spec(type=REFUSED_TYPE, more="policy: {rollback: false}\n")
    with Terminal(tier1, "deploy", spec) as terminal:
        terminal.see("What do you want to do with demo?")
        terminal.enter("m\n")
        assert terminal.end() == 4
    assert "12 resources remaining in AWS" in terminal.screen
    assert "estimate" in terminal.screen
    assert tier1.show("demo")["rollback_enabled"] is False
    assert standing(aws)["file_systems"] == 1


def test_nothing_is_rolled_back_in_any_phase(operator: Command, line: Proxy, aws: str) -> None:
    """If the very first step fails, nothing remains and no price is shown."""
    line.rule = lambda call: refused(400, "VpcLimitExceeded") if call.operation == "CreateVpc" else None
    kept = operator("deploy", operator.spec(), "--no-rollback")
    assert kept.code == 4
    assert "VpcLimitExceeded" in kept.out
    assert "vpcs" not in standing(aws)
    assert operator("rollback", "demo").code == 0
