"""The sessions of a Postgres database: bounded on both sides, and the same behind a connection pooler.

Owns how long a session may take. Two kinds of bounds are needed:

- The server ends what waits for a lock or idles in a transaction. Both are set for each write transaction,
  not for the session: behind a pooler in transaction mode the next transaction may run in another session,
  and poolers refuse the startup parameter `options`
  (https://www.pgbouncer.org/features.html, "SQL feature map for pooling modes").
- The client ends a session whose server is silent. `tcp_user_timeout` and keepalives do not help against a
  server that is frozen, because its kernel still acknowledges every packet.

For the same reason nothing is prepared on the server: the next transaction may not find it there
(https://www.psycopg.org/psycopg3/docs/advanced/prepare.html, "Using prepared statements with PgBouncer").
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from tier1_engine.errors import ConfigurationError
from tier1_engine.store.columns import json_text

SILENCES_PER_LEASE = 6
"""A session ends after this part of a lease: half of the longest time limit of one call (`settings`), into
which the check of an idle session and a new session after it fit together."""
LEAST_SILENCE_SECONDS = 1.0
CONNECTS_PER_SILENCE = 2
"""A new session has this part of it for each address of the server."""
LEAST_CONNECT_SECONDS = 2
"""libpq takes no less."""
LEAST_LOCK_SECONDS = 0.1

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one statement may take.

    Attributes:
        silence_seconds: the client ends a session whose server sends nothing for this long.
        lock_seconds: the server ends what waits for a lock, or idles in a transaction.
        connect_seconds: the time limit of a new session.
    """

    silence_seconds: float
    lock_seconds: float
    connect_seconds: int

    @classmethod
    def of(cls, lease_seconds: float) -> Limits:
        part = lease_seconds / SILENCES_PER_LEASE
        silence = max(part, LEAST_SILENCE_SECONDS)
        connect = max(int(silence / CONNECTS_PER_SILENCE), LEAST_CONNECT_SECONDS)
        # The server is a little quicker, so that its reason arrives.
        return cls(silence, max(part * 0.9, LEAST_LOCK_SECONDS), connect)


class Session(psycopg.Connection[Any]):
    """A session that ends when its server is silent.

    Attributes:
        silence_seconds: the longest wait for the next byte.
        lock_seconds: the longest wait for a lock, and the longest pause within a transaction.
    """

    silence_seconds = float("inf")
    lock_seconds = float("inf")

    @property
    def limits_locks(self) -> str:
        """The statement that sets `lock_seconds` for the current transaction."""
        milliseconds = int(self.lock_seconds * 1000)
        return (
            f"SELECT set_config('lock_timeout', '{milliseconds}', true), "
            f"set_config('idle_in_transaction_session_timeout', '{milliseconds}', true)"
        )

    def wait(self, gen: Any, *args: Any, **named: Any) -> Any:
        """Perform one exchange with the server.

        Raises:
            OperationalError: the server was silent for too long; the session is closed.
        """
        try:
            return super().wait(_heard(gen, self.silence_seconds), *args, **named)
        except _Silent as silent:
            self.close()
            raise psycopg.OperationalError(
                f"the server did not answer for {self.silence_seconds:g} seconds"
            ) from silent


class _Silent(Exception):
    """The server sent nothing for too long."""


def _heard(exchange: Generator[Any, Any, Result], seconds: float) -> Generator[Any, Any, Result]:
    """Pass the exchange on, unless it does not advance for `seconds`.

    psycopg resumes an exchange with 0 when nothing arrived for a tenth of a second (psycopg/waiting.py).
    """
    try:
        waits_for = next(exchange)
        heard_at = time.monotonic()
        while True:
            ready = yield waits_for
            if ready:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at >= seconds:
                exchange.close()
                raise _Silent
            waits_for = exchange.send(ready)
    except StopIteration as end:
        result: Result = end.value
        return result


def engine(url: URL, lease_seconds: float) -> Engine:
    """Return an engine for a Postgres, not yet connected.

    Raises:
        ConfigurationError: the URL has an option that libpq does not know.
    """
    _refuse_invalid(url)
    limits = Limits.of(lease_seconds)
    made = create_engine(
        url.set(drivername="postgresql+psycopg"),
        json_serializer=json_text,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": limits.connect_seconds,
            "application_name": "tier1",
            "prepare_threshold": None,
        },
    )

    @event.listens_for(made, "do_connect")
    def bounded(dialect: Any, record: Any, arguments: Any, named: Any) -> Session:
        session = Session.connect(*arguments, **named)
        session.silence_seconds = limits.silence_seconds
        session.lock_seconds = limits.lock_seconds
        return session

    @event.listens_for(made, "connect")
    def refuse_lossy(session: Session, _: Any) -> None:
        _refuse_lossy(session)

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("reads_only", False):
            session: Any = connection.connection.driver_connection
            connection.exec_driver_sql(session.limits_locks)

    return made


def _refuse_invalid(url: URL) -> None:
    """Refuse what libpq does not know, before it is a failed connection."""
    try:
        make_conninfo("", **{name: str(value) for name, value in url.query.items()})
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            f"TIER1_DATABASE_URL cannot be used ({str(error).strip()}): correct what follows its `?`."
        ) from error


def _refuse_lossy(session: Session) -> None:
    (setting,) = session.execute("SHOW synchronous_commit").fetchone() or ("unknown",)
    session.rollback()
    if setting == "off":
        session.close()  # the pool does not have it yet
        raise ConfigurationError(
            "This Postgres has synchronous_commit=off and could lose committed data: "
            "set it to on for this database or user."
        )
