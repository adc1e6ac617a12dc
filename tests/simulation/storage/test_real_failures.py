"""Databases that really fail under a driver: full, gone, replaced, read-only, restarted, deadlocked.

AWS and the time are simulated; files, servers and connections are real.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from tests.support.postgres_server import OwnServer, own_server
from tests.support.simulation.failing import Undo, failed_in_the_middle, stored_on
from tests.support.simulation.faults import act
from tests.support.simulation.life import LIVES, Stage, check
from tests.support.waiting import SEEN_SECONDS, until_somebody_waits
from tier1_engine.errors import DatabaseUnavailable
from tier1_engine.store.sqlite_file import log_of
from tier1_engine.store.store import Store

pytestmark = pytest.mark.promise(1)

SMALL = "1M"


@pytest.fixture
def file(tmp_path: Path, sqlite_template: Path) -> Path:
    path = tmp_path / "place" / "tier1.db"
    path.parent.mkdir()
    shutil.copyfile(sqlite_template, path)
    path.chmod(0o600)
    return path


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{path}")
    try:
        yield store
    finally:
        store.close()


# --- SQLite


def test_a_database_file_that_is_deleted(file: Path) -> None:
    """It is put back, as the message says."""

    def delete() -> Undo:
        aside = file.with_name("aside")
        file.rename(aside)
        return lambda: aside.rename(file)

    with opened(file) as store:
        failed_in_the_middle(store, delete, "was deleted or replaced while it was in use: put it back")


def test_a_database_file_that_is_replaced(file: Path) -> None:
    """The driver writes nothing to another file of the same name."""

    def replace() -> Undo:
        aside = file.with_name("aside")
        file.rename(aside)
        shutil.copyfile(aside, file)
        return lambda: aside.replace(file)

    with opened(file) as store:
        failed_in_the_middle(store, replace, "was deleted or replaced while it was in use: put it back")


def test_deleting_the_write_ahead_log_loses_nothing(file: Path) -> None:
    """Committed data is written to the file itself before anything more is sent: a kill right after finds all
    of it. The driver continues with a new log.
    """
    log = log_of(file)
    with opened(file) as store:
        stage = Stage.set(LIVES["deploy"], store, 0.0)
        stage.rig.world.after.append(act("create", "door-1", log.unlink))
        seen: list[int] = []

        def look_as_after_a_kill() -> None:
            copy = file.with_name("copy.db")
            shutil.copyfile(file, copy)
            if log.exists():
                shutil.copyfile(log, log_of(copy))
            with opened(copy) as found:
                seen.append(len(found.load(stage.id).resources))

        stage.rig.world.before.append(act("create", "machine", look_as_after_a_kill))
        assert stage.play(stage.life.command)
        check(stage, stage.life.ends["resume"])
    assert seen == [6]


def test_a_folder_that_is_moved_away(file: Path) -> None:
    """The log moves with it."""

    def move() -> Undo:
        away = file.parent.with_name("away")
        file.parent.rename(away)
        return lambda: away.rename(file.parent)

    with opened(file) as store:
        failed_in_the_middle(store, move, "was deleted or replaced while it was in use: put it back")


def test_a_database_file_that_becomes_read_only(file: Path) -> None:
    """SQLite itself refuses to write, on the open connection and on every new one."""
    flag = [False]

    def freeze() -> Undo:
        flag[0] = True
        for pooled in store.writers.idle:
            obey(pooled.driver_connection)
        return lambda: flag.__setitem__(0, False)

    def obey(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA query_only={int(flag[0])}")

    with opened(file) as store:
        event.listen(store.engine, "checkout", obey)
        failed_in_the_middle(store, freeze, r"cannot be read or written \(.*readonly.*\): fix that")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=0700", "tier1-test", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_full(small_disk: Path, sqlite_template: Path) -> None:
    """Space is freed, as the message says."""
    path = small_disk / "tier1.db"
    shutil.copyfile(sqlite_template, path)
    path.chmod(0o600)

    def fill() -> Undo:
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as full, suppress(OSError):
            while True:
                full.write(bytes(4096))
        assert shutil.disk_usage(small_disk).free == 0
        return filler.unlink

    with opened(path) as store:
        failed_in_the_middle(store, fill, r"has no space to grow \(.*\): free space on its disk")


# --- Postgres


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with own_server() as own:
        yield own


@pytest.mark.postgres
def test_a_server_that_crashes_and_restarts_goes_unnoticed(server: OwnServer) -> None:
    """The turn that met it is committed on a new connection; nothing is done twice."""
    with stored_on(server.url) as store:
        stage = Stage.set(LIVES["deploy"], store, 0.0)
        stage.rig.world.after.append(act("create", "door-1", server.restart))
        assert stage.play(stage.life.command)
        check(stage, stage.life.ends["resume"])


@pytest.mark.postgres
def test_a_server_that_stays_down_ends_the_driver_and_a_resume_continues(server: OwnServer) -> None:
    """It stays down for longer than the lease."""

    def stop() -> Undo:
        server.crash()
        return server.start

    with stored_on(server.url) as store:
        failed_in_the_middle(store, stop, "cannot be reached")


@pytest.mark.postgres
def test_terminated_connections_are_replaced(postgres_url: str) -> None:
    """An operator of the server ends all sessions: the next turn opens another."""

    def end_all() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    with stored_on(postgres_url) as store:
        stage = Stage.set(LIVES["deploy"], store, 0.0)
        stage.rig.world.after.append(act("create", "door-1", end_all))
        assert stage.play(stage.life.command)
        check(stage, stage.life.ends["resume"])


@dataclass
class Rival:
    """A session of another program that disturbs one turn, in a thread of its own."""

    url: str
    first: str
    second: str | None = None
    isolation: str = "read committed"

    def begin(self) -> None:
        held = threading.Event()
        self.thread = threading.Thread(target=self._session, args=(held,))
        self.thread.start()
        assert held.wait(SEEN_SECONDS)

    def _session(self, held: threading.Event) -> None:
        with psycopg.connect(self.url) as mine, psycopg.connect(self.url, autocommit=True) as watching:
            mine.execute("SET LOCAL deadlock_timeout = '60s'")  # the driver is the victim of a deadlock
            mine.execute(self.first)
            held.set()
            until_somebody_waits(watching)
            if self.second is not None:
                mine.execute(self.second)
            mine.commit()


@pytest.mark.postgres
def test_a_deadlock_that_aborts_the_transaction_is_retried(postgres_url: str) -> None:
    """It is rolled back completely and committed at the next attempt."""
    with stored_on(postgres_url) as store:
        stage = Stage.set(LIVES["deploy"], store, 0.0)
        rival = Rival(
            postgres_url,
            "UPDATE steps SET tries = tries WHERE name = 'door-1'",
            "UPDATE deployments SET max_attempts = max_attempts",
        )
        stage.rig.world.after.append(act("create", "door-1", rival.begin))
        assert stage.play(stage.life.command)
        rival.thread.join(SEEN_SECONDS)
        check(stage, stage.life.ends["resume"])
    until_a_deadlock_is_counted(postgres_url)


def until_a_deadlock_is_counted(url: str) -> None:
    """Wait until the server has counted a deadlock: a session reports what it met when it ends."""
    query = "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = current_database()"
    end = time.monotonic() + SEEN_SECONDS
    with psycopg.connect(url, autocommit=True) as asking:
        while asking.execute(query).fetchone() != (True,):
            assert time.monotonic() < end, "no deadlock"
            time.sleep(0.01)


@pytest.mark.postgres
def test_a_serialization_failure_is_retried(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a database that is serializable by default, a turn conflicts with a concurrent one."""
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_isolation TO serializable'.encode())
    met: list[str] = []
    commit = Store.commit

    def noting(store: Store, *given: Any, **named: Any) -> Any:
        try:
            return commit(store, *given, **named)
        except DatabaseUnavailable as error:
            met.append(str(error))
            raise

    monkeypatch.setattr(Store, "commit", noting)
    with stored_on(postgres_url) as store:
        stage = Stage.set(LIVES["deploy"], store, 0.0)
        rival = Rival(postgres_url, "UPDATE deployments SET max_attempts = max_attempts")
        stage.rig.world.after.append(act("create", "door-1", rival.begin))
        assert stage.play(stage.life.command)
        rival.thread.join(SEEN_SECONDS)
        check(stage, stage.life.ends["resume"])
    (refused,) = met
    assert "could not serialize access" in refused
