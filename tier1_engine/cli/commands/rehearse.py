"""`tier1 sandbox rehearse`: deploys a spec in failure scenarios, each in its own sandbox."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tier1_engine.cli.options import Output
from tier1_engine.cli.screen.streams import Quiet, complain, moving, put, put_json, say
from tier1_engine.cli.signals import SIGNALS
from tier1_engine.errors import Interrupted

if TYPE_CHECKING:
    from tier1_engine.sandbox.faults.scenario import Scenario
    from tier1_engine.sandbox.rehearsal.rehearsal import ScenarioResult

OTHERWISE, REMAINS = 4, 5
"""Exit codes: a scenario did not end as its file expects; resources remained at the end."""
SHOWN_THINGS = 5


def run(spec: Path | None, names: Sequence[str], output: Output, *, any_ami: bool = False) -> int:
    """Run the scenarios, by default all of them; return the exit code."""
    from tier1_engine.sandbox.faults import scenarios
    from tier1_engine.sandbox.rehearsal.rehearsal import rehearse
    from tier1_engine.sandbox.rehearsal.rehearsal_spec import RehearsalSpec

    days = [scenarios.load(name) for name in dict.fromkeys(names or scenarios.names())]
    rehearsed = RehearsalSpec(spec, any_ami=any_ami)
    if rehearsed.stand_in is not None:
        say(
            f"The AMI {rehearsed.stand_in} is not known to the local AWS, which launches a stand-in: whether "
            "it exists on AWS and fits the instance types is not rehearsed."
        )
    stop = threading.Event()
    with _ending(stop), Progress(len(days)) as progress:
        played = rehearse(rehearsed, days, began=progress.began, ended=progress.ended, stop=stop)
    if output is Output.JSON:
        put_json([one.to_json() for one in played])
    else:
        from tier1_engine.cli.screen.render.rehearsal import table

        put(table([one.to_json() for one in played]))
    return judge(played)


@contextmanager
def _ending(stop: threading.Event) -> Iterator[None]:
    """Stop everything that was started at the first signal, and ignore further signals while stopping.

    Raises:
        Interrupted: a signal arrived, and everything has been stopped.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            say("Stopping everything that was started.")
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as interrupted:
        raise Interrupted(
            "The rehearsal was interrupted: everything it started has been stopped."
        ) from interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Progress:
    """Reports progress: a line per finished scenario, and on a terminal the scenarios in progress."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._done = 0
        self._playing: list[str] = []
        self._moving = moving()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def began(self, scenario: Scenario) -> None:
        self._playing.append(scenario.name)
        if not self._moving:
            say(f"{scenario.name}: {scenario.title}")
        self._draw()

    def ended(self, played: ScenarioResult) -> None:
        self._playing.remove(played.scenario)
        self._done += 1
        verdict = "as expected" if played.ok else "NOT as expected"
        self._clear()
        say(
            f"{played.scenario}: {played.outcome}, exit code {played.exit_code}, {verdict} "
            f"({self._done} of {self._count})"
        )
        self._draw()

    def _draw(self) -> None:
        if self._moving and self._playing:
            Quiet().write(f"\r\x1b[K{self._done} of {self._count} done; running {', '.join(self._playing)}")

    def _clear(self) -> None:
        if self._moving:
            Quiet().write("\r\x1b[K")


def judge(played: Sequence[ScenarioResult]) -> int:
    """Report unexpected results and where their logs are; return the exit code."""
    bad = [one for one in played if not one.ok]
    for one in bad:
        for sentence in one.unexpected:
            complain(f"{one.scenario}: {sentence}.")
        if one.remains:
            shown = ", ".join(f"{thing.kind} {thing.id}" for thing in one.remains[:SHOWN_THINGS])
            complain(f"{one.scenario}: objects remaining at the end ({len(one.remains)}): {shown}.")
        complain(f"{one.scenario}: its spec, database, calls and output are in {one.logs}")
    if not bad:
        return 0
    return REMAINS if any(one.remains and not one.unexpected for one in bad) else OTHERWISE
