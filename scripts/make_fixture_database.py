"""Makes fixture databases of interrupted runs in this schema revision, for tests of later versions.

    python -m scripts.make_fixture_database [FOLDER]

Writes the database that the code of this checkout leaves when it is killed, as SQL text under
`tests/migration/fixtures/REVISION/`, with the objects of the simulated account beside it as JSON. Run it
once, before a revision is merged; `tests/migration/test_old_databases.py` then opens, upgrades and resumes
each with the current code, and fails while the newest revision has none.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.simulation.faults import fail
from tests.support.simulation.process import Killer, run, watch
from tests.support.simulation.rig import Rig
from tier1_engine.deployment.actor import Actor
from tier1_engine.store.holder import this_process
from tier1_engine.store.store import Store
from tier1_engine.store.tables import SCHEMA_REVISION

FOLDER = Path(__file__).parent.parent / "tests" / "migration" / "fixtures"


WHO = Actor("arn:aws:iam::123456789012:user/ann", "ann", "build-7", "https://ci.example/runs/7")


@dataclass(frozen=True)
class Moment:
    """The point at which a deployment of the simulated account is interrupted.

    Attributes:
        killed: the instant at which its process ends, as `tests.support.simulation.process` names them; None
            when it runs to its end.
        refused: whether AWS refuses to launch the machine.
    """

    killed: str | None = None
    refused: bool = False
    rollback: bool = True


MOMENTS = {
    "deploying": Moment("after create of machine"),
    "rolling_back": Moment("after delete of door-2", refused=True),
    "failed": Moment(refused=True, rollback=False),
    "active": Moment(),
}


def reached(moment: Moment, path: Path) -> Rig:
    """A deployment interrupted at that moment, in a new database at `path`; its process is gone."""
    whole = lived(moment, path.with_name("whole.db"), None)
    if moment.killed is None:
        return lived(moment, path, None)[0]
    return lived(moment, path, whole[1].index(moment.killed) + 1)[0]


def lived(moment: Moment, path: Path, kill_at: int | None) -> tuple[Rig, list[str]]:
    """The rig after a deployment that was killed at an instant, or at none, and all instants until then."""
    rig, killer = Rig(Store.open(f"sqlite:///{path}"), holder=lambda: this_process(WHO)), Killer()
    if moment.refused:
        rig.world.before.append(fail("create", "machine"))
    watch(rig, killer)
    ended = run(killer, lambda: rig.deploy(rollback_enabled=moment.rollback), kill_at)
    assert ended is (kill_at is None)
    rig.store.close()
    return rig, killer.instants


def write(folder: Path, name: str) -> None:
    """Keep a database at a moment, and the account as it then is."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "tier1.db"
        rig = reached(MOMENTS[name], path)
        with closing(sqlite3.connect(path)) as connection:
            text = "\n".join(connection.iterdump())
    things = [{**asdict(thing), "settings": sorted(thing.settings)} for thing in rig.world.things.values()]
    account = {"seconds": rig.clock.seconds, "things": things}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.sql").write_text(text + "\n")
    (folder / f"{name}.json").write_text(json.dumps(account, indent=1) + "\n")


def main(arguments: list[str]) -> int:
    """Run as a command."""
    folder = Path(arguments[0]) if arguments else FOLDER / SCHEMA_REVISION
    if folder.exists():
        print(f"{folder} exists: fixtures that were committed are never regenerated.", file=sys.stderr)
        return 1
    for name in MOMENTS:
        write(folder, name)
        print(f"{folder / name}.sql")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
