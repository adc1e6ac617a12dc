"""Transactions that use the database driver's own connection, for the many writes of an engine.

Owns the write connections of a store. It knows no table and no statement.
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
"""Concurrent transactions on Postgres: about half of the pool; the rest is for reads. SQLite allows one."""
TURN_SECONDS_LIMIT = 30.0
"""The same as the timeout of SQLAlchemy's pool: a long queue is slow, but not broken."""


class Writers:
    """The write connections of one store, reused from one transaction to the next.

    A turn writes about a dozen known statements, and the same driver writes many turns. SQLAlchemy's
    connections, events and results, and each checkout from its pool, cost more than the database's own work:
    this class avoids them. Pool, dialect and errors remain SQLAlchemy's. Several threads may write; each gets
    its own connection and waits for its turn here: a hundred waiting inside the database would use up all
    connections.
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
            DatabaseUnavailable: the transactions before this one did not end in time.
        """
        if not self._turns.acquire(timeout=TURN_SECONDS_LIMIT):
            raise DatabaseUnavailable(
                f"The database accepted no writes from this process for {TURN_SECONDS_LIMIT:g} seconds."
            )

    def end(self) -> None:
        """Let the next transaction write."""
        self._turns.release()

    def take(self) -> PoolProxiedConnection | None:
        """Return an idle connection, if there is one."""
        try:
            return self.idle.pop()
        except IndexError:
            return None

    def keep(self, connection: PoolProxiedConnection) -> None:
        """Keep the connection for the next transaction, or return it to the pool for reads."""
        if len(self.idle) < WRITERS_LIMIT:
            self.idle.append(connection)
        else:
            connection.close()


class Transaction:
    """A write transaction: committed at the end of the block, rolled back on an exception."""

    __slots__ = ("_pooled", "_writers", "cursor", "dialect")

    begins = "BEGIN IMMEDIATE"
    """The statement that begins it on SQLite."""

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
            else:
                self._limit()
            self.cursor: Any = self._pooled.cursor()
        except BaseException as error:
            self._abandon(error)
            raise
        return self

    def _limit(self) -> None:
        """Let the server end this transaction when it waits for a lock or idles for too long."""
        session: Any = self._pooled.driver_connection
        session.execute(session.limits_locks)

    def _connected(self) -> PoolProxiedConnection:
        """Return an idle connection, or a new one.

        Raises:
            DBAPIError: the server cannot be reached; SQLAlchemy would raise the driver's own error here.
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
        """Roll back by returning the connection to the pool; a broken one is discarded.

        So is a session of Postgres after any error but a violated constraint: after a failover the server
        that it is connected to stays read-only, and only a new session finds the other one.

        Raises:
            DBAPIError: the SQLAlchemy form of `error`, if that came from the driver.
        """
        driver: Any = self.dialect.loaded_dbapi
        cause: Any = error
        ours = isinstance(error, driver.Error)
        broken = ours and self.dialect.is_disconnect(cause, self._pooled, None)
        outdated = ours and self.dialect.name != "sqlite" and not isinstance(error, driver.IntegrityError)
        if broken or outdated or isinstance(error, DatabaseUnavailable):
            self._pooled.invalidate()
        self._pooled.close()
        if ours:
            raise DBAPIError.instance(
                None, None, cause, driver.Error, connection_invalidated=broken, dialect=self.dialect
            ) from error


class ReadTransaction(Transaction):
    """A read transaction on the same connections, which waits for no writer.

    For the frequent reads of a driver: a connection that broke meanwhile fails one of them.
    """

    __slots__ = ()

    begins = "BEGIN"

    def _wait_for_turn(self) -> None:
        """Do not wait: the reading thread may hold the turn to write."""

    def _give_turn(self) -> None:
        """Do nothing: it has no turn."""

    def _limit(self) -> None:
        """Do nothing: it locks no row."""

    def _finish(self) -> None:
        self.dialect.do_rollback(self._pooled)


class PooledReadTransaction(ReadTransaction):
    """A read on a pooled connection, after checking that the server still responds on it."""

    __slots__ = ()

    def _connected(self) -> PoolProxiedConnection:
        return self._new()

    def _keep(self) -> None:
        self._pooled.close()
