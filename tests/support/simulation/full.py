"""Every pair of kills: a life killed at each instant, its recovery killed at each of its own.

    python -m tests.support.simulation.full [--workers N] [--folder FOLDER]      (`make crash-full`)
    python -m tests.support.simulation.full --replay LIFE WAY SEEN FIRST SECOND

Results are recorded as they come, so that an interrupted run continues where it was. A change of the sources
begins a new run. Exit codes: 0 all pairs passed, 1 a pair failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from tests.support.simulation import databases
from tests.support.simulation.life import ALL_LIVES, EXCLUDED, WAYS_OUT, cut_and_recover, instants
from tier1_engine.store import database, schema

AT_ONCE, LATE = 0.0, 3.0
"""When what was made is seen; less than the grace, so that it can always be found."""
ROOT = Path(__file__).parent.parent.parent
SOURCES = ("tier1_engine", "migrations", "tests/simulation/crash", "tests/support/simulation")
MAX_SECOND = 600


@dataclass(frozen=True)
class Walk:
    """One first kill, and then every kill of its recovery in turn."""

    life: str
    way: str
    seen: float
    first: int


@dataclass(frozen=True)
class Walked:
    """The result.

    Attributes:
        failed: the second kills after which an assertion failed, and which one.
    """

    walk: Walk
    pairs: int
    failed: tuple[tuple[int, str], ...]
    seconds: float


def walks(source: Path) -> list[Walk]:
    """All there are, in a fixed order."""
    return [
        Walk(life, way, seen, first)
        for life in ALL_LIVES
        for seen in (AT_ONCE, LATE)
        for whole in [len(instants(ALL_LIVES[life], source, seen))]
        for way in WAYS_OUT
        for first in range(1, whole + 1)
    ]


def walked(walk: Walk, source: Path) -> Walked:
    """Kill the recovery at its first instant, its second, and so on, until it has ended before."""
    began = time.perf_counter()
    failed: list[tuple[int, str]] = []
    for second in range(1, MAX_SECOND):
        try:
            kills = [walk.first, second]
            if not cut_and_recover(ALL_LIVES[walk.life], walk.way, source, walk.seen, kills):
                return Walked(walk, second - 1, tuple(failed), time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - any failure goes into the table
            failed.append((second, f"{type(error).__name__}: {error}".splitlines()[0]))
    raise AssertionError(f"{walk} has no end")


def empty_database(folder: Path) -> Path:
    """The one from which those of the walks are copied."""
    path = folder / "empty.db"
    engine = database.connect(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    return path


def begin(folder: Path) -> None:
    """Give this process databases of its own."""
    own = folder / str(os.getpid())
    own.mkdir()
    databases.memory_folder = lambda: own  # type: ignore[assignment]


# --- what was done


def digest() -> str:
    """Of all sources that a walk depends on."""
    sums = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted(p for p in (ROOT / folder).rglob("*.py") if not p.name.startswith("test_")):
            sums.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return sums.hexdigest()[:12]


def done(progress: Path) -> dict[Walk, Walked]:
    """What an earlier run of the same sources wrote; a line that was cut is done again."""
    found: dict[Walk, Walked] = {}
    for line in progress.read_text().splitlines() if progress.exists() else ():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        failed = tuple((second, text) for second, text in values["failed"])
        one = Walked(Walk(**values["walk"]), values["pairs"], failed, values["seconds"])
        found[one.walk] = one
    return found


def go_on(all_walks: Sequence[Walk], progress: Path, folder: Path, workers: int) -> dict[Walk, Walked]:
    """Walk what was not walked yet; interrupted, end at once."""
    found = done(progress)
    left = [walk for walk in all_walks if walk not in found]
    print(f"{len(found)} of {len(all_walks)} walks were done before: {progress}", file=sys.stderr)
    source = folder / "empty.db"
    # Spawned, not forked: each is to have databases of its own.
    spawned = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=spawned, initializer=begin, initargs=(folder,))
    with progress.open("a") as written, pool:
        try:
            for future in as_completed([pool.submit(walked, walk, source) for walk in left]):
                one = future.result()
                written.write(json.dumps(asdict(one)) + "\n")
                written.flush()
                found[one.walk] = one
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


# --- what is printed


def table(found: Iterable[Walked]) -> Iterator[str]:
    """A line for each life, visibility and way out, and one for all."""
    heading = ("life", "seen", "way out", "points", "pairs", "clean", "failed", "excluded", "seconds")
    yield "{:10} {:>5} {:12} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8}".format(*heading)
    groups: dict[tuple[str, float, str], list[Walked]] = {}
    for one in found:
        groups.setdefault((one.walk.life, one.walk.seen, one.walk.way), []).append(one)
    everything = [one for group in groups.values() for one in group]
    rows = [(life, f"{seen:.0f}", way, group) for (life, seen, way), group in groups.items()]
    for life, seen, way, group in [*rows, ("all", "", "", everything)]:
        pairs, failed = sum(g.pairs for g in group), sum(len(g.failed) for g in group)
        seconds = sum(g.seconds for g in group)
        yield (
            f"{life:10} {seen:>5} {way:12} {len(group):7} {pairs:7} {pairs - failed:7} {failed:7} "
            f"{0:8} {seconds:8.0f}"  # no pair is left out
        )


def failures(found: Iterable[Walked]) -> Iterator[str]:
    """Each pair that failed, and the command that plays it again."""
    for one in found:
        walk = one.walk
        for second, text in one.failed:
            yield f"FAILED {text}"
            again = f"{walk.life} '{walk.way}' {walk.seen} {walk.first} {second}"
            yield f"  python -m tests.support.simulation.full --replay {again}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command."""
    asked = _arguments(arguments)
    signal.signal(signal.SIGINT, _interrupt)  # also where a script put it into the background
    signal.signal(signal.SIGTERM, _interrupt)
    memory = databases.IN_MEMORY if databases.IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="tier1-crash-") as name:
        folder = Path(name)
        source = empty_database(folder)
        begin(folder)
        if asked.replay:
            life, way, seen, first, second = asked.replay
            cut_and_recover(ALL_LIVES[life], way, source, float(seen), [int(first), int(second)])
            print("clean")
            return 0
        return _run(asked, folder, source)


def _run(asked: argparse.Namespace, folder: Path, source: Path) -> int:
    asked.folder.mkdir(exist_ok=True)
    progress = asked.folder / f"{digest()}.jsonl"
    all_walks = walks(source)
    try:
        found = go_on(all_walks, progress, folder, asked.workers)
    except KeyboardInterrupt:
        found = done(progress)
        print("\n".join([*table(found.values()), *failures(found.values())]))
        print(
            f"interrupted: {len(found)} of {len(all_walks)} walks; the same command goes on", file=sys.stderr
        )
        return 130
    print("\n".join([*table(found.values()), *failures(found.values())]))
    print(
        "\n".join(
            ["", "Excluded, beside the pairs:", *(f"- {what}: {why}" for what, why in EXCLUDED.items())]
        )
    )
    return int(any(one.failed for one in found.values()))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.simulation.full", description="Every pair of kills."
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (one a core)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".crash-full", help="where it is written down")
    parser.add_argument("--replay", nargs=5, metavar=("LIFE", "WAY", "SEEN", "FIRST", "SECOND"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
