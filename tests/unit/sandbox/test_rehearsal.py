"""The verdict on one scenario: the deployment's end, the resources in AWS, and what remains."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tier1_engine.errors import Refused
from tier1_engine.sandbox.census import Thing
from tier1_engine.sandbox.faults.scenario import Expected, Scenario, Trait
from tier1_engine.sandbox.rehearsal import rehearsal
from tier1_engine.sandbox.rehearsal.rehearsal import ScenarioResult, ScenarioRun, rehearse
from tier1_engine.sandbox.rehearsal.rehearsal_spec import RehearsalSpec
from tier1_engine.sandbox.rehearsal.stage import CommandResult, Stage

ID = "aaaa00000001"
DEFAULT = Thing("vpc", "vpc-0", "r", default=True)
VPC = Thing("vpc", "vpc-1", "r", deployment=ID, resource="r1")
TABLE = Thing("route table", "rtb-1", "r", deployment=ID, part_of="vpc-1")
ACTIVE = Scenario("a-day", "A day", "", Expected("active", 0))
FAILED = Scenario("a-day", "A day", "", Expected("failed", 5, 1, "X or Y"), then=("resume {id}",))


class FakeStage(Stage):
    """Answers as configured; commands that delete succeed unless configured otherwise."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.folder, self.spec = folder, folder / "spec.yaml"
        self.state: str = given.get("state", "active")
        self.code: int | None = given.get("code", 0)
        self.failure: dict[str, str] | None = given.get("failure")
        self.recorded: int = given.get("recorded", 1)
        self.things: list[Thing] = [DEFAULT]
        self.made: list[Thing] = given.get("made", [VPC, TABLE])
        self.kept: list[Thing] = given.get("kept", [])
        self.codes: dict[str, int] = given.get("codes", {})
        self.ran: list[str] = []

    def start(self, scenario: str) -> None:
        self.ran.append(f"start {scenario}")

    def tier1(self, *words: str) -> CommandResult:
        self.ran.append(" ".join(word for word in words if word != str(self.spec)))
        if words[0] == "deploy":
            self.things += self.made
            return CommandResult(self.code, json.dumps(self.shown()) if self.state else "")
        if words[0] == "show":
            return CommandResult(0, json.dumps(self.shown()))
        if self.codes.get(words[0], 0) == 0:
            self.things = [DEFAULT, *self.kept]
            self.state = "rolled_back"
        return CommandResult(self.codes.get(words[0], 0), "")

    def shown(self) -> dict[str, Any]:
        one = {"owned": True, "state": "present", "aws_id": "x"}
        others = [{**one, "owned": False}, {**one, "state": "deleted"}, {**one, "aws_id": None}]
        resources = [one] * self.recorded + others
        return {"id": ID, "state": self.state, "failure": self.failure, "resources": resources}

    def census(self) -> list[Thing]:
        return list(self.things)

    def traffic(self) -> list[dict[str, Any]]:
        return [{"at": 10.5}, {"at": 71.0}]


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "CENSUS_SECONDS", 0.0)


def play(tmp_path: Path, scenario: Scenario, **given: Any) -> tuple[ScenarioResult, list[str]]:
    stage = FakeStage(tmp_path, **given)
    return ScenarioRun(stage, scenario, RehearsalSpec()).run(), stage.ran


def test_a_successful_deployment_is_destroyed(tmp_path: Path) -> None:
    """AWS's own time and resources do not count, and neither do the parts of a VPC."""
    played, ran = play(tmp_path, ACTIVE)
    assert played == ScenarioResult("a-day", "active", 0, 60.5, 2, 1)
    assert played.ok
    assert ran == ["start a-day", "deploy --sandbox -o json", f"destroy {ID} --yes"]


def test_a_failed_deployment_is_ended_as_the_file_says(tmp_path: Path) -> None:
    """One of the codes is enough; a deployment that the file's commands ended needs no others."""
    given = {"state": "failed", "code": 5, "failure": {"code": "Y"}}
    played, ran = play(tmp_path, FAILED, **given)
    assert played.ok
    assert ran[2:] == [f"resume {ID}", f"show {ID} -o json"]


def test_without_commands_in_the_file_a_failed_deployment_is_rolled_back(tmp_path: Path) -> None:
    given = {"state": "failed", "code": 5, "failure": {"code": "X"}}
    played, ran = play(tmp_path, replace(FAILED, then=()), **given)
    assert played.ok
    assert ran[2:] == [f"rollback {ID} --yes"]


def test_the_file_s_commands_apply_only_to_its_default_end(tmp_path: Path) -> None:
    """A spec with another expected end gets the usual commands."""
    day = replace(FAILED, otherwise={Trait.ONE_ZONE: Expected("active", 0)})
    stage = FakeStage(tmp_path)
    one = RehearsalSpec()
    one.traits = frozenset({Trait.ONE_ZONE})
    assert ScenarioRun(stage, day, one).run().ok
    assert stage.ran[2:] == [f"destroy {ID} --yes"]


@pytest.mark.parametrize(
    ("scenario", "given", "sentences"),
    [
        (ACTIVE, {"code": 3}, ["exit code 3 instead of 0"]),
        (ACTIVE, {"state": "failed"}, ["state failed instead of active"]),
        (ACTIVE, {"failure": {"code": "Z"}}, ["failure Z instead of none"]),
        (FAILED, {"state": "failed", "code": 5}, ["failure none instead of X or Y"]),
        (replace(ACTIVE, expected=Expected("active", 0, 0)), {}, ["left 1 instead of 0"]),
        (ACTIVE, {"recorded": 2}, ["objects in AWS: 1, on record: 2"]),
        (ACTIVE, {"made": [VPC, VPC]}, ["objects in AWS: 2, on record: 1"]),
        (
            ACTIVE,
            {"code": None, "state": ""},
            [
                "the deploy did not finish within 120 s and was stopped",
                "exit code None instead of 0",
                "state none instead of active",
            ],
        ),
    ],
)
def test_an_unexpected_end_is_reported_and_left_alone(
    tmp_path: Path, scenario: Scenario, given: dict[str, Any], sentences: list[str]
) -> None:
    """It can be examined."""
    played, ran = play(tmp_path, scenario, **given)
    assert list(played.unexpected) == sentences
    assert not played.ok
    assert len(ran) == 2
    assert VPC in played.remains


def test_an_end_that_does_not_come_is_a_failure(tmp_path: Path) -> None:
    played, _ = play(tmp_path, ACTIVE, codes={"destroy": 5})
    assert played.unexpected == (f"`tier1 destroy {ID} --yes` exited with 5",)


def test_remaining_resources_are_a_failure(tmp_path: Path) -> None:
    """The owner does not matter, but a region's default VPC is AWS's own."""
    volume = Thing("volume", "vol-1", "r")
    elsewhere = Thing("vpc", "vpc-9", "elsewhere", default=True)
    played, _ = play(tmp_path, ACTIVE, kept=[volume, elsewhere])
    assert (played.unexpected, played.remains, played.ok) == ((), (volume,), False)


def test_two_scenarios_of_one_name_are_refused() -> None:
    """Each has a folder of its name."""
    with pytest.raises(Refused, match="Two scenarios have the name a-day"):
        rehearse(RehearsalSpec(), [ACTIVE, FAILED])


def test_json_has_the_promised_keys() -> None:
    played = ScenarioResult("a-day", "active", 0, 60.456, 2, 1)
    assert played.to_json() == {
        "scenario": "a-day",
        "outcome": "active",
        "exit_code": 0,
        "seconds": 60.5,
        "calls": 2,
        "left": 1,
        "ok": True,
    }
