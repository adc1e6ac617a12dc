"""Every commit of every command fails: the database refuses it, or applies it and the answer is lost.

It fails once, and the driver recovers by itself; or permanently, until the lease has expired. The driver then
sends nothing without a committed intent and reports what it holds, and a resume loses nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from tests.support.points import at_point
from tests.support.simulation.life import LIVES, SETTINGS, WAYS_OUT, Stage, check
from tests.support.simulation.process import Killer
from tier1_engine.engine import driver
from tier1_engine.errors import DatabaseUnavailable
from tier1_engine.store.store import Store

pytestmark = [pytest.mark.promise(1), pytest.mark.usefixtures("few_attempts")]

BEFORE, AFTER = "before commit", "after commit"
LATE = 3.0
POSTGRES_STRIDE = 5
"""Only every n-th commit runs on Postgres, where a life takes a third of a second."""
RETRY_SECONDS = 2.0
LEASE_SECONDS = 15.0
"""A failure for good is tried again until the lease has expired. The time between two attempts is virtual,
but each attempt really opens the database: a few of them tell as much as a hundred.
"""


@dataclass
class Storage(Killer):
    """Make a commit fail without killing anything.

    Attributes:
        fails: at which side of the commit.
        at: the number of the commit, from 1; 0 for none.
        for_good: every later commit fails too, whatever side.
        error: what the driver of the database raises.
    """

    fails: str = BEFORE
    at: int = 0
    for_good: bool = False
    error: Callable[[], Exception] = lambda: sqlite3.OperationalError("disk I/O error")
    commits: int = 0
    failed_at: int | None = None

    def instant(self, what: str) -> None:
        super().instant(what)
        if not self.armed or what not in (BEFORE, AFTER):
            return
        if self.failed_at is not None:
            if self.for_good:
                raise self.error()
            return
        self.commits += what == self.fails
        if what == self.fails and self.commits == self.at:
            self.failed_at = len(self.instants)
            raise self.error()

    @property
    def sent_since(self) -> list[str]:
        """The changing calls that were sent after the failure."""
        later = self.instants[self.failed_at :]
        return [what for what in later if what.startswith("before ") and what != BEFORE]


def commits_of(life: str, source: Path | Store, fails: str) -> int:
    storage = Storage(fails=fails)
    stage = Stage.set(LIVES[life], source, LATE, storage)
    assert stage.play(stage.life.command)
    if isinstance(source, Path):
        stage.close()
    return storage.commits


def suffered(life: str, source: Path | Store, storage: Storage) -> Stage:
    """Run a life with that failure, and the resume once the database is back."""
    stage = Stage.set(LIVES[life], source, LATE, storage)
    stage.rig.settings = replace(SETTINGS, lease_seconds=LEASE_SECONDS)
    try:
        assert stage.play(stage.life.command)
    except DatabaseUnavailable as error:
        assert error.exit_code == 9  # noqa: PT017 - whether it is raised depends on the commit
        if storage.for_good:
            assert storage.sent_since == []
    assert storage.failed_at is not None
    storage.at = storage.failed_at = 0
    storage.for_good = False
    assert stage.play(WAYS_OUT["resume"])
    check(stage, stage.life.ends["resume"])
    return stage


@pytest.fixture
def few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "COMMIT_RETRY_SECONDS", RETRY_SECONDS)


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("fails", [BEFORE, AFTER])
@pytest.mark.parametrize("life", LIVES)
def test_a_failed_commit_loses_nothing(
    life: str,
    fails: str,
    for_good: bool,
    sqlite_template: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """This covers each commit of each life on SQLite."""
    whole = commits_of(life, sqlite_template, fails)
    for at in range(1, whole + 1):
        with at_point(f"commit {at} of {whole}"):
            suffered(life, sqlite_template, Storage(fails=fails, at=at, for_good=for_good)).close()
    record_property("points", whole)


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    opened = Store.open(postgres_url)
    yield opened
    opened.close()


@pytest.mark.postgres
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("fails", [BEFORE, AFTER])
@pytest.mark.parametrize("life", LIVES)
def test_a_connection_lost_around_a_commit_loses_nothing(
    life: str,
    fails: str,
    for_good: bool,
    store: Store,
    record_property: Callable[[str, object], None],
) -> None:
    """This covers a sample on Postgres: between execute and commit, and after an applied commit."""
    whole = commits_of(life, store, fails)
    points = range(1, whole + 1, POSTGRES_STRIDE)
    for at in points:
        with at_point(f"commit {at} of {whole}"):

            def dropped() -> Exception:
                return psycopg.OperationalError("server closed the connection unexpectedly")

            suffered(life, store, Storage(fails=fails, at=at, for_good=for_good, error=dropped))
    record_property("points", len(points))
