"""The guide in every scenario: its script and its lines, run with the real `aws`, leave nothing.

Each scenario has its own sandbox, database and deployment. Nobody is signed in, as in a rehearsal.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Command, Warm
from tests.support.shell import Shell, put_programs
from tier1_engine.deployment.states import State
from tier1_engine.sandbox.census import Thing
from tier1_engine.sandbox.faults import scenarios
from tier1_engine.sandbox.rehearsal import rehearsal
from tier1_engine.sandbox.rehearsal.rehearsal_spec import RehearsalSpec
from tier1_engine.sandbox.rehearsal.stage import Stage

pytestmark = pytest.mark.slow

SAMPLE: tuple[str, ...] = ()
BY_HAND_SAMPLE: tuple[str, ...] = ()
"""The scenarios that always run: none, because tests/commands/test_guide.py runs a script of a guide.

`make long` runs all of them in both ways.
"""
AT_FIRST = {"expired-credentials": 7, "undeletable-vpc": 5}
"""The script's exit code while the scenario lasts; in all others it is 0."""
DELETE_SECONDS = 20
"""More than a rehearsal allows, because each `aws` is a process and the machine may be busy."""
FAILED_MARKS = {"mount-fails": "tier1: user-data-failed 302", "user-data-fails": "tier1: user-data-failed 7"}
READS = ("Describe", "Get", "List")


def days(sample: Sequence[str]) -> list[Any]:
    return [
        name if name in sample else pytest.param(name, marks=pytest.mark.long) for name in scenarios.names()
    ]


@dataclass
class Aftermath:
    """A deployment in a scenario, and the shell of the operator who has to clean up after it."""

    stage: Stage
    shell: Shell
    id: str
    at_first: frozenset[Thing]

    @property
    def tier1(self) -> Command:
        return self.shell.tier1

    def guide(self) -> dict[str, Any]:
        reported: dict[str, Any] = self.tier1("guide", self.id, "-o", "json").json
        return reported

    def state(self) -> str:
        return str(self.tier1.show(self.id)["state"])

    def owned(self) -> set[str]:
        """The ids of the deployment's resources in AWS, without those that are deleted with their owner."""
        census = self.stage.census()
        return {one.id for one in census if one.deployment == self.id and one.part_of is None}

    def left(self) -> set[Thing]:
        """What was created and remains after everything had the time to be deleted."""
        end = time.monotonic() + rehearsal.CENSUS_SECONDS
        while True:
            found = {one for one in self.stage.census() if not one.default and one not in self.at_first}
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.02)

    def changes(self) -> int:
        """The number of changing calls that AWS has accepted."""
        return len(
            [
                call
                for call in self.stage.traffic()
                if call["status"] == 200 and not call["operation"].startswith(READS)
            ]
        )

    def scenario_is_over(self) -> None:
        assert self.tier1("sandbox", "fault", "clear").code == 0

    def type(self, guide: dict[str, Any], lines: Sequence[str]) -> None:
        """Type each line after the guide's first commands; none may fail."""
        first = [] if guide["first"] is None else [guide["first"]["line"]]
        done = self.shell("-exc", "\n".join([*first, *lines]))
        assert done.code == 0, done.err

    def end_tier1_on_the_path(self) -> None:
        (self.shell.programs / "tier1").unlink()


Fall = Callable[[str], Aftermath]


@pytest.fixture
def fall(tmp_path: Path, warm_aws: Path, warm_tier1: Warm, forked_sandboxes: None) -> Iterator[Fall]:
    """Run a scenario until its deployment has ended without a rollback."""
    stage = Stage(tmp_path / "day", threading.Event())
    stage.folder.mkdir()

    def begin(name: str) -> Aftermath:
        RehearsalSpec().write(stage.spec)
        patient = stage.spec.read_text().replace("delete: 6s", f"delete: {DELETE_SECONDS}s")
        stage.spec.write_text(patient)
        stage.start(name)
        at_first = frozenset(stage.census())
        command = Command(stage.folder, stage.environment, warm_tier1)
        deployed = command("deploy", str(stage.spec), "--sandbox", "--no-rollback", "-o", "json")
        expected = scenarios.load(name).expected
        assert expected is not None
        wanted = State.ACTIVE if expected.state == State.ACTIVE else State.FAILED
        assert deployed.json["state"] == wanted, deployed.err
        programs = put_programs(tmp_path / "bin", warm_aws, warm_tier1)
        return Aftermath(stage, Shell(command, programs), deployed.json["id"], at_first)

    yield begin
    stage.close()


@pytest.mark.parametrize("name", days(SAMPLE))
def test_the_script_deletes_everything_and_a_rollback_confirms_it(name: str, fall: Fall) -> None:
    """It can be run twice; without tier1 it completes on its own, and tier1 later agrees."""
    aftermath = fall(name)
    reported = aftermath.guide()
    assert aftermath.owned() <= {item["aws_id"] for item in reported["standing"]}
    script = aftermath.shell.script(aftermath.id)
    aftermath.end_tier1_on_the_path()
    if name in AT_FIRST:
        there = aftermath.owned()
        first = aftermath.shell(script, "--yes")
        assert first.code == AT_FIRST[name], first.err
        assert (aftermath.owned() == there) == (first.code == 7)
    aftermath.scenario_is_over()
    done = aftermath.shell(script, "--yes")
    assert done.code == 0, done.err
    assert aftermath.left() == set()
    changes = aftermath.changes()
    assert aftermath.shell(script, "--yes").code == 0
    verb, end = (
        ("destroy", "destroyed") if reported["situation"] == "healthy" else ("rollback", "rolled_back")
    )
    settled = aftermath.tier1(verb, aftermath.id, "--yes")
    assert (settled.code, aftermath.state()) == (0, end), settled.err
    assert aftermath.changes() == changes
    aftermath.type(aftermath.guide(), lines_of(aftermath.guide()))
    assert (
        aftermath.shell(aftermath.shell.script(aftermath.id)).code == 0
    )  # it says that there is nothing to delete


@pytest.mark.parametrize("name", days(BY_HAND_SAMPLE))
def test_every_printed_line_works_in_the_printed_order(name: str, fall: Fall) -> None:
    """These are the diagnostic commands, the checks of resources, and the deletions by hand."""
    aftermath = fall(name)
    aftermath.scenario_is_over()
    reported = aftermath.guide()
    table = aftermath.tier1("guide", aftermath.id).out
    if name in FAILED_MARKS:
        assert reported["cause"]["console"][-1] == FAILED_MARKS[name]
        assert f"| {FAILED_MARKS[name]}\n" in table
    lines = [*lines_of(reported), *(command["line"] for command in reported["by_hand"]["commands"])]
    for line in lines:
        assert f" {line}\n" in table
    aftermath.type(reported, lines)
    assert aftermath.left() == set()
    assert aftermath.state() in ("destroyed", "rolled_back")


def lines_of(guide: dict[str, Any]) -> list[str]:
    """The commands that show the cause and the resources."""
    cause = [command["line"] for command in (guide["cause"] or {}).get("commands", ())]
    return [*cause, *(line for item in guide["standing"] for line in item["look"])]
