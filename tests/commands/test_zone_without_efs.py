"""EFS refuses a zone that tier1 chose: the deployment continues in the other one."""

from __future__ import annotations

from typing import Any

from tests.support.account import standing
from tests.support.command import Command
from tests.support.processes.proxy import Call, Proxy, refused

CODE = "UnsupportedAvailabilityZone"


def test_the_other_zone_is_used_and_a_warning_says_so(operator: Command, line: Proxy, aws: str) -> None:
    """One call to each zone, the refused one in the log; it is active, and is destroyed as any other."""
    subnets: list[str] = []

    def refuse_the_first(call: Call) -> Any:
        if call.operation != "CreateMountTarget":
            return None
        subnets.append(call.parameters["SubnetId"])
        return refused(400, CODE) if subnets[-1] == subnets[0] else None

    line.rule = refuse_the_first
    path = operator.folder / "demo.yaml"
    path.write_text("name: demo\nregion: us-east-1\nnetwork: {zones: 2}\n", encoding="utf-8")
    done = operator("deploy", str(path), "-o", "json")
    assert (done.code, done.json["state"]) == (0, "active"), done.err
    assert len(subnets) == len(set(subnets)) == 2
    (warning,) = done.json["warnings"]
    assert "was left out, because AWS does not offer it in us-east-1" in warning
    assert f"warning: {warning}" in done.err
    assert sorted(s["state"] for s in done.json["steps"] if s["name"].startswith("mount")) == [
        "done",
        "skipped",
    ]
    assert CODE in operator("log", "demo", "--failed").out
    assert "(not created) deleted" in operator("show", "demo").out
    assert operator("destroy", "demo", "--yes").code == 0
    assert standing(aws) == {}
