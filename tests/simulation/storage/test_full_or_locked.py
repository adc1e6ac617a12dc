"""A full disk, or a file locked by another program, at every change of AWS of every life.

SQLite itself refuses: `PRAGMA max_page_count` stands for a disk without a free page, and the lock is another
program's transaction, waited for until the busy time-out. AWS and the time are simulated.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.points import at_point
from tests.support.simulation import process
from tests.support.simulation.databases import fast_store, make_pages_small
from tests.support.simulation.life import LIVES, SETTINGS, WAYS_OUT, Stage, check
from tests.support.simulation.process import CHANGING, EXECUTED
from tests.support.simulation.world import World
from tier1_engine.engine import driver
from tier1_engine.errors import DatabaseUnavailable
from tier1_engine.store.store import Store
from tier1_engine.store.transactions import Transaction

pytestmark = pytest.mark.promise(1)

BUSY_MILLISECONDS = 1
"""How long SQLite really waits for a lock, in place of `database.BUSY_SECONDS`."""
SHORT_SECONDS = 3.0
"""The trouble's length on the virtual clock: longer than the busy time-out, and well within the lease."""
LEASE_SECONDS = 15.0
RETRY_SECONDS = 2.0
"""The virtual time that passes for each attempt, as if it had waited for the lock for its whole time-out."""
SEEN_LATE = 3.0
STRIDE = 2
"""Only every n-th change is tested with a trouble that ends by itself."""
PAGES_LIMIT = 1_000_000


FITS = {"full": 1, "locked": 0}
"""The writes after the last change of a life may fit into the existing pages."""


class Trouble:
    """A failure of SQLite from the n-th change that AWS executed until it ends.

    Attributes:
        sent: how many calls AWS had got when a turn could first not be committed; None before that.
        ended_the_driver: it lasted for longer than the lease.
    """

    def __init__(self, stage: Stage, at: int, seconds: float | None = None) -> None:
        self.stage, self.at, self.seconds = stage, at, seconds
        self.changes = 0
        self.here = False
        self.sent: int | None = None
        self.ended_the_driver = False
        stage.rig.world.after.append(self._count)

    def _count(self, world: World, operation: str, _: Mapping[str, Any]) -> None:
        self.changes += operation in CHANGING
        if operation in CHANGING and self.changes == self.at:
            self.here = True
            self.begin()
            if self.seconds is not None:
                world.clock.after(self.seconds, self.end)

    def begin(self) -> None:
        """SQLite refuses to write from now on."""

    def end(self) -> None:
        """SQLite writes again."""
        self.here = False

    def obey(self, connection: Any) -> None:
        """Set up a connection that is about to be used."""

    def refused(self) -> None:
        """SQLite did not write."""
        if self.sent is None:
            self.sent = len(self.stage.rig.world.calls)

    @property
    def sent_since(self) -> list[str]:
        """The changing calls that were sent after SQLite first refused."""
        return [call for call, _ in self.stage.rig.world.calls[self.sent or 0 :] if call in CHANGING]


class FullDisk(Trouble):
    """The file cannot grow by a page; what fits into the existing ones is still written."""

    sentence = (
        "has no space to grow (database or disk is full): free space on its disk, then run the command again"
    )

    def obey(self, connection: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages if self.here else PAGES_LIMIT}")


class LockedFile(Trouble):
    """Another program holds an open write transaction."""

    sentence = "is locked by another process for more than 5 s: stop the process that holds it"

    def begin(self) -> None:
        path = self.stage.rig.store.engine.url.database or ""
        self.other = sqlite3.connect(path, isolation_level=None)
        self.other.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        super().end()
        self.other.close()

    def obey(self, connection: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")


TROUBLES: dict[str, type[FullDisk | LockedFile]] = {"full": FullDisk, "locked": LockedFile}


@contextmanager
def felt(trouble: Trouble) -> Iterator[None]:
    """Apply the trouble to every writing transaction, and record the first turn that is not committed."""
    connected, commit = Transaction._connected, Store.commit  # noqa: SLF001 - where SQLite is met

    def feeling(transaction: Transaction) -> Any:
        pooled = connected(transaction)
        trouble.obey(pooled.driver_connection)
        return pooled

    def noting(store: Store, *given: Any, **named: Any) -> Any:
        try:
            return commit(store, *given, **named)
        except DatabaseUnavailable:
            trouble.refused()
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transaction, "_connected", feeling)
        patch.setattr(Store, "commit", noting)
        patch.setattr(driver, "COMMIT_RETRY_SECONDS", RETRY_SECONDS)
        yield


def set_on_a_new_file(life: str, source: Path) -> Stage:
    """Attach the trouble to a new file without free pages, with no connection of an earlier trouble."""
    return Stage.set(LIVES[life], fast_store("no-room", source), SEEN_LATE)


def met(
    life: str, kind: type[FullDisk | LockedFile], source: Path, at: int, seconds: float | None
) -> Trouble:
    """Run a life with that trouble and the resume after it; return the trouble."""
    stage = set_on_a_new_file(life, source)
    stage.rig.settings = replace(SETTINGS, lease_seconds=LEASE_SECONDS)
    trouble = kind(stage, at, seconds)
    with felt(trouble):
        try:
            assert stage.play(stage.life.command)
        except DatabaseUnavailable as error:
            check_reported(stage, trouble, error)
            trouble.ended_the_driver = True
        assert trouble.changes >= at
        if trouble.here:
            trouble.end()
        assert stage.play(WAYS_OUT["resume"])
        check(stage, stage.life.ends["resume"])
    stage.close()
    return trouble


def check_reported(stage: Stage, trouble: FullDisk | LockedFile, error: DatabaseUnavailable) -> None:
    """Assert exit code 9 and the advice; nothing was sent without its intent, and each AWS id is recorded or
    printed.
    """
    assert error.exit_code == 9
    assert trouble.sentence in str(error)
    assert trouble.sent_since == []
    known = {row.aws_id for row in stage.rig.store.load(stage.id).resources.values()}
    known |= {thing.id for thing in stage.others}
    assert [
        one.id for one in stage.rig.world.living() if one.id not in known and one.id not in str(error)
    ] == []


@pytest.fixture(scope="module")
def small_pages(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of small pages without open connections."""
    path = tmp_path_factory.mktemp("small-pages") / "tier1.db"
    shutil.copyfile(sqlite_template, path)
    make_pages_small(path)
    return path


def changes_of(life: str, source: Path) -> int:
    """The number of changes that AWS executes in an undisturbed life."""
    stage = set_on_a_new_file(life, source)
    assert stage.play(stage.life.command)
    stage.close()
    return process.points(stage.killer.instants)[EXECUTED]


@pytest.mark.parametrize("kind", TROUBLES)
@pytest.mark.parametrize("life", LIVES)
def test_an_unwritable_database_stops_the_driver_before_its_next_call(
    life: str, kind: str, small_pages: Path, record_property: Callable[[str, object], None]
) -> None:
    """It lasts longer than the lease, from each change on; a resume loses nothing once it can be written."""
    whole = changes_of(life, small_pages)
    stopped = 0
    for at in range(1, whole + 1):
        with at_point(f"{kind} from change {at} of {whole} on"):
            stopped += met(life, TROUBLES[kind], small_pages, at, None).sent is not None
    assert stopped >= whole - FITS[kind]
    record_property("points", stopped)


@pytest.mark.parametrize("kind", TROUBLES)
@pytest.mark.parametrize("life", LIVES)
def test_a_database_that_recovers_before_the_lease_expires_is_waited_for(
    life: str, kind: str, small_pages: Path, record_property: Callable[[str, object], None]
) -> None:
    """This covers a sample of the changes; the command reaches its goal by itself."""
    whole = changes_of(life, small_pages)
    points = range(1, whole + 1, STRIDE)
    for at in points:
        with at_point(f"{kind} for a moment at change {at} of {whole}"):
            assert not met(life, TROUBLES[kind], small_pages, at, SHORT_SECONDS).ended_the_driver
    record_property("points", len(points))
