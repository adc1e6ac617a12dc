"""Runs scenarios: each with the real command, in a sandbox, a database and a folder of its own.

Owns the steps of a scenario run and its verdict. Every process that it started has ended when it returns, by
any path. The deployment is the command's work; the failures of AWS are the sandbox's.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tier1_engine.errors import Refused
from tier1_engine.sandbox.census import Thing
from tier1_engine.sandbox.faults.scenario import Expected, Scenario
from tier1_engine.sandbox.rehearsal.rehearsal_spec import RehearsalSpec
from tier1_engine.sandbox.rehearsal.stage import COMMAND_SECONDS, LOOK_SECONDS, CommandResult, Stage

AT_ONCE: Final = 2
"""Concurrent scenarios: a sandbox and a command keep about one core busy."""
CENSUS_SECONDS: Final = 3.0
"""Real seconds for 50 minutes of AWS time, by which everything that was deleted is gone."""
_REMAINS: Final = frozenset({"creating", "present", "deleting", "stray"})


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The result of one scenario.

    Attributes:
        outcome: the deployment's state when `deploy` had ended; `none` when there was no deployment.
        exit_code: of `deploy`; None when it did not end in time.
        seconds: on AWS's clock, from the first call of `deploy` to its last.
        calls: AWS calls made by `deploy`.
        left: owned objects in AWS when `deploy` had ended, without objects that AWS deletes with them.
        unexpected: deviations from the scenario's expectation, one sentence each.
        remains: what AWS still had at the very end, after the finishing commands.
        logs: the folder with all output; None when it was removed.
    """

    scenario: str
    outcome: str
    exit_code: int | None
    seconds: float
    calls: int
    left: int
    unexpected: tuple[str, ...] = ()
    remains: tuple[Thing, ...] = ()
    logs: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether it ended as the scenario expects, and nothing remains."""
        return not self.unexpected and not self.remains

    def to_json(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 1),
            "calls": self.calls,
            "left": self.left,
            "ok": self.ok,
        }


def rehearse(
    rehearsed: RehearsalSpec,
    scenarios: Sequence[Scenario],
    *,
    began: Callable[[Scenario], None] = lambda _: None,
    ended: Callable[[ScenarioResult], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> list[ScenarioResult]:
    """Run the scenarios, two at a time; return the results in their order.

    Args:
        began, ended: callbacks, run in the caller's thread.
        stop: set it to abort; everything that was started is then ended, and no folder remains.

    Raises:
        Refused: a scenario has no expected end, two have one name, or the sandbox cannot be started.
        Interrupted: `stop` was set.
    """
    _refuse_unclear(scenarios)
    stop = stop or threading.Event()
    # A remaining folder is private to its user: it has the database and every call.
    home = Path(tempfile.mkdtemp(prefix="tier1-rehearsal-"))
    try:
        return _play_all(_Rehearsal(rehearsed, home, stop), scenarios, began, ended, stop)
    finally:
        # The folders of unexpected results remain.
        if stop.is_set():
            shutil.rmtree(home)
        elif not any(home.iterdir()):
            home.rmdir()


def _refuse_unclear(scenarios: Sequence[Scenario]) -> None:
    names = [scenario.name for scenario in scenarios]
    for scenario in scenarios:
        if scenario.expected is None:
            raise Refused(f"The scenario {scenario.name} does not say how it ends: add `expected`.")
        if names.count(scenario.name) > 1:
            raise Refused(f"Two scenarios have the name {scenario.name}: rename one of the files.")


def _play_all(
    rehearsal: _Rehearsal,
    scenarios: Sequence[Scenario],
    began: Callable[[Scenario], None],
    ended: Callable[[ScenarioResult], None],
    stop: threading.Event,
) -> list[ScenarioResult]:
    played: dict[str, ScenarioResult] = {}
    waiting, running = list(scenarios), dict[Future[ScenarioResult], Scenario]()
    with ThreadPoolExecutor(AT_ONCE, "rehearsal") as pool:
        try:
            while waiting or running:
                while waiting and len(running) < AT_ONCE:
                    scenario = waiting.pop(0)
                    began(scenario)
                    running[pool.submit(rehearsal.play, scenario)] = scenario
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    one = played[running.pop(future).name] = future.result()
                    ended(one)
        except BaseException:
            stop.set()  # the others end what they started; the pool waits for that
            raise
    return [played[scenario.name] for scenario in scenarios]


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """The settings that the scenarios of one rehearsal share."""

    rehearsed: RehearsalSpec
    home: Path
    stop: threading.Event

    def play(self, scenario: Scenario) -> ScenarioResult:
        folder = self.home / scenario.name
        folder.mkdir(mode=0o700)
        stage = Stage(folder, self.stop, any_ami=self.rehearsed.stand_in is not None)
        try:
            played = ScenarioRun(stage, scenario, self.rehearsed).run()
        except Refused:
            shutil.rmtree(folder)  # nothing happened in it
            raise
        finally:
            stage.close()
        if not played.ok:
            return replace(played, logs=folder)
        shutil.rmtree(folder)
        return played


@dataclass
class ScenarioRun:
    """One scenario run, from the start of its sandbox to its last census."""

    stage: Stage
    scenario: Scenario
    rehearsed: RehearsalSpec
    unexpected: list[str] = field(default_factory=list)

    def run(self) -> ScenarioResult:
        self.rehearsed.write(self.stage.spec)
        self.stage.start(_where(self.scenario))
        at_first = set(self.stage.census())
        deployed = self.stage.tier1("deploy", str(self.stage.spec), "--sandbox", "-o", "json")
        calls = self.stage.traffic()
        shown = deployed.shown
        owned = [one for one in self.stage.census() if shown and one.deployment == shown["id"]]
        left = len([one for one in owned if one.part_of is None])
        self._compare(deployed, shown, left)
        if shown:
            self._end(shown)
        remains = self._remains(at_first)
        return ScenarioResult(
            scenario=self.scenario.name,
            outcome=shown.get("state", "none"),
            exit_code=deployed.code,
            seconds=calls[-1]["at"] - calls[0]["at"] if calls else 0.0,
            calls=len(calls),
            left=left,
            unexpected=tuple(self.unexpected),
            remains=remains,
        )

    @property
    def _expected(self) -> Expected:
        expected = self.scenario.expected_of(self.rehearsed.traits)
        assert expected is not None, "a rehearsal refuses a scenario without an end"
        return expected

    def _compare(self, deployed: CommandResult, shown: Mapping[str, Any], left: int) -> None:
        expected = self._expected
        if deployed.code is None:
            self.unexpected.append(f"the deploy did not finish within {COMMAND_SECONDS:g} s and was stopped")
        self._expect("exit code", expected.exit_code, deployed.code)
        self._expect("state", expected.state, shown.get("state", "none"))
        code = (shown.get("failure") or {}).get("code")
        if code not in (expected.codes or (None,)):
            self._expect("failure", expected.code or "none", code or "none")
        if expected.left is not None:
            self._expect("left", expected.left, left)
        recorded = _recorded(shown)
        if recorded != left:
            self.unexpected.append(f"objects in AWS: {left}, on record: {recorded}")

    def _expect(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            self.unexpected.append(f"{what} {found} instead of {expected}")

    def _end(self, shown: Mapping[str, Any]) -> None:
        """Run the finishing commands, then delete whatever the deployment became."""
        if self.unexpected:
            return
        # The file's commands follow the end that it expects for a spec without traits.
        then = self.scenario.then if self._expected is self.scenario.expected else ()
        for line in then:
            self._must_succeed(shlex.split(line.format(id=shown["id"])))
        now = self.stage.tier1("show", shown["id"], "-o", "json").shown if then else shown
        way = {"active": "destroy", "failed": "rollback"}.get(now.get("state", ""))
        if way and not self.unexpected:
            self._must_succeed([way, shown["id"], "--yes"])

    def _must_succeed(self, words: Sequence[str]) -> None:
        code = self.stage.tier1(*words).code
        if code != 0:
            self.unexpected.append(f"`tier1 {shlex.join(words)}` exited with {code}")

    def _remains(self, at_first: set[Thing]) -> tuple[Thing, ...]:
        """Objects that did not exist at the start, once AWS had time to delete."""
        end = time.monotonic() + CENSUS_SECONDS
        while True:
            # A region gets its default VPC at its first use.
            remains = tuple(one for one in self.stage.census() if not one.default and one not in at_first)
            if not remains or time.monotonic() > end:
                return remains
            time.sleep(LOOK_SECONDS)


def _where(scenario: Scenario) -> str:
    """The scenario as the sandbox's process finds it."""
    return scenario.name if scenario.path is None else str(scenario.path.absolute())


def _recorded(shown: Mapping[str, Any]) -> int:
    """The number of owned objects in the database that are not gone."""
    resources = shown.get("resources") or ()
    return len([one for one in resources if one["owned"] and one["state"] in _REMAINS and one["aws_id"]])
