"""A driver's transactions: begun, committed and rolled back on the database driver's own connection.

Owns the connections of a store that writes turn after turn. It knows no table and no statement.
"""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tier1_engine.errors import DatabaseUnavailable
from tier1_engine.store.sqlite_file import same_file, same_log

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection


WRITERS_LIMIT = 8
"""Transactions at once on Postgres: about half of what the pool has, the rest reads. SQLite takes one."""
TURN_SECONDS_LIMIT = 30.0
"""Seconds, as long as SQLAlchemy's pool waits for a connection; a queue of many is slow, not broken."""


class Writers:
    """The connections that transactions of one store write on, kept from one to the next.

    What a turn writes is a dozen statements of known shape, and the same driver writes turn after turn.
    SQLAlchemy's connections, events and results, and taking a connection from its pool and giving it
    back, cost more around each than the database's own work: here they are left out. Pool, dialect
    and errors stay SQLAlchemy's. Several threads may write; each gets a connection of its own, and
    waits for its turn here: a hundred that wait inside the database would take every connection.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._turns = BoundedSemaphore(1 if engine.dialect.name == "sqlite" else WRITERS_LIMIT)
        self.idle: list[PoolProxiedConnection] = []

    def close(self) -> None:
        while self.idle:
            self.idle.pop().close()

    def begin(self) -> None:
        """Wait for a turn to write.

        Raises:
            DatabaseUnavailable: those before us did not end.
        """
        if not self._turns.acquire(timeout=TURN_SECONDS_LIMIT):
            raise DatabaseUnavailable(
                f"The database accepted no writes from this process for {TURN_SECONDS_LIMIT:g} seconds."
            )

    def end(self) -> None:
        """Give the turn to the next."""
        self._turns.release()

    def take(self) -> PoolProxiedConnection | None:
        """A connection that was kept."""
        try:
            return self.idle.pop()
        except IndexError:
            return None

    def keep(self, connection: PoolProxiedConnection) -> None:
        """Keep it for the next, or give it back to the pool: others read."""
        if len(self.idle) < WRITERS_LIMIT:
            self.idle.append(connection)
        else:
            connection.close()


class Transaction:
    """A transaction that writes: committed when it is left, rolled back when an exception leaves it."""

    __slots__ = ("_pooled", "_writers", "cursor", "dialect")

    begins = "BEGIN IMMEDIATE"
    """On SQLite."""

    def __init__(self, writers: Writers) -> None:
        self._writers = writers
        self.dialect = writers.engine.dialect

    def __enter__(self) -> Self:
        self._wait_for_turn()
        try:
            return self._begun()
        except BaseException:
            self._give_turn()
            raise

    def _wait_for_turn(self) -> None:
        self._writers.begin()

    def _give_turn(self) -> None:
        self._writers.end()

    def _begun(self) -> Self:
        self._pooled = self._connected()
        try:
            self.dialect.do_begin(self._pooled)
            if self.dialect.name == "sqlite":
                same_file(self._pooled.info)
                driver: Any = self._pooled.driver_connection
                driver.execute(self.begins)
                same_log(driver, self._pooled.info)
            self.cursor: Any = self._pooled.cursor()
        except BaseException as error:
            self._abandon(error)
            raise
        return self

    def _connected(self) -> PoolProxiedConnection:
        """A connection that is kept, or a new one.

        Raises:
            DBAPIError: the server cannot be reached; SQLAlchemy leaves this one to the driver's own words.
        """
        kept = self._writers.take()
        return self._new() if kept is None else kept

    def _new(self) -> PoolProxiedConnection:
        driver: Any = self.dialect.loaded_dbapi
        try:
            return self._writers.engine.raw_connection()
        except driver.Error as error:
            raise DBAPIError.instance(
                None, None, error, driver.Error, connection_invalidated=True, dialect=self.dialect
            ) from error

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            self._end(error)
        finally:
            self._give_turn()

    def _end(self, error: BaseException | None) -> None:
        if error is not None:
            self._abandon(error)
            return
        try:
            self._finish()
        except BaseException as unfinished:
            self._abandon(unfinished)
            raise
        self._keep()

    def _keep(self) -> None:
        self._writers.keep(self._pooled)

    def _finish(self) -> None:
        self.dialect.do_commit(self._pooled)
        if self.dialect.name == "sqlite":
            same_log(self._pooled.driver_connection, self._pooled.info)

    def _abandon(self, error: BaseException) -> None:
        """Roll back by giving the connection back to the pool; one that is broken is thrown away.

        Raises:
            DBAPIError: what `error` is in SQLAlchemy's words, if it is the driver's.
        """
        driver: Any = self.dialect.loaded_dbapi
        cause: Any = error
        ours = isinstance(error, driver.Error)
        broken = ours and self.dialect.is_disconnect(cause, self._pooled, None)
        if broken or isinstance(error, DatabaseUnavailable):
            self._pooled.invalidate()
        self._pooled.close()
        if ours:
            raise DBAPIError.instance(
                None, None, cause, driver.Error, connection_invalidated=broken, dialect=self.dialect
            ) from error


class Look(Transaction):
    """A transaction that only reads, by the same short way, and waits for no writer.

    For a driver that looks again and again: a connection that broke meanwhile fails one look.
    """

    __slots__ = ()

    begins = "BEGIN"

    def _wait_for_turn(self) -> None:
        """It may even be made by who writes."""

    def _give_turn(self) -> None:
        """It had none."""

    def _finish(self) -> None:
        self.dialect.do_rollback(self._pooled)


class Reading(Look):
    """A look on a connection of the pool, which makes sure that the server still answers on it."""

    __slots__ = ()

    def _connected(self) -> PoolProxiedConnection:
        return self._new()

    def _keep(self) -> None:
        self._pooled.close()
