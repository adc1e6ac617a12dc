"""`tier1 sandbox census` lists what a sandbox contains, whatever faults are set in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.support.command import Command
from tests.support.measuring import unmeasured_processes
from tier1_engine.sandbox.rehearsal import stage as stages
from tier1_engine.sandbox.rehearsal.stage import Stage

KEYS = [
    "kind",
    "id",
    "region",
    "state",
    "deployment",
    "resource",
    "name",
    "part_of",
    "default",
    "tags",
    "attributes",
]


@pytest.fixture
def nobody(tier1: Command, warm_sandbox: dict[str, str]) -> Iterator[Command]:
    """An operator without credentials, whose sandbox is stopped afterwards."""
    yield tier1.with_(**warm_sandbox)
    tier1("sandbox", "stop")


@pytest.mark.parametrize("how", ["--strict", pytest.param("--plain", marks=pytest.mark.long)])
def test_it_lists_a_deployments_resources_until_they_are_deleted(nobody: Command, how: str) -> None:
    """It works with and without the behaviour of AWS, and needs no AWS call to be answered."""
    with unmeasured_processes():  # other tests run these commands, too
        assert nobody("sandbox", "start", how).code == 0
    assert all(one["default"] for one in nobody("sandbox", "census", "-o", "json").json)
    with unmeasured_processes():
        deployed = nobody("deploy", nobody.spec(), "--sandbox")
    assert deployed.code == 0, deployed.err
    if how == "--strict":
        nobody("sandbox", "fault", "add", "--operation", "*", "--code", "ExpiredToken", "--always")
    found = nobody("sandbox", "census", "-o", "json").json
    assert list(found[0]) == KEYS
    ours = [one for one in found if one["deployment"] == deployed.id and one["part_of"] is None]
    assert sorted(one["kind"] for one in ours) == [
        "file system",
        "instance",
        "instance profile",
        "internet gateway",
        "mount target",
        "mount target",
        "role",
        "route table",
        "security group",
        "security group",
        "subnet",
        "subnet",
        "vpc",
    ]
    assert {one["region"] for one in ours} == {"us-east-1", "global"}
    table = nobody("sandbox", "census").out
    assert f"{deployed.id}  demo-vpc" in table
    assert "default VPC" in table
    if how == "--strict":
        nobody("sandbox", "fault", "clear")
    with unmeasured_processes():
        assert nobody("destroy", "demo", "--yes").code == 0
    left = nobody("sandbox", "census", "-o", "json").json
    assert [one for one in left if not one["default"]] == []


def test_a_command_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No rehearsal waits for ever for a command or leaves one behind."""
    monkeypatch.setattr(stages, "COMMAND_SECONDS", 4.0)
    folder = tmp_path / "a-day"
    folder.mkdir()
    stage = Stage(folder, Event())
    said = stage.tier1("sandbox", "start", "--foreground")
    assert said.code is None
    assert stage.tier1("sandbox", "status", "-o", "json").shown["running"] is False
