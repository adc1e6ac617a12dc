"""A real Postgres for the tests: one server for a whole run, a database for each test at a time.

The server is `TIER1_TEST_POSTGRES_URL`, or one from the pgserver wheel that a keeper process
(`postgres_keeper`) starts when the first test asks for it and stops when the run has ended. Where
there is neither, what needs Postgres is skipped with the reason, and in CI it fails.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.environment import POSTGRES_URL, in_ci
from tests.support.postgres_databases import PostgresPool
from tests.support.postgres_keeper import START_SECONDS, STOP_SECONDS, programs, wait_until
from tier1_engine.store import schema

RUN_FOLDER = pytest.StashKey[Path]()
KEEPER = Path(__file__).resolve().with_name("postgres_keeper.py")


# --- The run's folder: made and removed by the process that started the run --------------------


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a folder, and pass its path to the workers of pytest-xdist."""
    given = getattr(config, "workerinput", {}).get("tier1_postgres")
    if given is not None:
        config.stash[RUN_FOLDER] = Path(given)
        return
    folder = Path(tempfile.mkdtemp(prefix="tier1-pg-"))
    folder.chmod(0o711)  # the server may run as another user, who must be able to walk through
    config.stash[RUN_FOLDER] = folder


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["tier1_postgres"] = str(node.config.stash[RUN_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let the keeper stop what it started, and take the folder away."""
    if hasattr(config, "workerinput") or RUN_FOLDER not in config.stash:
        return
    folder = config.stash[RUN_FOLDER]
    (folder / "ended").touch()
    wait_until(lambda: not (folder / "keeper").exists(), STOP_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


# --- Fixtures ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """The URL of a Postgres on which this run may make databases."""
    given = os.environ.get(POSTGRES_URL, "").strip()
    if given:
        return given
    if programs() is None:
        reason = f"no Postgres: set {POSTGRES_URL} or install the pgserver wheel"
        if in_ci():
            pytest.fail(f"{reason} (in CI the Postgres half may not be skipped)")
        pytest.skip(reason)
    return _server(request.config.stash[RUN_FOLDER])


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The name of a database with our schema, from which those of the tests are copied."""
    from tier1_engine.store import database

    name = f"tier1_template_{secrets.token_hex(6)}"
    with _made_database(postgres_server, name) as url:
        engine = database.connect(url)
        schema.upgrade(engine)
        engine.dispose()  # a database with connections cannot be copied
        yield name


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A database of its own with nothing in it."""
    with _made_database(postgres_server, f"tier1_test_{secrets.token_hex(6)}") as url:
        yield url


@pytest.fixture(scope="session")
def postgres_pool(postgres_server: str, postgres_template: str) -> Iterator[PostgresPool]:
    """This worker's databases."""
    with ExitStack() as made:

        def make() -> str:
            name = f"tier1_test_{secrets.token_hex(6)}"
            return made.enter_context(_made_database(postgres_server, name, postgres_template))

        yield PostgresPool(make)


@pytest.fixture
def postgres_url(postgres_pool: PostgresPool) -> Iterator[str]:
    """A database with our schema and nothing else in it, for this test alone."""
    with postgres_pool.taken() as url:
        yield url


@pytest.fixture
def copied_postgres(postgres_server: str, postgres_url: str) -> Iterator[Callable[[], str]]:
    """Copies the test's database as it is now, like a restored dump; nothing may be connected to it."""
    from sqlalchemy.engine import make_url

    with ExitStack() as made:

        def copy() -> str:
            name = f"tier1_test_{secrets.token_hex(6)}"
            source = make_url(postgres_url).database or ""
            return made.enter_context(_made_database(postgres_server, name, source))

        yield copy


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our schema, from which those of the tests are copied."""
    from tier1_engine.store import database

    path = tmp_path_factory.mktemp("sqlite-template") / "tier1.db"
    engine = database.connect(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path / 'tier1.db'}"


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A file of its own with our schema in it."""
    path = tmp_path / "tier1.db"
    shutil.copyfile(sqlite_template, path)
    path.chmod(0o600)
    return f"sqlite:///{path}"


BOTH = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def any_database_url(request: pytest.FixtureRequest) -> str:
    """A database of its own with our schema in it: once SQLite, once Postgres."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=BOTH)
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """A database of its own with nothing in it: once SQLite, once Postgres."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


@contextmanager
def _made_database(server: str, name: str, template: str = "template0") -> Iterator[str]:
    _administer(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield _named(server, name)
    finally:
        _administer(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


def _named(server: str, name: str) -> str:
    from sqlalchemy.engine import make_url

    return make_url(server).set(database=name).render_as_string(hide_password=False)


# --- The server: started once for all workers --------------------------------------------------


def _server(folder: Path) -> str:
    """The URL of this run's server, which the first to ask gets started."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready, failed = folder / "ready", folder / "failed"
        if not ready.exists() and not failed.exists():
            _start_keeper(folder)
            if not wait_until(lambda: ready.exists() or failed.exists(), START_SECONDS):
                failed.write_text(f"no answer in {START_SECONDS:g} s")
    if failed.exists():
        pytest.fail(f"Postgres from the pgserver wheel did not start: {failed.read_text()}")
    url: str = json.loads(ready.read_text())["url"]
    return url


def _start_keeper(folder: Path) -> None:
    """In a session of its own, so that Ctrl-C reaches the tests first and the server last."""
    run = os.getppid() if os.environ.get("PYTEST_XDIST_WORKER") else os.getpid()
    (folder / "keeper").touch()
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, str(KEEPER), str(folder), str(run)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    keeper.returncode = 0  # it outlives this worker on purpose: no one waits for it
