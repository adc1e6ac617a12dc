"""A database that an earlier version left in mid-run opens, is upgraded, and continues.

The code of each revision made its databases (`scripts.make_fixture_database`) and was killed at that point;
the objects of the account are stored next to them. Revision 0001 was edited in place: `0001-first` is as
commit 643d251 made it, with other primary keys and another order of columns. SQLite opens it in that form;
Postgres gets its rows in the later one.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from tests.support.old_databases import FIXTURES, on_postgres, revision_of, sqlite_of
from tests.support.simulation.process import gone_holder
from tests.support.simulation.rig import Rig
from tests.support.simulation.world import Thing
from tier1_engine.contract.kind import TAG_RESOURCE
from tier1_engine.deployment.states import Goal, ResourceState, State
from tier1_engine.engine import engine
from tier1_engine.engine.engine import Resume
from tier1_engine.errors import SchemaError
from tier1_engine.store import schema
from tier1_engine.store.store import Store
from tier1_engine.store.tables import SCHEMA_REVISION

pytestmark = pytest.mark.promise(2)

HOUR = 3600.0
OLD = sorted(path.relative_to(FIXTURES).with_suffix("") for path in FIXTURES.glob("*/*.sql"))
SAMPLE_ON_POSTGRES = "rolling_back"
MOMENTS = ("active", "deploying", "failed", "rolling_back")
AFTER_RESUME = {
    "active": State.ACTIVE,
    "deploying": State.ACTIVE,
    "failed": State.ACTIVE,
    "rolling_back": State.ROLLED_BACK,
}


def rig_of(old: Path, store: Store) -> Rig:
    """Today's code on that database, an hour later, in the account as it was left."""
    account = json.loads((FIXTURES / old).with_suffix(".json").read_text())
    rig = Rig(store, holder=gone_holder)
    rig.clock.seconds = account["seconds"] + HOUR
    for values in account["things"]:
        thing = Thing(**{**values, "needs": tuple(values["needs"]), "settings": set(values["settings"])})
        rig.world.things[thing.id] = thing
    rig.world.numbers = itertools.count(len(rig.world.things) + 1)
    numbers = itertools.count(5000)
    rig.ids = lambda: f"{next(numbers):020d}"
    return rig


ON_BOTH = [
    *(pytest.param(old, "sqlite", id=f"sqlite-{old}") for old in OLD),
    *(
        pytest.param(
            old,
            "postgres",
            id=f"postgres-{old}",
            marks=[pytest.mark.postgres, *([] if old.name == SAMPLE_ON_POSTGRES else [pytest.mark.long])],
        )
        for old in OLD
    ),
]
"""Every database on SQLite, and one of each revision on Postgres: the other moments have the same tables
there, and each test migrates twice. `make long` runs them all.
"""


@pytest.fixture
def store(request: pytest.FixtureRequest, old: Path, kept_in: str, tmp_path: Path) -> Iterator[Store]:
    """The old database, opened and upgraded as its users do it."""
    path = sqlite_of(old, tmp_path)
    url = f"sqlite:///{path}"
    if kept_in == "postgres":
        url = str(request.getfixturevalue("empty_postgres_url"))
        server = on_postgres(path, url, revision_of(old))
        if revision_of(old) != SCHEMA_REVISION:
            with pytest.raises(SchemaError, match="tier1 db upgrade"):
                schema.ensure_schema(server)
        schema.upgrade(server)
        server.dispose()
    opened = Store.open(url)
    yield opened
    opened.close()


@pytest.fixture
def rig(old: Path, store: Store) -> Rig:
    return rig_of(old, store)


def the_one(rig: Rig) -> tuple[str, set[str]]:
    """The deployment, and the attempts that its process left open."""
    (summary,) = rig.store.summaries()
    id = summary.deployment.id
    return id, {a.id for a in rig.store.attempts(id) if a.ended_at is None}


def check(rig: Rig, id: str, state: State, cut: set[str]) -> None:
    """Assert that AWS has what the rows say and no more, nothing twice, and that open attempts are marked as
    cut.
    """
    record = rig.store.load(id)
    assert record.deployment.state is state, record.deployment.failure
    present = {r.aws_id for r in record.resources.values() if r.state is ResourceState.PRESENT}
    assert {thing.id for thing in rig.world.living()} == present
    assert bool(present) is (state is State.ACTIVE)
    made = Counter(thing.tags[TAG_RESOURCE] for thing in rig.world.things.values())
    assert set(made.values()) == {1}
    attempts = rig.store.attempts(id)
    assert not [a for a in attempts if a.ended_at is None]
    assert {a.id for a in attempts if a.code == "Cut"} == cut


@pytest.mark.parametrize(("old", "kept_in"), ON_BOTH)
def test_it_continues_to_its_goal(rig: Rig, old: Path) -> None:
    """`resume` continues it, or `resume --retry` if it had failed."""
    id, cut = the_one(rig)
    if old.name != "active":
        engine.resume(rig.equipment, id, Resume.RETRY if old.name == "failed" else Resume.GO_ON)
    assert bool(cut) is (old.name in ("deploying", "rolling_back"))
    check(rig, id, AFTER_RESUME[old.name], cut)


@pytest.mark.parametrize(("old", "kept_in"), ON_BOTH)
def test_it_can_be_taken_down(rig: Rig) -> None:
    """`destroy` takes it down from any state."""
    id, cut = the_one(rig)
    asked = engine.request(rig.equipment, id, Goal.DESTROYED)
    rig.drive(id)
    check(rig, id, State(asked.goal.value), cut)


@pytest.mark.parametrize("old", OLD, ids=str)
def test_the_original_file_is_copied_before_the_upgrade(old: Path, tmp_path: Path) -> None:
    """The copy's name has the revision; there is none if nothing was upgraded."""
    path = sqlite_of(old, tmp_path)
    Store.open(f"sqlite:///{path}").close()
    copies = list(tmp_path.glob("tier1.db.0*"))
    if revision_of(old) == SCHEMA_REVISION:
        assert copies == []
        return
    (copy,) = copies
    assert copy.name.startswith(f"tier1.db.{revision_of(old)}.")
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision_of(old),)]
        assert kept.execute("SELECT count(*) FROM resources").fetchone()[0] > 0


def test_every_revision_has_its_databases() -> None:
    """Each revision is committed together with databases that its code left behind."""
    scripts = ScriptDirectory.from_config(schema.alembic_config())
    wanted = {Path(script.revision, moment) for script in scripts.walk_revisions() for moment in MOMENTS}
    missing = sorted(str(path) for path in wanted - set(OLD))
    assert not missing, f"{missing}: run `python -m scripts.make_fixture_database` and commit what it writes"
