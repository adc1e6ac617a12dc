"""SQLite databases that cost a file copy instead of a migration.

For where hundreds of deployments are simulated: the file lies in memory and is not synced, which
takes nothing from what those tests prove (they end a process, never a machine).
"""

from __future__ import annotations

import atexit
import gc
import itertools
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from tests.support.simulation import census
from tier1_engine.store import database
from tier1_engine.store.store import Store

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it

OPEN_FILES = Path("/proc/self/fd")

LEAST_PAGE_BYTES = 512


@cache
def memory_folder() -> Path:
    """A folder of this test process, in memory where the system has such a place."""
    folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None, prefix="tier1-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def unsynced_engine(path: Path, process: str = "first") -> Engine:
    """An engine that does not wait for the disk; one for each path and process that is played, which keeps
    its compiled queries.
    """
    engine = database.connect(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def unsynced(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    return engine


def fast_store(name: str, source: Path) -> Store:
    """A store on a copy of `source`, a file without open connections; ends the earlier store of that name."""
    path = memory_folder() / f"{name}.db"
    engine = unsynced_engine(path)
    if earlier := _latest.pop(path, None):
        census.leave(earlier)
        earlier.close()
    if _is_open(path):  # by what an exception of the last test still refers to
        gc.collect()
        assert not _is_open(path), f"{path} is still open: SQLite would delete the log of the next one"
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(source, path)
    path.chmod(0o600)
    _latest[path] = Store(engine)
    return _latest[path]


def _is_open(path: Path) -> bool:
    """Whether this process has the file open; not known where there is no `/proc`."""
    for descriptor in OPEN_FILES.iterdir() if OPEN_FILES.is_dir() else ():
        with suppress(OSError):
            if descriptor.readlink() == path:
                return True
    return False


Rows = tuple[tuple[str, tuple[tuple[Any, ...], ...]], ...]
"""All of some tables, by name."""


class Kept:
    """A database that stays open for a whole run of tests, and whose rows are put back instead of its file.

    The connections to it stay too, with all that SQLite and SQLAlchemy have compiled on them.
    """

    def __init__(self, name: str, source: Path) -> None:
        path = memory_folder() / f"{name}.db"
        shutil.copyfile(source, path)
        path.chmod(0o600)
        self.store = Store(unsynced_engine(path))
        self.another = beside(self.store)
        """The same, as another process has it open."""
        self._beside = sqlite3.connect(path, isolation_level=None)
        self._beside.execute("PRAGMA synchronous=OFF")
        tables = self._beside.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        self._tables = [name for (name,) in tables]
        self.empty = self.committed()

    def committed(self) -> Rows:
        """The committed rows at this moment, without any open transaction."""
        self._beside.execute("BEGIN")
        found = tuple(
            (name, tuple(self._beside.execute(f"SELECT * FROM {name}")))  # noqa: S608 - a table's name
            for name in self._tables
        )
        self._beside.execute("COMMIT")
        return found

    def put_back(self, rows: Rows) -> Store:
        """The store, when these rows are all that there is; what was there before is judged by the census."""
        census.leave(self.store)
        self._beside.execute("BEGIN IMMEDIATE")
        self._beside.execute("PRAGMA defer_foreign_keys=ON")
        for name, wanted in rows:
            self._beside.execute(f"DELETE FROM {name}")  # noqa: S608
            if wanted:
                places = ", ".join("?" * len(wanted[0]))
                self._beside.executemany(f"INSERT INTO {name} VALUES ({places})", wanted)  # noqa: S608
        self._beside.execute("COMMIT")
        return self.store


@cache
def kept(name: str, source: Path) -> Kept:
    """The database of this name, made from a file without open connections."""
    return Kept(f"kept-{name}-{next(_numbers)}", source)


_numbers = itertools.count(1)


def make_pages_small(path: Path) -> None:
    """Give a file without open connections the smallest pages of SQLite.

    A turn's writes then need new pages, and do not fit into free space of old ones.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode=DELETE", f"PRAGMA page_size={LEAST_PAGE_BYTES}", "VACUUM"):
        connection.execute(statement)
    connection.close()


def beside(store: Store) -> Store:
    """The same file, as another process has it open. The caller closes it."""
    return Store(unsynced_engine(Path(store.engine.url.database or ""), "another"))


_latest: dict[Path, Store] = {}
