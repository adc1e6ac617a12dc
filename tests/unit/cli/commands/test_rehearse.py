"""What a rehearsal prints while it runs and in its tables, and its exit code."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tier1_engine.cli.commands import rehearse
from tier1_engine.cli.screen.render.rehearsal import census, table
from tier1_engine.errors import Refused
from tier1_engine.sandbox.catalogue import STAND_IN
from tier1_engine.sandbox.census import Thing
from tier1_engine.sandbox.faults.scenario import Scenario
from tier1_engine.sandbox.rehearsal.rehearsal import ScenarioResult
from tier1_engine.sandbox.rehearsal.rehearsal_spec import RehearsalSpec

GOOD = ScenarioResult("capacity", "active", 0, 2415.9, 84, 13)
WRONG = ScenarioResult(
    "permission", "active", None, 61, 12, 1, unexpected=("exit code 0 instead of 3",), logs=Path("/k")
)
LEFT = ScenarioResult(
    "quota-vpc", "rolled_back", 3, 61, 12, 0, remains=(Thing("vpc", "vpc-1", "r"),), logs=Path("/k")
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestAnUnknownImage:
    SPEC = "name: demo\nregion: us-east-1\ninstance: {ami: ami-0123456789abcdef0}\n"

    def test_it_is_refused_with_the_option_that_helps(self, tmp_path: Path) -> None:
        """Nothing is started."""
        path = tmp_path / "spec.yaml"
        path.write_text(self.SPEC)
        with pytest.raises(Refused, match=r"does not know instance.ami ami-0123456789abcdef0.*--any-ami"):
            RehearsalSpec(path)

    def test_a_stand_in_is_launched_on_request(self, tmp_path: Path) -> None:
        """An image of the catalogue needs none."""
        path = tmp_path / "spec.yaml"
        path.write_text(self.SPEC)
        assert RehearsalSpec(path, any_ami=True).stand_in == "ami-0123456789abcdef0"
        path.write_text(self.SPEC.replace("ami-0123456789abcdef0", STAND_IN))
        assert RehearsalSpec(path, any_ami=True).stand_in is None


class TestTheExitCode:
    def test_it_is_0_when_every_scenario_ended_as_its_file_says(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert rehearse.judge([GOOD, GOOD]) == 0
        assert capsys.readouterr().err == ""

    def test_it_is_4_when_one_ended_otherwise(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Each reason is printed, and the folder with the details."""
        assert rehearse.judge([GOOD, WRONG]) == 4
        assert capsys.readouterr().err.splitlines() == [
            "tier1: permission: exit code 0 instead of 3.",
            "tier1: permission: its spec, database, calls and output are in /k",
        ]

    def test_it_is_5_when_a_successful_scenario_left_resources(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """This holds next to one that ended otherwise; what remains is named."""
        assert rehearse.judge([LEFT, WRONG]) == 5
        assert "tier1: quota-vpc: objects remaining at the end (1): vpc vpc-1." in capsys.readouterr().err

    def test_resources_left_by_an_unexpected_end_are_4(self) -> None:
        """The commands that would have deleted them were not run."""
        both = ScenarioResult(
            "x", "active", 0, 1, 1, 1, unexpected=("a",), remains=LEFT.remains, logs=Path("/k")
        )
        assert rehearse.judge([both]) == 4


class TestTheTables:
    def test_a_rehearsal_is_a_line_for_each_scenario(self) -> None:
        text = table([GOOD.to_json(), WRONG.to_json(), LEFT.to_json()])
        assert text.splitlines() == [
            "SCENARIO    OUTCOME      EXIT  AWS TIME  CALLS  REMAINING  AS EXPECTED",
            "capacity    active          0   40m 15s     84         13  yes",
            "permission  active          -    1m 01s     12          1  NO",
            "quota-vpc   rolled_back     3    1m 01s     12          0  NO",
        ]

    def test_a_census_names_the_owner_of_each_resource(self) -> None:
        """Control characters in a name do not reach the terminal."""
        things = [
            Thing("vpc", "vpc-1", "us-east-1", "available", "d1", "r1", "mine\x1b[2J"),
            Thing("volume", "vol-1", "us-east-1", part_of="i-1"),
            Thing("vpc", "vpc-2", "us-east-1", "available", default=True),
        ]
        assert census([one.to_json() for one in things]).splitlines() == [
            "KIND    ID     STATE      DEPLOYMENT  NAME      REGION",
            "vpc     vpc-1  available  d1          mine [2J  us-east-1",
            "volume  vol-1  -          -           -         us-east-1  part of i-1",
            "vpc     vpc-2  available  -           -         us-east-1  default VPC",
            "2 objects, plus 1 of the default VPC",
        ]

    def test_an_empty_census_says_so(self) -> None:
        assert census([]) == "The local AWS is empty: nothing has been created in it yet."


class TestProgress:
    def play(self) -> None:
        with rehearse.Progress(2) as progress:
            progress.began(Scenario("capacity", "No capacity", ""))
            progress.began(Scenario("permission", "No permission", ""))
            progress.ended(GOOD)
            progress.ended(WRONG)

    def test_without_a_terminal_it_is_plain_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.play()
        assert capsys.readouterr().err.splitlines() == [
            "capacity: No capacity",
            "permission: No permission",
            "capacity: active, exit code 0, as expected (1 of 2)",
            "permission: active, exit code None, NOT as expected (2 of 2)",
        ]

    def test_on_a_terminal_one_line_shows_the_running_scenario(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is overwritten, and erased at the end."""
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        self.play()
        drawn = terminal.getvalue().split("\r\x1b[K")
        assert "0 of 2 done; running capacity, permission" in drawn
        assert "1 of 2 done; running permission" in drawn
        assert drawn[-1] == ""
