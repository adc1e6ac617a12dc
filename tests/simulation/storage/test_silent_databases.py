"""Servers that are silent: frozen, or behind a network that drops every packet. The client ends its session.

`tests/processes/test_frozen.py` freezes the server of the real command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.engine import make_url

from tests.support.black_hole import network
from tests.support.postgres_server import OwnServer, own_server
from tests.support.simulation.failing import stored_on
from tier1_engine.errors import DatabaseUnavailable
from tier1_engine.store import database
from tier1_engine.store.store import Store
from tier1_engine.store.transactions import Transaction

pytestmark = [pytest.mark.promise(1), pytest.mark.postgres]

LEASE_SECONDS = 6.0
CALL_SECONDS = 2.0
MARGIN_SECONDS = 2.0
"""For a busy machine, and because libpq waits at least two seconds for a new session."""


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as own, stored_on(own.url):
        yield own


def write(store: Store) -> None:
    """A write transaction that changes no row."""
    with database.translated(store.engine), Transaction(store.writers) as transaction:
        transaction.cursor.execute("UPDATE deployments SET max_attempts = max_attempts")


def read(store: Store) -> None:
    store.summaries()


def fresh(store: Store) -> None:
    store.engine.dispose()


SESSIONS: dict[str, Callable[[Store], None]] = {"of the driver": write, "of the pool": read, "new": fresh}


def silent_for_one_call(url: str, session: Callable[[Store], None], silence: Callable[[], None]) -> None:
    """Whatever session is used, the client ends it in time, and can be closed."""
    store = Store.open(url, lease_seconds=LEASE_SECONDS)
    session(store)
    silence()
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=r"did not answer for 1 seconds|timeout expired"):
        write(store)
    store.close()
    assert time.monotonic() - begun <= CALL_SECONDS + MARGIN_SECONDS


@pytest.mark.parametrize("session", SESSIONS)
def test_a_frozen_server_is_given_up_within_the_time_of_one_call(server: OwnServer, session: str) -> None:
    """Its kernel acknowledges every packet, so no time-out of TCP helps."""
    try:
        silent_for_one_call(server.url, SESSIONS[session], server.freeze)
    finally:
        server.thaw()


@pytest.mark.parametrize("session", SESSIONS)
def test_a_network_that_drops_every_packet_is_given_up_as_well(server: OwnServer, session: str) -> None:
    """Nobody resets the connection."""
    url = make_url(server.url)
    with network(str(url.host), int(url.port or 0)) as path:
        through = url.set(port=path.port).render_as_string(hide_password=False)
        silent_for_one_call(through, SESSIONS[session], path.cut.set)


def test_a_server_that_is_slow_but_sends_is_waited_for(server: OwnServer) -> None:
    """Only silence counts: an answer may take as long as it likes."""
    store = Store.open(server.url, lease_seconds=LEASE_SECONDS)
    with store.reading() as connection:
        slow = "SELECT repeat('x', 200000) || pg_sleep(0.06) FROM generate_series(1, 25)"
        begun = time.monotonic()
        assert len(connection.exec_driver_sql(slow).all()) == 25
    assert time.monotonic() - begun > 1.0
    store.close()
