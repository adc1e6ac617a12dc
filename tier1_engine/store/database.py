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
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from tier1_engine.errors import ConfigurationError, DatabaseUnavailable
from tier1_engine.store.columns import json_text
from tier1_engine.store.sqlite_file import file_id, make_private_file, same_file, same_log, vanished

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
        _refuse_invalid(url)
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            json_serializer=json_text,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={
                "options": _options(url, lease_seconds),
                "connect_timeout": 10,
                "application_name": "tier1",
            },
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "The Postgres driver is missing: install it with `pip install 'tier1-engine[postgres]'`."
        ) from error

    @event.listens_for(engine, "connect")
    def refuse_lossy(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            setting = cursor.execute("SHOW synchronous_commit").fetchone()[0]
        connection.rollback()
        if setting == "off":
            connection.close()  # the pool does not have it yet
            raise ConfigurationError(
                "This Postgres has synchronous_commit=off and could lose committed data: "
                "set it to on for this database or user."
            )

    return engine


def _refuse_invalid(url: URL) -> None:
    """Refuse what libpq does not know, before it is a failed connection."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    try:
        make_conninfo("", **{name: str(value) for name, value in url.query.items()})
    except ProgrammingError as error:
        raise ConfigurationError(
            f"TIER1_DATABASE_URL cannot be used ({str(error).strip()}): correct what follows its `?`."
        ) from error


def _options(url: URL, lease_seconds: float) -> str:
    """Return the options of each session: the operator's, from the URL or PGOPTIONS, then the time-outs."""
    given = url.query.get("options", os.environ.get("PGOPTIONS", ""))
    milliseconds = max(int(lease_seconds * 1000 / 3), 100)
    ours = f"-c lock_timeout={milliseconds} -c idle_in_transaction_session_timeout={milliseconds}"
    return " ".join([*([given] if isinstance(given, str) else given), ours]).strip()


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turn the driver's errors into `DatabaseUnavailable`, except violated constraints."""
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailable(_sentence(engine, error)) from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_no_database(error):
            raise DatabaseUnavailable(_sentence(engine, error)) from error
        raise


def _is_no_database(error: DBAPIError) -> bool:
    return isinstance(error.orig, sqlite3.DatabaseError) and not isinstance(
        error.orig, sqlite3.IntegrityError | sqlite3.ProgrammingError
    )


def _sentence(engine: Engine, error: DBAPIError) -> str:
    where = describe(engine)
    cause = str(error.orig).strip().splitlines()[0] if error.orig else "no reason given"
    if engine.dialect.name == "sqlite":
        code = getattr(error.orig, "sqlite_errorname", "")
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return (
                f"{where} is locked by another process for more than {BUSY_SECONDS:g} s: "
                f"stop the process that holds it ({_openers(engine)}), then run the command again."
            )
        if code == "SQLITE_FULL":
            return (
                f"{where} has no space to grow ({cause}): free space on its disk, then run the command again."
            )
        if code == "SQLITE_NOTADB":
            return f"{where} is not a SQLite database: set TIER1_DATABASE_URL to another file."
        return f"{where} cannot be read or written ({cause}): fix that, then run the command again."
    return f"{where} cannot be reached ({cause}): check TIER1_DATABASE_URL and the server, then retry."


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
