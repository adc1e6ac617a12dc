"""Opens the database, with the guarantees that the engine relies on.

SQLite runs in WAL mode with `synchronous=FULL`, foreign keys, a busy timeout and files of mode 0600; Postgres
with durable commits and timeouts shorter than the lease. A private SQLite file is created and upgraded at
first use; the schema of a shared Postgres is changed only by `tier1 db upgrade`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tier1_engine.errors import ConfigurationError, DatabaseUnavailable
from tier1_engine.store.columns import json_text
from tier1_engine.store.sqlite_file import (
    file_id,
    make_private_file,
    refuse_network,
    same_file,
    same_log,
    vanished,
)

BUSY_SECONDS = 5.0
"""How long one statement waits for another writer before it fails as busy."""
SWITCH_SECONDS = 0.01
"""The delay before a switch to WAL mode is retried, when another process makes the same switch."""


def connect(url: str, *, lease_seconds: float = 60.0) -> Engine:
    """Return an engine for `url`, not yet connected.

    Args:
        url: `sqlite:///FILE` or `postgresql://...`.
        lease_seconds: the length of a lease; Postgres sessions time out well before that.

    Raises:
        ConfigurationError: the URL is not supported.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    return _postgres(parsed, lease_seconds)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ValueError as error:
        raise ConfigurationError("The port in TIER1_DATABASE_URL is not a number: correct it.") from error
    except (ArgumentError, NoSuchModuleError):
        backend = ""
    if backend not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            "TIER1_DATABASE_URL is not supported: use sqlite:///FILE or postgresql://USER@HOST/NAME."
        )
    if backend == "sqlite" and not parsed.database:
        raise ConfigurationError("TIER1_DATABASE_URL names no file: use sqlite:///FILE.")
    if "@" in (parsed.host or ""):
        raise ConfigurationError("The password in TIER1_DATABASE_URL contains an @: write it as %40.")
    return parsed


def _sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        json_serializer=json_text,
        hide_parameters=True,  # they contain user data, and error messages are written to a trace file
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
    )

    opened: set[tuple[int, int] | None] = set()

    @event.listens_for(engine, "do_connect")
    def make_private(*_: Any) -> None:
        # The first connection may create the file and remembers its identity. A file that is deleted later
        # must not be recreated empty, and a file that replaces it is not this database.
        if opened and file_id(path) not in opened:
            raise DatabaseUnavailable(vanished(path))
        if not opened:
            refuse_network(path)
        make_private_file(path)
        opened.add(file_id(path))

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: sqlite3.Connection, record: Any) -> None:
        record.info["path"], record.info["file"] = path, file_id(path)
        _write_ahead(connection)
        record.info["log"] = None
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    # The driver's own transaction handling is off (isolation_level None): a write transaction must take the
    # lock at once. Otherwise two transactions could both read, and one would then fail to write.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        try:
            same_file(connection.info)
        except DatabaseUnavailable:
            connection.invalidate()
            raise
        reads = connection.get_execution_options().get("reads_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
        try:
            same_log(connection.connection.driver_connection, connection.info)
        except DatabaseUnavailable:
            connection.invalidate()
            raise

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL mode, which is permanent.

    The switch needs an exclusive lock, and SQLite does not wait for that: if two processes open a new file
    together, one fails as busy at once, whatever its timeout.
    """
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up:
                raise
        time.sleep(SWITCH_SECONDS)


def _postgres(url: URL, lease_seconds: float) -> Engine:
    try:
        from tier1_engine.store import postgres

        return postgres.engine(url, lease_seconds)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "The Postgres driver is missing: install it with `pip install 'tier1-engine[postgres]'`."
        ) from error


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turn the errors of the database into `DatabaseUnavailable`, except violated constraints.

    Whatever else it answers, this transaction was not committed, or may not have been, and a driver can only
    retry it: a standby answers that it is read-only, a pooler that a statement is unknown.
    """
    driver: Any = engine.dialect.loaded_dbapi
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise DatabaseUnavailable(_sentence(engine, error.orig)) from error
    except driver.Error as error:
        raise DatabaseUnavailable(_sentence(engine, error)) from error
    except PoolTimeout as error:
        raise DatabaseUnavailable(
            f"{describe(engine)} has no free connection for this process: run the command again."
        ) from error


def _sentence(engine: Engine, error: BaseException | None) -> str:
    where = describe(engine)
    cause = next(iter(str(error or "").strip().splitlines()), "no reason given")
    if engine.dialect.name == "sqlite":
        return _sentence_of_sqlite(engine, error, where, cause)
    code = getattr(error, "sqlstate", None) or ""
    if code == "25006":
        return (
            f"{where} is read-only ({cause}): name the primary server in TIER1_DATABASE_URL, or all servers "
            "with target_session_attrs=read-write, then retry."
        )
    if code == "42501":
        return f"{where} denies access ({cause}): grant it to the user in TIER1_DATABASE_URL, then retry."
    if code[:2] in _REFUSED_STATEMENTS:
        return f"{where} refused a statement ({cause}): check its schema with `tier1 db current`, then retry."
    return f"{where} cannot be reached ({cause}): check TIER1_DATABASE_URL and the server, then retry."


_REFUSED_STATEMENTS = frozenset({"0A", "22", "25", "26", "2F", "34", "3F", "42"})
"""Classes of SQLSTATE with which a server that works refuses a statement
(https://www.postgresql.org/docs/current/errcodes-appendix.html)."""


def _sentence_of_sqlite(engine: Engine, error: BaseException | None, where: str, cause: str) -> str:
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return (
            f"{where} is locked by another process for more than {BUSY_SECONDS:g} s: "
            f"stop the process that holds it ({_openers(engine)}), then run the command again."
        )
    if code == "SQLITE_FULL":
        return f"{where} has no space to grow ({cause}): free space on its disk, then run the command again."
    if code == "SQLITE_NOTADB":
        return f"{where} is not a SQLite database: set TIER1_DATABASE_URL to another file."
    return f"{where} cannot be read or written ({cause}): fix that, then run the command again."


def _openers(engine: Engine) -> str:
    """Name the processes that have the SQLite file open, for the message about a lock (Linux only)."""
    path = os.path.realpath(engine.url.database or "")
    pids: list[str] = []
    for pid in filter(str.isdigit, os.listdir("/proc") if Path("/proc").is_dir() else ()):
        try:
            files = {os.path.realpath(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        except OSError:
            continue
        if path in files and int(pid) != os.getpid():
            pids.append(pid)
    return f"process {', '.join(pids)}" if pids else "its process could not be found"


def describe(engine: Engine) -> str:
    """Describe the database for a message, without its password."""
    if engine.dialect.name == "sqlite":
        return f"The database file {engine.url.database}"
    from tier1_engine.masking import masked_text

    return f"The database {masked_text(engine.url.render_as_string(hide_password=True))}"
